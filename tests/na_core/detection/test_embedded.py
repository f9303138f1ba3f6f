"""What the detector is taught is what is read from it: photos to numbers and back to boxes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.detection.detection import DetectedObject, Detection, overlaps
from na_core.detection.embedded import detect, detection_of, sure
from na_core.detection.found import Found
from na_core.detection.network import CELL, LEAST_DOUBT, BoxDetector, Prediction, cell_centres, mirrored
from na_core.detection.perspective import fit_look, perspective_fields
from na_core.detection.reading import found_in, found_of, view_of
from na_core.detection.refiner import BoxRefiner
from na_core.detection.targets import (
    LabelledPhotos,
    Targets,
    camera_numbers,
    losses,
    shown_bounds,
    targets,
)
from na_core.detection.targets import perspective_fields as fields_of_cameras
from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import camera_of_photo, pitch_and_roll, project_points
from na_core.scene import Box, Camera
from na_core.tensors.cameras import cameras_of
from tests.na_core.reference import nearest_boxes

SIZE = (192, 128)
WIDTHS = (8, 8, 8, 8)
REFINER = BoxRefiner(width=8, hidden=16).eval()


def photographed(camera: Camera, *boxes: np.ndarray) -> LabelledPhotos:
    """Return one photo whose mask is its boxes'."""
    width, height = SIZE
    owner = torch.from_numpy(nearest_boxes(camera, boxes, width, height).index)[None]
    count = len(boxes)
    return LabelledPhotos(
        pictures=torch.zeros((1, height, width, 3), dtype=torch.uint8),
        camera=cameras_of([camera]),
        boxes=torch.from_numpy(np.stack(boxes))[None],
        visible=torch.ones((1, count)),
        owner=owner,
        symmetry=torch.ones((1, count), dtype=torch.int64),
        told_focal=torch.zeros(1),
    )


def as_predicted(wanted: Targets) -> Prediction:
    """Return the prediction that says what is wanted; logits of certainty."""
    rows, columns = wanted.heat.shape[1:]

    def spread(values: torch.Tensor) -> torch.Tensor:
        dense = torch.zeros(rows * columns, values.shape[1])
        dense[wanted.cell] = values
        return dense.view(1, rows, columns, -1).permute(0, 3, 1, 2)

    return Prediction(
        heat=torch.logit(wanted.heat.clamp(1e-6, 1 - 1e-6))[:, None],
        tilt=wanted.tilt,
        latitude=wanted.latitude,
        doubt=torch.full((1, 2, rows, columns), LEAST_DOUBT),
        camera=wanted.camera,
        camera_doubt=torch.full((1, 3), LEAST_DOUBT),
        **{
            name: spread(values.clamp_min(1e-9).log() if name == "front" else values)
            for name, values in wanted.values.items()
        },
    )


cameras = st.builds(
    lambda focal, height, pitch, roll: camera_of_photo(focal * SIZE[0], *SIZE, height, pitch, roll),
    st.floats(0.8, 1.6),
    st.floats(0.3, 3),
    st.floats(0.15, 0.8),
    st.floats(-0.1, 0.1),
)


@settings(max_examples=60, deadline=None)
@given(
    camera=cameras,
    yaw=st.floats(-math.pi, math.pi),
    width=st.floats(0.15, 0.4),
    depth=st.floats(0.15, 0.4),
    height=st.floats(0.05, 0.5),
    across=st.floats(-0.2, 0.2),
)
def test_boxes_come_back_whatever_their_yaw_and_the_camera(
    camera: Camera, yaw: float, width: float, depth: float, height: float, across: float
) -> None:
    eye, view = camera.world_from_camera[:3, 3], -camera.world_from_camera[:3, 2]
    scale = eye[2]
    middle = eye + view * (scale / -view[2])  # where the camera looks at the ground
    size = scale * np.array([width, depth, height])
    box = box_matrix((middle[0] + across * scale, middle[1], size[2] / 2), size, yaw)
    photos = photographed(camera, box)
    wanted = targets(photos)
    if not len(wanted.cell):
        return
    prediction = as_predicted(wanted)
    look = fit_look(view_of(prediction, SIZE))
    found = detection_of(found_of(prediction, SIZE, 0.5), look, SIZE, eye[2])
    np.testing.assert_allclose(found.camera.world_from_camera, camera.world_from_camera, atol=1e-5)
    np.testing.assert_allclose(found.objects[0].box.world_from_box, box, atol=2e-3 * scale)
    given = found_in(prediction, SIZE, np.array([found_of(prediction, SIZE, 0.5).rectangles[0]]))
    (again,) = detection_of(given, look, SIZE, eye[2]).objects
    np.testing.assert_allclose(again.box.world_from_box, box, atol=2e-3 * scale)
    assert again.score == 1


