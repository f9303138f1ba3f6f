"""Shadows move with their objects over the ground, and leave with them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box, Camera, Frame, Photo, PlacedAsset
from na_core.tensors.frames import frame_batch
from tests.na_core.stage import in_unit, shown
from tests.na_core.sunlit import (
    DARKNESS,
    PLAIN,
    Sunlit,
    composed,
    direction,
    encoded,
    ground_points,
    layers_of,
    linear,
    sunlit,
)

Array = NDArray[np.floating]
BOXES = (box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.7, 4.5, 0.3), (0.6, 0.6, 0.6)))
SIZE = (96, 64)


@pytest.fixture(scope="module")
def two() -> Sunlit:
    """Two boxes whose shadows fall to the right and away from the camera."""
    return sunlit(BOXES)


def from_above() -> Camera:
    """Return a camera that looks straight down from 6 m."""
    matrix = np.eye(4)
    matrix[2, 3] = 6
    return Camera(matrix, 1.2, 1.2 * SIZE[0] / SIZE[1])


def factors(passes: Passes, row: int = 0) -> Array:
    """Return what shadows multiply a frame's background by, (H, W, 3)."""
    return passes.shadow[row].permute(1, 2, 0).numpy()


def bare(passes: Passes, row: int = 0) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that show the background and lie on no seam."""
    index = np.pad(passes.index[row].numpy(), 1, mode="edge")
    rows, columns = passes.index.shape[1:]
    return np.logical_and.reduce(
        [index[i : i + rows, j : j + columns] < 0 for i in range(3) for j in range(3)]
    )


# The reference: pixel by pixel, as the words in na_core.compose.shadows say it.


def sampled(of: Sunlit, number: int, x: float, y: float) -> Array:
    """Return the logarithm that a photo shows of a box's shadow at a position in pixels."""
    rows, columns = of.owner.shape
    within = np.clip(0.5 + min(x, columns - x, y, rows - y), 0, 1)
    x, y = (min(max(np.rint((v - 0.5) * 1024) / 1024, 0), n - 1) for v, n in ((x, columns), (y, rows)))
    left, top = min(int(x), columns - 2), min(int(y), rows - 2)
    total, cover = np.zeros(3), 0.0
    for i, j in itertools.product(range(2), repeat=2):
        weight = (1 - abs(x - left - i)) * (1 - abs(y - top - j))
        owner = of.owner[top + j, left + i]
        if owner == number:
            total += within * weight * np.float16(of.shadow[top + j, left + i]).astype(float)
        if owner in (number, -1):
            cover += weight
    return total / max(cover, 1e-6) * min(1, 2 * cover)


def slow_logarithms(placed: PlacedAsset, of: Sunlit, points: Array) -> Iterator[Array]:
    """Return the logarithms (3,) of an asset's shadow at points (n, 3) of the ground, one after the other."""
    asset = placed.asset
    before, after = asset.source_box.world_from_box, placed.box.world_from_box
    old, new = (np.linalg.norm(box[:3, :3]) for box in (before, after))
    corners = np.array([*itertools.product((-0.5, 0.5), repeat=3)])
    low_before, low_after = ((corners @ box[:3, :3].T + box[:3, 3])[:, 2].min() for box in (before, after))
    scale = new / old
    lift = low_after - scale * low_before
    assert lift > -1e-6
    foot = after[:2, 3] - max(lift, 0) * of.light[:2] / of.light[2]
    fade = placed.shadow_strength / (1 + (max(lift, 0) / (new / 3**0.5)) ** 2)
    number = of.shot.boxes.index(asset.source_box)
    camera, (rows, columns) = asset.source_camera, of.owner.shape
    camera_from_world = np.linalg.inv(camera.world_from_camera)
    for point in points:
        where = before[:2, 3] + (point[:2] - foot) / scale
        local = camera_from_world @ [*where, 0, 1]
        if local[2] >= 0:
            yield np.zeros(3)
            continue
        x = (local[0] / -local[2] * camera.fx + camera.cx) * columns
        y = (camera.cy - local[1] / -local[2] * camera.fy) * rows
        yield fade * sampled(of, number, x, y)


