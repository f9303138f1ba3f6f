"""The strip around an object: it shows the photo while that is in place, and the plate once it has left."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from na_core.compose.background import presence
from na_core.geometry.boxes import box_matrix
from na_core.layers.plate import PLATE_MARGIN
from na_core.scene import Photo, PlacedAsset
from tests.na_core.reference import reference_box_map
from tests.na_core.stage import Shot, in_unit, random_frame, shot, shown

Mask = NDArray[np.bool_]


@pytest.fixture
def two_boxes() -> Shot:
    return shot([box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.7, 4.5, 0.3), (0.6,) * 3)])


def owners(of: Shot) -> NDArray[np.int64]:
    rows, columns = of.photo.shape[:2]
    return reference_box_map(of.camera, [box.world_from_box for box in of.boxes], columns, rows).index[0]


def strips(of: Shot) -> list[Mask]:
    """Return the pixels (H, W) of each object's strip."""
    owner = owners(of)
    width = 2 * max(1, round(PLATE_MARGIN * max(owner.shape))) + 1
    return [maximum_filter(owner == n, width) & (owner < 0) for n in range(len(of.boxes))]


def plate(of: Shot) -> tuple[NDArray[np.float32], Mask]:
    """Return the photo's plate (H, W, 3), and where it is the photo."""
    layers = of.stage(of.frame()).layers
    return in_unit(layers.plate[0].numpy()), layers.real[0].numpy()


def shifted(of: Shot, number: int, step: Sequence[float]) -> NDArray[np.float64]:
    matrix = of.boxes[number].world_from_box.copy()
    matrix[:3, 3] += step
    return matrix


def away_from_outlines(owner: NDArray[np.int32]) -> Mask:
    return (maximum_filter(owner, 3) == owner) & (-maximum_filter(-owner, 3) == owner)


