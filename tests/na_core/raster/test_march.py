"""Rays meet what the photo saw, the far side behind it, and nothing where the photo saw past."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points, rays
from na_core.raster import march as march_module
from na_core.raster.canvas import Canvas
from na_core.raster.march import EMPTY, HULL, SURFACE, UNKNOWN, march
from na_core.raster.surfaces import RIM, Surfaces, inward, inward_steps, pack, unmixed
from na_core.scene import Camera
from tests.na_core.reference import reference_box_map

WIDTH, HEIGHT = 96, 72
CAMERA = camera_of_photo(1.4 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.25)
BALL = box_matrix((0.1, 4.0, 0.6), (1.0, 1.0, 1.0), 0.4)
"""Of a ball of 1 metre, which :func:`ball` is the photo of."""

CENTRE, RADIUS = BALL[:3, 3], 0.5

Plane = NDArray[np.floating]


@dataclass(frozen=True)
class Seen:
    """What a photo shows: owner, -1 for none, depth and far side (H, W)."""

    owner: NDArray[np.int64]
    near: Plane
    far: Plane

    @property
    def surfaces(self) -> Surfaces:
        return pack(*(torch.from_numpy(plane)[None] for plane in (self.owner, self.near, self.far)))


@dataclass(frozen=True)
class Met:
    """What n rays meet.

    Attributes:
        kind, share, behind: (n,), see :class:`na_core.raster.march.Marched`.
        world, at: where it is, (n, 3), and the photo's pixel that shows that place, (n, 2).
        through: (H, W), which of the viewer's rays they are.
    """

    kind: NDArray[np.int64]
    share: NDArray[np.float32]
    behind: NDArray[np.float32]
    world: Plane
    at: Plane
    through: NDArray[np.bool_]

    def to_centre(self, kind: int) -> Plane:
        """Return how far what is met is from the ball's centre."""
        return np.linalg.norm(self.world[self.kind == kind] - CENTRE, axis=1)


def ball(camera: Camera) -> Seen:
    """Photograph the ball: exact owner, depth and far side of every pixel."""
    start, direction = camera.world_from_camera[:3, 3], rays(camera, pixel_centres(WIDTH, HEIGHT))
    a = (direction**2).sum(-1)
    b = 2 * (direction * (start - CENTRE)).sum(-1)
    c = ((start - CENTRE) ** 2).sum() - RADIUS**2
    inside = b**2 - 4 * a * c
    root = np.sqrt(np.maximum(inside, 0))
    depth, far = ((-b + sign * root) / (2 * a) for sign in (-1, 1))  # rays have one metre of depth
    hit = inside > 0
    return Seen(np.where(hit, 0, -1), np.where(hit, depth, np.inf), np.where(hit, far, np.inf))


def marched(
    seen: Seen, viewer: Camera, camera: Camera = CAMERA, box: NDArray[np.float64] = BALL, number: int = 0
) -> Met:
    """March the viewer's rays into a photo's box where it stands."""
    hits = reference_box_map(viewer, [box], WIDTH, HEIGHT)
    through = hits.index[0] == 0
    ray, eye = rays(viewer, pixel_centres(WIDTH, HEIGHT))[through], viewer.world_from_camera[:3, 3]
    enter, leave = (eye + of[0][through][:, None] * ray for of in (hits.depth, hits.leave))
    in_photo = [project_points(camera, of) * (WIDTH, HEIGHT, 1) for of in (enter, leave)]
    ends = [np.stack([x * depth, y * depth, depth]) for x, y, depth in (of.T for of in in_photo)]
    start, stop = (torch.from_numpy(of).float() for of in ends)
    count = len(enter)
    extent = np.ptp(project_points(camera, box_corners(box))[:, 2])
    photo = torch.zeros(count, dtype=torch.int64)
    entry, extents = torch.full_like(photo, number), torch.full((count,), float(extent))
    found = march(seen.surfaces, Canvas(WIDTH, HEIGHT), photo, entry, start, stop, extents)
    point = (start + found.share * (stop - start)).numpy()
    share = found.share.numpy()
    world = enter + share[:, None] * (leave - enter)
    return Met(found.kind.numpy(), share, found.behind.numpy(), world, (point[:2] / point[2]).T, through)


