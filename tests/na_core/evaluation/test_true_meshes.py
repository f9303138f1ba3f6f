"""A checkpoint that is given the true meshes of a scene's objects."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from na_core.data.scenes import Scene
from na_core.evaluation.methods import Rendered, SceneRenderer
from na_core.evaluation.suite_pairs import suite_pairs
from na_core.evaluation.true_meshes import WithMeshes, read_meshes
from na_core.model.presets import build_pipeline
from na_core.scene import Material, Mesh, MeshFile, Photo, Sampling
from tests.na_core.meshes.shapes import cube_bytes


@pytest.fixture(scope="module")
def checkpoint() -> Rendered:
    torch.manual_seed(0)
    pipeline = build_pipeline(preset="guided", size="tiny")
    return Rendered("tiny", "tiny 0", pipeline, Sampling.from_preset("draft"))


@pytest.fixture
def folder(edits: Scene, tmp_path: Path) -> Path:
    """Cubes with a texture, as ``dataset meshes`` writes them."""
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), 90, np.uint8)).save(file, "PNG")
    texture, data = file.getvalue(), cube_bytes(uvs=np.zeros((12, 3, 2)))
    mesh = Mesh(MeshFile(sha256(data).hexdigest()), (Material(texture=Photo(sha256(texture).hexdigest())),))
    scene = tmp_path / edits.name
    scene.mkdir()
    for content in (texture, data):
        (scene / sha256(content).hexdigest()).write_bytes(content)
    listed = {label.name: mesh.to_dict() for label in edits.labels.objects}
    (scene / "meshes.json").write_text(json.dumps(listed))
    return tmp_path


def test_what_was_written_is_read(edits: Scene, folder: Path) -> None:
    found = read_meshes(folder / edits.name)
    assert found.meshes.keys() == {label.name for label in edits.labels.objects}
    (mesh,), (texture,) = found.files.values(), found.textures.values()
    assert mesh.triangles is not None
    assert texture.shape == (4, 4, 3)


def test_it_is_a_method_of_its_own_that_renders_with_them(
    edits: Scene, checkpoint: Rendered, folder: Path
) -> None:
    solid = WithMeshes(checkpoint, folder)
    assert solid.name == "tiny with meshes"
    assert solid.identity != checkpoint.identity
    pair = suite_pairs("rotate", edits)[0]
    plain, with_them = (SceneRenderer(edits).render(method, 0, pair) for method in (checkpoint, solid))
    assert not np.array_equal(plain, with_them)


def test_a_scene_without_meshes_is_said(edits: Scene, checkpoint: Rendered, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"meshes\.json"):
        SceneRenderer(edits).render(WithMeshes(checkpoint, tmp_path), 0, suite_pairs("rotate", edits)[0])
