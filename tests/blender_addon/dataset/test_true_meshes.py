"""Meshes of rendered scenes: made again from the seed, they fill the boxes that the labels tell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from na_core.data.scenes import load_scene
from na_core.scene import Mesh

bpy = pytest.importorskip("bpy")


def test_meshes_cover_what_the_masks_show(part, tmp_path) -> None:
    pytest.importorskip("embreex")
    from na_core.geometry.camera import pixel_centres, rays
    from na_core.meshes.casting import Caster
    from na_core.meshes.mesh_arrays import read_mesh

    order = part("dataset.order").Order(
        out=tmp_path, split="test", clip="duplicate", frames=2, width=96, height=96, samples=1, objects=3
    )
    part("dataset.generate").generate(order, 5)
    (folder,) = (tmp_path / "test").glob("*[0-9]")
    scene = load_scene(folder)
    meshes = part("dataset.true_meshes")
    assert meshes.write_meshes(scene, tmp_path / "meshes") == 6
    assert meshes.write_meshes(scene, tmp_path / "meshes") == 0  # they are there
    written = tmp_path / "meshes" / scene.name
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


def test_scenes_of_other_objects_have_no_meshes(part, tmp_path) -> None:
    order = part("dataset.order").Order(out=tmp_path, split="test", frames=1, width=32, height=32, samples=1)
    part("dataset.generate").generate(order, 7)
    (folder,) = (tmp_path / "test").glob("*[0-9]")
    labels = (folder / "scene.json").read_text().replace('"seed": 7', '"seed": 8')
    (folder / "scene.json").write_text(labels)
    with pytest.raises(ValueError, match="its seed makes other objects"):
        part("dataset.true_meshes").write_meshes(load_scene(folder), tmp_path / "meshes")
