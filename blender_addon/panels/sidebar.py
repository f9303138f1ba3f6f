"""What the panels of the viewport's sidebar have in common."""

from __future__ import annotations

import bpy

from ..scene.selection import active_asset


class Sidebar:
    """Where the viewport's panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Neural Assets"


class SubPanel(Sidebar):
    """A panel in another one, closed at first: for what is rarely wanted."""

    bl_options = {"DEFAULT_CLOSED"}


class WithPhoto(SubPanel):
    """A sub-panel that is there once the scene has a photo."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it once the scene has a photo."""
        return context.scene.neural_assets.photo is not None


class WithActiveAsset(SubPanel):
    """A sub-panel that is there while an asset is active."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it while an asset is active."""
        return active_asset(context.view_layer) is not None
