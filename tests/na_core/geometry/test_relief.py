"""Reliefs: rays meet what the photo saw, its hull where it did not, and nothing where the photo saw past."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points, rays
from na_core.geometry.relief import EMPTY, HULL, SURFACE, UNKNOWN, Relief, march, through_box
from na_core.scene import Box, Camera

WIDTH, HEIGHT = 96, 72
BALL = Box(box_matrix((0.1, 4.0, 0.6), (1.0, 1.0, 1.0), 0.4))
"""Of a ball of 1 metre, which :func:`ball` is the relief of."""


@pytest.fixture
def camera() -> Camera:
    return camera_of_photo(1.4 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.25)


def relief_of(owner: NDArray, depth: NDArray) -> Relief:
    return Relief(owner.astype(np.int32), depth.astype(np.float32), owner.astype(np.int32))


def ball(camera: Camera) -> Relief:
    """Photograph the ball: exact owner and depth of every pixel."""
    centre = BALL.world_from_box[:3, 3]
    start = camera.world_from_camera[:3, 3]
    direction = rays(camera, pixel_centres(WIDTH, HEIGHT))
    a = (direction**2).sum(-1)
    b = 2 * (direction * (start - centre)).sum(-1)
    c = ((start - centre) ** 2).sum() - 0.25
    inside = b**2 - 4 * a * c
    hit = inside > 0
    depth = (-b - np.sqrt(np.maximum(inside, 0))) / (2 * a)  # rays have one metre of depth
    return relief_of(np.where(hit, 0, -1), np.where(hit, depth, np.inf))


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
    # Seen from a metre above, a cone around the ball is longer than the ball; the box alone would have 0.6.
    assert common / union > 0.7


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
    second, _ = marched(cameras[0], relief_of(relief.owner, relief.depth * scale), cameras[1], box=Box(box))
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
