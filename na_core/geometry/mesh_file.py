"""Files of meshes, as they travel beside photos: the safetensors format, which holds arrays and nothing else.

An 8-byte length, a JSON header and the arrays' bytes: a dozen lines write it, so that Blender's own Python
needs no package for it. Readers use the library.
"""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

DTYPES = {
    "vertices": "<f4",
    "triangles": "<i4",
    "normals": "<i2",
    "uvs": "<f4",
    "colours": "u1",
    "materials": "<i4",
}
"""What each array of a mesh is written as."""

NAMES = {"<f4": "F32", "<i4": "I32", "<i2": "I16", "u1": "U8"}
"""What safetensors calls that."""

NORMAL_STEPS = 32767
"""Units of a normal's length."""


def mesh_bytes(
    vertices: ArrayLike,
    triangles: ArrayLike | None = None,
    *,
    normals: ArrayLike | None = None,
    uvs: ArrayLike | None = None,
    colours: ArrayLike | None = None,
    materials: ArrayLike | None = None,
) -> bytes:
    """Return the file of a mesh of V vertices and T triangles; the same arrays give the same bytes.

    Args:
        vertices: (V, 3), in the coordinates of a box that is the cube [-1/2, 1/2]^3.
        triangles: (T, 3), numbers of vertices; none for the vertices of a mesh that is deformed.
        normals: (T, 3, 3) unit vectors of the triangles' corners; none: the triangles' own.
        uvs: (T, 3, 2) texture coordinates of the corners, (0, 0) at the picture's lower left.
        colours: (T, 3, 3) of the corners, sRGB from 0 to 255, that take the materials' place.
        materials: (T,) numbers of the triangles' materials; none: the first.
    """
    arrays: dict[str, ArrayLike | None] = {
        "vertices": vertices,
        "triangles": triangles,
        "normals": None if normals is None else np.rint(np.asarray(normals) * NORMAL_STEPS),
        "uvs": uvs,
        "colours": colours,
        "materials": materials,
    }
    return _safetensors({name: np.asarray(v, DTYPES[name]) for name, v in arrays.items() if v is not None})


def _safetensors(arrays: Mapping[str, NDArray]) -> bytes:
    header, at = {}, 0
    for name, values in arrays.items():
        end = at + values.nbytes
        dtype = NAMES[DTYPES[name]]
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at multiples of eight bytes
    parts = [np.ascontiguousarray(values).tobytes() for values in arrays.values()]
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
