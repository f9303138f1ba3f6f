"""Add View, and Remove View."""

from __future__ import annotations

import bpy

from ..errors import UserError
from ..scene.views import add_view, remove_view
from .reporting import reports_user_errors


class NEURAL_ASSETS_OT_add_view(bpy.types.Operator):
    """See the active asset in another photo, too: of its other side"""

    bl_idname = "neural_assets.add_view"
    bl_label = "Add View to Asset"
    bl_options = {"REGISTER", "UNDO"}

    donor: bpy.props.StringProperty(
        name="Asset There", description="The asset of the same object in another photo, of any scene"
    )
    turn: bpy.props.IntProperty(
        name="Quarter Turns",
        description="Turns about the up axis that bring the front of the box there to the object's front",
        min=0,
        max=3,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for an asset where there are others."""
        active = context.active_object
        if active is None or not active.neural_asset.is_asset:
            cls.poll_message_set("Select the asset that gets another view")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the asset in the other photo."""
        active = context.active_object
        selected = [i for i in context.selected_objects if i != active and i.neural_asset.is_asset]
        others = [
            item
            for item in bpy.data.objects
            if item.neural_asset.is_asset and item.neural_asset.photo != active.neural_asset.photo
        ]
        self.donor = next((item.name for item in (*selected, *others)), "")
        return set(context.window_manager.invoke_props_dialog(self))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the dialog."""
        self.layout.prop_search(self, "donor", bpy.data, "objects")
        self.layout.prop(self, "turn")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the view."""
        donor: bpy.types.Object | None = bpy.data.objects.get(self.donor)
        if donor is None:
            raise UserError(
                f"There is no object '{self.donor}'.",
                "Import the other photo in a scene of its own, add the object there, and choose that asset.",
            )
        add_view(context.active_object, donor, turn=self.turn)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_remove_view(bpy.types.Operator):
    """See the active asset in this photo no longer"""

    bl_idname = "neural_assets.remove_view"
    bl_label = "Remove View"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="View", description="Number of the view, from 0", min=0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for an asset with views."""
        active = context.active_object
        return active is not None and bool(active.neural_asset.views)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        remove_view(context.active_object, self.number)
        return {"FINISHED"}


CLASSES = (NEURAL_ASSETS_OT_add_view, NEURAL_ASSETS_OT_remove_view)
