"""An asset's mesh as a frame's message has it: in the photo, and as it is deformed in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from na_core.scene import Mesh, MeshFile

from .fitted_mesh import box_from_mesh, fitted_mesh
from .meshes import materials_of, mesh_file, wears_corner_colours


@dataclass(frozen=True)
class AssetMesh:
    """An asset's mesh in a frame.

    Attributes:
        mesh: as the photo shows it.
        deformed: its vertices in the frame, None where they are the same.
        files: bytes of the files by SHA-256, textures included.
    """

    mesh: Mesh
    deformed: MeshFile | None
    files: dict[str, bytes]


def asset_mesh(asset: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> AssetMesh | None:
    """Return the mesh of an evaluated asset, None if it has none.

    A mesh object that is disabled in the viewport, or in renders, is not evaluated: it counts as the photo
    shows it.

    Raises:
        UserError: it has no faces, or too many.
    """
    item = fitted_mesh(asset)
    if item is None:
        return None
    original = item.original
    evaluated = original.evaluated_get(depsgraph)
    pose = asset.neural_asset.mesh_pose
    disabled = original.hide_viewport if depsgraph.mode == "VIEWPORT" else original.hide_render
    if disabled or not evaluated.is_evaluated:
        evaluated = None
    place = box_from_mesh(evaluated or original, asset)
    coloured = wears_corner_colours(original)
    materials, files = materials_of(original)
    if evaluated is None:
        data: Any = pose or original.data
        file, content = mesh_file(data, place, corner_colours=coloured)
        return AssetMesh(Mesh(file, materials), None, {**files, file.sha256: content})
    now = evaluated.to_mesh()
    try:
        file, content = mesh_file(pose or now, place, corner_colours=coloured)
        files[file.sha256] = content
        deformed = None
        if pose is not None:
            here, vertices = mesh_file(now, place, whole=False)
            still, _ = mesh_file(pose, place, whole=False)
            if here != still:
                deformed, files[here.sha256] = here, vertices
    finally:
        evaluated.to_mesh_clear()
    return AssetMesh(Mesh(file, materials), deformed, files)
