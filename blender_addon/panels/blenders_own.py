"""Blender's own panels (output, format, stamp, camera, colour management) that any engine needs."""

from __future__ import annotations

import bpy

from ..names import ENGINE

NOT_OURS = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_freestyle", "RENDER_PT_simplify"}
"""Panels that other engines share, but that mean nothing here."""


def shared_panels() -> list[type[bpy.types.Panel]]:
    """Return those that are to show with this engine."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if "BLENDER_RENDER" in getattr(panel, "COMPAT_ENGINES", ()) and panel.__name__ not in NOT_OURS
    ]


def register() -> None:
    """Show them with this engine."""
    for panel in shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    """Take this engine out of them."""
    for panel in shared_panels():
        panel.COMPAT_ENGINES.discard(ENGINE)
