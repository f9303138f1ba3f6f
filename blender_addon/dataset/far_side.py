"""The far side: where the rays through an object's pixels leave it for the last time."""

from __future__ import annotations

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from na_core.geometry.camera import pixel_centres, rays
from na_core.scene import Camera

from .objects import Outline


def search_tree(shape: Outline) -> BVHTree:
    """Return the tree that rays are cast into, in the object's frame."""
    return BVHTree.FromPolygons(shape.vertices.tolist(), shape.faces)


def far_side(
    tree: BVHTree,
    world_from_object: NDArray[np.float64],
    diagonal: float,
    camera: Camera,
    shown: NDArray[np.bool_],
    depth: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the depth (P,) in metres at which the rays through pixels leave a mesh for the last time.

    No less than the depth of what the pixel shows, which is also the answer where a ray misses the mesh: by
    a hair at an outline, or because a large mesh is searched in a coarser form.

    Args:
        tree: of the mesh.
        world_from_object: (4, 4).
        diagonal: of the mesh's bounds in metres: it reaches no further beyond what a pixel shows of it.
        camera: that looks.
        shown: (H, W), the P pixels that show the object.
        depth: (H, W) metres along the viewing direction of what the pixels show.
    """
    height, width = shown.shape
    object_from_world = np.linalg.inv(world_from_object)
    origin = object_from_world[:3, :3] @ camera.world_from_camera[:3, 3] + object_from_world[:3, 3]
    ways = rays(camera, pixel_centres(width, height)[shown]) @ object_from_world[:3, :3].T
    far = depth[shown].astype(np.float64)
    starts = far + diagonal
    lengths = np.linalg.norm(ways, axis=1)
    for number, (start, point, way) in enumerate(
        zip(starts, origin + starts[:, None] * ways, -ways, strict=True)
    ):
        distance = tree.ray_cast(Vector(point), Vector(way))[3]
        if distance is not None:
            far[number] = max(far[number], start - distance / lengths[number])
    return far.astype(np.float32)