def slow_factors(frame: Frame, photos: Mapping[Photo, Sunlit], width: int, height: int) -> Array:
    """Return what shadows multiply the ground by, (H, W, 3); 1 where no ground is near."""
    points = ground_points(frame.camera, width, height)
    ground = ~np.isnan(points).any(-1)
    logs = [[np.zeros(3)] * ground.sum()]
    logs += [
        [*slow_logarithms(placed, photos[placed.asset.photo], points[ground])] for placed in frame.assets
    ]
    result = np.ones((height, width, 3))
    result[ground] = np.exp(np.min(logs, axis=0))
    return result


def assert_is_the_reference(passes: Passes, frame: Frame, photos: Mapping[Photo, Sunlit]) -> None:
    rows, columns = passes.index.shape[1:]
    expected = slow_factors(frame, photos, columns, rows)
    shows = passes.index[0].numpy() < 0
    near = shows & ~(expected == 1).all(-1)
    assert near.mean() > 0.01
    np.testing.assert_allclose(factors(passes)[shows], expected[shows], atol=2e-3)


def with_guest(two: Sunlit, light: Array) -> tuple[Frame, dict[Photo, Sunlit]]:
    """Return a frame in which an object of another photo takes the second one's place, and both photos."""
    other = sunlit([box_matrix((0.2, 3.5, 0.5), (0.6, 0.4, 1.0))], 80, 72, light=light, seed=1)
    guest = PlacedAsset(other.shot.assets[0], Box(box_matrix((0.1, 3.0, 0.6), (0.6, 0.4, 1.0), 1.0)))
    photos = {of.shot.assets[0].photo: of for of in (two, other)}
    return two.shot.frame({1: None}, add=[guest]), photos


