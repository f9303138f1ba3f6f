"""Fit Mesh, Mesh Fits Photo, Show Mesh and Remove Mesh."""

from __future__ import annotations

import bpy

from ..scene.fitted_mesh import fit_mesh, fitted_mesh, remember_pose, remove_mesh
from .reporting import reports_user_errors


class WithMesh:
    """Offers an operator where the active object is an asset with a mesh."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for an asset that has a mesh."""
        active = context.active_object
        return active is not None and active.neural_asset.is_asset and fitted_mesh(active) is not None


class NEURAL_ASSETS_OT_fit_mesh(bpy.types.Operator):
    """Make the selected mesh the shape of the active asset. Adjust it over the photo, then hide it"""

    bl_idname = "neural_assets.fit_mesh"
    bl_label = "Fit Mesh"
    bl_options = {"REGISTER", "UNDO"}

    turn: bpy.props.IntProperty(
        name="Quarter Turns",
        description="Turns about the box's up axis, where the mesh faces another way than the box",
        min=0,
        max=3,
    )
    keep_proportions: bpy.props.BoolProperty(
        name="Keep Proportions",
        description="As large as fits into the box, instead of filling it",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for one mesh and the asset that was selected last."""
        active = context.active_object
        meshes = [item for item in context.selected_objects if item.type == "MESH"]
        if active is None or not active.neural_asset.is_asset or len(meshes) != 1:
            cls.poll_message_set("Select a mesh, then with Shift the asset whose shape it is")
            return False
        return True

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fit it."""
        mesh = next(item for item in context.selected_objects if item.type == "MESH")
        asset = context.active_object
        fit_mesh(asset, mesh, turn=self.turn, keep_proportions=self.keep_proportions, scene=context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_remember_pose(WithMesh, bpy.types.Operator):
    """Declare that the asset's mesh, as it is posed now, is what the photo shows"""

    bl_idname = "neural_assets.remember_pose"
    bl_label = "Mesh Fits Photo"
    bl_options = {"REGISTER", "UNDO"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remember the pose."""
        remember_pose(context.active_object, scene=context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_show_mesh(WithMesh, bpy.types.Operator):
    """Show or hide the asset's mesh in the viewport. Hidden, it is the asset's shape all the same"""

    bl_idname = "neural_assets.show_mesh"
    bl_label = "Show Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn it over."""
        mesh = fitted_mesh(context.active_object)
        assert mesh is not None
        mesh.hide_set(not mesh.hide_get())
        return {"FINISHED"}


class NEURAL_ASSETS_OT_remove_mesh(WithMesh, bpy.types.Operator):
    """Let the photo tell the asset's shape again. The mesh object stays in the scene"""

    bl_idname = "neural_assets.remove_mesh"
    bl_label = "Remove Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        remove_mesh(context.active_object)
        return {"FINISHED"}


CLASSES = (
    NEURAL_ASSETS_OT_fit_mesh,
    NEURAL_ASSETS_OT_remember_pose,
    NEURAL_ASSETS_OT_show_mesh,
    NEURAL_ASSETS_OT_remove_mesh,
)
