"""The list of the scene's assets: one of Blender's lists, whose active row is the viewport's active object.

The list goes over ``scene.objects`` and shows those that are assets, so nothing has to be kept in step:
renaming, deleting, undoing, linking and other scenes simply show. Which row is active is not stored either.
It is asked of the view layer, and clicking another row selects that asset.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..errors import UserError
from ..operators.asset_list import leave_other_modes
from ..scene.asset_order import listed
from ..scene.assets import has_source
from ..scene.fitted_mesh import fitted_mesh
from ..scene.painting import painted_layer
from ..scene.selection import choose_asset, is_in

ROWS = 5
"""Of the list at first: as many as its buttons are high."""

NOBODY = -1
"""The active row while no asset is active."""


def outline_icon(asset: bpy.types.Object) -> Any:
    """Return the icon that tells where an asset's outline comes from.

    A mesh says it exactly; a painting replaces what the network finds in the photo; without a photo there is
    none.
    """
    if not has_source(asset.neural_asset):
        return "ERROR"
    if fitted_mesh(asset) is not None:
        return "OUTLINER_OB_MESH"
    return "BRUSH_DATA" if painted_layer(asset, "outline") is not None else "IMAGE_ALPHA"


def active_row(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> int:
    """Return the number of the active asset among the scene's objects; :data:`NOBODY` if there is none."""
    active = view_layer.objects.active
    if active is None or not active.neural_asset.is_asset:
        return NOBODY
    number = int(scene.objects.find(active.name))
    if number != NOBODY and scene.objects[number] != active:  # of another file, and of the same name
        return next((i for i, item in enumerate(scene.objects) if item == active), NOBODY)
    return number


def choose_row(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, number: int) -> None:
    """Select the asset of a row; one that this view layer leaves out is not selected."""
    if 0 <= number < len(scene.objects) and scene.objects[number].neural_asset.is_asset:
        try:
            choose_asset(scene, view_layer, scene.objects[number])
        except UserError as error:
            print(f"Neural Assets: {error}")  # the row is grey, and its tooltip says so


class NEURAL_ASSETS_UL_assets(bpy.types.UIList):
    """The assets of the scene."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.Scene,
        item: bpy.types.Object,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
        flag: int = 0,
    ) -> None:
        """Draw a row: selection, thumbnail and name, outline, shadow, and visibility in renders."""
        row = layout.row(align=True)
        chosen = item.select_get(view_layer=context.view_layer)
        select = row.row(align=True)
        select.operator_context = "INVOKE_DEFAULT"  # so that it hears of Ctrl and Shift
        select.active = is_in(context.view_layer, item)
        select.operator(
            "neural_assets.select_asset",
            text="",
            icon="RADIOBUT_ON" if chosen else "RADIOBUT_OFF",
            emboss=False,
        ).name = item.name
        name = row.row(align=True)
        name.active = not item.hide_render and select.active
        if item.preview is not None and item.preview.icon_id:
            name.template_icon(item.preview.icon_id, scale=1.0)
        else:
            name.label(text="", icon="CUBE")
        name.prop(item, "name", text="", emboss=False)
        row.label(text="", icon=outline_icon(item))
        row.prop(
            item.neural_asset,
            "show_shadow",
            text="",
            icon="SHADING_RENDERED" if item.neural_asset.show_shadow else "SHADING_SOLID",
            emboss=False,
        )
        row.prop(item, "hide_render", text="", emboss=False)

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.Scene, name: str
    ) -> tuple[list[int], list[int]]:
        """Show the scene's assets alone, as Blender's own filter and sort below the list say."""
        objects = list(getattr(data, name))
        shown, places = listed(objects, self.filter_name, by_name=self.use_filter_sort_alpha)
        if self.use_filter_invert:  # Blender turns the flags round: what is no asset stays out
            shown = [
                here or not item.neural_asset.is_asset for here, item in zip(shown, objects, strict=True)
            ]
        return [self.bitflag_filter_item if here else 0 for here in shown], places


class NEURAL_ASSETS_MT_asset_specials(bpy.types.Menu):
    """What else there is to do with the list of assets."""

    bl_label = "Asset Specials"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the menu."""
        layout = self.layout
        layout.operator("neural_assets.select_all_assets", icon="RESTRICT_SELECT_OFF")
        layout.operator("neural_assets.replace_asset", icon="UV_SYNC_SELECT")
        layout.separator()
        name = "neural_assets.show_assets"
        layout.operator(name, text="Show All in Renders", icon="RESTRICT_RENDER_OFF").selected_only = False
        layout.operator(
            name, text="Hide Unselected in Renders", icon="RESTRICT_RENDER_ON"
        ).selected_only = True
        layout.separator()
        name = "neural_assets.move_asset"
        layout.operator(name, text="Move to Top", icon="TRIA_UP_BAR").direction = "TOP"
        layout.operator(name, text="Move to Bottom", icon="TRIA_DOWN_BAR").direction = "BOTTOM"
        layout.operator("neural_assets.order_assets", icon="SORTALPHA")


def draw_list(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Draw the list with its buttons."""
    row = layout.row()
    row.template_list(
        NEURAL_ASSETS_UL_assets.__name__, "", scene, "objects", scene, "neural_assets_active_row", rows=ROWS
    )
    column = row.column(align=True)
    column.operator_context = "INVOKE_DEFAULT"
    column.operator("neural_assets.add_asset_from_box", text="", icon="ADD")
    column.operator("neural_assets.remove_asset", text="", icon="REMOVE")
    column.separator()
    column.menu(NEURAL_ASSETS_MT_asset_specials.__name__, text="", icon="DOWNARROW_HLT")
    column.separator()
    column.operator("neural_assets.move_asset", text="", icon="TRIA_UP").direction = "UP"
    column.operator("neural_assets.move_asset", text="", icon="TRIA_DOWN").direction = "DOWN"


CLASSES = (NEURAL_ASSETS_UL_assets, NEURAL_ASSETS_MT_asset_specials)


def _view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    context = bpy.context
    return context.view_layer if context.scene == scene else scene.view_layers[0]


def _get_row(scene: bpy.types.Scene) -> int:
    return active_row(scene, _view_layer(scene))


def _set_row(scene: bpy.types.Scene, number: int) -> None:
    if bpy.context.scene == scene:
        leave_other_modes(bpy.context)
    choose_row(scene, _view_layer(scene), number)


def register() -> None:
    """Give scenes the active row. It is asked for and never stored, so drawing writes nothing to a file."""
    bpy.types.Scene.neural_assets_active_row = bpy.props.IntProperty(
        name="Active Asset",
        description="The asset to work on: the active object of the viewport",
        get=_get_row,
        set=_set_row,
        options=set(),
    )


def unregister() -> None:
    """Take it away again."""
    del bpy.types.Scene.neural_assets_active_row
