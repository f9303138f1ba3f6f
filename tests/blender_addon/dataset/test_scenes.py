"""Scenes on disk: what a folder holds, that it is whole, and that the same seed gives the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from na_core.data.labels import CYCLE_KINDS, load_labels
from na_core.data.scenes import scenes
from na_core.geometry.boxes import box_corners

SIDE = 48


@pytest.fixture(scope="module")
def data_set(tmp_path_factory, render_scenes) -> Path:
    out = tmp_path_factory.mktemp("data set")
    assert render_scenes(out) == 2
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too, by its path."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_scene_has_a_picture_a_mask_and_depth_for_each_frame(data_set):
    found = list(scenes(data_set / "train"))
    assert [scene.name for scene in found] == ["00000000", "00000001"]
    for scene in found:
        assert (len(scene.labels.frames), len(scene.labels.objects)) == (3, 2)
        for k, frame in enumerate(scene.labels.frames):
            picture, mask, depth = scene.picture(k), scene.mask(k), scene.depth(k)
            assert picture.shape == (SIDE, SIDE, 3) and mask.shape == (SIDE, SIDE)
            assert depth is not None and depth.min() > 0.05
            far = scene.far(k)
            assert far is not None and (np.isfinite(far) == (mask > 0)).all()
            assert (far >= depth)[mask > 0].all()
            assert set(np.unique(mask)) <= {0, 1, 2}
            for i, box in enumerate(frame.boxes):
                if box is None:
                    assert not (mask == i + 1).any() and frame.visible[i] == 0


def test_each_frame_may_have_a_lens_of_its_own(tmp_path, render_scenes):
    assert render_scenes(tmp_path, lenses=True, scenes=1) == 1
    (scene,) = scenes(tmp_path / "train")
    lenses = {round(frame.camera.fx, 6) for frame in scene.labels.frames}
    assert len(lenses) == len(scene.labels.frames)


def test_pictures_are_exposed_like_photos(data_set):
    for scene in scenes(data_set):
        picture = scene.picture(0).astype(float) / 255
        assert 0.15 < picture.mean() < 0.75
        assert picture.std() > 0.03
        assert (picture.min(axis=-1) > 0.99).mean() < 0.1


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


def test_a_finished_scene_is_kept_and_a_lost_one_comes_back(data_set, tmp_path, render_scenes):
    again = tmp_path / "again"
    shutil.copytree(data_set, again)
    kept, lost = again / "train/00000000", again / "train/00000001"
    (kept / "frame_000.jpg").write_bytes(b"untouched")
    shutil.rmtree(lost)
    assert render_scenes(again) == 1
    assert (kept / "frame_000.jpg").read_bytes() == b"untouched"
    assert contents(lost) == contents(data_set / "train/00000001")


def test_killed_again_and_again_the_finished_set_equals_an_uninterrupted_one(tmp_path, command_line):
    options = ("--scenes", 6, "--frames", 3, "--size", SIDE, "--samples", 1, "--jobs", 2, "--objects", 2)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert finish(command_line("--out", whole, *options)) == 0
    for _ in range(5):
        run = command_line("--out", killed, *options)
        wait_for_a_scene_in_the_making(run, killed)
        time.sleep(random.uniform(0, 1))
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
        assert [scene.labels.seed for scene in scenes(killed)] == sorted(
            int(folder.name) for folder in (killed / "train").glob("0*")
        ), "a folder that a reader sees is a whole scene"
        wait_for_the_end_of(run)
    assert finish(command_line("--out", killed, *options)) == 0
    assert contents(killed) == contents(whole)


def wait_for_a_scene_in_the_making(run: subprocess.Popen, out: Path) -> None:
    """Wait until a run writes its first scene, or ends as none is missing: a kill before proves nothing."""
    left_behind = set(out.glob("train/.*.partial"))
    while run.poll() is None and set(out.glob("train/.*.partial")) <= left_behind:
        time.sleep(0.01)


def finish(run: subprocess.Popen) -> int:
    run.communicate(timeout=280)
    return run.returncode


def wait_for_the_end_of(run: subprocess.Popen) -> None:
    """Wait until no process of a killed run is left: its workers notice."""
    for _ in range(200):
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("a killed run left workers behind")


def test_splits_have_different_scenes(data_set, tmp_path, render_scenes):
    render_scenes(tmp_path, scenes=1, frames=1, split="validation")
    train, validation = (load_labels(p / "00000000") for p in (data_set / "train", tmp_path / "validation"))
    assert (train.seed, validation.seed, validation.split) == (0, 0, "validation")
    sizes = [
        np.linalg.norm(labels.frames[0].boxes[0].world_from_box[:3, :3], axis=0)
        for labels in (train, validation)
    ]
    assert not np.allclose(*sizes)


def test_held_out_scenes_take_turns_and_training_scenes_are_mixed(data_set, tmp_path, render_scenes):
    render_scenes(tmp_path, scenes=9, split="test", width=16, height=16)
    assert [scene.labels.clip for scene in scenes(tmp_path)] == list(CYCLE_KINDS)
    assert {scene.labels.clip for scene in scenes(data_set)} == {"mixed"}
    kinds = {scene.labels.clip: {edit.kind for edit in scene.labels.edits} for scene in scenes(tmp_path)}
    assert kinds == {kind: ({kind} if kind != "video" else set()) for kind in CYCLE_KINDS}


def test_a_duplicates_donor_is_the_sources_picture_with_the_copies_labels(tmp_path, render_scenes):
    render_scenes(tmp_path, scenes=1, split="test", clip="duplicate", frames=3)
    scene = next(iter(scenes(tmp_path)))
    source, donor, target = scene.labels.frames
    assert scene.picture_bytes(0) == scene.picture_bytes(1)
    assert source.boxes[:2] == donor.boxes[2:]
    assert source.boxes_2d[:2] == donor.boxes_2d[2:]
    assert source.boxes[2:] == donor.boxes[:2] == (None, None)
    assert np.array_equal(scene.mask(0), np.where(scene.mask(1) > 0, scene.mask(1) - 2, 0))
    (edit,) = scene.labels.edits
    assert (edit.kind, edit.source, edit.target, edit.donor) == ("duplicate", 0, 2, 1)
    assert target.boxes[:2] == source.boxes[:2]
    assert target.boxes[edit.object] not in (None, source.boxes[edit.object - 2])


def test_the_command_line_renders_in_several_processes(tmp_path, command_line):
    options = ("--scenes", 2, "--frames", 1, "--size", 32, "--samples", 1, "--jobs", 2, "--split", "test")
    run = command_line("--out", tmp_path, *options)
    out, error = run.communicate(timeout=280)
    assert run.returncode == 0, error
    assert "2 scenes rendered" in out
    assert "scenes/hour" in error
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == ["00000000", "00000001"]


def test_a_program_reads_the_progress_as_json(tmp_path, command_line):
    options = ("--scenes", 2, "--frames", 1, "--size", 16, "--samples", 1, "--jobs", 1, "--progress", "json")
    out, _ = command_line("--out", tmp_path, *options).communicate(timeout=280)
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["scene", "scene", "finished"]
    assert [(event["done"], event["total"]) for event in events[:2]] == [(1, 2), (2, 2)]
    assert events[2] == {"event": "finished", "rendered": 2, "skipped": 0}


def test_a_wrong_number_is_named_before_anything_is_rendered(tmp_path, run_python):
    text = run_python(f"""
        from pathlib import Path
        from blender_addon.dataset import Order, render
        mistakes = [{{"frames": 0}}, {{"width": 4}}, {{"split": "holiday"}}, {{"clip": "chaos"}},
                    {{"families": ("dragon",)}}, {{"objects": 0}}]
        for mistake in mistakes:
            try:
                Order(Path({str(tmp_path)!r}), **mistake)
            except ValueError as error:
                print(error)
        for mistake in {{"scenes": 0}}, {{"seed": -1}}, {{"jobs": 0}}, {{"blend": "nowhere.blend"}}:
            try:
                render(Order(Path({str(tmp_path)!r})), **({{"scenes": 1}} | mistake))
            except ValueError as error:
                print(error)
    """)
    named = [line.split(":")[0] for line in text.splitlines()]
    assert named == [
        *("frames", "size", "split", "clip", "families", "objects"),
        *("scenes", "seed", "jobs", "nowhere.blend"),
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of its own that holds 200 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a small disk needs more rights than this test has")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("side", [16, 256], ids=["between files", "inside the renderer's file"])
def test_a_full_disk_is_an_error_that_leaves_nothing_half_written(small_disk, command_line, side):
    options = ("--scenes", 40, "--frames", 3, "--size", side, "--samples", 1, "--jobs", 1, "--objects", 2)
    run = command_line("--out", small_disk, *options)
    _, error = run.communicate(timeout=280)
    assert run.returncode == 1
    assert str(small_disk) in error.splitlines()[-1] and "Traceback" not in error
    assert not list((small_disk / "train").glob(".*"))
    for scene in scenes(small_disk):
        assert [scene.picture(k).shape for k in range(3)] == [(side, side, 3)] * 3


def test_importing_the_generator_needs_no_blender(run_python):
    assert "bpy" not in json.loads(
        run_python(
            "import json, sys, importlib.util as u; import na_core\n"
            "spec = u.spec_from_file_location('d', 'blender_addon/dataset/__init__.py',"
            " submodule_search_locations=['blender_addon/dataset'])\n"
            "m = u.module_from_spec(spec); sys.modules['d'] = m; spec.loader.exec_module(m)\n"
            "print(json.dumps([n for n in sys.modules if n in ('bpy', 'torch', 'PIL')]))"
        )
    )
