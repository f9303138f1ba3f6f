"""Mesh objects of the scene that are assets' shapes: fitted into their boxes, and followed as they deform.

A fitted mesh, or the armature that moves it, is a child of the asset's empty. Where it stands there is how it
fits the photo, and may be adjusted at any time. What moves its vertices (armatures, shape keys, cloth) is
carried over to the picture: an asset remembers the mesh as the photo shows it.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..errors import UserError

Array = NDArray[np.float64]

DEFORMING = {
    *("ARMATURE", "CLOTH", "CORRECTIVE_SMOOTH", "HOOK", "LATTICE", "LAPLACIANDEFORM", "MESH_CACHE"),
    *("MESH_DEFORM", "MESH_SEQUENCE_CACHE", "NODES", "SHRINKWRAP", "SIMPLE_DEFORM", "SOFT_BODY"),
    *("SURFACE_DEFORM", "WARP", "WAVE"),
}
"""Modifiers that may move vertices from frame to frame."""

SMALLEST = 1e-6
"""Metres that a side of a mesh has at least: a flat one keeps its place in the box."""


def fitted_mesh(asset: bpy.types.Object) -> bpy.types.Object | None:
    """Return the mesh object that is an asset's shape, None if it has none or lost it."""
    mesh: bpy.types.Object | None = asset.neural_asset.mesh
    return mesh if mesh is not None and mesh.type == "MESH" else None


def fit_mesh(
    asset: bpy.types.Object,
    mesh: bpy.types.Object,
    *,
    turn: int = 0,
    keep_proportions: bool = False,
    scene: bpy.types.Scene | None = None,
) -> None:
    """Make a mesh object the shape of an asset: it fills the asset's box, its up and front the box's.

    It becomes the empty's child, drawn as wire over the photo. Adjust it with Blender's tools until it covers
    the object in the photo, then hide it: it counts all the same.

    Args:
        asset: whose box stands where the photo shows the object.
        mesh: any mesh object. If an armature moves it, that becomes the child. One that was fitted before is
            let go.
        turn: quarter turns about the box's up axis, counter-clockwise seen from above.
        keep_proportions: stand in the box as large as fits, instead of filling it.
        scene: that holds both; the current one if None.

    Raises:
        UserError: one of them is of another kind, or the mesh has no faces.
    """
    scene = scene or bpy.context.scene
    if not asset.neural_asset.is_asset:
        raise UserError(f"'{asset.name}' is not an asset.", "Select an asset last, after the mesh.")
    if mesh.type != "MESH":
        raise UserError(f"'{mesh.name}' is no mesh.", "Convert it with Object > Convert > Mesh.")
    view_layer = scene.view_layers[0]
    view_layer.update()
    depsgraph = view_layer.depsgraph
    if fitted_mesh(asset) not in (None, mesh):
        remove_mesh(asset)
    root = mesh_root(mesh, asset)
    root_from_mesh = np.linalg.inv(np.array(root.matrix_world)) @ np.array(mesh.matrix_world)
    low, high = _bounds(mesh, root_from_mesh, depsgraph)
    side = np.maximum(high - low, SMALLEST)
    root_from_unit = np.diag([*side, 1.0])
    root_from_unit[:3, 3] = (low + high) / 2
    quarter = np.array(Matrix.Rotation(turn * math.pi / 2, 4, "Z"))
    box_from_root = quarter @ np.linalg.inv(root_from_unit)
    if keep_proportions:
        box = np.linalg.norm(np.array(asset.matrix_world)[:3, :3], axis=0)
        sides = np.abs(quarter[:3, :3]) @ side
        share = sides / box / (sides / box).max()
        smaller = np.diag([*share, 1.0])
        smaller[2, 3] = (share[2] - 1) / 2  # on the box's ground
        box_from_root = smaller @ box_from_root
    root.parent, root.parent_type = asset, "OBJECT"
    root.matrix_parent_inverse = Matrix()
    root.matrix_basis = Matrix(box_from_root.tolist())
    mesh.display_type, mesh.show_in_front = "WIRE", True
    properties = asset.neural_asset
    properties.mesh = mesh
    remember_pose(asset, scene=scene)