def around(camera: Camera, step: tuple[float, float, float], turn: float = 0.0) -> Camera:
    """Return a camera that has gone around the ball, and a step."""
    matrix = camera.world_from_camera.copy()
    cosine, sine = np.cos(turn), np.sin(turn)
    about = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    matrix[:3, :3] = about @ matrix[:3, :3]
    matrix[:3, 3] = about @ (matrix[:3, 3] - CENTRE) + CENTRE + step
    return replace(camera, world_from_camera=matrix)


def test_from_the_photos_own_camera_every_pixel_meets_itself() -> None:
    seen = ball(CAMERA)
    met = marched(seen, CAMERA)
    shows = seen.owner[met.through] == 0
    assert (met.kind[shows] == SURFACE).all()
    assert (met.kind[~shows] == EMPTY).all()
    here = pixel_centres(WIDTH, HEIGHT)[met.through] * (WIDTH, HEIGHT)
    np.testing.assert_allclose(met.at[shows], here[shows], atol=1e-4)


@settings(max_examples=6, deadline=None)
@given(turn=st.floats(-0.4, 0.4), up=st.floats(-0.2, 0.4))
def test_from_elsewhere_the_seen_surface_is_where_it_is(turn: float, up: float) -> None:
    met = marched(ball(CAMERA), around(CAMERA, (0.1, 0, up), turn))
    assert (met.kind == SURFACE).sum() > 300
    # Within a pixel's width: of the ball's 40 pixels and the march's steps. Rims are seen at a grazing angle.
    assert np.median(np.abs(met.to_centre(SURFACE) - RADIUS)) < 0.01
    projected = project_points(CAMERA, met.world[met.kind == SURFACE])
    np.testing.assert_allclose(projected[:, :2] * (WIDTH, HEIGHT), met.at[met.kind == SURFACE], atol=1e-3)


def test_from_behind_the_hull_has_the_outline_of_the_ball() -> None:
    viewer = around(CAMERA, (0, 0, 0), np.pi)
    met = marched(ball(CAMERA), viewer)
    assert (met.kind == HULL).sum() > 300
    assert (met.kind == SURFACE).sum() < 0.1 * (met.kind == HULL).sum()
    outline = np.zeros((HEIGHT, WIDTH), bool)
    outline[met.through] = met.kind != EMPTY
    truth = ball(viewer).owner == 0
    # Without a far side it would be a cone around the ball that the box ends: 0.7.
    assert (outline & truth).sum() / (outline | truth).sum() > 0.93


@settings(max_examples=6, deadline=None)
@given(turn=st.floats(1.2, 2 * np.pi - 1.2))
def test_what_was_not_seen_is_met_on_the_far_side(turn: float) -> None:
    met = marched(ball(CAMERA), around(CAMERA, (0, 0, 0.2), turn))
    assert (met.kind == HULL).sum() > 150
    assert np.median(np.abs(met.to_centre(HULL) - RADIUS)) < 0.01
    assert (met.behind[met.kind == HULL] > 0).all()
    projected = project_points(CAMERA, met.world[met.kind == HULL])
    np.testing.assert_allclose(projected[:, :2] * (WIDTH, HEIGHT), met.at[met.kind == HULL], atol=1e-3)


@pytest.mark.parametrize("turn", [0.0, np.pi])
def test_what_is_thinner_than_the_march_is_met_from_both_sides(turn: float) -> None:
    seen = ball(CAMERA)
    shell = replace(seen, far=seen.near + 0.002)
    met = marched(shell, around(CAMERA, (0, 0, 0), turn))
    assert (met.kind == SURFACE).sum() > 300
    assert np.median(np.abs(met.to_centre(SURFACE) - RADIUS)) < 0.01


def test_a_ray_from_beside_comes_in_at_the_outline() -> None:
    """A column that the photo sees end on, looked at from its side, has straight edges."""
    x, y = np.moveaxis(pixel_centres(WIDTH, HEIGHT), -1, 0)
    owner = np.where((np.abs(x - 0.5) < 0.1) & (np.abs(y - 0.5) < 0.2), 0, -1)
    column = Seen(owner, np.where(owner < 0, np.inf, 3.0), np.full(owner.shape, np.inf))
    met = marched(column, around(CAMERA, (0, 0, 0), 0.5 * np.pi))
    beside = met.kind == HULL
    assert beside.sum() > 100
    rows, columns = np.nonzero(owner == 0)
    edges = [np.array([of.min(), of.max() + 1]) for of in (columns, rows)]
    distances = [np.abs(met.at[beside, axis, None] - edges[axis]).min(axis=1) for axis in (0, 1)]
    # Between samples of the march a ray goes 0.35 / 16 across the picture, and is halved four times.
    assert np.quantile(np.minimum(*distances), 0.9) < 0.002 * WIDTH


