"""Meshes of rendered scenes: made again from the seed, they fill the boxes that the labels tell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from na_core.data.scenes import load_scene
from na_core.scene import Mesh

RENDER = """
from pathlib import Path
from blender_addon.dataset.generate import generate
from blender_addon.dataset.order import Order
generate(Order(out=Path({out!r}), split="test", **{options!r}), {seed})
"""

WRITE = """
from pathlib import Path
from blender_addon.dataset.true_meshes import write_meshes
from na_core.data.scenes import load_scene
try:
    print(write_meshes(load_scene({scene!r}), Path({out!r})))
except ValueError as error:
    print(error)
"""


def test_meshes_cover_what_the_masks_show(run_python, tmp_path) -> None:
    pytest.importorskip("embreex")
    from na_core.geometry.camera import pixel_centres, rays
    from na_core.meshes.casting import Caster
    from na_core.meshes.mesh_arrays import read_mesh

    options = {"clip": "duplicate", "frames": 2, "width": 96, "height": 96, "samples": 1, "objects": 3}
    run_python(RENDER.format(out=str(tmp_path), options=options, seed=5))
    (folder,) = (tmp_path / "test").glob("*[0-9]")
    scene, out = load_scene(folder), tmp_path / "meshes"
    write = WRITE.format(scene=str(folder), out=str(out))
    assert run_python(write).split() == ["6"]
    assert run_python(write).split() == ["0"]  # they are there
    written = out / scene.name
    found = {name: Mesh.from_dict(e) for name, e in json.loads((written / "meshes.json").read_text()).items()}
    frame, mask = scene.labels.frames[0], scene.mask(0)
    nearest, shown = np.full(mask.shape, np.inf), np.zeros(mask.shape, int)
    for number, (label, box) in enumerate(zip(scene.labels.objects, frame.boxes, strict=True), 1):
        mesh = found[label.name]
        for material in mesh.materials:
            assert (written / material.texture.sha256).read_bytes().startswith(b"\x89PNG")
        arrays = read_mesh((written / mesh.file.sha256).read_bytes())
        np.testing.assert_allclose(np.abs(arrays.vertices).max(axis=0), 0.5, atol=1e-4)
        if box is None:
            continue
        inverse = np.linalg.inv(box.world_from_box)
        eye = inverse[:3, :3] @ frame.camera.world_from_camera[:3, 3] + inverse[:3, 3]
        ways = rays(frame.camera, pixel_centres(96, 96)) @ inverse[:3, :3].T
        distance = Caster(arrays.vertices, arrays.triangles).cast(eye, ways.reshape(-1, 3)).distance
        distance = distance.reshape(mask.shape)
        nearer = distance < nearest
        nearest, shown = np.where(nearer, distance, nearest), np.where(nearer, number, shown)
    # The stage's clutter may hide some of an object.
    assert (shown[mask > 0] == mask[mask > 0]).mean() > 0.97


def test_scenes_of_other_objects_have_no_meshes(run_python, tmp_path) -> None:
    options = {"frames": 1, "width": 32, "height": 32, "samples": 1}
    run_python(RENDER.format(out=str(tmp_path), options=options, seed=7))
    (folder,) = (tmp_path / "test").glob("*[0-9]")
    labels = (folder / "scene.json").read_text().replace('"seed": 7', '"seed": 8')
    (folder / "scene.json").write_text(labels)
    said = run_python(WRITE.format(scene=str(folder), out=str(tmp_path / "meshes")))
    assert "its seed makes other objects" in said