class TestStrips:
    def test_a_strip_leaves_with_its_object_only(self, two_boxes: Shot) -> None:
        left, right = strips(two_boxes)
        found = two_boxes.shown(two_boxes.frame({0: None}))
        assert not found.validity[left].any()
        assert found.validity[right & ~left].all()
        np.testing.assert_array_equal(found.picture[right & ~left], two_boxes.picture[right & ~left])
        elsewhere = found.validity & ~left
        np.testing.assert_array_equal(found.picture[elsewhere], two_boxes.picture[elsewhere])

    def test_where_two_strips_meet_one_departure_is_enough(self) -> None:
        boxes = [box_matrix((-0.31, 4, 0.3), (0.6, 0.6, 0.6)), box_matrix((0.31, 4, 0.3), (0.6, 0.6, 0.6))]
        of = shot(boxes, 256, 160)
        first, second = strips(of)
        assert (first & second).any()
        assert not of.shown(of.frame({0: None})).validity[first & second].any()

    def test_a_strip_fades_continuously(self, two_boxes: Shot) -> None:
        # Between one step and the next of a slow departure no strip pixel changes by much.
        strip = strips(two_boxes)[0]
        # It shrinks: the strip stays uncovered for a while.
        smaller = [
            two_boxes.boxes[0].world_from_box @ np.diag([1, 1, 1 - step, 1])
            for step in np.linspace(0, 0.1, 41)
        ]
        frames = [two_boxes.frame({0: matrix}) for matrix in smaller]
        passes = two_boxes.stage(frames[0]).of(*frames).passes()
        pictures = []
        for row in range(len(frames)):
            found = shown(passes, row)
            shows = strip & (found.box < 0) & away_from_outlines(found.box)
            pictures.append(np.where(shows[..., None], found.picture, np.nan))
        seen = [np.isfinite(one) & np.isfinite(other) for one, other in itertools.pairwise(pictures)]
        pairs = zip(itertools.pairwise(pictures), seen, strict=True)
        changes = [np.abs(other - one)[both].max() for (one, other), both in pairs if both.any()]
        assert len(changes) > 30
        assert max(changes) < 0.15
        last = np.isfinite(pictures[-1])
        np.testing.assert_allclose(pictures[-1][last], plate(two_boxes)[0][last], atol=1e-6)

    def test_a_swapped_object_takes_the_old_strip_away(self, two_boxes: Shot) -> None:
        stranger = dataclasses.replace(two_boxes.assets[0], photo=Photo("f" * 64))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(stranger, two_boxes.boxes[0])])
        assert not two_boxes.shown(frame).validity[strips(two_boxes)[0]].any()

    def test_strips_stay_when_only_the_camera_moves(self, two_boxes: Shot) -> None:
        matrix = two_boxes.camera.world_from_camera.copy()
        cosine, sine = np.cos(0.002), np.sin(0.002)
        matrix[:3, :3] = matrix[:3, :3] @ [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
        camera = dataclasses.replace(two_boxes.camera, world_from_camera=matrix)
        moved, still = (two_boxes.shown(two_boxes.frame(camera=of)) for of in (camera, None))
        assert (still.validity & ~moved.validity).mean() < 0.05

    def test_rounding_in_a_scene_file_does_not_count_as_leaving(self, two_boxes: Shot) -> None:
        rounded = {n: box.world_from_box.astype(np.float32) for n, box in enumerate(two_boxes.boxes)}
        found = two_boxes.shown(two_boxes.frame(rounded))
        assert found.validity.mean() > 0.998
        valid = found.validity
        np.testing.assert_allclose(found.picture[valid], two_boxes.picture[valid], atol=5e-3)


class TestPresence:
    """How far an object still stands where its photo shows it."""

    def of(self, frame_of: Shot, step: float) -> list[float]:
        frame = frame_of.frame({0: shifted(frame_of, 0, (step, 0, 0))})
        return presence(frame_of.stage(frame).batch())[0].tolist()

    @settings(max_examples=10, deadline=None)
    @given(step=st.floats(0, 0.1))
    def test_falls_steadily_to_nothing_and_is_its_own(self, step: float) -> None:
        of = shot([box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8)), box_matrix((0.7, 4.5, 0.3), (0.6,) * 3)])
        one, further = self.of(of, step), self.of(of, step + 0.002)
        assert 1 >= one[0] >= further[0] >= 0
        assert one[0] - further[0] < 0.1
        assert one[1] == 1

    def test_is_whole_at_rest_and_nothing_once_gone(self, two_boxes: Shot) -> None:
        assert presence(two_boxes.stage(two_boxes.frame()).batch()).tolist() == [[1, 1]]
        assert self.of(two_boxes, 0.2)[0] == 0
        gone = two_boxes.stage(two_boxes.frame({0: None})).batch()
        assert presence(gone).tolist() == [[0, 1]]

    def test_a_duplicate_elsewhere_does_not_count(self, two_boxes: Shot) -> None:
        again = PlacedAsset(two_boxes.assets[0], PlacedAsset(two_boxes.assets[0], two_boxes.boxes[1]).box)
        batch = two_boxes.stage(two_boxes.frame(add=[again])).batch()
        assert presence(batch).tolist() == [[1, 1]]


class TestHoles:
    def test_the_plate_is_the_photo_but_for_objects_and_their_strips(self, two_boxes: Shot) -> None:
        made, real = plate(two_boxes)
        np.testing.assert_array_equal(real, ~maximum_filter(owners(two_boxes) >= 0, 3))
        np.testing.assert_array_equal(made[real], two_boxes.picture[real])

    @pytest.mark.parametrize("width", [40, 256, 500, 833])
    def test_the_margin_is_a_share_of_the_longer_side(self, width: int) -> None:
        of = shot([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8), 0.5)], width, 30)
        side = 2 * max(1, round(PLATE_MARGIN * width)) + 1
        np.testing.assert_array_equal(plate(of)[1], ~maximum_filter(owners(of) >= 0, side))

    def test_a_removed_object_leaves_a_filled_hole(self, two_boxes: Shot) -> None:
        found = two_boxes.shown(two_boxes.frame({1: None}))
        hole = owners(two_boxes) == 1
        assert not found.validity[hole].any()
        np.testing.assert_array_equal(found.picture[hole], plate(two_boxes)[0][hole])

    @settings(max_examples=6, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), rounded=st.booleans())
    def test_holes_hold_nothing_of_the_objects(self, seed: int, rounded: bool) -> None:
        stage = random_frame(seed, still=True, rounded=rounded)
        emptied = stage.of(dataclasses.replace(stage.frames[0], assets=()))
        real = emptied.layers.real[0].numpy()
        painted = stage.photo.copy()
        painted[~real] = (255, 0, 255)
        name = stage.frames[0].background.photo.sha256
        other = dataclasses.replace(emptied, photos={**stage.photos, name: painted})
        np.testing.assert_array_equal(emptied.shown().picture, other.shown().picture)