@settings(max_examples=30, deadline=None)
@given(cameras, st.floats(-3, 3), st.floats(-0.4, 0.4))
def test_what_is_said_of_a_mirrored_photo_is_mirrored(camera: Camera, yaw: float, across: float) -> None:
    box = box_matrix((across, 3.0, 0.2), (0.5, 0.3, 0.4), yaw)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    other = Camera(flip @ camera.world_from_camera @ flip, fx=camera.fx, fy=camera.fy)
    wanted, there = (targets(photographed(each, of)) for each, of in ((camera, box), (other, flip @ box)))
    said, again = as_predicted(wanted), mirrored(as_predicted(there))
    for name in ("tilt", "latitude", "camera"):
        np.testing.assert_allclose(getattr(said, name), getattr(again, name), atol=1e-5)
    heard = (said.heat > 0) & (again.heat > 0)  # cells at the edge of the middle may differ by one
    for name in ("centre", "depth", "height", "footprint", "stretch", "quarter", "front"):
        mine, theirs = (getattr(each, name) * heard for each in (said, again))
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_the_loss_of_what_is_wanted_is_only_the_doubt_about_centres() -> None:
    camera = camera_of_photo(200, *SIZE, 1.0, 0.5)
    boxes = [box_matrix((x, 1.9, 0.15), (0.3, 0.2, 0.3), x) for x in (-0.5, 0.5)]
    wanted = targets(photographed(camera, *boxes))
    parts = losses(as_predicted(wanted), wanted)
    assert all(float(part) < 1e-4 for name, part in parts.items() if name != "heat")
    wrong = replace(as_predicted(wanted), depth=as_predicted(wanted).depth + 0.3)
    assert float(losses(wrong, wanted)["depth"]) > 0.1


def test_objects_of_which_little_shows_are_neither_taught_nor_held_against_anyone() -> None:
    camera = camera_of_photo(200, *SIZE, 1.0, 0.5)
    photos = photographed(camera, box_matrix((0, 1.9, 0.15), (0.3, 0.2, 0.3)))
    wanted = targets(replace(photos, visible=torch.full((1, 1), 0.1)))
    assert not len(wanted.cell)
    assert wanted.counts.min() == 0
    assert float(wanted.heat.max()) == 0


def test_bounds_are_those_of_the_pixels() -> None:
    owner = torch.full((2, 6, 8), -1)
    owner[0, 1:3, 2:7] = 1
    owner[1, 5, 0] = 0
    bounds, number = shown_bounds(owner, 2)
    assert bounds[0, 1].tolist() == [2, 1, 7, 3]
    assert bounds[1, 0].tolist() == [0, 5, 1, 6]
    assert number.tolist() == [[0, 10], [1, 0]]


def test_a_cameras_numbers_are_its_focal_length_horizon_and_roll() -> None:
    camera = camera_of_photo(150, *SIZE, 1.3, 0.4, 0.07)
    photos = photographed(camera, box_matrix((0, 2, 0.2), (0.4, 0.4, 0.4)))
    (numbers,) = camera_numbers(photos.camera, *SIZE)
    assert numbers.tolist() == pytest.approx(
        [math.log(150 / SIZE[0]), 150 / SIZE[0] * math.tan(0.4), 0.07], abs=1e-6
    )


@given(camera=cameras)
def test_tilt_and_latitude_are_said_alike_of_one_camera_and_of_many(camera: Camera) -> None:
    cells = SIZE[1] // CELL, SIZE[0] // CELL
    mine = fields_of_cameras(cameras_of([camera]), SIZE, cells)
    places = cell_centres(SIZE, cells, "cpu").double().numpy() - np.array(SIZE)[:, None, None] / max(SIZE) / 2
    pitch, roll = pitch_and_roll(camera.world_from_camera[2, :3])
    for many, one in zip(mine, perspective_fields(places, camera.fx, pitch, roll), strict=True):
        np.testing.assert_allclose(many[0, 0].numpy(), one, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (37, 201), (256, 256), (300, 1000)])
