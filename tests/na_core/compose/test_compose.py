"""What frames show: where nothing moved it is the photo, where something did its guesses are marked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion

from na_core.evaluation.label_flow import sample_bilinear
from na_core.geometry.boxes import box_matrix, quarter_turn
from na_core.geometry.camera import camera_of_photo, pixel_centres
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset
from tests.na_core.reference import reference_box_map
from tests.na_core.stage import Shot, Shown, Stage, in_unit, random_frame, shot

Seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def two_boxes() -> Shot:
    """Two objects side by side on the ground, the left one turned."""
    return shot([box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.7, 4.5, 0.3), (0.6,) * 3)])


def assert_is_the_photo(found: Shown, photo: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(found.picture, in_unit(photo))
    assert found.validity.all()
    assert found.shift.max() < 0.1


def shifted(of: Shot, number: int, step: Sequence[float]) -> NDArray[np.float64]:
    matrix = of.boxes[number].world_from_box.copy()
    matrix[:3, 3] += step
    return matrix


def turned(camera: Camera, step: ArrayLike = (0, 0, 0), angles: ArrayLike = (0, 0)) -> Camera:
    """Return a moved camera: ``step`` in the world, ``yaw, pitch`` about the camera's own axes."""
    yaw, pitch = np.asarray(angles, dtype=float)
    a, b, c, d = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[a, 0, b], [0, 1, 0], [-b, 0, a]])
    about_x = np.array([[1, 0, 0], [0, c, -d], [0, d, c]])
    matrix = camera.world_from_camera.copy()
    matrix[:3, :3] = matrix[:3, :3] @ about_y @ about_x
    matrix[:3, 3] += step
    return dataclasses.replace(camera, world_from_camera=matrix)