class TestReference:
    def test_moved_turned_scaled_and_lifted_seen_by_another_camera(self, two: Sunlit) -> None:
        boxes = {
            0: box_matrix((-0.3, 3.6, 0.4), (0.7, 0.5, 0.8), 2.0),
            1: box_matrix((0.5, 3.4, 0.7), (0.9, 0.9, 0.9)),
        }
        camera = camera_of_photo(100, *SIZE, camera_height=1.9, pitch=0.4)
        frame = two.shot.frame(boxes, camera)
        assert_is_the_reference(two.passes(frame), frame, {two.shot.assets[0].photo: two})

    def test_shadows_that_overlap_are_as_dark_as_the_darkest(self, two: Sunlit) -> None:
        copies = [
            PlacedAsset(two.shot.assets[0], Box(box_matrix((x, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5)), strength)
            for x, strength in ((-0.6, 1.0), (-0.5, 0.5), (-0.4, 2.0))
        ]
        frame = two.shot.frame(add=copies)
        assert_is_the_reference(two.passes(frame), frame, {two.shot.assets[0].photo: two})
        assert factors(two.passes(frame)).min() > np.exp(2 * DARKNESS.min()) - 1e-3

    @pytest.mark.parametrize("angles", [(200, 45), (215, 40)])
    def test_an_object_of_another_photo_brings_its_shadow_along(
        self, angles: tuple[float, float], two: Sunlit
    ) -> None:
        frame, photos = with_guest(two, direction(*angles))
        assert_is_the_reference(composed([frame], photos, *SIZE), frame, photos)

    @pytest.mark.parametrize("light", [direction(330, 30), direction(20, 45), np.zeros(3)])
    def test_under_another_light_it_throws_none(self, light: Array, two: Sunlit) -> None:
        frame, photos = with_guest(two, direction(200, 45))
        photos[frame.assets[-1].asset.photo] = dataclasses.replace(
            photos[frame.assets[-1].asset.photo], light=light
        )
        alone = dataclasses.replace(frame, assets=frame.assets[:-1])
        found = [composed([each], photos, *SIZE) for each in (frame, alone)]
        both = bare(found[0]) & bare(found[1])
        np.testing.assert_array_equal(*(factors(passes)[both] for passes in found))

    def test_colours_are_changed_in_linear_light(self, two: Sunlit) -> None:
        frame = two.moved({0: (0.1, -0.9, 0), 1: None})
        passes = two.passes(frame)
        found, shows = shown(passes), bare(passes)
        expected = encoded(linear(np.full((*shows.shape, 3), PLAIN / 255)) * factors(passes))
        # Where the old shadow was, the photo's bytes are a level off.
        assert np.abs(found.picture - expected)[shows].max() < 3 / 255
        untouched = shows & (factors(passes) == 1).all(-1) & (two.owner < 0)
        assert (found.picture[untouched] == np.float32(PLAIN / 255)).mean() > 0.95


class TestNothingMoved:
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), size=st.tuples(st.integers(2, 96), st.integers(2, 96)))
    def test_gives_the_photo_back_bit_for_bit_whatever_its_shadows(
        self, seed: int, size: tuple[int, int]
    ) -> None:
        rng = np.random.default_rng(seed)
        made = sunlit(BOXES, *size, seed=seed)
        shadow = rng.uniform(-3, 1, made.shadow.shape).astype(np.float32)
        owner = rng.integers(-1, 2, made.owner.shape).astype(np.int16)
        photo = rng.integers(0, 256, made.shot.photo.shape, dtype=np.uint8)
        of = dataclasses.replace(
            made, shadow=shadow, owner=owner, shot=dataclasses.replace(made.shot, photo=photo)
        )
        found = shown(of.passes(of.shot.frame()))
        np.testing.assert_array_equal(found.picture, in_unit(photo))
        assert found.validity.all()

    def test_when_only_the_camera_moves_shadows_stay_on_the_ground(self, two: Sunlit) -> None:
        camera = camera_of_photo(110, *SIZE, camera_height=1.7, pitch=0.35)
        passes = two.passes(two.shot.frame(camera=camera))
        found, valid = shown(passes), bare(passes) & passes.validity[0].numpy()
        expected = encoded(linear(np.full((*valid.shape, 3), PLAIN / 255)) * factors(passes))
        # But for some pixels beside objects, which show them in part.
        assert np.quantile(np.abs(found.picture - expected)[valid], 0.97) < 0.03
        assert (factors(passes)[valid] < 0.7).any()

    def test_without_shadows_nothing_is_computed(self, two: Sunlit) -> None:
        stage = two.shot.stage(two.shot.frame())
        shadow = stage.passes().shadow
        assert not stage.layers.has_shadows
        assert "shadows" not in stage.layers.__dict__
        assert shadow.shape == (1, 3, *two.owner.shape)
        assert shadow.stride() == (0, 0, 0, 0)
        assert (shadow == 1).all()

    def test_oversampled_frames_have_the_shadows_means(self, two: Sunlit) -> None:
        frame = two.moved({0: (0.2, -0.5, 0)})
        batch = frame_batch([frame])
        layers = two.layers(frame)
        whole = compose(layers, batch, 96, 64).shadow
        halves = compose(layers, batch, 48, 32, 2).shadow
        torch.testing.assert_close(halves, torch.nn.functional.avg_pool2d(whole, 2))


def on_ground(passes: Passes, camera: Camera) -> Array:
    """Return the mean point (2,) of the shadows on the ground, by their darkness and area there."""
    rows, columns = passes.index.shape[1:]
    points = ground_points(camera, columns, rows)
    distance = np.linalg.norm(points - camera.world_from_camera[:3, 3], axis=-1)
    dark = -np.log(factors(passes).mean(-1)) * (passes.index[0].numpy() < 0)
    weight = dark * distance**3  # of a pixel's area on the ground
    return (weight[..., None] * np.nan_to_num(points[..., :2])).sum((0, 1)) / weight.sum()


