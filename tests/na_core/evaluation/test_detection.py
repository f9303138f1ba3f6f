"""The detection suite counts what a person would count."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from na_core.data.scenes import Scene, scenes
from na_core.detection.detection import DetectedObject, Detection
from na_core.evaluation.detection import Matches, average_precision, match, summarise
from na_core.geometry.boxes import box_matrix
from na_core.scene import Box, Camera


@pytest.fixture(scope="module")
def scene(painted_scenes: Path) -> Scene:
    return next(iter(scenes(painted_scenes)))


def true_detection(scene: Scene, number: int = 0) -> Detection:
    frame = scene.labels.frames[number]
    things = [
        DetectedObject("thing", 0.9 - i / 100, rectangle, box)
        for i, (box, rectangle) in enumerate(zip(frame.boxes, frame.boxes_2d, strict=True))
        if box is not None and frame.visible[i] > 0
    ]
    return Detection(frame.camera, tuple(things), True)


def moved(detection: Detection, matrix: np.ndarray) -> Detection:
    """Return a detection in another world: camera and boxes carried along."""
    camera = detection.camera
    return Detection(
        Camera(matrix @ camera.world_from_camera, fx=camera.fx, fy=camera.fy),
        tuple(replace(o, box=Box(matrix @ o.box.world_from_box)) for o in detection.objects),
        True,
    )


def test_the_truth_is_right_in_whatever_world_it_is_told(scene: Scene) -> None:
    away = moved(true_detection(scene), box_matrix((3, -2, 0), (1, 1, 1), 0.7))
    scores = summarise([match(scene, 0, away)])
    assert scores["ap3d_25"] == scores["ap3d_50"] == pytest.approx(100)
    for name in ("centre_error", "focal_error", "pitch_error", "roll_error", "axis_error"):
        assert scores[name] == pytest.approx(0, abs=1e-5)
    assert scores["found"] == 1
    assert scores["false"] == 0


def test_what_is_found_twice_or_is_nothing_is_false(scene: Scene) -> None:
    true = true_detection(scene)
    nothing = replace(true.objects[0], rectangle=(0.0, 0.0, 0.01, 0.01))
    unsure = replace(nothing, score=0.1)
    wrong = replace(true, objects=(*true.objects, true.objects[0], nothing, unsure))
    assert match(scene, 0, wrong).false == 2


def test_of_boxes_the_one_whose_place_is_surer_comes_first(scene: Scene) -> None:
    true = true_detection(scene)

    def doubted(doubt: float) -> Detection:
        return replace(true, objects=tuple(replace(thing, doubt=doubt) for thing in true.objects))

    known, sure, unsure = (match(scene, 0, doubted(doubt)).scores for doubt in (0, 0.1, 2))
    assert (known > sure).all() and (sure > unsure).all()
    np.testing.assert_allclose(known, match(scene, 0, true).scores)
    assert match(scene, 0, doubted(9)).false == 0  # found all the same


def test_a_turn_of_a_box_is_its_yaw_error_but_for_symmetries(scene: Scene) -> None:
    detection = true_detection(scene)
    turned = replace(
        detection,
        objects=tuple(
            replace(o, box=Box(o.box.world_from_box @ box_matrix((0, 0, 0), (1, 1, 1), math.pi)))
            for o in detection.objects
        ),
    )
    asymmetric = replace(scene, labels=_with_symmetry(scene, 1))
    assert summarise([match(asymmetric, 0, turned)])["yaw_error"] == pytest.approx(180, abs=1e-4)
    halves = replace(scene, labels=_with_symmetry(scene, 2))
    scores = summarise([match(halves, 0, turned)])
    assert scores["yaw_error"] == pytest.approx(0, abs=1e-4)
    assert "front_error" not in scores
    assert scores["axis_error"] == pytest.approx(0, abs=1e-4)


def _with_symmetry(scene: Scene, symmetry: int):
    labels = scene.labels
    return replace(labels, objects=tuple(replace(o, symmetry=symmetry) for o in labels.objects))


def test_nothing_found_is_worth_nothing_and_a_found_nothing_too(scene: Scene) -> None:
    nothing = replace(true_detection(scene), objects=())
    scores = summarise([match(scene, 0, nothing)])
    assert scores["ap3d_25"] == scores["found"] == 0
    assert "centre_error" not in scores


def matches(scores: list[float], overlaps: list[list[float]], wanted: list[bool]) -> Matches:
    table = np.array(overlaps).reshape(len(scores), len(wanted))
    return Matches(np.array(scores), table, np.array(wanted, bool), 0, {})


def test_precision_falls_with_false_finds_that_are_surer() -> None:
    sure = matches([0.9, 0.8], [[0.7, 0.0], [0.0, 0.0]], [True, True])
    assert average_precision([sure], 0.5) == pytest.approx(0.505, abs=0.01)  # one of two, first
    unsure = matches([0.9, 0.8], [[0.0, 0.0], [0.7, 0.0]], [True, True])
    assert average_precision([unsure], 0.5) == pytest.approx(0.2525, abs=0.01)  # the other way round


def test_two_finds_of_one_object_are_one_right_and_one_wrong() -> None:
    twice = matches([0.9, 0.8, 0.7], [[0.6, 0.0], [0.8, 0.0], [0.0, 0.9]], [True, True])
    assert average_precision([twice], 0.5) == pytest.approx((51 + 50 * 2 / 3) / 101, abs=0.01)


def test_what_need_not_be_found_counts_neither_way() -> None:
    ignored = matches([0.9, 0.8], [[0.9, 0.0], [0.0, 0.9]], [False, True])
    assert average_precision([ignored], 0.5) == pytest.approx(1)
