"""The training-picture generator, with real renders of a few pixels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("na_core.data", reason="the data sets' readers are not part of the extension")

from na_core.data.labels import load_labels
from na_core.data.scenes import read_mask, read_picture, scenes
from na_core.geometry.boxes import box_corners, project_boxes

ROOT = Path(__file__).resolve().parents[2]
SIDE = 48

# Of its own: a second Blender on this process's folder would clear the installed extension's wheels away.
RESOURCES = Path(tempfile.mkdtemp(prefix="neural-assets-dataset-"))

if not (ROOT / "blender_addon/dataset").is_dir():
    pytest.skip("the generator is not part of this tree", allow_module_level=True)


def python(code: str) -> str:
    """Run code in a process of its own (the generator replaces Blender's file); return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + "\nimport os, sys; sys.stdout.flush(); os._exit(0)"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "BLENDER_USER_RESOURCES": str(RESOURCES)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(out: Path, **settings: object) -> int:
    """Render small scenes of two objects; return how many were new."""
    options = {
        "scenes": 2,
        "frames": 3,
        "size": SIDE,
        "samples": 1,
        "jobs": 1,
        "objects": 2,
        "progress": False,
    }
    arguments = ", ".join(f"{k}={v!r}" for k, v in (options | settings).items())
    text = python(
        f"from blender_addon.dataset import render; print('new', render({str(out)!r}, {arguments}))"
    )
    return int(text.rsplit("new ", 1)[1])


@pytest.fixture(scope="module")
def data_set(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data set")
    assert render(out) == 2
    return out


def test_a_scene_has_a_picture_and_a_mask_for_each_frame(data_set):
    found = list(scenes(data_set / "train"))
    assert [scene.folder.name for scene in found] == ["00000000", "00000001"]
    for scene in found:
        assert (len(scene.labels.frames), len(scene.labels.objects)) == (3, 2)
        for k, frame in enumerate(scene.labels.frames):
            picture, mask = read_picture(scene.picture_path(k)), read_mask(scene.mask_path(k))
            assert picture.shape == (SIDE, SIDE, 3) and mask.shape == (SIDE, SIDE)
            assert set(np.unique(mask)) <= {0, 1, 2}
            for i, box in enumerate(frame.boxes):
                if box is None:
                    assert not (mask == i + 1).any() and frame.visible[i] == 0


def test_pictures_are_exposed_like_photos(data_set):
    for scene in scenes(data_set):
        picture = read_picture(scene.picture_path(0)).astype(float) / 255
        assert 0.15 < picture.mean() < 0.75
        assert picture.std() > 0.03
        assert (picture.min(axis=-1) > 0.99).mean() < 0.1


def test_every_mask_lies_inside_its_projected_box(data_set):
    seen = 0
    for scene in scenes(data_set):
        for k, frame in enumerate(scene.labels.frames):
            mask = read_mask(scene.mask_path(k))
            for i, box in enumerate(frame.boxes):
                if box is None:
                    continue
                corners = project_boxes([frame.camera], box.world_from_box[None])[0, 0]
                rows, columns = np.nonzero(mask == i + 1)
                if (corners[:, 2] < 0.02).any() or not len(rows):
                    continue
                pixels = np.stack([columns + 0.5, rows + 0.5], axis=1)
                assert distance_outside(corners[:, :2] * SIDE, pixels) <= 1.0  # the sample lies in its pixel
                seen += 1
    assert seen > 6


def test_rectangles_are_tight_around_the_visible_pixels(data_set):
    for scene in scenes(data_set):
        for k, frame in enumerate(scene.labels.frames):
            mask = read_mask(scene.mask_path(k))
            for i, (x0, y0, x1, y1) in enumerate(np.rint(np.array(frame.boxes_2d) * SIDE).astype(int)):
                inside = mask[y0:y1, x0:x1] == i + 1
                assert inside.sum() == (mask == i + 1).sum()
                if inside.size:
                    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_objects_stand_upright_on_the_ground_and_apart(data_set):
    for scene in scenes(data_set):
        for frame in scene.labels.frames:
            boxes = [box.world_from_box for box in frame.boxes if box is not None]
            for matrix in boxes:
                assert box_corners(matrix)[:, 2].min() == pytest.approx(0, abs=1e-4)
                assert matrix[2, :2] == pytest.approx(0, abs=1e-6)
            if len(boxes) == 2:
                reach = sum(min(np.linalg.norm(m[:3, 0]), np.linalg.norm(m[:3, 1])) / 2 for m in boxes)
                assert np.linalg.norm(boxes[0][:2, 3] - boxes[1][:2, 3]) > reach


def test_the_same_seed_gives_the_same_scene_and_a_finished_scene_is_kept(data_set, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(data_set, again)
    kept, lost = again / "train/00000000", again / "train/00000001"
    (kept / "frame_000.png").write_bytes(b"untouched")
    shutil.rmtree(lost)
    (again / "train/.00000001.999999999.partial").mkdir()  # what a killed process leaves
    assert render(again) == 1
    assert (kept / "frame_000.png").read_bytes() == b"untouched"
    assert not list((again / "train").glob(".*"))
    first = data_set / "train/00000001"
    assert (lost / "scene.json").read_text() == (first / "scene.json").read_text()
    for k in range(3):
        a, b = (read_picture(folder / f"frame_{k:03d}.png").astype(float) for folder in (first, lost))
        assert np.abs(a - b).mean() < 1.0
        assert (read_mask(first / f"mask_{k:03d}.png") == read_mask(lost / f"mask_{k:03d}.png")).all()


def test_splits_have_different_scenes(data_set, tmp_path):
    render(tmp_path, scenes=1, frames=1, split="validation")
    train, validation = (load_labels(p / "00000000") for p in (data_set / "train", tmp_path / "validation"))
    assert (train.seed, validation.seed, validation.split) == (0, 0, "validation")
    sizes = [
        np.linalg.norm(labels.frames[0].boxes[0].world_from_box[:3, :3], axis=0)
        for labels in (train, validation)
    ]
    assert not np.allclose(*sizes)


def test_the_command_line_renders_in_several_processes(tmp_path):
    command = [
        sys.executable,
        "-m",
        "blender_addon.dataset",
        "render",
        "--out",
        str(tmp_path),
        "--scenes",
        "2",
    ]
    command += ["--frames", "1", "--size", "32", "--samples", "1", "--jobs", "2", "--split", "test"]
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(RESOURCES)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2 scenes rendered" in done.stdout
    assert "scenes/hour" in done.stderr
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["00000000", "00000001"]


def test_a_wrong_number_is_named_before_anything_is_rendered(tmp_path):
    text = python(f"""
        from blender_addon.dataset import render
        mistakes = {{"scenes": 0, "frames": 0, "size": 4, "seed": -1, "split": "holiday"}}
        for name, value in mistakes.items():
            try:
                render({str(tmp_path)!r}, **({{"scenes": 1}} | {{name: value}}))
            except ValueError as error:
                print(error)
    """)
    assert [line.split(":")[0] for line in text.splitlines()] == ["scenes", "frames", "size", "seed", "split"]


def test_importing_the_generator_needs_no_blender():
    assert "bpy" not in json.loads(
        python(
            "import json, sys, importlib.util as u; import na_core\n"
            "spec = u.spec_from_file_location('d', 'blender_addon/dataset/__init__.py',"
            " submodule_search_locations=['blender_addon/dataset'])\n"
            "m = u.module_from_spec(spec); sys.modules['d'] = m; spec.loader.exec_module(m)\n"
            "print(json.dumps([n for n in sys.modules if n in ('bpy', 'torch', 'PIL')]))"
        )
    )


def distance_outside(points: np.ndarray, pixels: np.ndarray) -> float:
    """Return how far the farthest of ``pixels`` (N, 2) lies outside the convex hull of ``points`` (M, 2)."""
    farthest = 0.0
    for angle in np.linspace(0, 2 * np.pi, 360, endpoint=False):
        direction = np.array([np.cos(angle), np.sin(angle)])
        farthest = max(farthest, float((pixels @ direction).max() - (points @ direction).max()))
    return farthest