class TestMotion:
    @pytest.mark.parametrize("step", [(0.5, 0.3, 0.0), (-0.7, 0.2, 0.0)])
    def test_seen_from_above_the_shadow_moves_as_far_as_the_object(self, step: Sequence[float]) -> None:
        camera = from_above()
        of = sunlit([box_matrix((0.1, -0.2, 0.3), (0.5, 0.4, 0.6), 0.4)], *SIZE, camera=camera)
        before, after = (of.passes(of.moved({0: s})) for s in ((0, 0, 0), step))
        moved = on_ground(after, camera) - on_ground(before, camera)
        # The object covers another part of its shadow now; by less than a few centimetres.
        np.testing.assert_allclose(moved, step[:2], atol=0.06)

    def test_seen_at_an_angle_too(self) -> None:
        of = sunlit([box_matrix((-0.3, 4.2, 0.4), (0.5, 0.4, 0.8), 0.4)], 192, 128, light=direction(190, 30))
        camera = of.shot.camera
        step = (-0.4, -0.5, 0.0)
        before, after = (of.passes(of.moved({0: s})) for s in ((0, 0, 0), step))
        np.testing.assert_allclose(on_ground(after, camera) - on_ground(before, camera), step[:2], atol=0.08)

    def test_a_turned_object_keeps_its_shadow_in_the_light(self, two: Sunlit) -> None:
        turned = two.shot.frame({0: box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 2.1)})
        still = two.shot.frame()
        both = [two.passes(frame) for frame in (turned, still)]
        free = bare(both[0]) & bare(both[1])
        np.testing.assert_allclose(*(factors(passes)[free] for passes in both), atol=1e-5)

    def test_a_removed_object_leaves_no_shadow(self, two: Sunlit) -> None:
        passes = two.passes(two.moved({0: None, 1: None}))
        found = shown(passes)
        assert (two.owner >= 0).mean() > 0.02
        assert np.abs(found.picture - PLAIN / 255).max() < 2.5 / 255
        assert (factors(passes) == 1).all()

    def test_one_of_two_leaves_with_its_own_shadow_only(self, two: Sunlit) -> None:
        found = shown(two.passes(two.moved({0: None})))
        plain = two.owner == 0
        assert np.abs(found.picture[plain] - PLAIN / 255).max() < 2.5 / 255
        others = (two.owner == 1) & bare(two.passes(two.moved({0: None})))
        np.testing.assert_allclose(found.picture[others], in_unit(two.shot.photo)[others], atol=2.5 / 255)

    def test_what_is_not_hidden_from_the_background_keeps_its_shadow_there(self, two: Sunlit) -> None:
        frame = two.moved({0: None, 1: None})
        background = dataclasses.replace(frame.background, hidden_boxes=())
        frame = dataclasses.replace(frame, background=background)
        np.testing.assert_array_equal(shown(two.passes(frame)).picture, in_unit(two.shot.photo))

    def test_a_duplicate_has_a_shadow_of_its_own(self) -> None:
        camera = from_above()
        of = sunlit([box_matrix((-0.5, 0, 0.3), (0.5, 0.4, 0.6))], *SIZE, camera=camera)
        copy = PlacedAsset(of.shot.assets[0], Box(box_matrix((0.9, 0.5, 0.3), (0.5, 0.4, 0.6))))
        one, two = (of.passes(of.shot.frame(add=more)) for more in ([], [copy]))
        dark = [(factors(passes) < 0.9).all(-1) for passes in (one, two)]
        assert (dark[1] | ~dark[0]).all()
        assert 1.6 * dark[0].sum() < dark[1].sum() < 2.4 * dark[0].sum()

    def test_motion_is_continuous(self, two: Sunlit) -> None:
        # Smooth shadows: an edge between two pixels may pass over a pixel as fast as it likes.
        y, x = np.mgrid[: SIZE[1], : SIZE[0]]
        soft = np.exp(-((x - 62) ** 2 + (y - 34) ** 2) / 300)[..., None] * DARKNESS
        of = dataclasses.replace(two, shadow=soft.astype(np.float32), owner=np.zeros_like(two.owner))
        steps = np.linspace(-0.02, 0.02, 41)
        for direction_of in ((1, 0, 0), (0, 0, 1), (0, 0, -5)):
            frames = [of.moved({0: np.multiply(direction_of, step)}) for step in steps]
            passes = of.passes(*frames)
            logs = np.log(passes.shadow.numpy())
            free = (passes.index < 0).all(0).numpy()
            assert np.abs(np.diff(logs, axis=0))[:, :, free].max() < 0.02


