"""Depths of an object step where its photo has an edge, and are smooth where it has none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from na_core.layers.relief_edges import LEAST_PIXELS, with_sharp_steps

SIDE = 384
NEAR, FAR = 2.0, 3.0


def cup() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a photo of a white ring on brown, true depths, depths whose step wobbles, and owners."""
    white = np.zeros((SIDE, SIDE), np.uint8)
    cv2.rectangle(white, (72, 72), (312, 192), 1, -1)
    noise = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 1))
    picture = np.where(white[..., None] > 0, (230, 225, 215), (150, 90, 50)) + noise
    true = np.where(white > 0, NEAR, FAR).astype(np.float32)
    rows = np.arange(SIDE)[:, None] + np.round(3 * np.sin(np.arange(SIDE) * 0.3)).astype(int)
    wobbling = cv2.GaussianBlur(true[rows.clip(0, SIDE - 1), np.arange(SIDE)], (0, 0), 1.5)
    owner = np.full((SIDE, SIDE), -1, np.int32)
    owner[24:360, 24:360] = 0
    return picture.clip(0, 255).astype(np.uint8), true, wobbling, owner


def sharpened(
    depth: np.ndarray, owner: np.ndarray, picture: np.ndarray, box: np.ndarray | None = None
) -> np.ndarray:
    """Return the depths of a single object that has pixels on one layer."""
    index = np.zeros((1, SIDE, SIDE), np.int64) if box is None else np.where(box, 0, -1)[None]
    return with_sharp_steps(depth[None], index, owner, picture)[0]


def test_a_step_goes_where_the_photo_has_its_edge() -> None:
    picture, true, wobbling, owner = cup()
    found = sharpened(wobbling, owner, picture)
    near_step = (cv2.dilate(true, np.ones((11, 11))) != cv2.erode(true, np.ones((11, 11)))) & (owner >= 0)
    middle = (NEAR + FAR) / 2
    wrong = [((depth < middle) != (true < middle))[near_step].mean() for depth in (wobbling, found)]
    assert wrong[0] > 0.1
    assert wrong[1] < 0.3 * wrong[0]


def test_depths_that_no_colour_tells_stay_as_they_are() -> None:
    _, _, _, owner = cup()
    slope = np.linspace(NEAR, FAR, SIDE, dtype=np.float32)[None].repeat(SIDE, axis=0)
    noise = np.random.default_rng(1).normal(120, 4, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    found = sharpened(slope, owner, noise)
    inside = cv2.erode((owner >= 0).astype(np.uint8), np.ones((9, 9))) > 0
    np.testing.assert_allclose(found[inside], slope[inside], atol=0.02)


def test_an_object_comes_no_nearer_and_goes_no_farther_than_it_was() -> None:
    picture, _, wobbling, owner = cup()
    found = sharpened(wobbling, owner, picture)
    own = wobbling[owner >= 0]
    assert own.min() <= found.min() and found.max() <= own.max()


def test_what_lies_outside_an_outline_does_not_count_and_the_nearest_depth_goes_on_there() -> None:
    picture, _, wobbling, owner = cup()
    other = np.where(owner >= 0, wobbling, 50.0).astype(np.float32)
    found = sharpened(other, owner, picture)
    np.testing.assert_allclose(found, sharpened(wobbling, owner, picture), atol=1e-4)
    assert found.max() <= FAR + 1e-3


def test_pixels_of_no_box_and_tiny_objects_keep_their_depths() -> None:
    picture, _, wobbling, owner = cup()
    box = np.zeros((SIDE, SIDE), bool)
    box[:192] = True
    np.testing.assert_array_equal(sharpened(wobbling, owner, picture, box)[192:], wobbling[192:])
    owner[:] = -1
    owner[180, : LEAST_PIXELS - 1] = 0
    np.testing.assert_array_equal(sharpened(wobbling, owner, picture), wobbling)


@pytest.mark.parametrize("scale", [1, 3])
def test_owners_of_any_size_and_two_layers(scale: int) -> None:
    picture, _, wobbling, owner = cup()
    larger = owner.repeat(scale, axis=0).repeat(scale, axis=1)
    left = np.arange(SIDE)[None].repeat(SIDE, axis=0) < 192
    index = np.stack([np.where(left, 0, -1), np.where(left, -1, 0)])
    depths = np.stack([np.where(left, wobbling, 9), np.where(left, 9, wobbling)]).astype(np.float32)
    found = with_sharp_steps(depths, index, larger, picture)
    np.testing.assert_array_equal(np.where(left, found[0], found[1]), sharpened(wobbling, owner, picture))
    np.testing.assert_array_equal(np.where(left, found[1], found[0]), 9)
