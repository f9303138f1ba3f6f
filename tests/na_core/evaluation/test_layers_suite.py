"""The layers suite counts what labels know: methods that are right, or wrong in a known way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from na_core.data.labels import LABELS_FILE, Edit
from na_core.data.scenes import Scene, load_scene
from na_core.evaluation.layer_metrics import around_objects, linear_light
from na_core.evaluation.layers_suite import (
    MIN_PIXELS,
    TakeApart,
    measure,
    measured_frames,
    photo_view,
    summarise,
    write_layers_sheet,
)
from na_core.evaluation.metrics import MAX_PSNR, psnr
from na_core.evaluation.record import Measurement, Record
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers
from na_core.layers.take_apart import take_apart
from na_core.tensors.views import SourceViews
from tests.na_core.conftest import painted

SIDE = 64

SHADED = slice(44, 60), slice(4, 60)
"""Rows and columns of the ground that are shaded, in front of the blocks."""

OUTLINE_METRICS = {
    "outline_iou",
    "outline_iou_worst_tenth",
    "outline_iou_median",
    "boundary_f",
    "alpha_error",
}
PLATE_METRICS = {"plate_psnr", "plate_shadow_psnr", "shadow_error"}
COUNTS = {"objects", "pictures", "scenes"}

LEFT = box_matrix((-0.7, 4, 0.5), (0.9, 0.5, 1), 0.4)
RIGHT = box_matrix((0.7, 4.2, 0.4), (0.8, 0.6, 0.8), 1)
CAMERA = camera_of_photo(1.2 * SIDE, SIDE, SIDE, camera_height=1.5, pitch=0.35)


@pytest.fixture(scope="module")
def plain(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene of two blocks, which fill their boxes, in two frames without plates."""
    folder = tmp_path_factory.mktemp("layers") / "plain"
    make_scene(folder, [CAMERA] * 2, [[LEFT, RIGHT], [None, RIGHT]], SIDE, SIDE)
    labels = json.loads((folder / LABELS_FILE).read_text())
    for frame in labels["frames"]:
        del frame["plate"]
    (folder / LABELS_FILE).write_text(json.dumps(labels))
    return load_scene(folder)