def test_what_another_object_hides_is_unknown() -> None:
    seen = ball(CAMERA)
    left = pixel_centres(WIDTH, HEIGHT)[..., 0] < 0.5
    owner = np.where(left & (seen.owner == 0), 1, seen.owner)
    met = marched(Seen(owner, np.where(owner == 1, seen.near - 1, seen.near), seen.far), CAMERA)
    assert (met.kind[(owner == 1)[met.through]] == UNKNOWN).all()
    assert (met.kind[(owner == 0)[met.through]] == SURFACE).all()


def test_before_another_object_it_is_known_that_there_is_nothing() -> None:
    seen = ball(CAMERA)
    wall = np.where(seen.owner < 0, 1, seen.owner)
    met = marched(Seen(wall, np.where(wall == 1, 9.0, seen.near), np.where(wall == 1, 9.1, seen.far)), CAMERA)
    assert (met.kind[(wall == 1)[met.through]] == EMPTY).all()


def test_what_the_picture_cuts_off_is_unknown() -> None:
    shape = (HEIGHT, WIDTH)
    full = Seen(np.zeros(shape, np.int64), np.full(shape, 3.0), np.full(shape, np.inf))
    aside = box_matrix((2.2, 4.0, 0.6), (1.0, 1.0, 1.0))
    met = marched(full, around(CAMERA, (1.5, 0, 0)), box=aside)
    assert (met.kind == UNKNOWN).any()


@settings(max_examples=6, deadline=None)
@given(scale=st.floats(-3, 3).map(lambda power: 10**power))
def test_scale_changes_nothing(scale: float) -> None:
    seen, viewer = ball(CAMERA), around(CAMERA, (0.2, 0, 0))

    def scaled(matrix: NDArray[np.float64], sides: bool = False) -> NDArray[np.float64]:
        out = matrix.copy()
        out[:3] *= scale
        out[:3, :3] /= 1 if sides else scale
        return out

    camera, moved = (replace(of, world_from_camera=scaled(of.world_from_camera)) for of in (CAMERA, viewer))
    larger = Seen(seen.owner, seen.near * scale, seen.far * scale)
    one, other = marched(seen, viewer), marched(larger, moved, camera, scaled(BALL, sides=True))
    assert (one.kind == other.kind).mean() > 0.999
    np.testing.assert_allclose(one.share, other.share, atol=2e-3)


