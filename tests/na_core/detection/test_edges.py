"""Edges of boxes and rooms put right a camera, and boxes' yaws, that a network guessed nearly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from na_core.detection.edges import LEAST_LENGTH, Edges, fit_to_edges, straight_edges
from na_core.detection.found import Found
from na_core.detection.network import CELL, cell_centres
from na_core.detection.perspective import View, fit_look, perspective_fields
from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import camera_of_photo, project_points
from na_core.scene import Camera

SIZE = (192, 128)
NONE = Edges(np.zeros((0, 2)), np.zeros(0), np.zeros(0))


def guessed(focal: float, pitch: float, roll: float) -> View:
    """Return what a network says that is unsure, and takes the camera for this one."""
    cells = SIZE[1] // CELL, SIZE[0] // CELL
    places = cell_centres(SIZE, cells, "cpu").double().numpy() - np.array(SIZE)[:, None, None] / max(SIZE) / 2
    tilt, latitude = perspective_fields(places, focal, pitch, roll)
    numbers = np.array([math.log(focal), focal * math.tan(pitch), roll])
    return View(places, tilt, latitude, *np.full((2, *cells), 0.06), numbers, np.full(3, 0.15))


def edges_of(ends: NDArray[np.float64]) -> Edges:
    """Return edges between ends (N, 2, 2) in image coordinates."""
    ends = (ends - 0.5) * np.array(SIZE) / max(SIZE)
    along = ends[:, 1] - ends[:, 0]
    return Edges(ends.mean(axis=1), np.arctan2(along[:, 0], -along[:, 1]), np.linalg.norm(along, axis=1))


def of_boxes(camera: Camera, boxes: list[NDArray[np.float64]]) -> Edges:
    """Return all twelve edges of boxes in a picture."""
    local = box_corners(np.eye(4))
    pairs = [(i, j) for i in range(8) for j in range(i) if np.isclose(local[i], local[j]).sum() == 2]
    seen = [project_points(camera, box_corners(box))[:, :2] for box in boxes]
    return edges_of(np.concatenate([each[np.array(pairs)] for each in seen]))


def as_found(camera: Camera, boxes: list[NDArray[np.float64]], yaws: list[float]) -> Found:
    """Return boxes as a detector finds them, with yaws from where each is seen."""
    scale = np.tile(SIZE, 2) / max(SIZE)
    corners = [project_points(camera, box_corners(box))[:, :2] for box in boxes]
    rectangles = np.array([[*each.min(axis=0), *each.max(axis=0)] for each in corners]) * scale
    centres = np.array([project_points(camera, [box[:3, 3]])[0, :2] for box in boxes]) * scale[:2]
    count = len(boxes)
    return Found(np.ones(count), rectangles, centres, np.ones(count), np.ones((count, 3)), np.array(yaws))


def test_boxes_put_right_cameras_and_their_own_yaws() -> None:
    """Not each of them: of a box that is seen square from the front no edge tells the focal length."""
    random = np.random.default_rng(0)
    errors, turns = [], []
    for _ in range(60):
        focal, pitch, roll = random.uniform((0.8, 0.2, -0.1), (1.8, 0.7, 0.1))
        camera = camera_of_photo(focal * SIZE[0], *SIZE, 1.0, pitch, roll)
        ahead = 1 / math.tan(pitch)
        places = ahead * np.array([(-0.38, 1.0), (0.0, 0.8), (0.4, 1.1)])
        yaws = random.uniform(-0.7, 0.7, 3)
        size = 0.2 * ahead * np.array([1.0, 0.7, 0.9])
        boxes = [box_matrix((x, y, size[2] / 2), size, yaw) for (x, y), yaw in zip(places, yaws, strict=True)]
        relative = yaws - np.arctan2(places[:, 1], places[:, 0]) + math.pi / 2
        found = as_found(camera, boxes, list(relative + random.uniform(-0.12, 0.12, 3)))
        off = random.uniform(-1, 1, 3) * (0.1, 0.05, 0.03)
        view = guessed(focal * math.exp(off[0]), pitch + off[1], roll + off[2])
        before, (look, found_yaws) = fit_look(view), fit_to_edges(view, of_boxes(camera, boxes), found, SIZE)
        assert look.pitch_doubt < before.pitch_doubt and look.focal_doubt < before.focal_doubt
        errors.append(
            [(math.log(of.focal / focal), of.pitch - pitch, of.roll - roll) for of in (before, look)]
        )
        turns.append(found_yaws - relative)
    before_off, off = np.abs(errors).transpose(1, 0, 2)
    assert (np.median(off, axis=0) < (0.015, math.radians(0.3), math.radians(0.3))).all()
    assert (np.median(off, axis=0) < 0.4 * np.median(before_off, axis=0)).all()
    assert (np.quantile(off, 0.9, axis=0) < np.quantile(before_off, 0.9, axis=0)).all()
    assert np.median(np.abs(turns)) < math.radians(0.5)


def test_edges_of_a_room_put_right_the_camera_though_nothing_is_found() -> None:
    camera = camera_of_photo(1.2 * SIZE[0], *SIZE, 1.0, 0.3)
    walls = [
        box_matrix((0.0, 3.0, 0.9), (3.0, 3.0, 1.8), 0.4),
        box_matrix((0.3, 3.5, 0.5), (1.5, 1.0, 1.0), 0.4),
    ]
    nothing = Found(*(np.zeros((0, *shape)) for shape in ((), (4,), (2,), (), (3,), ())))
    look, yaws = fit_to_edges(guessed(1.25, 0.34, 0.02), of_boxes(camera, walls), nothing, SIZE)
    assert look.pitch == pytest.approx(0.3, abs=math.radians(0.5))
    assert look.roll == pytest.approx(0, abs=math.radians(0.5))
    assert not len(yaws)


def test_without_edges_the_network_is_believed() -> None:
    view = guessed(1.2, 0.4, 0.02)
    camera = camera_of_photo(1.2 * SIZE[0], *SIZE, 1.0, 0.4)
    found = as_found(camera, [box_matrix((0, 2, 0.1), (0.3, 0.2, 0.2))], [0.3])
    look, yaws = fit_to_edges(view, NONE, found, SIZE)
    assert look == fit_look(view)
    assert yaws.tolist() == [0.3]


def test_edges_in_all_directions_hardly_move_the_camera() -> None:
    random = np.random.default_rng(0)
    starts, angles = random.uniform(0, 1, (60, 2)), random.uniform(0, math.pi, 60)
    ends = starts + 0.1 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    view = guessed(1.2, 0.4, 0.0)
    nothing = Found(*(np.zeros((0, *shape)) for shape in ((), (4,), (2,), (), (3,), ())))
    look, _ = fit_to_edges(view, edges_of(np.stack([starts, ends], axis=1)), nothing, SIZE)
    before = fit_look(view)
    assert look.pitch == pytest.approx(before.pitch, abs=math.radians(2))
    assert look.focal == pytest.approx(before.focal, rel=0.12)


def test_what_is_known_of_the_camera_stays() -> None:
    camera = camera_of_photo(1.2 * SIZE[0], *SIZE, 1.0, 0.4)
    boxes = [box_matrix((0.0, 2.2, 0.15), (0.3, 0.2, 0.3), 0.4)]
    found = as_found(camera, boxes, [0.4])
    look, _ = fit_to_edges(guessed(1.2, 0.43, 0.0), of_boxes(camera, boxes), found, SIZE, 1.5, None, 0.01)
    assert (look.focal, look.roll) == (pytest.approx(1.5), pytest.approx(0.01))
    assert look.focal_doubt == look.roll_doubt == 0 < look.pitch_doubt


@pytest.mark.parametrize("size", [(200, 120), (120, 200), (900, 700)])
def test_the_sides_of_what_is_drawn_are_its_edges(size: tuple[int, int]) -> None:
    fine = Image.new("RGB", (4 * size[0], 4 * size[1]), (40, 60, 80))
    corners = np.array([(0.3, 0.3), (0.7, 0.4), (0.6, 0.8), (0.25, 0.7)]) * size
    ImageDraw.Draw(fine).polygon([tuple(corner) for corner in (4 * corners).tolist()], fill=(230, 220, 200))
    edges = straight_edges(np.array(fine.resize(size, Image.Resampling.BOX)))
    sides = np.roll(corners, -1, axis=0) - corners
    for middle, side in zip((corners + sides / 2 - np.array(size) / 2) / max(size), sides, strict=True):
        near = np.linalg.norm(edges.middles - middle, axis=1) < 0.03
        off = edges.angles[near] - math.atan2(side[0], -side[1])
        assert len(off) and (np.abs((off + math.pi / 2) % math.pi - math.pi / 2) < math.radians(1.5)).all()
    assert (edges.lengths >= LEAST_LENGTH).all()


def test_a_blank_photo_has_no_edges() -> None:
    assert not len(straight_edges(np.full((60, 80, 3), 90, np.uint8)).lengths)
