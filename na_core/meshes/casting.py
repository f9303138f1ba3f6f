"""Rays into meshes, on the CPU: Intel's Embree finds the triangle, float64 where on it."""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MeshHits:
    """Where P rays first meet a mesh.

    Attributes:
        triangle: (P,) int64, -1 for none.
        weights: (P, 3) of the triangle's corners; they add up to 1.
        distance: (P,) in units of the rays' directions, infinite for none.
    """

    triangle: NDArray[np.int64]
    weights: Array
    distance: Array


class Caster:
    """A mesh that rays are cast into.

    Args:
        vertices: (V, 3). triangles: (T, 3) numbers of them.

    Attributes:
        corners: (T, 3, 3) float64.
    """

    def __init__(self, vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> None:
        self.corners: Array = np.asarray(vertices, np.float64)[triangles]
        self._scene = EmbreeScene(robust=True)
        TriangleMesh(self._scene, np.ascontiguousarray(self.corners, dtype=np.float32))

    def cast(self, origin: Array, directions: Array) -> MeshHits:
        """Return where rays first meet the mesh.

        Args:
            origin: (3,) of all rays.
            directions: (P, 3), of any length but zero.
        """
        starts = np.broadcast_to(origin, directions.shape)
        found = self._scene.run(_floats(starts), _floats(directions), query="INTERSECT")
        triangle = found.astype(np.int64)
        met = triangle >= 0
        weights, distance = np.zeros((len(directions), 3)), np.full(len(directions), np.inf)
        weights[met], distance[met] = _on_planes(self.corners[triangle[met]], origin, directions[met])
        return MeshHits(triangle, weights, distance)

    def hides(self, origin: Array, points: Array, share: float) -> NDArray[np.bool_]:
        """Tell whether the mesh lies between a point and others, (P,).

        Args:
            origin: (3,).
            points: (P, 3).
            share: of the way to them that counts, a little less than 1 for points on the mesh itself.
        """
        ways = points - origin
        limits = np.full(len(points), share, np.float32)
        starts = np.broadcast_to(origin, points.shape)
        found = self._scene.run(_floats(starts), _floats(ways), dists=limits, query="OCCLUDED")
        hidden: NDArray[np.bool_] = np.asarray(found) >= 0
        return hidden


def _floats(values: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _on_planes(corners: Array, origin: Array, directions: Array) -> tuple[Array, Array]:
    """Return where rays meet their triangles' planes: weights (P, 3) of the corners, and distances (P,).

    Moeller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997.
    """
    along, beside = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(directions, beside)
    determinant = (along * across).sum(axis=1)
    inverse = 1 / np.where(np.abs(determinant) < 1e-30, 1e-30, determinant)
    start = origin - corners[:, 0]
    u = (start * across).sum(axis=1) * inverse
    turned = np.cross(start, along)
    v = (directions * turned).sum(axis=1) * inverse
    distance = (beside * turned).sum(axis=1) * inverse
    # The triangle was found in float32: its very edge may lie a rounding outside.
    weights = np.clip(np.stack([1 - u - v, u, v], axis=1), 0, 1)
    return weights / weights.sum(axis=1, keepdims=True), distance
