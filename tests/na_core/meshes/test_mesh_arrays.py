"""Files of meshes: the same arrays come back, and anything else is refused in a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.mesh_file import mesh_bytes
from na_core.meshes import mesh_arrays
from na_core.meshes.mesh_arrays import MeshError, check_deformed, read_mesh
from tests.na_core.meshes.shapes import cube, cube_bytes


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_the_same_arrays_come_back(vertices: int, triangles: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(triangles, 3, 3))
    arrays = {
        "normals": vectors / np.linalg.norm(vectors, axis=-1, keepdims=True),
        "uvs": random.uniform(-2, 2, (triangles, 3, 2)).astype(np.float32),
        "colours": random.integers(0, 256, (triangles, 3, 3)).astype(np.uint8),
        "materials": random.integers(0, 4, triangles).astype(np.int32),
    }
    points = random.uniform(-1, 1, (vertices + 2, 3)).astype(np.float32)
    numbers = random.permuted(np.tile(np.arange(vertices + 2), (triangles, 1)), axis=1)[:, :3]
    data = mesh_bytes(points, numbers, **arrays)
    assert data == mesh_bytes(points, numbers, **arrays)
    found = read_mesh(data)
    np.testing.assert_array_equal(found.vertices, points)
    np.testing.assert_array_equal(found.triangles, numbers)
    for name, values in arrays.items():
        np.testing.assert_allclose(getattr(found, name), values, atol=2e-5 if name == "normals" else 0)


def test_vertices_alone_are_a_deformed_mesh() -> None:
    found = read_mesh(mesh_bytes(cube()[0]))
    assert found.triangles is None
    check_deformed(read_mesh(cube_bytes()), found)
    with pytest.raises(MeshError, match=r"4 vertices in this frame and 8 in the photo.*Apply them"):
        check_deformed(read_mesh(cube_bytes()), read_mesh(mesh_bytes(cube()[0][:4])))


def stored(**arrays: np.ndarray) -> bytes:
    """Return a safetensors file of any arrays."""
    from safetensors.numpy import save

    return save(arrays)


VERTICES, TRIANGLES = (
    values.astype(kind) for values, kind in zip(cube(), (np.float32, np.int32), strict=True)
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no mesh"),
        (b"glTF\x02\x00\x00\x00 and more of it", "no mesh"),
        (b"\xff" * 100, "no mesh"),
        (cube_bytes()[:-5], "no mesh"),
        ((8).to_bytes(8, "little") + b"[1,2,3] ", "no mesh"),
        (stored(triangles=TRIANGLES), "no vertices"),
        (stored(vertices=VERTICES, bones=VERTICES), "'bones', which is no part"),
        (stored(vertices=VERTICES.astype(np.float64)), "are float64, not float32"),
        (stored(vertices=VERTICES.ravel()), r"shape \(24,\), not \(24, 3\)"),
        (stored(vertices=np.zeros((0, 3), np.float32)), "is empty"),
        (stored(vertices=VERTICES * np.nan, triangles=TRIANGLES), "no numbers"),
        (stored(vertices=VERTICES * np.float32(1e9), triangles=TRIANGLES), "fit it again"),
        (stored(vertices=VERTICES, triangles=TRIANGLES + 1), "name vertices that it does not have"),
        (stored(vertices=VERTICES, triangles=TRIANGLES - 1), "name vertices that it does not have"),
        (stored(vertices=VERTICES, triangles=TRIANGLES[:0]), "no faces"),
        (stored(vertices=VERTICES * np.float32(0), triangles=TRIANGLES), "no faces"),
        (
            stored(vertices=VERTICES, triangles=TRIANGLES, uvs=np.zeros((3, 3, 2), np.float32)),
            "uvs have the shape",
        ),
        (
            stored(vertices=VERTICES, triangles=TRIANGLES, uvs=np.full((12, 3, 2), np.inf, np.float32)),
            "unwrap it again",
        ),
    ],
)
def test_what_is_no_mesh_is_refused_in_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(MeshError, match=message):
        read_mesh(data)


def test_a_huge_mesh_says_to_decimate_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_arrays, "MAX_TRIANGLES", 11)
    with pytest.raises(MeshError, match="12 triangles, more than 11: reduce it, in Blender with a Decimate"):
        read_mesh(cube_bytes())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_files_never_do_anything_else(data: st.DataObject) -> None:
    file = bytearray(cube_bytes(uvs=np.zeros((12, 3, 2))))
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_mesh(bytes(file))
    except MeshError as error:
        assert str(error).endswith(".")


def test_headers_are_plain_safetensors() -> None:
    data = cube_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert header["vertices"] == {"dtype": "F32", "shape": [8, 3], "data_offsets": [0, 96]}
    assert length % 8 == 0