def test_photos_of_every_shape_are_looked_at(shape: tuple[int, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = BoxDetector(widths=WIDTHS).eval()
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = detect(detector, REFINER, photo, threshold=0.0)
    assert not found.metric
    rectangles = np.array([thing.rectangle for thing in found.objects])
    assert ((rectangles >= 0) & (rectangles <= 1)).all()
    assert all(np.isfinite(thing.box.world_from_box).all() for thing in found.objects)
    detector.half().save_pretrained(tmp_path)
    again = BoxDetector.from_pretrained(tmp_path)
    assert again.config.widths == list(WIDTHS)


def test_a_known_focal_length_is_kept() -> None:
    torch.manual_seed(0)
    detector = BoxDetector(widths=WIDTHS).eval()
    found = detect(detector, REFINER, np.zeros((100, 200, 3), np.uint8), focal=1.6, camera_height=2.5)
    assert found.camera.fx == pytest.approx(1.6)
    assert found.camera.world_from_camera[2, 3] == 2.5
    assert found.metric
    assert found.camera.fy == pytest.approx(3.2)
    assert found.doubt is not None
    assert found.doubt.focal == 0
    assert found.doubt.pitch > 0


def test_what_is_in_given_rectangles_is_said_in_their_order_and_nothing_else() -> None:
    torch.manual_seed(0)
    detector = BoxDetector(widths=WIDTHS).eval()
    photo = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    rectangles = [(0.6, 0.5, 0.9, 0.9), (0.1, 0.4, 0.3, 0.8), (0.1, 0.4, 0.3, 0.8)]
    found = detect(detector, REFINER, photo, rectangles=rectangles, pitch=0.6, roll=0.0, focal=1.2)
    np.testing.assert_allclose([thing.rectangle for thing in found.objects], rectangles, atol=1e-9)
    first, second, third = (thing.box.world_from_box for thing in found.objects)
    assert not np.allclose(first, second)
    np.testing.assert_allclose(second, third, atol=1e-6)


@given(
    scores=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 99),
    threshold=st.floats(0, 1),
    overlap=st.floats(0.1, 0.9),
)
def test_of_what_overlaps_the_surest_stays(
    scores: list[float], seed: int, threshold: float, overlap: float
) -> None:
    count = len(scores)
    random = np.random.default_rng(seed)
    low = random.random((count, 2)) / 2
    rectangles = np.concatenate([low, low + random.random((count, 2)) / 2], axis=1)
    nothing = np.zeros((count, 3))
    all_found = Found(
        np.sort(scores)[::-1], rectangles, nothing[:, :2], nothing[:, 0], nothing, nothing[:, 0]
    )
    kept = sure(all_found, threshold, overlap)
    assert (kept.scores >= threshold).all()
    others = overlaps(kept.rectangles, kept.rectangles) - np.eye(len(kept.scores))
    assert (others <= overlap).all()
    beside = overlaps(all_found.rectangles, kept.rectangles) > overlap
    for number in np.flatnonzero(all_found.scores >= threshold):
        here = (kept.rectangles == all_found.rectangles[number]).all(axis=1).any()
        assert here or kept.scores[beside[number]].max(initial=-1) >= all_found.scores[number]


def test_a_scaled_world_looks_the_same() -> None:
    camera = camera_of_photo(200, *SIZE, 1.0, 0.5)
    thing = DetectedObject("tin", 0.5, (0, 0, 1, 1), Box(box_matrix((0.2, 1.9, 0.15), (0.3, 0.2, 0.3), 1)))
    larger = Detection(camera, (thing,), True).scaled_to(2.5)
    assert larger.camera.world_from_camera[2, 3] == 2.5
    before = project_points(camera, box_corners(thing.box.world_from_box))[:, :2]
    after = project_points(larger.camera, box_corners(larger.objects[0].box.world_from_box))[:, :2]
    np.testing.assert_allclose(before, after, atol=1e-9)
