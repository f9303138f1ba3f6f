"""Steadied frames: what no photo showed flickers less, and what one showed stays to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from na_core.compose.frame_passes import frame_passes
from na_core.compose.steadying import Shot, steadied
from na_core.geometry.boxes import box_matrix
from na_core.layers.take_apart import FILLED_BOXES
from na_core.scene import Frame
from tests.na_core.studio import LEFT, RIGHT, Studio, batch_of, build_studio, composed

SIDE = 64


@pytest.fixture(scope="module")
def studio() -> Studio:
    return build_studio([LEFT, RIGHT], SIDE, SIDE)


def film(studio: Studio) -> list[Frame]:
    """Return three frames in which a block turns and the camera rises, a little each."""
    frames = []
    for step in range(3):
        matrix = studio.camera.world_from_camera.copy()
        matrix[2, 3] += 0.3 + 0.03 * step
        camera = replace(studio.camera, world_from_camera=matrix)
        turned = box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), yaw=2.4 + 0.05 * step)
        frames.append(studio.frame({0: turned}, camera))
    return frames


def shot_of(studio: Studio, frame: Frame, noise: float, seed: int) -> Shot:
    """Return a frame whose made-up pixels are grey with noise that no other frame has."""
    _, layers, _ = composed(frame, studio.photos, SIDE, SIDE, FILLED_BOXES)
    passes = frame_passes(layers, frame, batch_of(frame), SIDE, SIDE)
    grey = 128 + noise * np.random.default_rng(seed).standard_normal((SIDE, SIDE, 3))
    picture = np.where(passes.validity[..., None] > 0.5, 255 * passes.proxy, grey)
    return Shot(picture.clip(0, 255).astype(np.uint8), frame, passes)


def test_what_is_made_up_flickers_less_and_the_rest_stays(studio: Studio) -> None:
    shots = [shot_of(studio, frame, 20, seed) for seed, frame in enumerate(film(studio))]
    middle = shots[1]
    found = steadied(middle, [shots[0], shots[2]])
    made_up = middle.passes.validity < 0.5
    assert 0.05 < made_up.mean() < 0.95
    np.testing.assert_array_equal(found[~made_up], middle.picture[~made_up])
    before, after = (np.std(of[made_up].astype(float) - 128) for of in (middle.picture, found))
    assert after < 0.75 * before  # of three independent pictures, one over the root of three at best


def test_a_frame_alone_stays(studio: Studio) -> None:
    shot = shot_of(studio, film(studio)[0], 20, 0)
    np.testing.assert_array_equal(steadied(shot, []), shot.picture)


def test_another_point_at_the_same_place_does_not_count(studio: Studio) -> None:
    """Where the other frame's block stands before what this one shows, its colour stays out."""
    first = shot_of(studio, film(studio)[0], 0, 0)
    covering = studio.frame({0: box_matrix((-0.2, 2.4, 0.8), (1.2, 0.3, 1.6)), 1: None}, first.frame.camera)
    other = shot_of(studio, covering, 0, 1)
    blue = replace(other, picture=np.zeros_like(other.picture))
    hidden = (other.passes.index > 0) & (first.passes.index == 0)
    assert hidden.sum() > 20
    found = steadied(first, [blue])
    np.testing.assert_array_equal(found[hidden], first.picture[hidden])