def away_from_outlines(found: Shown) -> NDArray[np.bool_]:
    """Return the pixels (H, W) whose neighbours show the same box, or none as they do: no seam is there."""
    index = np.pad(found.index, 1, mode="edge")
    rows, columns = found.index.shape
    beside = [index[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.logical_and.reduce([other == beside[4] for other in beside])


class TestNothingMoved:
    """The photo comes back bit for bit, and every pixel of it is valid."""

    def assert_is_the_photo(self, of: Shot, frame: Frame | None = None) -> None:
        assert_is_the_photo(of.shown(frame or of.frame()), of.photo)

    @settings(max_examples=12, deadline=None)
    @given(seed=Seeds, rounded=st.booleans())
    def test_random_scenes_with_overlaps_and_other_objects_2d_boxes(self, seed: int, rounded: bool) -> None:
        stage = random_frame(seed, still=True, rounded=rounded)
        assert_is_the_photo(stage.shown(), stage.photo)

    @settings(max_examples=12, deadline=None)
    @given(seed=Seeds, width=st.integers(1, 96), height=st.integers(1, 96))
    def test_any_size(self, seed: int, width: int, height: int) -> None:
        boxes = [box_matrix((-0.4, 3, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.3, 4, 0.3), (0.6, 0.6, 0.6))]
        self.assert_is_the_photo(shot(boxes, width, height, seed=seed))

    def test_a_large_photo(self) -> None:
        self.assert_is_the_photo(shot([box_matrix((-0.4, 3, 0.4), (0.7, 0.5, 0.8), 0.5)], 512, 384))

    @settings(max_examples=10, deadline=None)
    @given(seed=Seeds)
    def test_noise_with_objects_that_leave_the_picture(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        boxes = [
            box_matrix(
                (rng.uniform(-2, 2), rng.uniform(1.5, 7), rng.uniform(0, 1)),
                rng.uniform(0.2, 1.5, 3),
                rng.uniform(-3, 3),
            )
            for _ in range(6)
        ]
        self.assert_is_the_photo(shot(boxes, seed=seed))

    def test_no_objects(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame({0: None, 1: None})
        background = Background(frame.background.photo, two_boxes.camera)
        self.assert_is_the_photo(two_boxes, dataclasses.replace(frame, background=background))

    def test_sheared_mirrored_and_flat_boxes(self) -> None:
        sheared = box_matrix((-0.7, 4, 0.4), (0.7, 0.5, 0.8))
        sheared[0, 2] = 0.4
        mirrored = box_matrix((0.7, 4, 0.4), (-0.7, 0.5, 0.8))
        flat = box_matrix((0, 4, 0.4), (0.7, 0.5, 0))
        self.assert_is_the_photo(shot([sheared, mirrored, flat]))

    def test_a_camera_inside_a_box(self) -> None:
        self.assert_is_the_photo(
            shot([box_matrix((0, 0, 1), (8, 8, 4), 0.2), box_matrix((0, 3, 0.3), (0.5, 0.5, 0.6))])
        )

    def test_edges_on_pixel_centres(self) -> None:
        # A box straight ahead whose edges project exactly onto pixel centres and onto each other.
        camera = camera_of_photo(64, 65, 65, 0.0, 0.0)
        self.assert_is_the_photo(shot([box_matrix((0, 2.5, 0), (1, 1, 1))], 65, 65, camera))

    def test_a_scene_far_from_the_origin(self) -> None:
        place = np.eye(4)
        place[:3, 3] = (2000, -3000, 0)
        camera = camera_of_photo(1.2 * 96, 96, 64, camera_height=1.5, pitch=0.3)
        there = dataclasses.replace(camera, world_from_camera=place @ camera.world_from_camera)
        self.assert_is_the_photo(
            shot([place @ box_matrix((-0.4, 3, 0.4), (0.7, 0.5, 0.8), 0.5)], camera=there)
        )

    def test_assets_in_another_order_than_the_hidden_boxes(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame()
        self.assert_is_the_photo(two_boxes, dataclasses.replace(frame, assets=frame.assets[::-1]))

    def test_corners_numbered_in_another_way(self, two_boxes: Shot) -> None:
        renumbered = [
            PlacedAsset(dataclasses.replace(asset, quarter_turns=turns), asset.source_box)
            for turns, asset in enumerate(two_boxes.assets, start=1)
        ]
        self.assert_is_the_photo(two_boxes, two_boxes.frame({0: None, 1: None}, add=renumbered))

    def test_an_unmoved_duplicate_changes_nothing(self, two_boxes: Shot) -> None:
        again = PlacedAsset(two_boxes.assets[0], two_boxes.boxes[0])
        self.assert_is_the_photo(two_boxes, two_boxes.frame(add=[again]))

    @pytest.mark.parametrize("scale", [2, 3, 0.5])
    def test_a_result_of_another_size_is_the_photo_resampled_but_for_outlines(
        self, two_boxes: Shot, scale: float
    ) -> None:
        rows, columns = two_boxes.photo.shape[:2]
        width, height = round(columns * scale), round(rows * scale)
        found = two_boxes.shown(two_boxes.frame(), width, height)
        expected = sample_bilinear(two_boxes.picture, pixel_centres(width, height))
        # Who owns a pixel is decided on the photo's grid: on outlines the two grids may disagree.
        assert found.validity.mean() > 0.96
        same = found.validity & away_from_outlines(found)
        assert same.mean() > 0.8
        np.testing.assert_allclose(found.picture[same], expected[same], atol=2e-3)


class TestValidity:
    def test_an_object_turned_by_180_degrees_shows_guesses(self) -> None:
        camera = camera_of_photo(1.2 * 96, 96, 64, camera_height=3.5, pitch=0.7)
        of = shot([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8), yaw=0.4)], camera=camera)
        found = of.shown(of.frame({0: of.boxes[0].world_from_box @ quarter_turn(2)}))
        sides = (found.box == 0) & (np.abs(found.local[..., 2]) < 0.99)
        top = binary_erosion((found.box == 0) & (found.local[..., 2] > 0.999), iterations=2)
        assert sides.sum() > 50
        # Where two sides meet, seen and unseen points are nearer to each other than the march can tell.
        assert found.validity[sides].mean() < 0.02
        assert top.sum() > 10
        assert found.validity[top].mean() > 0.9  # the photo did show the top

    def test_an_unseen_face_borrows_the_opposite_one(self) -> None:
        camera = camera_of_photo(120, 96, 64, 0.4, 0.0)
        of = shot([box_matrix((0, 4, 0.4), (1, 1, 0.8))], camera=camera)
        photo = of.photo.copy()
        photo[of.shown(of.frame()).box == 0] = (255, 0, 0)
        red = dataclasses.replace(of, photo=photo)
        found = red.shown(red.frame({0: red.boxes[0].world_from_box @ quarter_turn(2)}))
        on_box = found.box == 0
        assert not found.validity[on_box].any()
        assert found.picture[on_box].mean(axis=0) == pytest.approx([1, 0, 0], abs=0.02)

    def test_a_face_whose_opposite_was_not_seen_either_has_the_objects_colours(self) -> None:
        camera = camera_of_photo(320, 256, 192, 0.4, 0.0)
        of = shot([box_matrix((0, 4, 0.4), (1, 1, 0.8))], 256, 192, camera=camera)
        photo = of.photo.copy()
        photo[:, ::2], photo[:, 1::2] = 0, 255  # stripes that no guess may carry to another face
        striped = dataclasses.replace(of, photo=photo)
        still = striped.shown(striped.frame())
        found = striped.shown(striped.frame({0: of.boxes[0].world_from_box @ quarter_turn(1)}))
        side = binary_erosion(found.box == 0, iterations=3) & ~found.validity
        deep = side & (np.abs(found.local[..., 1]) < 0.8)  # not close behind the face that the photo saw
        assert deep.sum() > 1000
        assert np.abs(found.picture[deep] - 0.5).mean() < 0.2
        assert np.abs(still.picture[still.box == 0] - 0.5).mean() == 0.5

    def test_what_no_photo_shows_of_an_object_has_the_objects_colours(self) -> None:
        # In the photo a blue slab hides the middle of a red one; the red one's middle is then uncovered.
        camera = camera_of_photo(100, 96, 60, 1.0, 0.0)
        slabs = [box_matrix((0, 4.05, 1), (0.8, 0.1, 0.8)), box_matrix((0, 3, 1), (0.3, 0.1, 0.3))]
        of = shot(slabs, 96, 60, camera)
        before = of.shown(of.frame()).box
        photo = of.photo.copy()
        photo[before == 0], photo[before == 1] = (255, 0, 0), (0, 0, 255)
        painted = dataclasses.replace(of, photo=photo)
        found = painted.shown(painted.frame({1: None}))
        uncovered = (found.box == 0) & (before == 1)
        assert uncovered.sum() > 30
        assert np.abs(found.picture[uncovered] - (1, 0, 0)).max() < 0.02

    def test_a_moved_object_takes_its_pixels_along(self) -> None:
        # A camera-facing slab moved sideways by a whole number of pixels: its face is copied to the bit.
        camera = camera_of_photo(96, 96, 60, 1.0, 0.0)
        of = shot([box_matrix((-0.5, 4.05, 1.0), (0.8, 0.1, 0.8))], 96, 60, camera)
        step = 20 * 4 / 96  # at 4 m: 20 pixels
        found = of.shown(of.frame({0: shifted(of, 0, (step, 0, 0))}))
        front = (found.box == 0) & (found.local[..., 1] < -0.999)
        rows, columns = np.nonzero(front & found.validity & away_from_outlines(found))
        assert len(rows) > 200
        np.testing.assert_array_equal(found.picture[rows, columns], of.picture[rows, columns - 20])
        np.testing.assert_allclose(found.shift[rows, columns], 20, atol=1e-3)

    def test_what_another_object_hid_is_a_guess(self) -> None:
        camera = camera_of_photo(96, 96, 60, 1.0, 0.0)
        slab = (0.8, 0.1, 0.8)
        of = shot([box_matrix((0, 4.05, 1), slab), box_matrix((-0.2, 3, 1), (0.4, 0.1, 1))], 96, 60, camera)
        before, found = of.shown(of.frame()).box, of.shown(of.frame({1: None}))
        uncovered = (found.box == 0) & (before == 1)
        assert uncovered.sum() > 50
        assert not found.validity[uncovered].any()
        assert found.validity[(found.box == 0) & (before == 0)].all()

    def test_what_another_object_hid_beyond_an_objects_hull_is_background(self) -> None:
        # The one in front hides the upper right corner: of a rectangle without it, that is a triangle.
        camera = camera_of_photo(96, 96, 60, 1.0, 0.0)
        boxes = [box_matrix((0, 4.05, 1), (1.2, 0.1, 1.2)), box_matrix((0.45, 3, 1.45), (0.6, 0.1, 0.6))]
        of = shot(boxes, 96, 60, camera)
        before, found = of.shown(of.frame()).box, of.shown(of.frame({1: None}))
        uncovered = (found.box == 0) & (before == 1)
        rows, columns = np.nonzero(uncovered)
        beyond = (columns - columns.min()) / np.ptp(columns) + (rows.max() - rows) / np.ptp(rows) > 1.4
        within = (columns - columns.min()) / np.ptp(columns) + (rows.max() - rows) / np.ptp(rows) < 0.8
        assert beyond.sum() > 10 and within.sum() > 10
        assert (found.index[rows, columns][beyond] == -1).all()
        assert (found.index[rows, columns][within] == 0).all()

    def test_background_that_the_photo_did_not_hold(self, two_boxes: Shot) -> None:
        found = two_boxes.shown(two_boxes.frame(camera=turned(two_boxes.camera, angles=(-0.4, 0))))
        free = found.box < 0
        assert not found.validity[:, -20:].any()
        assert found.validity[:, :40][free[:, :40]].mean() > 0.5
        assert np.isfinite(found.picture).all()

    def test_a_turned_camera_shows_the_background_where_the_photo_has_it(self) -> None:
        of = shot([box_matrix((0, 40, 0.4), (0.1, 0.1, 0.1))])
        ramp = np.broadcast_to(np.linspace(0, 255, 96)[None, :, None], (64, 96, 3))
        of = dataclasses.replace(of, photo=np.rint(ramp).astype(np.uint8))
        found = of.shown(of.frame(camera=turned(of.camera, angles=(-0.1, 0))))
        # A pure turn to the right by 0.1 rad moves the middle of the picture by f * tan(0.1).
        assert found.picture[32, 48, 0] == pytest.approx(0.5 + 1.2 * math.tan(0.1), abs=0.01)
        assert found.shift[32, 48] == pytest.approx(1.2 * math.tan(0.1) * 96, abs=0.5)

    def test_the_shift_is_infinite_where_the_photo_did_not_show_the_point(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame({0: shifted(two_boxes, 0, (0.3, -0.5, 0))})
        found = two_boxes.shown(frame)
        np.testing.assert_array_equal(np.isfinite(found.shift), found.validity)
        assert not found.validity.all()

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
    @pytest.mark.parametrize("rounded", [None, 3])
    def test_finite_for_every_camera(
        self, two_boxes: Shot, step: tuple[float, ...], angles: tuple[float, ...], rounded: int | None
    ) -> None:
        frame = two_boxes.frame(camera=turned(two_boxes.camera, step, angles))
        found = dataclasses.replace(two_boxes.stage(frame), rounded=rounded).shown()
        assert np.isfinite(found.picture).all()
        assert found.picture.min() >= 0
        assert found.picture.max() <= 1

    @pytest.mark.parametrize(
        "matrix",
        [
            box_matrix((0, 4, 0), (1, 1, 0)),
            box_matrix((0, -4, 0), (1, 1, 1)),
            box_matrix((0, 0, 1.5), (1, 1, 1)),
            box_matrix((0, 0, 0), (0, 0, 0)),
        ],
        ids=["flat", "behind", "around the camera", "nothing"],
    )
    def test_boxes_may_be_anywhere(self, matrix: NDArray[np.float64], two_boxes: Shot) -> None:
        found = two_boxes.shown(two_boxes.frame({0: matrix}))
        assert np.isfinite(found.picture).all()
        assert 0 <= found.picture.min() <= found.picture.max() <= 1


class TestOrder:
    """What is nearer covers what is farther, and passes say what that is."""

    @settings(max_examples=10, deadline=None)
    @given(seed=Seeds)
    def test_a_pixel_shows_the_object_of_one_of_the_two_boxes_that_its_ray_hits_or_none(
        self, seed: int
    ) -> None:
        stage = random_frame(seed)
        (frame,) = stage.frames
        boxes = [placed.box.world_from_box for placed in frame.assets]
        rows, columns = stage.photo.shape[:2]
        known, found = reference_box_map(frame.camera, boxes, columns, rows), stage.shown()
        same = found.box == known.index[0]
        assert same.mean() > 0.999
        shows = found.index >= 0
        assert ((known.index == found.index).any(axis=0) | ~same)[shows].all()
        np.testing.assert_array_equal(np.isfinite(found.depth), shows)

    def test_of_two_slabs_the_nearer_is_shown_at_its_own_depth(self) -> None:
        camera = camera_of_photo(96, 96, 60, 1.0, 0.0)
        far, near = box_matrix((0, 4.05, 1), (0.8, 0.1, 0.8)), box_matrix((0.6, 3.05, 1), (0.4, 0.1, 0.8))
        of = shot([far, near], 96, 60, camera)
        found = of.shown(of.frame({1: shifted(of, 1, (-0.6, 0, 0))}))
        inside = away_from_outlines(found)
        for number, depth in enumerate((4, 3)):
            face = (found.index == number) & inside
            assert face.sum() > 50
            np.testing.assert_allclose(found.depth[face], depth, atol=0.01)
        assert found.index[30, 48] == 1


class TestOtherPhotos:
    def test_a_photo_of_another_size(self, two_boxes: Shot) -> None:
        frame = two_boxes.frame({0: shifted(two_boxes, 0, (0.1, 0, 0))})
        big = dataclasses.replace(two_boxes, photo=np.kron(two_boxes.photo, np.ones((2, 2, 1), np.uint8)))
        one, other = two_boxes.shown(frame), big.shown(frame, 96, 64)
        assert (one.validity == other.validity).mean() > 0.97
        assert other.picture.shape == (64, 96, 3)

    def test_an_asset_of_a_second_photo_has_its_pixels_and_its_camera(self, two_boxes: Shot) -> None:
        red = np.zeros((30, 50, 3), np.uint8)
        red[..., 0] = 255
        camera = camera_of_photo(60, 50, 30, 1.0, 0.1)
        box = Box(box_matrix((0, 3, 0.5), (1, 1, 1)))
        guest = Asset("guest", Photo("e" * 64), box, camera, (0.0, 0.0, 1.0, 1.0))
        frame = two_boxes.frame(
            {0: None}, add=[PlacedAsset(guest, Box(box_matrix((0, 3.5, 0.4), (0.8,) * 3)), match_light=0)]
        )
        pictures = {frame.background.photo.sha256: two_boxes.photo, "e" * 64: red}
        found = Stage((frame,), pictures).shown()
        on_guest = (found.index == 1) & away_from_outlines(found)
        assert on_guest.sum() > 50
        assert (found.picture[on_guest] == (1, 0, 0)).all()
        assert found.validity[on_guest].mean() > 0.7
        assert np.isinf(found.shift[on_guest]).all()  # the background's photo does not show it

    @pytest.mark.parametrize("photo", ["0" * 64, "b" * 64], ids=["own", "another"])
    def test_an_object_that_no_photo_can_show_is_grey_and_invalid(self, photo: str, two_boxes: Shot) -> None:
        found = two_boxes.shown(self.with_a_guest_from(box_matrix((0, 4, 0), (1, 1, 0)), photo, two_boxes))
        inside = (found.box == 1) & away_from_outlines(found)
        assert inside.sum() > 50
        assert (found.picture[inside] == 0.5).all()
        assert not found.validity[found.box == 1].any()

    @pytest.mark.parametrize("photo", ["0" * 64, "b" * 64], ids=["own", "another"])
    @pytest.mark.parametrize("place", [(0, -5, 0), (40, 4, 0)], ids=["behind the camera", "beside the photo"])
    def test_an_object_of_which_its_photo_shows_nothing_is_not_there(
        self, place: tuple[float, ...], photo: str, two_boxes: Shot
    ) -> None:
        found = two_boxes.shown(self.with_a_guest_from(box_matrix(place, (1, 1, 1)), photo, two_boxes))
        alone = two_boxes.shown(two_boxes.frame({0: None}))
        assert (found.box == 1).sum() > 50
        assert not (found.index == 1).any()
        np.testing.assert_array_equal(found.picture, alone.picture)

    def with_a_guest_from(self, source: NDArray[np.float64], photo: str, of: Shot) -> Frame:
        """Return a frame with an object of which the photo shows such a box, in the middle of the picture."""
        guest = Asset("guest", Photo(photo), Box(source), of.camera, (0,) * 4)
        return of.frame({0: None}, add=[PlacedAsset(guest, Box(box_matrix((0, 3, 0.5), (1, 1, 1))))])


class TestTransparency:
    """A box is larger than its object: outside the object's 2D box it shows what is behind."""

    def test_ground_beside_a_small_object_stays_where_it_is(self, two_boxes: Shot) -> None:
        x0, y0, x1, y1 = two_boxes.assets[0].source_box_2d
        middle = (x0 + x1) / 2
        half = dataclasses.replace(two_boxes.assets[0], source_box_2d=(x0, y0, middle, y1))
        frame = two_boxes.frame({0: None}, add=[PlacedAsset(half, half.source_box)])
        found = two_boxes.shown(frame)
        beside = found.box == len(frame.assets) - 1
        beside[:, : round((middle + 0.03) * beside.shape[1])] = False
        assert beside.sum() > 10
        np.testing.assert_array_equal(found.picture[beside], two_boxes.picture[beside])
        assert (found.index[beside] == -1).all()

    def test_a_side_on_the_pictures_border_bounds_nothing(self, two_boxes: Shot) -> None:
        whole = dataclasses.replace(two_boxes.assets[0], source_box_2d=(0.0, 0.0, 1.0, 1.0))
        frame = two_boxes.frame(
            {0: None}, add=[PlacedAsset(whole, Box(box_matrix((0, 3, 0.5), (4, 0.5, 2))))]
        )
        found, alone = two_boxes.shown(frame), two_boxes.shown(two_boxes.frame({0: None}))
        on_box = found.box == len(frame.assets) - 1
        assert (found.picture[on_box] != alone.picture[on_box]).any(axis=1).mean() > 0.9