@pytest.mark.parametrize("at_once", [1, 10_000, 1 << 23])
@pytest.mark.parametrize("turn", [0.3, 2.0])
def test_where_lists_do_not_pay_the_same_is_met(
    turn: float, at_once: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, viewer = ball(CAMERA), around(CAMERA, (0.1, 0, 0.1), turn)
    listed = marched(seen, viewer)
    request.getfixturevalue("every_pixel")
    monkeypatch.setattr(march_module, "GPU_AT_ONCE", at_once)
    every = marched(seen, viewer)
    np.testing.assert_array_equal(listed.kind, every.kind)
    met = listed.kind >= HULL
    np.testing.assert_array_equal(listed.share[met], every.share[met])
    np.testing.assert_array_equal(listed.behind[met], every.behind[met])


@pytest.mark.parametrize("at_once", [1, 10_000])
def test_how_many_samples_are_looked_at_together_changes_nothing(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, viewer = ball(CAMERA), around(CAMERA, (0.1, 0, 0.1), 0.5)
    expected = marched(seen, viewer)
    monkeypatch.setattr(march_module, "AT_ONCE", at_once)
    found = marched(seen, viewer)
    for name in ("kind", "share", "behind"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_rays_along_which_the_photo_shows_no_object_meet_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are left out at once; marched all the same, they meet nothing either."""
    seen, viewer = ball(CAMERA), around(CAMERA, (0.2, 0, 0), 0.2)
    left_out = marched(seen, viewer)
    monkeypatch.setattr(Surfaces, "show_objects", lambda _self, photo, *_: torch.ones_like(photo).bool())
    every = marched(seen, viewer)
    for name in ("kind", "share", "behind"):
        np.testing.assert_array_equal(getattr(left_out, name), getattr(every, name))
    assert (left_out.kind == EMPTY).sum() > 100


class TestPacking:
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), metres=st.floats(-3, 3).map(lambda power: 10**power))
    def test_surfaces_are_kept_to_a_step_of_the_photos_own_depth(self, seed: int, metres: float) -> None:
        random = torch.Generator().manual_seed(seed)
        owner = torch.randint(-1, 40, (2, 5, 6), generator=random)
        near = (0.1 + torch.rand(owner.shape, generator=random)) * metres
        far = near + 0.8 * torch.rand(owner.shape, generator=random) * metres
        found = pack(owner, near, far)
        shown = owner >= 0
        assert torch.equal(found.owner.long(), owner)
        step = found.unit.max()
        assert step <= 2 * metres / 65535
        assert (found.near - near)[shown].abs().max() <= 0.6 * step
        assert (found.far - far)[shown].abs().max() <= 1.7 * step
        assert not found.near[~shown].any()
        assert not found.far[~shown].any()

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_rectangles_that_show_an_object(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        owner = torch.from_numpy(np.where(rng.random((3, 7, 9)) < 0.1, 2, -1))
        surfaces = pack(owner, torch.ones(owner.shape), torch.ones(owner.shape))
        photo = rng.integers(0, 3, 20)
        x, y = (np.sort(rng.uniform(0, side, (2, 20)), axis=0) for side in (9, 7))
        found = surfaces.show_objects(*(torch.from_numpy(of) for of in (photo, *x, *y)))
        for number, shows in enumerate(found):
            rows, columns = (slice(int(of[0, number]), int(np.ceil(of[1, number]))) for of in (y, x))
            assert shows == (owner[photo[number], rows, columns] >= 0).any()

    def test_a_photo_that_shows_nothing(self) -> None:
        nothing = torch.full((1, 3, 4), -1)
        found = pack(nothing, torch.full(nothing.shape, torch.inf), torch.full(nothing.shape, torch.inf))
        assert torch.equal(found.owner, nothing.int())
        assert torch.isfinite(found.unit).all()


class TestRims:
    def test_unmixed_is_what_only_its_own_pixels_surround(self) -> None:
        owner = torch.full((1, 7, 9), -1)
        owner[0, 1:6, 1:5], owner[0, 1:6, 5:8] = 0, 1
        inner = unmixed(owner)[0]
        assert (inner == 0).nonzero().tolist() == [[row, column] for row in (2, 3, 4) for column in (2, 3)]
        assert (inner == 1).nonzero().tolist() == [[row, 6] for row in (2, 3, 4)]

    def test_colours_on_a_rim_are_looked_for_inside(self) -> None:
        owner = torch.from_numpy(ball(CAMERA).owner)[None]
        inner = unmixed(owner)
        rim = (owner == 0) & (inner < 0)
        number, row, column = rim.nonzero(as_tuple=True)
        x, y = column + 0.5, row + 0.5
        canvas = Canvas(WIDTH, HEIGHT)
        new_x, new_y = inward(inward_steps(owner, canvas), canvas, number, x, y)
        # A corner may have none so near.
        assert (inner[0, new_y.long(), new_x.long()] == 0).float().mean() > 0.95
        assert torch.maximum((new_x - x).abs(), (new_y - y).abs()).max() <= RIM

    def test_points_well_inside_stay(self) -> None:
        owner, canvas = torch.from_numpy(ball(CAMERA).owner)[None], Canvas(WIDTH, HEIGHT)
        number, row, column = (unmixed(owner) == 0).nonzero(as_tuple=True)
        x, y = column + 0.7, row + 0.2
        stay = inward(inward_steps(owner, canvas), canvas, number, x, y)
        assert all(torch.equal(*pair) for pair in zip(stay, (x, y), strict=True))

    def test_no_colour_is_looked_for_beyond_a_smaller_photo(self) -> None:
        owner = torch.full((1, 5, 9), -1)
        owner[0, :, 5:] = 0  # its last column, repeated
        at, number = (torch.tensor([5.5]), torch.tensor([2.5])), torch.tensor([0])
        smaller, whole = Canvas(9, 5, torch.tensor([[6.0, 5.0]])), Canvas(9, 5)
        assert inward(inward_steps(owner, smaller), smaller, number, *at) == at
        assert inward(inward_steps(owner, whole), whole, number, *at) == (torch.tensor([6.5]), at[1])
