"""What is behind objects and what each throws: plates, pictures without one object, lamps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from na_core.data.scenes import Scene, scenes

SIDE = 96
NEAR = 12
"""Pixels around an object that its shadow and its reflection may change."""


@pytest.fixture(scope="module")
def found(tmp_path_factory, render_scenes) -> list[Scene]:
    out = tmp_path_factory.mktemp("plates")
    render_scenes(out, frames=5, width=SIDE, height=SIDE, samples=4, objects=3, plates=True, without=2)
    return list(scenes(out / "train"))


def widened(mask: np.ndarray, pixels: int) -> np.ndarray:
    side = 2 * pixels + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def away(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return by how much pictures differ, the mean over 3 x 3 pixels: noise of the renderer counts little."""
    return cv2.blur(np.abs(first.astype(np.float32) - second).mean(axis=-1), (3, 3))


def test_a_plate_is_the_picture_but_for_objects_and_what_they_throw(found: list[Scene]) -> None:
    for scene in found:
        for number, frame in enumerate(scene.labels.frames):
            plate, shows = scene.plate(number), scene.mask(number) > 0
            assert plate is not None and plate.shape == (SIDE, SIDE, 3)
            difference = away(scene.picture(number), plate)
            assert np.median(difference[~widened(shows, NEAR)]) < 5
            seen = [box for box in frame.boxes if box is not None]
            assert not seen or np.median(difference[shows]) > 5


def test_frames_that_look_alike_share_a_plate(found: list[Scene]) -> None:
    shared = 0
    for scene in found:
        looks: dict[tuple[int, str], str] = {}
        for frame in scene.labels.frames:
            assert frame.plate is not None
            key = frame.stage, frame.camera.to_json()
            shared += key in looks
            assert looks.setdefault(key, frame.plate) == frame.plate
        assert len(set(looks.values())) == len(looks)
    assert shared


def test_pictures_without_an_object_lack_that_one_alone(found: list[Scene]) -> None:
    for scene in found:
        for number, frame in enumerate(scene.labels.frames):
            mask, picture = scene.mask(number), scene.picture(number)
            without = scene.without(number)
            there = [i for i, box in enumerate(frame.boxes) if box is not None]
            assert len(without) == min(2, len(there)) and set(without) <= set(there)
            for i, other in without.items():
                difference, own = away(picture, other), mask == i + 1
                if own.sum() > 30:
                    assert np.median(difference[own]) > 3
                rest = (mask > 0) & ~widened(own, NEAR)
                if rest.sum() > 30:
                    assert np.median(difference[rest]) < 6


def test_labels_say_where_lamps_are(found: list[Scene]) -> None:
    lamps = [light for scene in found for light in scene.labels.lights]
    assert lamps
    for light in lamps:
        assert np.linalg.norm(light.towards) == pytest.approx(1, abs=1e-4)
        assert light.towards[2] > 0
        assert (light.distance is None) == (light.kind == "sun")
        assert light.irradiance > 0


def test_they_can_be_left_out(tmp_path: Path, render_scenes) -> None:
    render_scenes(tmp_path, scenes=1)
    (scene,) = scenes(tmp_path / "train")
    assert not [*(tmp_path / "train").rglob("plate_*"), *(tmp_path / "train").rglob("without_*")]
    assert scene.plate(0) is None and scene.without(0) == {}