@pytest.fixture(scope="module")
def shaded(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return the same with plates, in which a part of the ground in front of the blocks is brighter."""
    folder = tmp_path_factory.mktemp("layers") / "shaded"
    make_scene(folder, [CAMERA], [[LEFT, RIGHT]], SIDE, SIDE)
    plate = painted(CAMERA, [None, None], SIDE, SIDE)[0]
    plate[SHADED] = np.minimum(plate[SHADED].astype(int) + 40, 255)
    Image.fromarray(plate).save(folder / "plate_000.png")
    return load_scene(folder)


def true_shadow(scene: Scene) -> NDArray[np.float64]:
    plate = scene.plate(0)
    assert plate is not None
    return np.log(linear_light(scene.picture(0)) / linear_light(plate))


def changed(**planes: Callable[[torch.Tensor], torch.Tensor]) -> TakeApart:
    """Return a method that takes blocks apart rightly, but for some planes."""

    def method(views: SourceViews) -> Layers:
        layers = take_apart(views)
        return replace(layers, **{name: change(getattr(layers, name)) for name, change in planes.items()})

    return method


def given(values: NDArray) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda plane: torch.tensor(values)[None].to(plane.dtype)


class TestOutlines:
    def test_blocks_fill_their_boxes(self, plain: Scene) -> None:
        scores = summarise([measure(plain, take_apart)])
        assert set(scores) == OUTLINE_METRICS | {"depth_error"} | COUNTS
        for name in ("outline_iou", "outline_iou_worst_tenth", "outline_iou_median", "boundary_f"):
            assert scores[name] == 1
        assert scores["alpha_error"] == 0
        assert scores["depth_error"] == pytest.approx(0, abs=2e-4)  # labels have steps of a millimetre
        assert (scores["objects"], scores["pictures"], scores["scenes"]) == (3, 2, 1)

    def test_each_box_is_compared_with_its_own_object(self, plain: Scene) -> None:
        assert photo_view(plain, 0)[1] == [0, 1]
        view, objects = photo_view(plain, 1)
        assert objects == [1]
        assert view.boxes == (plain.labels.frames[1].boxes[1],)
        assert view.hidden == 1

    def test_what_is_covered_by_less_than_half_is_not_shown(self, plain: Scene) -> None:
        faint = summarise([measure(plain, changed(alpha=lambda plane: plane // 255 * 127))])
        assert faint["outline_iou"] == faint["boundary_f"] == 0
        assert "depth_error" not in faint
        solid = summarise([measure(plain, changed(alpha=lambda plane: plane // 255 * 128))])
        assert solid["outline_iou"] == 1
        assert faint["alpha_error"] == pytest.approx(solid["alpha_error"], rel=0.02)
        assert 0.2 < faint["alpha_error"] < 0.3  # half of the band lies inside

    def test_depths_are_off_by_a_tenth(self, plain: Scene) -> None:
        def farther(views: SourceViews) -> Layers:
            layers = take_apart(views)
            return replace(layers, surfaces=replace(layers.surfaces, unit=1.1 * layers.surfaces.unit))

        scores = summarise([measure(plain, farther)])
        assert scores["depth_error"] == pytest.approx(0.1, abs=1e-3)

    def test_without_depth_there_is_no_depth_error(self, plain: Scene) -> None:
        frames = tuple(replace(frame, depth=None) for frame in plain.labels.frames)
        scene = replace(plain, labels=replace(plain.labels, frames=frames))
        assert set(summarise([measure(scene, take_apart)])) == OUTLINE_METRICS | COUNTS

    def test_small_objects_do_not_count(self, make_scene: Callable[..., Path], tmp_path: Path) -> None:
        small = box_matrix((0.7, 6, 0.1), (0.3, 0.3, 0.3))
        scene = load_scene(make_scene(tmp_path / "s", [CAMERA], [[LEFT, small]], SIDE, SIDE))
        assert 0 < (scene.mask(0) == 2).sum() < MIN_PIXELS
        assert summarise([measure(scene, take_apart)])["objects"] == 1

    def test_frames_whose_copies_await_their_places_are_not_measured(self, plain: Scene) -> None:
        edits = (Edit("duplicate", 0, 0, 1, 1),)
        assert measured_frames(replace(plain, labels=replace(plain.labels, edits=edits))) == [0]
        assert measured_frames(plain) == [0, 1]


class TestPlatesAndShadows:
    def test_the_truth_has_no_error(self, shaded: Scene) -> None:
        plate = shaded.plate(0)
        assert plate is not None
        method = changed(plate=given(plate), shadow=given(true_shadow(shaded)))
        scores = summarise([measure(shaded, method)])
        assert set(scores) >= PLATE_METRICS
        assert scores["plate_psnr"] == scores["plate_shadow_psnr"] == MAX_PSNR
        assert scores["shadow_error"] == pytest.approx(0, abs=1e-3)

    def test_a_plate_is_measured_under_objects_and_in_shadows(self, shaded: Scene) -> None:
        plate, mask = shaded.plate(0), shaded.mask(0)
        assert plate is not None
        for name, region in {"plate_psnr": mask > 0, "plate_shadow_psnr": mask == 0}.items():
            spoilt = np.where(region[..., None], plate ^ 128, plate)
            scores = summarise([measure(shaded, changed(plate=given(spoilt)))])
            for metric in ("plate_psnr", "plate_shadow_psnr"):
                assert scores[metric] == (
                    pytest.approx(psnr(plate ^ 128, plate)) if metric == name else MAX_PSNR
                )

    def test_a_shadow_that_stays_in_the_plate_is_its_difference(self, shaded: Scene) -> None:
        scores = summarise([measure(shaded, changed(plate=given(shaded.picture(0))))])
        exact = 20 * math.log10(255 / 40)
        assert exact <= scores["plate_shadow_psnr"] < exact + 1  # blurred, it reaches a pixel farther

    def test_a_shadow_that_is_not_found_is_off_by_itself(self, shaded: Scene) -> None:
        truth, beside = true_shadow(shaded), around_objects(shaded.mask(0))
        assert np.abs(truth[beside]).max() < 1
        scores = summarise([measure(shaded, take_apart)])
        least, most = (f(np.abs(truth), axis=-1)[beside].mean() for f in (np.min, np.max))
        assert 0 < least <= scores["shadow_error"] <= most

    def test_without_true_plates_they_are_not_measured(self, plain: Scene) -> None:
        assert not PLATE_METRICS & set(measure(plain, take_apart).samples)

    def test_a_plate_that_differs_nowhere_has_no_shadow(self, shaded: Scene) -> None:
        frame = replace(shaded.labels.frames[0], plate=shaded.labels.frames[0].picture)
        scene = replace(shaded, labels=replace(shaded.labels, frames=(frame,)))
        scores = summarise([measure(scene, take_apart)])
        assert "plate_shadow_psnr" not in scores
        assert scores["shadow_error"] == 0


class TestSummaries:
    def test_objects_count_alike_whichever_scene_they_are_in(self) -> None:
        first = Measurement({"objects": 1, "pictures": 1}, samples={"outline_iou": [0.0]})
        second = Measurement({"objects": 3, "pictures": 2}, samples={"outline_iou": [1.0, 0.8, 1.0]})
        scores = summarise([first, second, Measurement({})])
        assert scores["outline_iou"] == pytest.approx(0.7)
        assert scores["outline_iou_median"] == pytest.approx(0.9)
        assert scores["outline_iou_worst_tenth"] == 0
        assert (scores["objects"], scores["pictures"], scores["scenes"]) == (4, 3, 2)

    def test_the_worst_tenth_of_twenty_are_two(self) -> None:
        overlaps = [0.9] * 9 + [0.3, 0.1] + [0.9] * 9
        scores = summarise([Measurement({"objects": 20, "pictures": 4}, samples={"outline_iou": overlaps})])
        assert scores["outline_iou_worst_tenth"] == pytest.approx(0.2)

    def test_nothing_measured_is_nothing(self) -> None:
        assert summarise([]) == summarise([Measurement({})]) == {}

    def test_the_record_keeps_samples(self, plain: Scene, tmp_path: Path) -> None:
        found = measure(plain, take_apart)
        Record(tmp_path).add("key", found)
        assert Record(tmp_path).get("key") == found


def test_the_sheet_shows_outlines_plates_and_shadows(plain: Scene, shaded: Scene, tmp_path: Path) -> None:
    shadow = changed(shadow=given(true_shadow(shaded)))
    for scene, methods, columns in (
        (plain, {"a": take_apart}, 3),
        (plain, {"a": take_apart, "b": take_apart}, 5),
        (shaded, {"a": take_apart}, 4),
        (shaded, {"a": shadow}, 5),
    ):
        with Image.open(write_layers_sheet([scene, scene], methods, tmp_path / "sheet.png")) as sheet:
            assert sheet.width == columns * 226
            assert sheet.height == 2 * 242
