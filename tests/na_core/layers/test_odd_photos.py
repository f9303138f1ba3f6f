"""Photos and boxes that nobody expects: every layer is defined, finite and of the photo's size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers
from na_core.layers.photo_network import BRIGHTEST, DARKEST, PhotoNetwork
from na_core.layers.take_apart import TakingApart, take_apart
from tests.na_core.studio import LEFT, RIGHT, smooth_photo, studio_of

WORKING_SIZE = 64
GREY = np.full((48, 64, 3), 128, np.uint8)
PHOTOS = {
    "one grey": GREY,
    "black": np.zeros_like(GREY),
    "white": np.full_like(GREY, 255),
    "tiny": smooth_photo(32, 32),
    "one pixel": GREY[:1, :1],
    "a line": smooth_photo(64, 1),
    "tall": smooth_photo(24, 200),
    "large": smooth_photo(1500, 1000),
}
BOXES = {
    "none": [],
    "two": [LEFT, RIGHT],
    "the same twice": [LEFT, LEFT],
    "one in another": [LEFT, LEFT @ np.diag([0.5, 0.5, 0.5, 1.0])],
    "behind the camera": [box_matrix((0, -4, 0.4), (0.7, 0.5, 0.8))],
    "around the camera": [box_matrix((0, 0, 1.5), (4, 4, 3))],
    "beside the picture": [box_matrix((40, 4, 0.4), (0.7, 0.5, 0.8))],
    "flat": [box_matrix((0, 4, 0.4), (1, 1, 0))],
    "high above the ground": [box_matrix((0, 40, 18), (0.7, 0.5, 0.8))],
    "far away": [box_matrix((0, 1e5, 0.4), (0.7, 0.5, 0.8))],
    "as large as a town": [box_matrix((0, 1e4, 0), (1e4, 1e4, 1e3))],
}


def check(layers: Layers, photo: NDArray[np.uint8], boxes: int) -> None:
    height, width = photo.shape[:2]
    for name in ("picture", "plate", "foreground", "shadow"):
        assert getattr(layers, name).shape == (1, height, width, 3), name
    for name in ("owner", "cover", "real", "alpha", "shadow_owner"):
        assert getattr(layers, name).shape == (1, height, width), name
    for name in ("owner", "cover", "shadow_owner"):
        assert int(getattr(layers, name).min()) >= -1 and int(getattr(layers, name).max()) < max(boxes, 1)
    assert layers.shadow.isfinite().all() and layers.light.isfinite().all()
    assert float(layers.shadow.min()) >= DARKEST and float(layers.shadow.max()) <= BRIGHTEST
    assert layers.surfaces.near.isfinite().all() and layers.surfaces.far.isfinite().all()
    assert not layers.alpha[layers.owner < 0].any()
    np.testing.assert_array_equal(layers.picture[0], photo)


def taken_apart(photo: NDArray[np.uint8], boxes: Sequence[NDArray], network: PhotoNetwork | None) -> Layers:
    height, width = photo.shape[:2]
    camera = camera_of_photo(1.2 * max(width, height), width, height, camera_height=1.5, pitch=0.3)
    views = studio_of(photo, camera, boxes).views()
    return take_apart(views, TakingApart(network, WORKING_SIZE, texture=True))


@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("name", PHOTOS)
def test_odd_photos(name: str, with_network: bool, network: PhotoNetwork) -> None:
    layers = taken_apart(PHOTOS[name], [LEFT, RIGHT], network if with_network else None)
    check(layers, PHOTOS[name], 2)


@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("name", BOXES)
def test_odd_boxes(name: str, with_network: bool, network: PhotoNetwork) -> None:
    photo = smooth_photo(64, 48)
    layers = taken_apart(photo, BOXES[name], network if with_network else None)
    check(layers, photo, len(BOXES[name]))
    if name in ("none", "behind the camera", "beside the picture"):
        assert (layers.owner == -1).all()
        np.testing.assert_array_equal(layers.plate[0], photo)


def test_a_hundred_boxes(network: PhotoNetwork) -> None:
    rng = np.random.default_rng(0)
    boxes = [box_matrix((*rng.uniform((-3, 3), (3, 12)), 0.3), (0.4, 0.4, 0.6)) for _ in range(100)]
    photo = smooth_photo(96, 64)
    check(taken_apart(photo, boxes, network), photo, 100)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.lists(st.floats(0, 30), min_size=3, max_size=3),
    st.floats(-4, 4),
)
def test_any_box(network: PhotoNetwork, centre: list[float], size: list[float], yaw: float) -> None:
    photo = smooth_photo(40, 30)
    matrix = box_matrix(centre, size, yaw)
    check(taken_apart(photo, [matrix, LEFT], network), photo, 2)
