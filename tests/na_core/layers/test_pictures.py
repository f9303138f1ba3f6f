"""Layers as pictures: outlines and shadows object by object, depth and normals all over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, rays
from na_core.layers.layers import Layers
from na_core.layers.pictures import layer_pictures, normals_of
from na_core.layers.resample import resampled, resampled_normals
from na_core.layers.take_apart import take_apart
from na_core.scene import Camera
from na_core.tensors.views import SourceView, source_views, views_as_tensors
from tests.na_core.reference import nearest_boxes
from tests.na_core.studio import Studio


def taken_apart(studio: Studio) -> tuple[Layers, SourceView]:
    view = source_views(studio.frame())[0]
    return take_apart(views_as_tensors([view], torch.from_numpy(studio.photo)[None])), view


def test_each_object_has_its_outline_and_its_shadow(studio: Studio) -> None:
    layers, view = taken_apart(studio)
    thrown = torch.full_like(layers.shadow_owner, -1)
    thrown[0, 40:50, 5:20], thrown[0, 40:50, 40:60] = 0, 1
    darker = torch.where((thrown >= 0)[..., None], torch.tensor([-0.5, -0.6, -0.7]), 0.0).half()
    pictures = layer_pictures(replace(layers, shadow=darker, shadow_owner=thrown), view)
    shown = nearest_boxes(studio.camera, studio.boxes, 64, 64).index
    for number in range(2):
        np.testing.assert_array_equal(pictures.outline(number), 255 * (shown == number))
        there = thrown[0].numpy() == number
        np.testing.assert_allclose(pictures.shadow(number)[there][0], np.exp([-0.5, -0.6, -0.7]), rtol=2e-3)
        assert (pictures.shadow(number)[~there] == 1).all()
    np.testing.assert_array_equal(pictures.photo, studio.photo)


def test_a_photo_without_objects_is_its_own_plate(studio: Studio) -> None:
    view = SourceView(studio.name.sha256, studio.camera, (), ())
    layers = take_apart(views_as_tensors([view], torch.from_numpy(studio.photo)[None]))
    pictures = layer_pictures(layers, view)
    assert pictures.objects == 0
    assert (pictures.owner == -1).all()
    assert (pictures.light == 1).all()
    np.testing.assert_array_equal(pictures.plate, studio.photo)


def test_depth_is_the_objects_and_behind_them_the_grounds(studio: Studio) -> None:
    pictures = layer_pictures(*taken_apart(studio))
    nearest = nearest_boxes(studio.camera, studio.boxes, 64, 64)
    shown = nearest.index >= 0
    np.testing.assert_allclose(pictures.depth[shown], nearest.depth[shown], rtol=1e-4)
    down = rays(studio.camera, pixel_centres(64, 64))[..., 2]
    ground = ~shown & (down < -0.3)  # nearer than the dome
    assert ground.sum() > 300
    height = studio.camera.world_from_camera[2, 3]
    np.testing.assert_allclose(pictures.depth[ground], height / -down[ground], rtol=1e-4)
    np.testing.assert_allclose(pictures.normals[ground], [(0, 0, 1)] * ground.sum(), atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(
    yaw=st.floats(-3, 3), pitch=st.floats(0.1, 0.9), size=st.tuples(st.integers(8, 60), st.integers(8, 60))
)
def test_normals_are_those_of_planes(yaw: float, pitch: float, size: tuple[int, int]) -> None:
    width, height = size
    camera = camera_of_photo(1.2 * width, width, height, 1.5, pitch)
    normal = box_matrix((0, 0, 0), (1, 1, 1), yaw)[:3, :3] @ np.array([0.3, -0.6, 0.74])
    directions = rays(camera, pixel_centres(width, height))
    facing = directions @ normal
    depth = np.where(np.abs(facing) > 0.05, -2 / np.where(facing == 0, 1, facing), 0)
    owner = np.where(depth > 0, 0, -1)
    found = normals_of(camera, depth, owner)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    assert ((found * directions).sum(-1) <= 1e-6).all()
    inner = owner == 0
    for axis in (0, 1):
        inner &= (np.roll(owner, 1, axis) == 0) & (np.roll(owner, -1, axis) == 0)
    inner[[0, -1]], inner[:, [0, -1]] = False, False
    np.testing.assert_allclose(
        found[inner], np.tile(normal / np.linalg.norm(normal), (inner.sum(), 1)), atol=0.02
    )


def test_a_pixel_alone_faces_the_camera() -> None:
    camera = Camera(np.eye(4), fx=1.0, fy=1.0)
    depth, owner = np.full((5, 5), 2.0), np.full((5, 5), -1)
    owner[2, 2] = 0
    np.testing.assert_allclose(normals_of(camera, depth, owner)[2, 2], (0, 0, 1), atol=1e-6)


def test_what_a_network_saw_of_normals_is_turned_into_the_world(studio: Studio) -> None:
    layers, view = taken_apart(studio)
    right = torch.tensor([127, 0, 0], dtype=torch.int8)
    seen = torch.where((layers.owner == 1)[..., None], right, torch.zeros_like(right))
    pictures = layer_pictures(replace(layers, normals=seen), view)
    own = layers.owner[0].numpy() == 1
    across = studio.camera.world_from_camera[:3, 0]
    np.testing.assert_allclose(pictures.normals[own], np.tile(across, (own.sum(), 1)), atol=1e-6)
    assert not np.allclose(pictures.normals[layers.owner[0].numpy() == 0], across)


def test_normals_stay_with_their_objects_at_other_sizes(studio: Studio) -> None:
    layers, _ = taken_apart(studio)
    ways = torch.tensor([[127, 0, 0], [0, 0, 127], [0, 0, 0]], dtype=torch.int8)
    layers = replace(layers, normals=ways[layers.owner.long()])
    for side in (24, 64, 150):
        other = resampled(layers, side, side)
        length = other.normals.float().norm(dim=-1)
        assert (length[other.owner < 0] == 0).all()
        assert ((length - 127).abs()[other.owner >= 0] < 1.5).float().mean() > 0.95
        for number, axis in ((0, 0), (1, 2)):
            own = other.normals[other.owner == number]
            assert (own[:, axis] > 100).float().mean() > 0.9


def test_unknown_normals_stay_unknown() -> None:
    nothing = resampled_normals(np.zeros((4, 4, 3), np.float32), np.zeros((9, 7), np.int32))
    assert nothing.shape == (9, 7, 3)
    assert not nothing.any()
