"""Assets that several photos show: each point comes from the photo that saw it best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.scene import AssetView, Box, Camera, Frame, Mesh, Photo, PlacedAsset, Sampling
from tests.na_core.meshes.shapes import cube_bytes, mesh_of
from tests.na_core.studio import Studio, studio_of

WIDTH, HEIGHT = 96, 80
CAMERA = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.3)
BOX = box_matrix((0, 4.0, 0.4), (0.8, 0.8, 0.8), yaw=0.0)
DRAFT = Sampling.from_preset("draft", width=WIDTH, height=HEIGHT)
BACK = Photo("b" * 64)
RED, GREEN = (200, 40, 30), (40, 190, 60)


def flat(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def turned(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    found = BOX.copy()
    found[:2, :2] = np.array([[c, -s], [s, c]]) @ BOX[:2, :2]
    return found


@pytest.fixture(scope="module")
def pipeline() -> NeuralAssetsPipeline:
    torch.manual_seed(0)
    return build_pipeline(preset="guided", size="tiny")


@pytest.fixture(scope="module")
def studio() -> Studio:
    """A photo that is red all over, of a box."""
    return studio_of(flat(RED), CAMERA, [BOX])


def frame_of(
    studio: Studio, angle: float, *, both: bool, mesh: Mesh | None = None, camera: Camera | None = None
) -> Frame:
    """Return the box turned; seen also in a green photo that shows it half turned."""
    back = Box(turned(np.pi))
    view = AssetView(BACK, back, CAMERA, bounds_2d(CAMERA, back))
    asset = replace(studio.assets[0], views=(view,) if both else (), mesh=mesh)
    frame = studio.frame(camera=camera)
    return replace(frame, assets=(PlacedAsset(asset, Box(turned(angle)), match_light=0.0),))


def shown(pipeline: NeuralAssetsPipeline, studio: Studio, frame: Frame, meshes=None) -> tuple:
    photos = {**studio.photos, BACK.sha256: flat(GREEN)}
    picture = pipeline([frame], photos, DRAFT, meshes=meshes or {}).images[0]
    return picture, pipeline.passes(frame, photos, WIDTH, HEIGHT, meshes or {})


def greens(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return picture[..., 1].astype(int) > picture[..., 0]


def test_where_it_has_not_moved_the_photo_is_itself(pipeline, studio) -> None:
    picture, _ = shown(pipeline, studio, frame_of(studio, 0.0, both=True))
    np.testing.assert_array_equal(picture, studio.photo)


def test_a_half_turn_shows_the_other_photo(pipeline, studio) -> None:
    frame = frame_of(studio, np.pi, both=True)
    picture, passes = shown(pipeline, studio, frame)
    inside = passes.index == 1
    assert inside.sum() > 300
    assert (greens(picture) & inside).sum() > 0.9 * inside.sum()
    assert passes.validity[inside].mean() > 0.9
    alone, _ = shown(pipeline, studio, frame_of(studio, np.pi, both=False))
    assert not greens(alone).any()


@pytest.mark.parametrize("angle", [0.3, 0.8, 2.3, 2.9])
def test_each_side_comes_from_the_photo_that_saw_it(pipeline, studio, angle) -> None:
    mesh, files = mesh_of(cube_bytes())
    picture, passes = shown(pipeline, studio, frame_of(studio, angle, both=True, mesh=mesh), files)
    front = np.array([np.sin(angle), -np.cos(angle), 0])  # the outward normal of what the red photo shows
    towards = (passes.normal @ front)[..., None]
    for sign, expect in ((1, False), (-1, True)):
        face = (passes.index == 1) & (towards[..., 0] * sign > 0.99)
        if face.sum() > 20:
            assert (greens(picture)[face] == expect).mean() > 0.9


def test_sides_that_no_photo_sees_are_none_of_theirs(pipeline, studio) -> None:
    mesh, files = mesh_of(cube_bytes())
    _, passes = shown(pipeline, studio, frame_of(studio, np.pi / 2, both=True, mesh=mesh), files)
    side = (passes.index == 1) & (np.abs(passes.normal[..., 1]) > 0.99)
    assert side.sum() > 100
    assert passes.validity[side].mean() < 0.1


def test_what_one_photo_lacks_the_other_carves(pipeline, studio) -> None:
    """The second photo says by its 2D box that the object is half as wide: nothing is seen beyond."""
    back = Box(turned(np.pi))
    x0, y0, x1, y1 = bounds_2d(CAMERA, back)
    narrow = AssetView(BACK, back, CAMERA, (x0, y0, (x0 + x1) / 2, y1))
    frame = frame_of(studio, np.pi, both=True)
    placed = frame.assets[0]
    whole = shown(pipeline, studio, frame)[1]
    carved = replace(placed, asset=replace(placed.asset, views=(narrow,)))
    half = shown(pipeline, studio, replace(frame, assets=(carved,)))[1]
    assert (half.index == 1).sum() < 0.75 * (whole.index == 1).sum()


def test_an_asset_without_other_views_looks_the_same_beside_one_with(pipeline, studio) -> None:
    other = box_matrix((1.0, 5.0, 0.3), (0.5, 0.5, 0.6), yaw=0.4)
    pair = studio_of(flat(RED), CAMERA, [BOX, other])
    moved = other.copy()
    moved[0, 3] += 0.3
    beside = PlacedAsset(pair.assets[1], Box(moved))
    found = []
    for both in (False, True):
        frame = frame_of(studio, 0.5, both=both)
        found.append(shown(pipeline, studio, replace(frame, assets=(*frame.assets, beside))))
    (one, before), (two, after) = found
    mine = (before.index == 2) & (after.index == 2)
    assert mine.sum() > 50
    np.testing.assert_array_equal(one[mine], two[mine])
