"""Meshes that tests bring."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.mesh_file import mesh_bytes
from na_core.meshes.mesh_arrays import MeshArrays, read_mesh
from na_core.scene import Mesh, MeshFile

SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
"""Of a cube whose corners are numbered as boxes' are: -x, +x, -y, +y, -z, +z."""


def cube() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the vertices (8, 3) and triangles (12, 3) of a mesh that fills its box."""
    points = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    triangles = [t for a, b, c, d in SIDES for t in ((a, b, c), (a, c, d))]
    return np.array(points), np.array(triangles, np.int32)


def ball(rings: int = 24) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return a ball that touches its box's sides."""
    polar, around = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    across = np.sin(polar)[:, None]
    points = np.stack(
        [across * np.cos(around), across * np.sin(around), np.cos(polar)[:, None] + 0 * around], axis=-1
    )
    row, column = np.meshgrid(np.arange(rings), np.arange(2 * rings), indexing="ij")
    beside = (column + 1) % (2 * rings)
    a, b = row * 2 * rings + column, row * 2 * rings + beside
    c, d = a + 2 * rings, b + 2 * rings
    triangles = np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    )
    return points.reshape(-1, 3) / 2, triangles.astype(np.int32)


def mesh_of(data: bytes, *materials: object) -> tuple[Mesh, dict[str, MeshArrays]]:
    """Return the message of a mesh's file, and what the file holds by its SHA-256."""
    name = sha256(data).hexdigest()
    return Mesh(MeshFile(name), materials), {name: read_mesh(data)}  # type: ignore[arg-type]


def cube_bytes(**arrays: object) -> bytes:
    """Return the file of a cube with further arrays."""
    return mesh_bytes(*cube(), **arrays)  # type: ignore[arg-type]
