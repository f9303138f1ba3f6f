"""What the buttons beside the list of assets, and in its rows, do."""

from __future__ import annotations

from typing import cast

import bpy

from ..errors import UserError
from ..scene.asset_order import Direction, move_asset, order_by_name, ordered_assets
from ..scene.assets import asset_objects, remove_assets
from ..scene.selection import How, active_asset, choose_asset, is_in, selected_assets
from .reporting import reports_user_errors

HOW = (
    ("ALONE", "Alone", "This asset and no other", 0),
    ("TOGGLE", "Toggle", "Add this asset to the selection, or take it out", 1),
    ("RANGE", "Range", "From the active asset to this one, as the list has them", 2),
)

DIRECTIONS = (
    ("UP", "Up", "One place up", 0),
    ("DOWN", "Down", "One place down", 1),
    ("TOP", "To Top", "Before all others", 2),
    ("BOTTOM", "To Bottom", "After all others", 3),
)


class OfAssets:
    """Offered where the scene has assets."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it where the scene has assets."""
        if any(item.neural_asset.is_asset for item in context.scene.objects):
            return True
        cls.poll_message_set("Add an asset first")  # type: ignore[attr-defined]
        return False


class OfActiveAsset:
    """Offered for the active asset."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for the active asset."""
        if active_asset(context.view_layer) is not None:
            return True
        cls.poll_message_set("Select an asset")  # type: ignore[attr-defined]
        return False


class NEURAL_ASSETS_OT_select_asset(bpy.types.Operator):
    """Select the asset. Ctrl adds it to the selection or takes it out, Shift selects all up to it"""

    bl_idname = "neural_assets.select_asset"
    bl_label = "Select Asset"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Asset", description="Name of its empty", options={"SKIP_SAVE"})
    how: bpy.props.EnumProperty(
        name="How", description="What becomes of the selection", items=HOW, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take the keys that are held."""
        self.how = "RANGE" if event.shift else "TOGGLE" if event.ctrl else "ALONE"
        return self.execute(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select it."""
        asset: bpy.types.Object | None = context.scene.objects.get(self.name)
        if asset is None or not asset.neural_asset.is_asset:
            raise UserError(f"There is no asset '{self.name}' in this scene.", "Choose one from the list.")
        leave_other_modes(context)
        choose_asset(context.scene, context.view_layer, asset, cast(How, self.how))
        return {"FINISHED"}


class NEURAL_ASSETS_OT_select_all_assets(OfAssets, bpy.types.Operator):
    """Select all assets of the scene, and nothing else"""

    bl_idname = "neural_assets.select_all_assets"
    bl_label = "Select All Assets"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select them."""
        leave_other_modes(context)
        for item in list(context.view_layer.objects.selected):
            item.select_set(False)
        assets = [item for item in ordered_assets(context.scene) if is_in(context.view_layer, item)]
        for item in assets:
            item.select_set(True)
        if assets and active_asset(context.view_layer) is None:
            context.view_layer.objects.active = assets[0]
        return {"FINISHED"}


class NEURAL_ASSETS_OT_remove_asset(OfAssets, bpy.types.Operator):
    """Remove the selected assets from the scene: their objects are gone from the picture"""

    bl_idname = "neural_assets.remove_asset"
    bl_label = "Remove Asset"
    bl_options = {"REGISTER", "UNDO"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them, and select the next one in the list."""
        scene, view_layer = context.scene, context.view_layer
        active = active_asset(view_layer)
        gone = selected_assets(view_layer) or ([active] if active is not None else [])
        if not gone:
            raise UserError("No asset is selected.", "Click one in the list.")
        before = ordered_assets(scene)
        first = min(before.index(item) for item in gone)
        remove_assets(scene, gone)
        left = ordered_assets(scene)
        if left:
            choose_asset(scene, view_layer, left[min(first, len(left) - 1)])
        return {"FINISHED"}


class NEURAL_ASSETS_OT_move_asset(OfActiveAsset, bpy.types.Operator):
    """Move the active asset in the list. The picture does not depend on the order"""

    bl_idname = "neural_assets.move_asset"
    bl_label = "Move Asset"
    bl_options = {"REGISTER", "UNDO"}

    direction: bpy.props.EnumProperty(name="Direction", description="Where to", items=DIRECTIONS)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move it."""
        asset = active_asset(context.view_layer)
        assert asset is not None
        moved = move_asset(context.scene, asset, cast(Direction, self.direction))
        return {"FINISHED"} if moved else {"CANCELLED"}


class NEURAL_ASSETS_OT_order_assets(OfAssets, bpy.types.Operator):
    """Put the list of assets in the order of their names"""

    bl_idname = "neural_assets.order_assets"
    bl_label = "Order Assets by Name"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Order them."""
        order_by_name(context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_show_assets(OfAssets, bpy.types.Operator):
    """Show all assets of the scene in renders, or none but the selected ones"""

    bl_idname = "neural_assets.show_assets"
    bl_label = "Show Assets in Renders"
    bl_options = {"REGISTER", "UNDO"}

    selected_only: bpy.props.BoolProperty(
        name="Selected Only", description="Hide those that are not selected", default=False
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show and hide them."""
        shown = selected_assets(context.view_layer) if self.selected_only else asset_objects(context.scene)
        for item in asset_objects(context.scene):
            if item.library is None:
                item.hide_render = item not in shown
        return {"FINISHED"}


def leave_other_modes(context: bpy.types.Context) -> None:
    """Go back to Object Mode, in which objects are chosen, as the Outliner does."""
    active = context.view_layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


CLASSES = (
    NEURAL_ASSETS_OT_select_asset,
    NEURAL_ASSETS_OT_select_all_assets,
    NEURAL_ASSETS_OT_remove_asset,
    NEURAL_ASSETS_OT_move_asset,
    NEURAL_ASSETS_OT_order_assets,
    NEURAL_ASSETS_OT_show_assets,
)