def remember_pose(asset: bpy.types.Object, *, scene: bpy.types.Scene | None = None) -> None:
    """Declare that an asset's mesh, as it is posed now, is what the photo shows.

    Raises:
        UserError: the asset has no mesh.
    """
    scene = scene or bpy.context.scene
    mesh = fitted_mesh(asset)
    if mesh is None:
        raise UserError(f"'{asset.name}' has no mesh.", "Select a mesh, then the asset, and press Fit Mesh.")
    properties = asset.neural_asset
    before = properties.mesh_pose
    properties.mesh_pose = None
    if before is not None and before.users == 0:
        bpy.data.meshes.remove(before)
    if deforms(mesh):
        view_layer = scene.view_layers[0]
        view_layer.update()
        evaluated = mesh.evaluated_get(view_layer.depsgraph)
        pose = bpy.data.meshes.new_from_object(evaluated)
        pose.name = f"{asset.name} in photo"
        properties.mesh_pose = pose
    for item in (asset, scene):
        item.update_tag()  # writing custom properties does not tell the depsgraph


def remove_mesh(asset: bpy.types.Object) -> None:
    """Let an asset's shape be what the photo tells of it again; the mesh object stays where it is, shown."""
    mesh = fitted_mesh(asset)
    properties = asset.neural_asset
    properties.mesh = properties.mesh_pose = None
    if mesh is not None:
        root = mesh_root(mesh, asset)
        place = root.matrix_world.copy()
        root.parent = None
        root.matrix_world = place
        mesh.display_type, mesh.show_in_front = "TEXTURED", False
    asset.update_tag()


def deforms(mesh: bpy.types.Object) -> bool:
    """Tell whether a mesh object's vertices may move from frame to frame."""
    data: Any = mesh.data
    return data.shape_keys is not None or any(modifier.type in DEFORMING for modifier in mesh.modifiers)


def mesh_root(mesh: bpy.types.Object, asset: bpy.types.Object) -> bpy.types.Object:
    """Return the object that stands in an asset's box for a mesh: itself, or what it hangs on."""
    root = mesh
    while root.parent is not None and root.parent != asset and not root.parent.neural_asset.is_asset:
        root = root.parent
    return root


def box_from_mesh(mesh: bpy.types.Object, asset: bpy.types.Object) -> Array:
    """Return (4, 4) from a mesh object's coordinates to those of the asset's box that it hangs on.

    It is made of what the objects store, not of where they are in the world: so it stays the same to the bit
    as the asset moves, and the mesh travels to the worker once.

    Args:
        mesh: evaluated or not.
        asset: whose box it is, where the mesh hangs on none.
    """
    chain = np.eye(4)
    item = mesh
    while item is not None and not item.neural_asset.is_asset:
        if item.parent is None or item.parent_type not in ("OBJECT", "ARMATURE"):
            holder = _asset_above(item) or asset
            inverse = np.linalg.inv(np.array(holder.matrix_world, dtype=np.float64))
            return np.round(inverse @ np.array(mesh.matrix_world, dtype=np.float64), 6)
        step = np.array(item.matrix_parent_inverse @ item.matrix_basis, dtype=np.float64)
        chain = step @ chain
        item = item.parent
    return chain


def _asset_above(item: bpy.types.Object) -> bpy.types.Object | None:
    above = item.parent
    while above is not None and not above.neural_asset.is_asset:
        above = above.parent
    return above


def _bounds(
    mesh: bpy.types.Object, root_from_mesh: Array, depsgraph: bpy.types.Depsgraph
) -> tuple[Array, Array]:
    """Return the least and greatest coordinates (3,) of an evaluated mesh, in its root's axes."""
    evaluated = mesh.evaluated_get(depsgraph)
    data = evaluated.to_mesh()
    try:
        if not len(data.polygons):
            raise UserError(f"The mesh '{mesh.name}' has no faces.", "Choose an object with a surface.")
        flat = np.empty(len(data.vertices) * 3, np.float32)
        data.vertices.foreach_get("co", flat)
    finally:
        evaluated.to_mesh_clear()
    points = flat.reshape(-1, 3).astype(np.float64) @ root_from_mesh[:3, :3].T + root_from_mesh[:3, 3]
    return points.min(axis=0), points.max(axis=0)