class TestStrength:
    def strong(self, of: Sunlit, strength: float) -> Passes:
        frame = of.moved({0: (0.1, -0.4, 0.1), 1: (-0.2, -0.3, 0)})
        placed = tuple(dataclasses.replace(p, shadow_strength=strength) for p in frame.assets)
        return of.passes(dataclasses.replace(frame, assets=placed))

    def test_none_is_no_shadow(self, two: Sunlit) -> None:
        passes = self.strong(two, 0)
        assert (factors(passes) == 1).all()
        assert np.abs(shown(passes).picture[bare(passes)] - PLAIN / 255).max() < 2.5 / 255

    def test_twice_is_twice_the_logarithm(self, two: Sunlit) -> None:
        once, twice = (np.log(factors(self.strong(two, strength))) for strength in (1, 2))
        np.testing.assert_allclose(twice, 2 * once, atol=1e-5)
        assert twice.min() < -1.5

    def test_an_object_whose_photo_may_not_be_used_throws_none(self, two: Sunlit) -> None:
        frame = two.moved({0: (0.1, -0.4, 0.1)})
        batch = frame_batch([frame])
        unseen = dataclasses.replace(batch, shown=torch.zeros_like(batch.shown))
        assert (compose(two.layers(frame), unseen, *SIZE).shadow == 1).all()


class TestLift:
    CAMERA = from_above()

    @pytest.fixture
    def one(self) -> Sunlit:
        box = box_matrix((0, 0, 0.2), (0.4, 0.4, 0.4))
        return sunlit([box], *SIZE, camera=self.CAMERA, light=direction(180, 60))

    def lifted(self, of: Sunlit, height: float) -> Passes:
        return of.passes(of.moved({0: (0, 0, height)}))

    def test_the_shadow_moves_away_from_the_light_and_fades(self, one: Sunlit) -> None:
        passes = [self.lifted(one, height) for height in (0.5, 0.8)]
        way = on_ground(passes[1], self.CAMERA) - on_ground(passes[0], self.CAMERA)
        np.testing.assert_allclose(way, [0.3 / np.tan(np.radians(60)), 0], atol=0.05)
        for height, found in zip((0.5, 0.8), passes, strict=True):
            darkest = np.log(factors(found)).min()
            assert darkest == pytest.approx(DARKNESS.min() / (1 + (height / 0.4) ** 2), abs=0.01)

    def test_without_a_light_it_stays_below(self, one: Sunlit) -> None:
        of = dataclasses.replace(one, light=np.zeros(3))
        low, high = (on_ground(self.lifted(of, height), self.CAMERA) for height in (0.3, 0.6))
        np.testing.assert_allclose(low, high, atol=0.06)

    def test_it_is_gone_when_the_object_has_sunk_into_the_ground(self, one: Sunlit) -> None:
        darkest = [np.log(factors(self.lifted(one, -0.4 * share))).min() for share in (0, 0.5, 1, 3)]
        np.testing.assert_allclose(darkest, DARKNESS.min() * np.array([1, 0.5, 0, 0]), atol=0.01)


def placements() -> st.SearchStrategy[NDArray[np.float64]]:
    """Return boxes anywhere: behind the camera, below the ground, huge, tiny, flat, turned."""
    sizes = st.sampled_from([0.0, 1e-12, 1e-3, 0.5, 3.0, 1e3, 1e6])
    places = st.sampled_from([-1e6, -5.0, -0.3, 0.0, 0.4, 4.0, 1e4])
    angles = st.floats(-3, 3)

    def made(centre: Sequence[float], size: Sequence[float], yaw: float, roll: float) -> NDArray[np.float64]:
        c, s = np.cos(roll), np.sin(roll)
        tilt = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
        return box_matrix(centre, (1, 1, 1), yaw) @ tilt @ np.diag([*size, 1])

    return st.builds(made, st.tuples(places, places, places), st.tuples(sizes, sizes, sizes), angles, angles)


