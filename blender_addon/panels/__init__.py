"""Panels, in the order of work: *Photo*, *Assets*, *Animate* and *Render* in the viewport's sidebar.

Each has a module of its name; its sub-panels, closed at first, hold what is rarely wanted. ``asset_list`` is
the list of assets, ``render_properties`` the engine's panels in the Properties editor, ``problems`` how
warnings are drawn, ``blenders_own`` lets Blender's own panels show with this engine, and ``pie_menu`` has the
same commands under the pointer.
"""

from __future__ import annotations

from . import (
    animate,
    asset_list,
    assets,
    blenders_own,
    photo,
    pie_menu,
    render,
    render_properties,
)

CLASSES = (
    *asset_list.CLASSES,
    *photo.CLASSES,
    *assets.CLASSES,
    *animate.CLASSES,
    *render.CLASSES,
    *render_properties.CLASSES,
    *pie_menu.CLASSES,
)
"""Every panel, menu and list, parents before their sub-panels."""


def register() -> None:
    """Show Blender's own panels with this engine, and let the list know the active asset."""
    blenders_own.register()
    asset_list.register()


def unregister() -> None:
    """Take both away again."""
    asset_list.unregister()
    blenders_own.unregister()
