"""Passes say what is seen where: held against ray casts, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from na_core.compose.frame_passes import FramePasses, frame_passes, motion
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points, rays
from na_core.layers.take_apart import FILLED_BOXES, TakingApart, take_apart
from na_core.scene import Frame
from tests.na_core.reference import nearest_boxes
from tests.na_core.studio import LEFT, RIGHT, Studio, batch_of, build_studio, composed

SIDE = 64


def passes_of(
    studio: Studio, frame: Frame, how: TakingApart = FILLED_BOXES, oversampling: int = 1
) -> FramePasses:
    _, layers, _ = composed(frame, studio.photos, SIDE * oversampling, SIDE * oversampling, how)
    return frame_passes(layers, frame, batch_of(frame), SIDE, SIDE, oversampling)


def off_edges(index: NDArray[np.integer], reach: int = 1) -> NDArray[np.bool_]:
    """Return pixels all of whose neighbours show the same."""
    inner = np.ones(index.shape, bool)
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            inner &= np.roll(index, (down, across), (0, 1)) == index
    inner[[0, -1]], inner[:, [0, -1]] = False, False
    return inner


@pytest.fixture(scope="module")
def studio() -> Studio:
    return build_studio([LEFT, RIGHT], SIDE, SIDE)


@pytest.fixture(params=range(8))
def edited(studio: Studio, request: pytest.FixtureRequest) -> Frame:
    """Return a frame in which boxes and the camera have moved at random."""
    random = np.random.default_rng(request.param)
    boxes = {}
    for number, (x, y) in enumerate(((-0.7, 4.0), (0.7, 4.5))):
        size = random.uniform(0.3, 0.9, 3)
        x, y = x + random.uniform(-0.5, 0.5), y + random.uniform(-0.5, 0.5)
        boxes[number] = box_matrix((x, y, size[2] / 2 + random.uniform(0, 0.3)), size, random.uniform(-3, 3))
    height, pitch = 1.5 + random.uniform(-0.5, 0.5), 0.3 + random.uniform(-0.1, 0.2)
    return studio.frame(boxes, camera_of_photo(1.2 * SIDE, SIDE, SIDE, height, pitch))


def test_depth_index_and_position_are_those_of_ray_casts(studio: Studio, edited: Frame) -> None:
    frame, passes = edited, passes_of(studio, edited)
    nearest = nearest_boxes(frame.camera, [placed.box.world_from_box for placed in frame.assets], SIDE, SIDE)
    inner = off_edges(nearest.index)
    assert (passes.index == nearest.index + 1)[inner].mean() > 0.999
    shown = inner & (nearest.index >= 0) & (passes.index > 0)
    # Faces beside what the photo shows are met as exactly as its pixels tell.
    error = np.abs(passes.depth / nearest.depth - 1)[shown]
    assert np.quantile(error, 0.99) < 4 / (1.2 * SIDE)  # boxes may be larger than the photo shows them
    assert np.median(error) < 3e-3
    down = rays(frame.camera, pixel_centres(SIDE, SIDE))
    ground = inner & (passes.index == 0) & (down[..., 2] < -0.3)
    height = frame.camera.world_from_camera[2, 3]
    np.testing.assert_allclose(passes.depth[ground], height / -down[ground][:, 2], rtol=1e-3)
    np.testing.assert_allclose(passes.position[ground][:, 2], 0, atol=2e-3)
    seen = project_points(frame.camera, passes.position)
    np.testing.assert_allclose(seen[..., :2], pixel_centres(SIDE, SIDE), atol=1e-4)
    np.testing.assert_allclose(seen[..., 2], passes.depth, rtol=1e-4)


def test_normals_of_boxes_are_those_of_their_faces(studio: Studio, edited: Frame) -> None:
    frame, passes = edited, passes_of(studio, edited)
    np.testing.assert_allclose(np.linalg.norm(passes.normal, axis=-1), 1, atol=1e-5)
    assert ((passes.normal * rays(frame.camera, pixel_centres(SIDE, SIDE))).sum(-1) < 1e-6).all()
    for number, placed in enumerate(frame.assets, 1):
        matrix = placed.box.world_from_box
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        local = (passes.position - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
        face = np.abs(local).argmax(axis=-1)
        inner = off_edges(np.where(passes.index == number, face, -1), 2) & (passes.index == number)
        along = np.take_along_axis(passes.normal @ axes, face[..., None], axis=-1)[..., 0]
        assert not inner.any() or np.median(along[inner] * np.sign(along[inner])) > 0.98


def test_normals_that_a_network_saw_turn_with_their_box(studio: Studio) -> None:
    layers = take_apart(studio.views())
    up = studio.camera.world_from_camera[:3, :3].T @ (0, 0, 1)
    seen = torch.from_numpy(np.rint(127 * up).astype(np.int8))
    layers = replace(
        layers, normals=torch.where((layers.owner >= 0)[..., None], seen, torch.zeros_like(seen))
    )
    tilt = np.eye(4)
    tilt[:3, :3] = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]  # towards the camera
    moved = LEFT.copy()
    moved[:3, :3] = tilt[:3, :3] @ LEFT[:3, :3]
    frame = studio.frame({0: moved})
    passes = frame_passes(layers, frame, batch_of(frame), SIDE, SIDE)
    turned, still = ((passes.index == number) & (passes.validity == 1) for number in (1, 2))
    assert turned.sum() > 100
    expected = np.isclose(passes.normal[turned] @ tilt[:3, 2], 1, atol=2e-3)
    assert expected.mean() > 0.9
    np.testing.assert_allclose(passes.normal[still] @ (0, 0, 1), 1, atol=2e-3)


@pytest.mark.parametrize("oversampling", [1, 2])
def test_alphas_cover_what_the_index_shows(studio: Studio, oversampling: int) -> None:
    frame = studio.frame({0: box_matrix((-0.2, 3.6, 0.4), (0.7, 0.5, 0.8), yaw=1.0)})
    passes = passes_of(studio, frame, oversampling=oversampling)
    inner = off_edges(passes.index)
    assert passes.alpha.shape == (2, SIDE, SIDE)
    for number, alpha in enumerate(passes.alpha, 1):
        np.testing.assert_array_equal(alpha[inner], passes.index[inner] == number)
    assert passes.alpha.sum(axis=0).max() <= 1 + 1e-6
    if oversampling > 1:
        assert ((passes.alpha > 0) & (passes.alpha < 1)).any()


def test_the_plate_is_the_frame_without_its_assets(studio: Studio) -> None:
    frame = studio.frame({0: box_matrix((-0.2, 3.6, 0.4), (0.7, 0.5, 0.8), yaw=1.0)})
    passes, empty = passes_of(studio, frame), passes_of(studio, studio.frame({0: None, 1: None}))
    np.testing.assert_allclose(passes.plate, empty.proxy, atol=1e-6)
    assert (passes.shadow == 1).all()
    behind = (passes.index == 0) & (passes.validity == 1) & off_edges(passes.index, 4)  # beside strips
    np.testing.assert_allclose(passes.proxy[behind], passes.plate[behind], atol=0.01)


def test_a_frame_without_assets_has_every_pass(studio: Studio) -> None:
    passes = passes_of(studio, studio.frame({0: None, 1: None}))
    assert passes.alpha.shape == (0, SIDE, SIDE)
    assert not passes.index.any()
    assert np.isfinite(passes.depth).all()


def test_motion_leads_to_what_the_next_frame_shows(studio: Studio) -> None:
    """A pattern that sticks to the world and its boxes is found again within half a pixel."""
    first = studio.frame()
    camera = camera_of_photo(1.25 * SIDE, SIDE, SIDE, 1.55, 0.32)
    second = studio.frame({0: box_matrix((-0.6, 3.95, 0.4), (0.7, 0.5, 0.8), yaw=0.6)}, camera)
    here, there = passes_of(studio, first), passes_of(studio, second)
    way = motion(first, here, second)
    back = motion(second, there, first)
    x, y = np.moveaxis(pixel_centres(SIDE, SIDE) * SIDE + way, -1, 0) - 0.5
    inside = (x > 1) & (x < SIDE - 2) & (y > 1) & (y < SIDE - 2)
    same = map_coordinates(there.index, (y, x), order=0, mode="nearest") == here.index
    returned = np.stack([map_coordinates(back[..., k], (y, x), order=1, mode="nearest") for k in (0, 1)], -1)
    inner = inside & same & off_edges(here.index) & (here.validity == 1)
    assert inner.sum() > 1500
    error = np.linalg.norm(way + returned, axis=-1)[inner]
    assert np.quantile(error, 0.99) < 0.5
    assert np.abs(way[here.index == 1]).max() > 1


def test_nothing_moves_where_there_is_no_other_frame(studio: Studio) -> None:
    frame = studio.frame()
    passes = passes_of(studio, frame)
    assert not motion(frame, passes, None).any()
    np.testing.assert_allclose(motion(frame, passes, frame), 0, atol=1e-4)


def test_an_asset_that_the_other_frame_lacks_stays(studio: Studio) -> None:
    frame, other = studio.frame(), studio.frame({0: None})
    passes = passes_of(studio, frame)
    np.testing.assert_allclose(motion(frame, passes, other), 0, atol=1e-4)
