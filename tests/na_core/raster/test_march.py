"""Reliefs: rays meet what the photo saw, the far side behind it, and nothing where the photo saw past."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points, rays
from na_core.geometry.relief import (
    EMPTY,
    HULL,
    SURFACE,
    UNKNOWN,
    Relief,
    inward,
    march,
    through_box,
    unmixed,
)
from na_core.scene import Box, Camera

WIDTH, HEIGHT = 96, 72
BALL = Box(box_matrix((0.1, 4.0, 0.6), (1.0, 1.0, 1.0), 0.4))
"""Of a ball of 1 metre, which :func:`ball` is the relief of."""


@pytest.fixture
def camera() -> Camera:
    return camera_of_photo(1.4 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.25)


def relief_of(owner: NDArray, depth: NDArray, far: NDArray | None = None) -> Relief:
    """Make a relief; without a far side, objects go on for ever."""
    behind = np.full(owner.shape, np.inf) if far is None else far
    parts = owner.astype(np.int32), depth.astype(np.float32), behind.astype(np.float32)
    return Relief(*parts, owner.astype(np.int32))


def ball(camera: Camera) -> Relief:
    """Photograph the ball: exact owner, depth and far side of every pixel."""
    centre = BALL.world_from_box[:3, 3]
    start = camera.world_from_camera[:3, 3]
    direction = rays(camera, pixel_centres(WIDTH, HEIGHT))
    a = (direction**2).sum(-1)
    b = 2 * (direction * (start - centre)).sum(-1)
    c = ((start - centre) ** 2).sum() - 0.25
    inside = b**2 - 4 * a * c
    hit = inside > 0
    root = np.sqrt(np.maximum(inside, 0))
    depth, far = ((-b + sign * root) / (2 * a) for sign in (-1, 1))  # rays have one metre of depth
    return relief_of(np.where(hit, 0, -1), np.where(hit, depth, np.inf), np.where(hit, far, np.inf))


def marched(camera: Camera, relief: Relief, viewer: Camera, number: int = 0, box: Box = BALL):
    """March the viewer's rays into the box where it stands: what is met, and the pixels' numbers."""
    hits = box_map(viewer, [box.world_from_box], WIDTH, HEIGHT)
    hit = hits.index == 0
    enter, leave = through_box(viewer, box.world_from_box, hits.local[hit])
    return march(relief, number, camera, box, enter, leave), hit


def moved(camera: Camera, step: tuple[float, float, float], turn: float = 0.0) -> Camera:
    matrix = camera.world_from_camera.copy()
    cosine, sine = np.cos(turn), np.sin(turn)
    about = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    centre = BALL.world_from_box[:3, 3]
    matrix[:3, :3] = about @ matrix[:3, :3]
    matrix[:3, 3] = about @ (matrix[:3, 3] - centre) + centre + step
    return Camera(matrix, camera.fx, camera.fy, camera.cx, camera.cy)


def world(local: NDArray[np.float64]) -> NDArray[np.float64]:
    return local / 2 @ BALL.world_from_box[:3, :3].T + BALL.world_from_box[:3, 3]


def test_from_the_photos_own_camera_every_pixel_meets_itself(camera: Camera) -> None:
    relief = ball(camera)
    found, hit = marched(camera, relief, camera)
    shows = relief.owner[hit] == 0
    assert (found.kind[shows] == SURFACE).all()
    assert (found.kind[~shows] == EMPTY).all()
    here = pixel_centres(WIDTH, HEIGHT)[hit]
    np.testing.assert_allclose(found.at[shows], here[shows], atol=1e-9)


@pytest.mark.parametrize("turn", [0.15, -0.3])
def test_from_elsewhere_the_seen_surface_is_where_it_is(camera: Camera, turn: float) -> None:
    found, _ = marched(camera, ball(camera), moved(camera, (0.1, 0, 0.1), turn))
    seen = found.kind == SURFACE
    assert seen.sum() > 300
    points = world(found.local[seen])
    distance = np.linalg.norm(points - BALL.world_from_box[:3, 3], axis=1)
    # Within a pixel's width: of the ball's 40 pixels and the march's steps. Rims are seen at a grazing angle.
    assert np.median(np.abs(distance - 0.5)) < 0.01
    np.testing.assert_allclose(project_points(camera, points)[:, :2], found.at[seen], atol=1e-9)


def test_from_behind_the_hull_has_the_outline_of_the_ball(camera: Camera) -> None:
    viewer = moved(camera, (0, 0, 0), np.pi)
    found, hit = marched(camera, ball(camera), viewer)
    assert (found.kind == HULL).sum() > 300
    assert (found.kind == SURFACE).sum() < 0.1 * (found.kind == HULL).sum()
    outline = np.zeros(hit.shape, bool)
    outline[hit] = found.kind != EMPTY
    truth = ball(viewer).owner == 0
    union, common = (outline | truth).sum(), (outline & truth).sum()
    assert common / union > 0.93  # without a far side, a cone around the ball that the box ends: 0.7


@pytest.mark.parametrize("turn", [0.5 * np.pi, np.pi, -1.2])
def test_what_was_not_seen_is_met_on_the_far_side(camera: Camera, turn: float) -> None:
    found, _ = marched(camera, ball(camera), moved(camera, (0, 0, 0.2), turn))
    unseen = found.kind == HULL
    assert unseen.sum() > 150
    distance = np.linalg.norm(world(found.local[unseen]) - BALL.world_from_box[:3, 3], axis=1)
    assert np.median(np.abs(distance - 0.5)) < 0.01
    np.testing.assert_allclose(
        project_points(camera, world(found.local[unseen]))[:, :2], found.at[unseen], atol=1e-9
    )


def test_what_is_thinner_than_the_march_is_met_from_both_sides(camera: Camera) -> None:
    relief = ball(camera)
    shell = relief_of(relief.owner, relief.depth, relief.depth + 0.002)
    for turn in (0.0, np.pi):
        found, _ = marched(camera, shell, moved(camera, (0, 0, 0), turn))
        assert (found.kind == SURFACE).sum() > 300
        points = world(found.local[found.kind == SURFACE])
        assert np.median(np.abs(np.linalg.norm(points - BALL.world_from_box[:3, 3], axis=1) - 0.5)) < 0.01


def test_a_ray_from_beside_comes_in_at_the_outline(camera: Camera) -> None:
    """A column that the photo sees end on, looked at from its side, has straight edges."""
    x, y = np.moveaxis(pixel_centres(WIDTH, HEIGHT), -1, 0)
    owner = np.where((np.abs(x - 0.5) < 0.1) & (np.abs(y - 0.5) < 0.2), 0, -1)
    column = relief_of(owner, np.where(owner < 0, np.inf, 3.0))
    found, _ = marched(camera, column, moved(camera, (0, 0, 0), 0.5 * np.pi))
    beside = found.kind == HULL
    assert beside.sum() > 100
    rows, columns = np.nonzero(owner == 0)
    edges = [np.array([of.min(), of.max() + 1]) / size for of, size in ((columns, WIDTH), (rows, HEIGHT))]
    distances = [np.abs(found.at[beside, axis, None] - edges[axis]).min(axis=1) for axis in (0, 1)]
    # Between samples of the march a ray goes 0.35 / 16 across the picture, and is halved four times.
    assert np.quantile(np.minimum(*distances), 0.9) < 0.002


def test_what_another_object_hides_is_unknown(camera: Camera) -> None:
    relief = ball(camera)
    left = pixel_centres(WIDTH, HEIGHT)[..., 0] < 0.5
    owner = np.where(left & (relief.owner == 0), 1, relief.owner)
    depth = np.where(owner == 1, relief.depth - 1, relief.depth)
    found, hit = marched(camera, relief_of(owner, depth), camera)
    assert (found.kind[(owner == 1)[hit]] == UNKNOWN).all()
    assert (found.kind[(owner == 0)[hit]] == SURFACE).all()


def test_what_the_picture_cuts_off_is_unknown(camera: Camera) -> None:
    full = relief_of(np.zeros((HEIGHT, WIDTH)), np.full((HEIGHT, WIDTH), 3.0))
    aside = Box(box_matrix((2.2, 4.0, 0.6), (1.0, 1.0, 1.0)))
    found, _ = marched(camera, full, moved(camera, (1.5, 0, 0)), box=aside)
    assert (found.kind == UNKNOWN).any()


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scale_changes_nothing(camera: Camera, scale: float) -> None:
    relief = ball(camera)
    viewer = moved(camera, (0.2, 0, 0))

    def scaled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        out = matrix.copy()
        out[:3, 3] *= scale
        return out

    cameras = [Camera(scaled(c.world_from_camera), c.fx, c.fy, c.cx, c.cy) for c in (camera, viewer)]
    box = scaled(BALL.world_from_box)
    box[:3, :3] *= scale
    first, _ = marched(camera, relief, viewer)
    larger = relief_of(relief.owner, relief.depth * scale, relief.far * scale)
    second, _ = marched(cameras[0], larger, cameras[1], box=Box(box))
    assert (first.kind == second.kind).mean() > 0.999


def test_rays_enter_and_leave_on_the_boxs_surface(
    in_view: Callable[[int], tuple[Camera, list[NDArray[np.float64]]]],
) -> None:
    camera, boxes = in_view(3)
    for matrix in boxes:
        hits = box_map(camera, [matrix], 40, 30)
        local = hits.local[hits.index == 0]
        if not len(local):
            continue
        enter, leave = through_box(camera, matrix, local)
        np.testing.assert_array_equal(enter, local)
        assert np.abs(leave).max(axis=1) == pytest.approx(1, abs=1e-5)
        eye = 2 * (np.linalg.inv(matrix) @ camera.world_from_camera[:, 3])[:3]
        cosine = ((enter - eye) * (leave - eye)).sum(1)
        lengths = np.linalg.norm(enter - eye, axis=1) * np.linalg.norm(leave - eye, axis=1)
        np.testing.assert_allclose(cosine / lengths, 1, atol=1e-6)


def test_from_inside_a_box_rays_start_at_the_camera(camera: Camera) -> None:
    around = box_matrix((0, 0, 1.5), (4, 4, 3))
    hits = box_map(camera, [around], 20, 20)
    enter, leave = through_box(camera, around, hits.local.reshape(-1, 3))
    eye = 2 * (np.linalg.inv(around) @ camera.world_from_camera[:, 3])[:3]
    np.testing.assert_allclose(enter, np.broadcast_to(eye, enter.shape))
    np.testing.assert_array_equal(leave, hits.local.reshape(-1, 3))


def test_colours_on_a_rim_are_looked_for_inside(camera: Camera) -> None:
    relief = ball(camera)
    inner = unmixed(relief.owner)
    rim = (relief.owner == 0) & (inner < 0)
    at = pixel_centres(WIDTH, HEIGHT)
    moved_to = inward(inner, 0, at[rim])
    cells = np.floor(moved_to * (WIDTH, HEIGHT)).astype(int)
    assert (inner[cells[:, 1], cells[:, 0]] == 0).mean() > 0.95  # a corner may have none within two pixels
    assert np.abs((moved_to - at[rim]) * (WIDTH, HEIGHT)).max() < 2.001
    well_inside = at[inner == 0] + 0.2 / WIDTH
    np.testing.assert_array_equal(inward(inner, 0, well_inside), well_inside)
