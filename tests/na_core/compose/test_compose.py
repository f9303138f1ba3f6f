"""The proxy picture: where nothing moved it is the photo, where something did its guesses are marked."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix, quarter_turn
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import camera_of_photo
from na_core.geometry.fill import push_pull, sample_bilinear
from na_core.geometry.proxy import PLATE_MARGIN, Plate, Proxy, clean_plate, proxy_picture
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset

Shot = Any  # of conftest
Shoot = Callable[..., Shot]
Turned = Callable[..., Camera]


def assert_is_the_photo(shot: Shot, frame: Frame) -> None:
    proxy = shot.proxy(frame)
    np.testing.assert_array_equal(proxy.picture, shot.photo)
    assert proxy.validity.all()


def shifted(shot: Shot, number: int, step: Sequence[float]) -> NDArray[np.float64]:
    matrix = shot.boxes[number].world_from_box.copy()
    matrix[:3, 3] += step
    return matrix


def dilated(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    rows, columns = np.nonzero(mask)
    grown = np.zeros_like(mask)
    for row, column in zip(rows, columns, strict=True):
        grown[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = True
    return grown


def away_from_outlines(proxy: Proxy) -> NDArray[np.bool_]:
    """Return the pixels (H, W) whose neighbours show the same box, or none as they do: no seam is there."""
    index = np.pad(proxy.boxes.index, 1, mode="edge")
    rows, columns = proxy.boxes.index.shape
    beside = [index[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.logical_and.reduce([other == beside[4] for other in beside])


class TestNothingMoved:
    """The photo comes back bit for bit, and every pixel of it is valid."""

    def test_two_objects(self, two_boxes: Shot) -> None:
        assert_is_the_photo(two_boxes, two_boxes.frame())

    @pytest.mark.parametrize(("width", "height"), [(256, 256), (97, 61), (61, 97), (16, 9)])
    def test_any_size(self, shoot: Shoot, width: int, height: int) -> None:
        boxes = [box_matrix((-0.4, 3, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.3, 4, 0.3), (0.6, 0.6, 0.6))]
        shot = shoot(boxes, width, height)
        assert_is_the_photo(shot, shot.frame())

    def test_no_objects(self, shoot: Shoot, two_boxes: Shot) -> None:
        frame = two_boxes.frame({0: None, 1: None})
        empty = dataclasses.replace(frame, background=Background(frame.background.photo, two_boxes.camera))
        assert_is_the_photo(two_boxes, empty)

    def test_random_scenes_with_overlaps_and_objects_that_leave_the_picture(
        self, shoot: Shoot, rng: np.random.Generator
    ) -> None:
        for seed in range(15):
            boxes = [
                box_matrix(
                    (rng.uniform(-2, 2), rng.uniform(1.5, 7), rng.uniform(0, 1)),
                    rng.uniform(0.2, 1.5, 3),
                    rng.uniform(-3, 3),
                )
                for _ in range(6)
            ]
            shot = shoot(boxes, seed=seed)
            assert_is_the_photo(shot, shot.frame())

    def test_sheared_mirrored_and_flat_boxes(self, shoot: Shoot) -> None:
        sheared = box_matrix((-0.7, 4, 0.4), (0.7, 0.5, 0.8))
        sheared[0, 2] = 0.4
        mirrored = box_matrix((0.7, 4, 0.4), (-0.7, 0.5, 0.8))
        flat = box_matrix((0, 4, 0.4), (0.7, 0.5, 0))
        shot = shoot([sheared, mirrored, flat])
        assert_is_the_photo(shot, shot.frame())

    def test_camera_inside_a_box(self, shoot: Shoot) -> None:
        shot = shoot([box_matrix((0, 0, 1), (8, 8, 4), 0.2), box_matrix((0, 3, 0.3), (0.5, 0.5, 0.6))])
        assert_is_the_photo(shot, shot.frame())

    def test_edges_on_pixel_centres(self, shoot: Shoot) -> None:
        # A box straight ahead whose edges project exactly onto pixel centres and onto each other.
        camera = camera_of_photo(64, 65, 65, 0.0, 0.0)
        shot = shoot([box_matrix((0, 2.5, 0), (1, 1, 1))], 65, 65, camera)
        assert_is_the_photo(shot, shot.frame())

    def test_assets_in_another_order_than_the_hidden_boxes(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame()
        assert_is_the_photo(two_boxes, dataclasses.replace(frame, assets=frame.assets[::-1]))

    def test_an_unmoved_duplicate_changes_nothing(self, two_boxes: Shot) -> None:
        again = PlacedAsset(two_boxes.assets[0], two_boxes.boxes[0])
        assert_is_the_photo(two_boxes, two_boxes.frame(add=[again]))

    @pytest.mark.parametrize("scale", [2, 3, 0.5])
    def test_result_of_another_size_is_the_photo_resampled_but_for_outlines(
        self, two_boxes: Shot, scale: float
    ) -> None:
        rows, columns = two_boxes.photo.shape[:2]
        width, height = round(columns * scale), round(rows * scale)
        proxy = two_boxes.proxy(two_boxes.frame(), width, height)
        y, x = np.mgrid[:height, :width] + 0.5
        expected = sample_bilinear(two_boxes.photo, np.stack([x / width, y / height], -1))
        # Who owns a pixel is decided on the photo's grid: on outlines the two grids may disagree.
        assert proxy.validity.mean() > 0.98
        same = proxy.validity & away_from_outlines(proxy)
        assert same.mean() > 0.8
        np.testing.assert_allclose(proxy.picture[same], expected[same], atol=2e-3)

    def test_with_a_kept_plate(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame()
        pictures = {frame.background.photo.sha256: two_boxes.photo}
        plate = clean_plate(two_boxes.photo, frame.background)
        kept, fresh = (proxy_picture(frame, pictures, 96, 64, p) for p in (plate, None))
        np.testing.assert_array_equal(kept.picture, fresh.picture)
        np.testing.assert_array_equal(kept.validity, fresh.validity)


class TestTheStripAroundAnObject:
    """It shows the photo while the object is in place and the filled plate once it has left."""

    def strips(self, shot: Shot) -> list[NDArray[np.bool_]]:
        rows, columns = shot.photo.shape[:2]
        owner = box_map(shot.camera, [b.world_from_box for b in shot.boxes], columns, rows).index
        radius = max(1, round(PLATE_MARGIN * max(rows, columns)))
        return [dilated(owner == n, radius) & (owner < 0) for n in range(len(shot.boxes))]

    def test_leaves_with_its_object_only(self, two_boxes: Shot) -> None:
        left, right = self.strips(two_boxes)
        proxy = two_boxes.proxy(two_boxes.frame({0: None}))
        assert not proxy.validity[left].any()
        assert proxy.validity[right & ~left].all()
        np.testing.assert_array_equal(proxy.picture[right & ~left], two_boxes.photo[right & ~left])
        elsewhere = proxy.validity & ~left
        np.testing.assert_array_equal(proxy.picture[elsewhere], two_boxes.photo[elsewhere])

    def test_where_two_strips_meet_one_departure_is_enough(self, shoot: Shoot) -> None:
        shot = shoot(
            [box_matrix((-0.31, 4, 0.3), (0.6, 0.6, 0.6)), box_matrix((0.31, 4, 0.3), (0.6, 0.6, 0.6))],
            256,
            160,
        )
        first, second = self.strips(shot)
        assert (first & second).any()
        assert not shot.proxy(shot.frame({0: None})).validity[first & second].any()

    def test_fades_continuously(self, two_boxes: Shot) -> None:
        # Between one step and the next of a slow departure no strip pixel changes by much.
        strip = self.strips(two_boxes)[0]
        pictures = []
        for step in np.linspace(0, 0.1, 41):  # towards the camera: the strip stays uncovered for a while
            frame = two_boxes.frame({0: shifted(two_boxes, 0, (0, 0, 0.0)) @ np.diag([1, 1, 1 - step, 1])})
            proxy = two_boxes.proxy(frame)
            shows = strip & (proxy.boxes.index < 0) & away_from_outlines(proxy)
            pictures.append(np.where(shows[..., None], proxy.picture, np.nan))
        changes = [np.nanmax(np.abs(b - a)) for a, b in itertools.pairwise(pictures)]
        assert np.isfinite(changes).sum() > 30  # at first the box covers it all
        assert np.nanmax(changes) < 0.15
        plate = clean_plate(two_boxes.photo, two_boxes.frame().background)
        seen = ~np.isnan(pictures[-1])
        np.testing.assert_allclose(pictures[-1][seen], plate.picture[seen], atol=1e-6)

    def test_a_swapped_object_takes_the_old_strip_away(self, two_boxes: Shot) -> None:
        stranger = dataclasses.replace(two_boxes.assets[0], photo=Photo("f" * 64))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(stranger, two_boxes.boxes[0])])
        assert not two_boxes.proxy(frame).validity[self.strips(two_boxes)[0]].any()

    def test_stays_when_only_the_camera_moves(self, two_boxes: Shot, turned: Turned) -> None:
        camera = turned(two_boxes.camera, (0, 0, 0), (0.002, 0))
        moved, still = (two_boxes.proxy(two_boxes.frame(camera=c)) for c in (camera, None))
        assert (still.validity & ~moved.validity).mean() < 0.05

    def test_rounding_in_a_scene_file_does_not_count_as_leaving(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame(
            {n: b.world_from_box.astype(np.float32) for n, b in enumerate(two_boxes.boxes)}
        )
        proxy = two_boxes.proxy(frame)
        assert proxy.validity.mean() > 0.998
        np.testing.assert_allclose(proxy.picture[proxy.validity], two_boxes.photo[proxy.validity], atol=5e-3)


class TestCleanPlate:
    def test_real_pixels_are_the_photo_and_holes_are_filled_from_them(self, two_boxes: Shot) -> None:
        background = two_boxes.frame().background
        plate = clean_plate(two_boxes.photo, background)
        assert isinstance(plate, Plate)
        owner = box_map(two_boxes.camera, [b.world_from_box for b in two_boxes.boxes], 96, 64).index
        np.testing.assert_array_equal(plate.real, ~dilated(owner >= 0, 1))
        np.testing.assert_array_equal(plate.picture[plate.real], two_boxes.photo[plate.real])
        expected = push_pull(two_boxes.photo, plate.real.astype(np.float32))
        np.testing.assert_array_equal(plate.picture, expected)

    @pytest.mark.parametrize("width", [40, 256, 500, 833])
    def test_the_margin_is_a_share_of_the_longer_side(self, shoot: Shoot, width: int) -> None:
        shot = shoot([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8), 0.5)], width, 30)
        owner = box_map(shot.camera, [shot.boxes[0].world_from_box], width, 30).index
        radius = max(1, round(PLATE_MARGIN * width))
        plate = clean_plate(shot.photo, shot.frame().background)
        np.testing.assert_array_equal(plate.real, ~dilated(owner >= 0, radius))

    def test_holes_hold_nothing_of_the_object(self, two_boxes: Shot) -> None:
        background = two_boxes.frame().background
        plate = clean_plate(two_boxes.photo, background)
        painted = two_boxes.photo.copy()
        painted[~plate.real] = (1, 0, 1)
        np.testing.assert_array_equal(clean_plate(painted, background).picture, plate.picture)


class TestValidity:
    def test_an_object_turned_by_180_degrees_shows_guesses(self, shoot: Shoot) -> None:
        shot = shoot([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8), yaw=0.4)])
        around = shot.boxes[0].world_from_box @ quarter_turn(2)
        proxy = shot.proxy(shot.frame({0: around}))
        sides = (proxy.boxes.index == 0) & (np.abs(proxy.boxes.local[..., 2]) < 0.99)
        top = (proxy.boxes.index == 0) & (proxy.boxes.local[..., 2] > 0.999)
        assert sides.sum() > 50
        assert not proxy.validity[sides].any()
        assert top.sum() > 10
        assert (
            proxy.validity[top].mean() > 0.9
        )  # the photo did show the top; its outline is a pixel uncertain

    def test_an_unseen_face_borrows_the_opposite_one(self, shoot: Shoot) -> None:
        camera = camera_of_photo(120, 96, 64, 0.4, 0.0)
        shot = shoot([box_matrix((0, 4, 0.4), (1, 1, 0.8))], camera=camera)
        photo = shot.photo.copy()
        photo[shot.proxy(shot.frame()).boxes.index == 0] = (1, 0, 0)
        red = dataclasses.replace(shot, photo=photo)
        proxy = red.proxy(red.frame({0: red.boxes[0].world_from_box @ quarter_turn(2)}))
        on_box = proxy.boxes.index == 0
        assert not proxy.validity[on_box].any()
        assert proxy.picture[on_box].mean(axis=0) == pytest.approx([1, 0, 0], abs=0.02)

    def test_a_removed_object_leaves_a_filled_hole(self, two_boxes: Shot) -> None:
        owner = two_boxes.proxy(two_boxes.frame()).boxes.index
        proxy = two_boxes.proxy(two_boxes.frame({1: None}))
        hole = owner == 1
        assert not proxy.validity[hole].any()
        plate = clean_plate(two_boxes.photo, two_boxes.frame().background)
        np.testing.assert_array_equal(proxy.picture[hole], plate.picture[hole])

    def test_a_moved_object_takes_its_pixels_along(self, shoot: Shoot) -> None:
        # A camera-facing slab moved sideways by a whole number of pixels: its face is copied to the bit.
        camera = camera_of_photo(100, 100, 60, 1.0, 0.0)
        shot = shoot([box_matrix((-0.5, 4.05, 1.0), (0.8, 0.1, 0.8))], 100, 60, camera)
        proxy = shot.proxy(shot.frame({0: shifted(shot, 0, (0.8, 0, 0))}))  # 0.8 m at 4 m: 20 pixels
        front = (proxy.boxes.index == 0) & (proxy.boxes.local[..., 1] < -0.999)
        rows, columns = np.nonzero(front & proxy.validity & away_from_outlines(proxy))
        assert len(rows) > 200
        np.testing.assert_array_equal(proxy.picture[rows, columns], shot.photo[rows, columns - 20])

    def test_what_another_object_hid_is_a_guess(self, shoot: Shoot) -> None:
        camera = camera_of_photo(100, 100, 60, 1.0, 0.0)
        slab = (0.8, 0.1, 0.8)
        shot = shoot(
            [box_matrix((0, 4.05, 1), slab), box_matrix((-0.2, 3, 1), (0.4, 0.1, 1))], 100, 60, camera
        )
        proxy = shot.proxy(shot.frame({1: None}))
        before = shot.proxy(shot.frame()).boxes.index
        uncovered = (proxy.boxes.index == 0) & (before == 1)
        assert uncovered.sum() > 50
        assert not proxy.validity[uncovered].any()
        assert proxy.validity[(proxy.boxes.index == 0) & (before == 0)].all()

    def test_background_that_the_photo_did_not_hold(self, two_boxes: Shot, turned: Turned) -> None:
        proxy = two_boxes.proxy(two_boxes.frame(camera=turned(two_boxes.camera, angles=(-0.4, 0))))
        free = proxy.boxes.index < 0
        assert not proxy.validity[:, -20:].any()
        assert proxy.validity[:, :40][free[:, :40]].mean() > 0.5
        assert np.isfinite(proxy.picture).all()

    def test_a_turned_camera_shows_the_background_where_the_photo_has_it(
        self, shoot: Shoot, turned: Turned
    ) -> None:
        shot = shoot([box_matrix((0, 40, 0.4), (0.1, 0.1, 0.1))])
        smooth = np.stack(
            [*np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 64)), np.zeros((64, 96))], -1
        )
        shot = dataclasses.replace(shot, photo=smooth.astype(np.float32))
        camera = turned(shot.camera, angles=(-0.1, 0))
        proxy = shot.proxy(shot.frame(camera=camera))
        # A pure turn to the right by 0.1 rad moves the middle of the picture by f * tan(0.1).
        expected = 0.5 + 1.2 * math.tan(0.1)
        assert proxy.picture[32, 48, 0] == pytest.approx(expected, abs=0.01)

    @pytest.mark.parametrize(
        ("step", "angles"),
        [
            ((0, 0, -3), (0, 0.6)),
            ((0, 0, -3), (0, -0.6)),
            ((0, 0, 0), (0, 1.5)),
            ((0, 0, 0), (0, -1.5)),
            ((0, 0, -1.5), (0, 0)),
            ((0, 500, 0), (0, 0)),
            ((0, -500, 3), (3.1, 0)),
            ((0, 0, 1e6), (0, 0)),
        ],
        ids=["under-up", "under-down", "zenith", "nadir", "in-ground", "beyond", "far-behind", "space"],
    )
    def test_finite_for_every_camera(
        self, two_boxes: Shot, turned: Turned, step: tuple[float, ...], angles: tuple[float, ...]
    ) -> None:
        proxy = two_boxes.proxy(two_boxes.frame(camera=turned(two_boxes.camera, step, angles)))
        assert np.isfinite(proxy.picture).all()
        assert proxy.picture.min() >= 0
        assert proxy.picture.max() <= 1

    def test_target_boxes_may_be_flat_behind_or_around_the_camera(self, two_boxes: Shot) -> None:
        for matrix in (
            box_matrix((0, 4, 0), (1, 1, 0)),
            box_matrix((0, -4, 0), (1, 1, 1)),
            box_matrix((0, 0, 1.5), (1, 1, 1)),
            box_matrix((0, 0, 0), (0, 0, 0)),
        ):
            assert np.isfinite(two_boxes.proxy(two_boxes.frame({0: matrix})).picture).all()


class TestOtherPhotos:
    def test_a_photo_of_another_size(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame({0: shifted(two_boxes, 0, (0.1, 0, 0))})
        big = np.repeat(np.repeat(two_boxes.photo, 2, axis=0), 2, axis=1)
        name = frame.background.photo.sha256
        one = proxy_picture(frame, {name: two_boxes.photo}, 96, 64)
        other = proxy_picture(frame, {name: big}, 96, 64)
        assert (one.validity == other.validity).mean() > 0.98
        assert other.picture.shape == (64, 96, 3)

    def test_an_asset_of_a_second_photo_has_its_pixels_and_its_camera(self, two_boxes: Shot) -> None:
        red = np.zeros((30, 50, 3), np.float32)
        red[..., 0] = 1
        camera = camera_of_photo(60, 50, 30, 1.0, 0.1)
        box = Box(box_matrix((0, 3, 0.5), (1, 1, 1)))
        guest = Asset("guest", Photo("e" * 64), box, camera, (0.0, 0.0, 1.0, 1.0))
        place = Box(box_matrix((0, 3.5, 0.4), (0.8, 0.8, 0.8)))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(guest, place)])
        pictures = {frame.background.photo.sha256: two_boxes.photo, "e" * 64: red}
        proxy = proxy_picture(frame, pictures, 96, 64)
        on_guest = (proxy.boxes.index == 1) & away_from_outlines(proxy)
        assert on_guest.sum() > 50
        np.testing.assert_array_equal(
            proxy.picture[on_guest], np.broadcast_to([1, 0, 0], (on_guest.sum(), 3))
        )
        assert proxy.validity[on_guest].mean() > 0.7

    def test_a_missing_photo_is_named(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame()
        with pytest.raises(KeyError, match=frame.background.photo.sha256):
            proxy_picture(frame, {}, 8, 8)

    def test_an_object_that_its_photo_does_not_show_is_grey_and_invalid(self, two_boxes: Shot) -> None:
        unseen = Asset(
            "unseen",
            two_boxes.assets[0].photo,
            Box(box_matrix((0, -5, 0), (1, 1, 1))),
            two_boxes.camera,
            (0,) * 4,
        )
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(unseen, Box(box_matrix((0, 3, 0.5), (1, 1, 1))))])
        proxy = two_boxes.proxy(frame)
        inside = (proxy.boxes.index == 1) & away_from_outlines(proxy)
        assert inside.sum() > 50
        np.testing.assert_array_equal(proxy.picture[inside], 0.5)
        assert not proxy.validity[proxy.boxes.index == 1].any()


class TestTransparency:
    """A box is larger than its object: outside the object's 2D box it shows what is behind."""

    def test_ground_beside_a_small_object_stays_where_it_is(self, two_boxes: Shot) -> None:
        x0, y0, x1, y1 = two_boxes.assets[0].source_box_2d
        middle = (x0 + x1) / 2
        half = dataclasses.replace(two_boxes.assets[0], source_box_2d=(x0, y0, middle, y1))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(half, half.source_box)])
        proxy = two_boxes.proxy(frame)
        rows, columns = proxy.validity.shape
        beside = np.zeros((rows, columns), bool)
        beside[:, round((middle + 0.03) * columns) :] = True
        beside &= proxy.boxes.index == len(frame.assets) - 1
        assert beside.sum() > 10
        np.testing.assert_array_equal(proxy.picture[beside], two_boxes.photo[beside])

    def test_a_side_on_the_picture_s_border_bounds_nothing(self, two_boxes: Shot) -> None:
        whole = dataclasses.replace(two_boxes.assets[0], source_box_2d=(0.0, 0.0, 1.0, 1.0))
        away = Box(box_matrix((0, 3, 0.5), (4, 0.5, 2)))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(whole, away)])
        proxy = two_boxes.proxy(frame)
        alone = two_boxes.frame({0: None})
        on_box = proxy.boxes.index == len(frame.assets) - 1
        assert (proxy.picture[on_box] != two_boxes.proxy(alone).picture[on_box]).any(axis=1).mean() > 0.9
