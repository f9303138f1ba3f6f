"""Meshes of rendered scenes: made again from the seed, they fill the boxes that the labels tell."""

from __future__ import annotations

import numpy as np
import pytest

from na_core.data.scenes import load_scene

bpy = pytest.importorskip("bpy")


def test_meshes_cover_what_the_masks_show(part, tmp_path) -> None:
    pytest.importorskip("embreex")
    from na_core.evaluation.true_meshes import read_meshes
    from na_core.geometry.camera import pixel_centres, rays
    from na_core.meshes.casting import Caster

    order = part("dataset.order").Order(
        out=tmp_path, split="test", clip="duplicate", frames=2, width=96, height=96, samples=1, objects=3
    )
    part("dataset.generate").generate(order, 5)
    (folder,) = (tmp_path / "test").glob("*[0-9]")
    scene = load_scene(folder)
    meshes = part("dataset.true_meshes")
    assert meshes.write_meshes(scene, tmp_path / "meshes") == 6
    assert meshes.write_meshes(scene, tmp_path / "meshes") == 0  # they are there
    found = read_meshes(tmp_path / "meshes" / scene.name)
    frame, mask = scene.labels.frames[0], scene.mask(0)
    nearest, shown = np.full(mask.shape, np.inf), np.zeros(mask.shape, int)
    for number, (label, box) in enumerate(zip(scene.labels.objects, frame.boxes, strict=True), 1):
        mesh = found.meshes[label.name]
        assert all(material.texture.sha256 in found.textures for material in mesh.materials)
        arrays = found.files[mesh.file.sha256]
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
