"""The arrays of a mesh's file, checked: what comes from outside may be anything."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from na_core.geometry.mesh_file import DTYPES, NORMAL_STEPS
from na_core.scene import MAX_TRIANGLES

FLAT = 1e-12
"""Area of triangles, in units of their box's faces, that no ray hits."""

FARTHEST = 1e3
"""Units of its box that a vertex may be away from it: beyond, numbers are too coarse."""


class MeshError(ValueError):
    """A file is no mesh that can be used; the text says why and what to do."""


@dataclass(frozen=True, eq=False)
class MeshArrays:
    """A mesh of V vertices and T triangles.

    Attributes:
        vertices: (V, 3) float32, in the coordinates of a box that is the cube [-1/2, 1/2]^3.
        triangles: (T, 3) int32; None of a file that holds nothing but vertices, of a mesh that is deformed.
        normals: (T, 3, 3) float32 unit vectors of the triangles' corners; None: the triangles' own.
        uvs: (T, 3, 2) float32, None if there are none.
        colours: (T, 3, 3) uint8 sRGB of the corners, None if there are none.
        materials: (T,) int32.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32] | None = None
    normals: NDArray[np.float32] | None = None
    uvs: NDArray[np.float32] | None = None
    colours: NDArray[np.uint8] | None = None
    materials: NDArray[np.int32] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(values.nbytes for values in vars(self).values() if values is not None)


def read_mesh(data: bytes) -> MeshArrays:
    """Return the mesh that a file of :func:`na_core.geometry.mesh_file.mesh_bytes` holds.

    Raises:
        MeshError: it is something else, or no mesh that rays can hit.
    """
    try:
        arrays = load(bytes(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise MeshError("The file is no mesh: it is not in the safetensors format.") from error
    if unknown := sorted(arrays.keys() - DTYPES.keys()):
        raise MeshError(f"The mesh's file holds '{unknown[0]}', which is no part of a mesh.")
    for name, values in arrays.items():
        if values.dtype != np.dtype(DTYPES[name]):
            raise MeshError(f"The mesh's {name} are {values.dtype}, not {np.dtype(DTYPES[name])}.")
    if "vertices" not in arrays:
        raise MeshError("The mesh's file holds no vertices.")
    vertices = arrays["vertices"]
    _check_shape("vertices", vertices, (len(vertices), 3))
    if not np.isfinite(vertices).all():
        raise MeshError("The mesh has vertices that are no numbers: export it again.")
    if not len(vertices) or np.abs(vertices).max() > FARTHEST:
        raise MeshError(
            f"The mesh is empty, or reaches more than {FARTHEST:g} times its box's size: fit it again."
        )
    if "triangles" not in arrays:
        if len(vertices) > 3 * MAX_TRIANGLES:
            raise _too_many(len(vertices) // 3)
        return MeshArrays(vertices, normals=_normals(arrays.get("normals")))
    return _with_triangles(vertices, arrays)


def check_deformed(mesh: MeshArrays, deformed: MeshArrays) -> None:
    """Check that deformed vertices are those of a mesh.

    Raises:
        MeshError: there are more or fewer.
    """
    if mesh.vertices.shape != deformed.vertices.shape:
        raise MeshError(
            f"The mesh has {len(deformed.vertices):,} vertices in this frame and {len(mesh.vertices):,} in "
            "the photo: modifiers that add or remove vertices over time cannot be followed. Apply them, and "
            "fit the mesh again."
        )


def _with_triangles(vertices: NDArray[np.float32], arrays: dict[str, NDArray]) -> MeshArrays:
    triangles = arrays["triangles"]
    count = len(triangles)
    if count > MAX_TRIANGLES:
        raise _too_many(count)
    shapes = {"triangles": (count, 3), "normals": (count, 3, 3), "uvs": (count, 3, 2)}
    for name, shape in {**shapes, "colours": (count, 3, 3), "materials": (count,)}.items():
        if name in arrays:
            _check_shape(name, arrays[name], shape)
    if count and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise MeshError("The mesh's triangles name vertices that it does not have: export it again.")
    if "uvs" in arrays and not np.isfinite(arrays["uvs"]).all():
        raise MeshError("The mesh's texture coordinates are no numbers: unwrap it again.")
    corners = vertices.astype(np.float64)[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if not (np.linalg.norm(across, axis=1) > 2 * FLAT).any():
        raise MeshError("The mesh has no faces that can be seen: give it some, or choose another object.")
    return MeshArrays(
        vertices,
        triangles,
        _normals(arrays.get("normals")),
        arrays.get("uvs"),
        arrays.get("colours"),
        arrays.get("materials", np.zeros(count, np.int32)).clip(0),
    )


def _normals(stored: NDArray[np.int16] | None) -> NDArray[np.float32] | None:
    return None if stored is None else stored.astype(np.float32) / NORMAL_STEPS


def _check_shape(name: str, values: NDArray, expected: tuple[int, ...]) -> None:
    if values.shape != expected:
        raise MeshError(f"The mesh's {name} have the shape {values.shape}, not {expected}.")


def _too_many(count: int) -> MeshError:
    return MeshError(
        f"The mesh has {count:,} triangles, more than {MAX_TRIANGLES:,}: reduce it, in Blender with a "
        "Decimate modifier."
    )
