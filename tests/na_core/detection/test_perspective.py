"""A camera is found again from what the parts of its picture say, though some of them are wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.detection.network import CELL, cell_centres
from na_core.detection.perspective import View, fit_look, perspective_fields
from na_core.geometry.camera import camera_of_photo, project_points, rays

SIZE = (192, 128)

focals = st.floats(0.5, 2.5)
pitches = st.floats(0.1, 1.0)
rolls = st.floats(-0.3, 0.3)


def seen(focal: float, pitch: float, roll: float, doubt: float = 0.05) -> View:
    """Return what a network says that is right, and as sure everywhere; its three numbers are hardly sure."""
    cells = SIZE[1] // CELL, SIZE[0] // CELL
    places = cell_centres(SIZE, cells, "cpu").double().numpy() - np.array(SIZE)[:, None, None] / max(SIZE) / 2
    tilt, latitude = perspective_fields(places, focal, pitch, roll)
    doubts = np.full(cells, doubt)
    numbers = np.array([math.log(focal) + 0.3, focal * math.tan(pitch) - 0.05, roll + 0.05])
    return View(places, tilt, latitude, doubts, doubts, numbers, np.array([3.0, 1.0, 1.0]))


@given(focals, pitches, rolls, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_fields_are_what_lifting_a_point_shows(
    focal: float, pitch: float, roll: float, x: float, y: float
) -> None:
    camera = camera_of_photo(focal * 100, 100, 100, 2.0, pitch, roll)
    direction = rays(camera, np.array([x + 0.5, y + 0.5]))
    tilt, latitude = perspective_fields(np.array([[[x]], [[y]]]), focal, pitch, roll)
    assert latitude[0, 0] == pytest.approx(math.asin(direction[2] / np.linalg.norm(direction)), abs=1e-9)
    point = camera.world_from_camera[:3, 3] + 3 * direction
    lifted = np.stack([point, point + np.array((0, 0, 1e-6))])
    shift = np.diff(project_points(camera, lifted)[:, :2], axis=0)[0]
    assert tilt[0, 0] == pytest.approx(math.atan2(shift[0], -shift[1]), abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(focals, pitches, rolls)
def test_a_camera_is_found_again(focal: float, pitch: float, roll: float) -> None:
    look = fit_look(seen(focal, pitch, roll))
    assert look.focal == pytest.approx(focal, rel=0.02)
    assert look.pitch == pytest.approx(pitch, abs=0.01)
    assert look.roll == pytest.approx(roll, abs=0.01)


def test_a_part_that_contradicts_the_rest_hardly_counts() -> None:
    view = seen(1.2, 0.5, 0.1)
    latitude = view.latitude.copy()
    latitude[:, :12] += 0.5  # a quarter of the picture
    look = fit_look(replace(view, latitude=latitude))
    assert look.pitch == pytest.approx(0.5, abs=0.02)
    assert look.focal == pytest.approx(1.2, rel=0.05)


def test_what_is_known_stays_and_has_no_doubt() -> None:
    look = fit_look(seen(1.2, 0.5, 0.1), focal=1.5, roll=0.0)
    assert (look.focal, look.roll, look.focal_doubt, look.roll_doubt) == (pytest.approx(1.5), 0.0, 0.0, 0.0)
    assert look.pitch_doubt > 0


def test_doubt_grows_with_the_networks() -> None:
    sure, unsure = (fit_look(seen(1.2, 0.5, 0.1, doubt)) for doubt in (0.02, 0.2))
    assert unsure.focal_doubt > 3 * sure.focal_doubt
    assert unsure.pitch_doubt > 3 * sure.pitch_doubt


def test_a_level_camera_tells_no_focal_length_but_does_no_harm() -> None:
    view = seen(1.2, 0.0, 0.0)
    look = fit_look(view)
    assert math.isfinite(look.focal)
    assert look.pitch == pytest.approx(0, abs=0.05)