class TestFinite:
    @settings(max_examples=40, deadline=None)
    @given(target=placements(), camera_height=st.sampled_from([1.5, 0.0, -1.0, 1e-9, 1e6]))
    def test_wherever_objects_and_cameras_are(
        self, two: Sunlit, target: NDArray[np.float64], camera_height: float
    ) -> None:
        camera = camera_of_photo(115, *SIZE, camera_height=camera_height, pitch=0.2)
        passes = two.passes(two.shot.frame({0: target}, camera))
        assert torch.isfinite(passes.proxy).all()
        assert passes.proxy.min() >= 0
        assert passes.proxy.max() <= 1
        assert torch.isfinite(passes.shadow).all()
        assert passes.shadow.min() > 0
        assert passes.shadow.max() <= 1

    @settings(max_examples=20, deadline=None)
    @given(source=placements())
    def test_wherever_the_source_box_is(self, source: NDArray[np.float64]) -> None:
        made = sunlit(BOXES)
        asset = dataclasses.replace(made.shot.assets[0], source_box=Box(source))
        boxes = (Box(source), made.shot.boxes[1])
        of = dataclasses.replace(
            made, shot=dataclasses.replace(made.shot, boxes=boxes, assets=(asset, made.shot.assets[1]))
        )
        passes = of.passes(of.shot.frame({0: BOXES[0], 1: BOXES[1]}))
        assert torch.isfinite(passes.proxy).all()
        assert torch.isfinite(passes.shadow).all()


class TestBatches:
    @pytest.fixture
    def several(self) -> tuple[list[Frame], dict[Photo, Sunlit]]:
        """Return frames of two photos of two sizes."""
        photos = [
            sunlit(BOXES),
            sunlit([box_matrix((0.2, 3.5, 0.5), (0.6, 0.4, 1.0))], 80, 72, light=direction(210, 40), seed=1),
        ]
        first, second = photos
        guest = PlacedAsset(second.shot.assets[0], Box(box_matrix((0.1, 3.0, 0.6), (0.6, 0.4, 1.0), 1.0)))
        camera = camera_of_photo(100, *SIZE, camera_height=1.9, pitch=0.4)
        frames = [
            first.moved({0: (0.2, -0.3, 0.1)}),
            second.moved({0: (-0.3, 0.1, 0)}),
            first.shot.frame({1: None}, camera, add=[guest]),
            second.shot.frame(),
        ]
        return frames, {of.shot.assets[0].photo: of for of in photos}

    def assert_same(self, one: Passes, row: int, other: Passes) -> None:
        for name in ("proxy", "shadow"):
            np.testing.assert_array_equal(getattr(one, name)[row].numpy(), getattr(other, name)[0].numpy())

    def test_a_frame_is_as_alone_in_a_batch(self, several: tuple[list[Frame], dict[Photo, Sunlit]]) -> None:
        frames, photos = several
        passes = composed(frames, photos, *SIZE)
        assert (passes.shadow.amin(dim=(1, 2, 3)) < 0.7).all()
        for row, frame in enumerate(frames):
            self.assert_same(passes, row, composed([frame], photos, *SIZE))

    def test_where_lists_do_not_pay_it_is_the_same(
        self, several: tuple[list[Frame], dict[Photo, Sunlit]], request: pytest.FixtureRequest
    ) -> None:
        frames, photos = several
        listed = composed(frames, photos, *SIZE)
        request.getfixturevalue("every_pixel")
        every = composed(frames, photos, *SIZE)
        for row in range(len(frames)):
            np.testing.assert_array_equal(listed.shadow[row].numpy(), every.shadow[row].numpy())
            np.testing.assert_array_equal(listed.proxy[row].numpy(), every.proxy[row].numpy())

    def test_layers_hold_the_shadows_of_all_their_photos(
        self, several: tuple[list[Frame], dict[Photo, Sunlit]]
    ) -> None:
        layers = layers_of(*several)
        bounds = layers.shadows.bounds.view(len(layers), -1, 4)
        for photo, (width, height) in enumerate(layers.extents.int().tolist()):
            owner = layers.shadow_owner[photo, :height, :width].numpy()
            for number in range(layers.objects):
                rows, columns = np.nonzero(owner == number)
                expected = (
                    [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0] * 4
                )
                assert bounds[photo, number].tolist() == expected
