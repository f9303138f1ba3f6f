"""Frames whose assets have meshes: exact shapes, colours from the photo where it shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.compose.frame_passes import FramePasses, motion
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points, rays
from na_core.geometry.mesh_file import mesh_bytes
from na_core.meshes.mesh_arrays import MeshArrays, MeshError
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.scene import Frame, Material, Mesh, MeshFile, Sampling
from tests.na_core.meshes.shapes import ball, cube, cube_bytes, mesh_of
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, smooth_photo, studio_of

WIDTH, HEIGHT = 96, 80
DRAFT = Sampling.from_preset("draft", width=WIDTH, height=HEIGHT)
FULL_TURN = st.floats(-np.pi, np.pi)


@pytest.fixture(scope="module")
def pipeline() -> NeuralAssetsPipeline:
    """A pipeline without a photo network: objects fill their 2D boxes."""
    torch.manual_seed(0)
    return build_pipeline(preset="guided", size="tiny")


@pytest.fixture(scope="module")
def studio() -> Studio:
    return build_studio([LEFT, RIGHT], WIDTH, HEIGHT)


def solid(frame: Frame, mesh: Mesh, slots: tuple[int, ...] = (0, 1)) -> Frame:
    """Return a frame whose assets in some slots have a mesh."""
    assets = [
        replace(placed, asset=replace(placed.asset, mesh=mesh)) if slot in slots else placed
        for slot, placed in enumerate(frame.assets)
    ]
    return replace(frame, assets=tuple(assets))


def picture(
    pipeline: NeuralAssetsPipeline,
    frame: Frame,
    studio: Studio,
    files: Mapping[str, MeshArrays],
    sampling: Sampling = DRAFT,
) -> NDArray[np.uint8]:
    return pipeline([frame], studio.photos, sampling, meshes=files).images[0]


def passes_of(
    pipeline: NeuralAssetsPipeline, frame: Frame, studio: Studio, files: Mapping[str, MeshArrays]
) -> FramePasses:
    return pipeline.passes(frame, studio.photos, WIDTH, HEIGHT, files)


def turned(matrix: NDArray, angle: float, offset: tuple[float, float, float] = (0, 0, 0)) -> NDArray:
    """Return a box that is turned about its up axis and moved."""
    c, s = np.cos(angle), np.sin(angle)
    found = matrix.copy()
    found[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ matrix[:3, :3]
    found[:3, 3] += offset
    return found


@pytest.mark.parametrize("data", [cube_bytes(), mesh_bytes(*ball()), mesh_bytes(1.4 * cube()[0], cube()[1])])
@pytest.mark.parametrize("sampling", [DRAFT, replace(DRAFT, steps=1, preset="custom")])
def test_a_photo_in_which_nothing_moved_is_itself_whatever_the_mesh(pipeline, studio, data, sampling) -> None:
    mesh, files = mesh_of(data)
    shown = picture(pipeline, solid(studio.frame(), mesh), studio, files, sampling)
    np.testing.assert_array_equal(shown, studio.photo)


@settings(max_examples=15, deadline=None)
@given(angle=FULL_TURN, aside=st.floats(-0.3, 0.3), nearer=st.floats(-0.8, 1.0))
def test_depth_index_position_and_normals_are_the_meshs(pipeline, studio, angle, aside, nearer) -> None:
    """Of a cube that fills its box, against slabs in numpy."""
    mesh, files = mesh_of(cube_bytes())
    boxes = [turned(LEFT, angle, (aside, nearer, 0)), turned(RIGHT, -angle, (0, 0, aside))]
    frame = solid(studio.frame(dict(enumerate(boxes))), mesh)
    found = passes_of(pipeline, frame, studio, files)
    ways = rays(frame.camera, pixel_centres(WIDTH, HEIGHT))
    eye = frame.camera.world_from_camera[:3, 3]
    depth, index = np.full((HEIGHT, WIDTH), np.inf), np.zeros((HEIGHT, WIDTH), int)
    for number, box in enumerate(boxes, 1):
        inverse = np.linalg.inv(box)
        start, way = inverse[:3, :3] @ eye + inverse[:3, 3], ways @ inverse[:3, :3].T
        ends = np.sort(np.stack([(-0.5 - start) / way, (0.5 - start) / way]), axis=0)
        enter, leave = ends[0].max(axis=-1), ends[1].min(axis=-1)
        nearer_hit = (enter < leave) & (enter > 0) & (enter < depth)
        depth, index = np.where(nearer_hit, enter, depth), np.where(nearer_hit, number, index)
    assert (found.index != index).mean() < 2e-3  # a ray along an edge
    same = (found.index == index) & (index > 0)
    np.testing.assert_allclose(found.depth[same], depth[same], rtol=1e-5)
    np.testing.assert_allclose(found.position[same], (eye + ways * depth[..., None])[same], atol=1e-4)
    for number, box in enumerate(boxes, 1):
        own = same & (index == number)
        faces = np.concatenate([box[:3, :3].T, -box[:3, :3].T])
        faces /= np.linalg.norm(faces, axis=1, keepdims=True)
        assert ((found.normal[own] @ faces.T).max(axis=1) > 0.9999).all()
        assert ((found.normal[own] * ways[own]).sum(axis=1) < 0).all()


def test_a_mesh_may_reach_out_of_its_box(pipeline, studio) -> None:
    mesh, files = mesh_of(mesh_bytes(cube()[0] * [1, 1, 1] + [0, 0, 1.0], cube()[1]))
    high = turned(LEFT, 0.3)
    frame = solid(studio.frame({0: high}), mesh, (0,))
    above = high.copy()
    above[:3, 3] += above[:3, 2]
    same = studio.frame({0: above})
    whole, files_whole = mesh_of(cube_bytes())
    expected = passes_of(pipeline, solid(same, whole, (0,)), studio, files_whole)
    np.testing.assert_array_equal(passes_of(pipeline, frame, studio, files).index, expected.index)


def test_a_point_that_the_photo_shows_keeps_its_colour_wherever_it_goes(pipeline) -> None:
    photo = smooth_photo(WIDTH, HEIGHT)
    studio = studio_of(
        photo, camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.3), [LEFT]
    )
    mesh, files = mesh_of(cube_bytes())
    frame = solid(studio.frame({0: turned(LEFT, 0, (0.7, 0.2, 0))}), mesh)
    shown, found = picture(pipeline, frame, studio, files), passes_of(pipeline, frame, studio, files)
    seen = (found.index == 1) & (found.validity == 1)
    assert seen.sum() > 100
    way = LEFT @ np.linalg.inv(frame.assets[0].box.world_from_box)
    points = found.position[seen] @ way[:3, :3].T + way[:3, 3]
    x, y, _ = (project_points(studio.camera, points) * (WIDTH, HEIGHT, 1)).T
    expected = photo[y.astype(int).clip(0, HEIGHT - 1), x.astype(int).clip(0, WIDTH - 1)]
    off = np.abs(shown[seen].astype(int) - expected)
    assert np.median(off) <= 8  # the photo changes from pixel to pixel


def test_a_half_turn_shows_the_back_in_the_meshs_own_colour_and_the_photos_light(pipeline) -> None:
    """The photo is of half the light: a red that it never shows is half as bright, too."""
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    studio = studio_of(
        grey, camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.3), [RIGHT]
    )
    materials = np.zeros(12, np.int32)
    materials[6:8] = 1  # +y, which faces away
    mesh, files = mesh_of(
        cube_bytes(materials=materials), Material((0.8, 0.8, 0.8)), Material((0.8, 0.0, 0.0))
    )
    box = box_matrix((0, 4.0, 0.3), (0.6, 0.8, 0.6), yaw=0.0)
    studio = studio_of(grey, studio.camera, [box])
    frame = solid(studio.frame({0: turned(box, np.pi)}), mesh)
    found, shown = passes_of(pipeline, frame, studio, files), picture(pipeline, frame, studio, files)
    back = (found.index == 1) & (np.abs(found.normal[..., 1]) > 0.9)
    assert found.validity[back].sum() == 0
    red, green, blue = np.median(shown[back], axis=0)
    assert abs(red - 128) < 6
    assert max(green, blue) < 30


def test_a_deformed_mesh_takes_its_colours_along(pipeline, studio) -> None:
    vertices, triangles = cube()
    taller = vertices * [1, 1, 1.5] + [0, 0, 0.25]
    mesh, files = mesh_of(cube_bytes())
    moved, more = mesh_of(mesh_bytes(taller, triangles))
    deformed = mesh_bytes(taller)
    name, vertices_alone = mesh_of(deformed)
    frame = solid(studio.frame(), mesh, (0,))
    first = replace(frame.assets[0], deformed=name.file)
    frame = replace(frame, assets=(first, frame.assets[1]))
    found = passes_of(pipeline, frame, studio, {**files, **vertices_alone})
    stretched = passes_of(pipeline, solid(studio.frame(), moved, (0,)), studio, more)
    np.testing.assert_array_equal(found.index, stretched.index)
    np.testing.assert_allclose(found.depth, stretched.depth, rtol=1e-6)
    top = picture(pipeline, frame, studio, {**files, **vertices_alone})
    assert not np.array_equal(top, studio.photo)
    fewer, few = mesh_of(mesh_bytes(taller[:5]))
    frame = replace(frame, assets=(replace(first, deformed=fewer.file), frame.assets[1]))
    with pytest.raises(MeshError, match="Apply them"):
        picture(pipeline, frame, studio, {**files, **few})


def test_motion_of_a_mesh_that_deforms_is_that_of_its_points(pipeline, studio) -> None:
    """A point on the mesh, found in the other frame by its triangle, is where motion says, in pixels."""
    vertices, triangles = ball()
    bent = vertices + 0.3 * np.stack([vertices[:, 2] ** 2, 0 * vertices[:, 0], vertices[:, 0]], axis=1)
    mesh, files = mesh_of(mesh_bytes(vertices, triangles))
    other, more = mesh_of(mesh_bytes(bent))
    files = {**files, **more}
    first = solid(studio.frame({0: turned(LEFT, 0.2)}), mesh, (0,))
    second = solid(studio.frame({0: turned(LEFT, 0.5, (0.1, 0.1, 0))}), mesh, (0,))
    moved = replace(second.assets[0], deformed=other.file)
    second = replace(second, assets=(moved, second.assets[1]))
    here = passes_of(pipeline, first, studio, files)
    way = motion(first, here, second, files)
    own = here.index == 1
    hits = here.hits[0]
    points = (bent[triangles[hits.triangle]] * hits.weights[..., None]).sum(axis=1)
    box = moved.box.world_from_box
    expected = project_points(second.camera, points @ box[:3, :3].T + box[:3, 3])[:, :2] * (WIDTH, HEIGHT)
    found = (pixel_centres(WIDTH, HEIGHT) * (WIDTH, HEIGHT) + way)[own]
    assert np.abs(found - expected).max() < 0.5
    rigid = motion(first, here, second)
    assert np.abs(rigid - way)[own].max() > 1  # as the box moves it would be elsewhere
    back = motion(second, passes_of(pipeline, second, studio, files), first, files)
    assert np.isfinite(back).all()


def test_meshes_and_reliefs_hide_each_other_by_depth(pipeline, studio) -> None:
    mesh, files = mesh_of(cube_bytes())
    boxes = {0: turned(RIGHT, 0.2, (-0.1, -1.5, 0)), 1: RIGHT}
    both = passes_of(pipeline, solid(studio.frame(boxes), mesh, (0,)), studio, files)
    alone = passes_of(pipeline, solid(studio.frame({**boxes, 1: None}), mesh, (0,)), studio, files)
    assert ((alone.index == 1) & (both.index != 1)).sum() == 0  # it stands in front


def test_an_open_mesh_and_one_without_uvs_render(pipeline, studio) -> None:
    vertices, triangles = cube()
    mesh, files = mesh_of(mesh_bytes(vertices, triangles[:7]), Material(texture=studio.name))
    frame = solid(studio.frame({0: turned(LEFT, 2.0)}), mesh, (0,))
    assert (passes_of(pipeline, frame, studio, files).index == 1).sum() > 50
    assert picture(pipeline, frame, studio, files).shape == (HEIGHT, WIDTH, 3)


def test_a_camera_inside_the_mesh_sees_its_inside(pipeline, studio) -> None:
    mesh, files = mesh_of(mesh_bytes(*ball()))
    around = np.diag([20.0, 20.0, 20.0, 1.0])
    frame = solid(studio.frame({0: around, 1: None}), mesh, (0,))
    found = passes_of(pipeline, frame, studio, files)
    assert (found.index == 1).all()
    np.testing.assert_allclose(np.linalg.norm(found.position, axis=-1), 10, atol=0.1)


def test_a_missing_file_is_a_missing_key(pipeline, studio) -> None:
    with pytest.raises(KeyError):
        picture(pipeline, solid(studio.frame(), Mesh(MeshFile("0" * 64))), studio, {})
