"""Our projection and box map against Blender's own: world_to_camera_view and the passes of Cycles.

Needs na_core and bpy only: from a source tree as it is, from the installed extension otherwise.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Matrix, Vector

from tests.na_core.lens import camera_from_lens
from tests.na_core.reference import nearest_boxes

SIZE = 128
CUBES = 8
VIEWS = 120


@pytest.fixture(scope="module")
def core(request: pytest.FixtureRequest) -> SimpleNamespace:
    """na_core's geometry; where it is not installed by itself, the extension brings it along."""
    try:
        importlib.import_module("na_core.geometry")
    except ModuleNotFoundError:
        request.getfixturevalue("addon")
    names = ("camera", "boxes")
    return SimpleNamespace(**{n: importlib.import_module(f"na_core.geometry.{n}") for n in names})


@pytest.fixture
def stage() -> Iterator[bpy.types.Scene]:
    """An empty scene with a camera."""
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    yield scene
    scene.render.engine = "BLENDER_WORKBENCH"


def set_randomly(scene: bpy.types.Scene, rng: np.random.Generator, number: int) -> tuple[int, int]:
    """Give the camera and the picture random settings; return the picture's size in pixels.

    world_to_camera_view knows the aspect before the percentage truncates it to whole pixels, so sizes are
    multiples of 100, which no percentage truncates.
    """
    render, camera = scene.render, scene.camera
    render.resolution_x, render.resolution_y = (int(100 * n) for n in rng.integers(2, 24, 2))
    render.resolution_percentage = int(rng.integers(1, 201))
    render.pixel_aspect_x, render.pixel_aspect_y = (1.0, 1.0) if number % 2 else rng.uniform(1, 2, 2)
    data = camera.data
    data.sensor_fit = ("AUTO", "HORIZONTAL", "VERTICAL")[number % 3]
    data.lens = rng.uniform(15, 120)
    data.sensor_width, data.sensor_height = rng.uniform(8, 40, 2)
    data.shift_x, data.shift_y = (0.0, 0.0) if number % 5 == 0 else rng.uniform(-0.5, 0.5, 2)
    camera.location = rng.uniform(-2, 2, 3)
    camera.rotation_euler = rng.uniform(-math.pi, math.pi, 3)
    camera.scale = rng.uniform(0.5, 2, 3)
    bpy.context.view_layer.update()
    share = render.resolution_percentage / 100
    return round(render.resolution_x * share), round(render.resolution_y * share)


def boxes_before(camera: bpy.types.Object, rng: np.random.Generator) -> list[np.ndarray]:
    """Return a box in front of the camera, one beside the picture and one behind the camera, all sheared."""
    boxes = []
    for middle in ((0, 0, -rng.uniform(3, 9)), (4, 3, -rng.uniform(3, 9)), (0, 1, rng.uniform(3, 9))):
        turn = np.array(Euler(rng.uniform(-3, 3, 3)).to_matrix())
        shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
        box = np.eye(4)
        box[:3, :3] = turn @ shear @ np.diag(rng.uniform(0.2, 1.2, 3))
        box[:3, 3] = camera.matrix_world.normalized() @ Vector(middle)
        boxes.append(box)
    return boxes


def test_projection_is_blenders(stage: bpy.types.Scene, core: SimpleNamespace) -> None:
    rng = np.random.default_rng(5)
    worst = 0.0
    for number in range(VIEWS):
        width, height = set_randomly(stage, rng, number)
        camera, render = stage.camera, stage.render
        boxes = boxes_before(camera, rng)
        corners = core.boxes.box_corners(np.stack(boxes))
        expected = np.array(
            [[world_to_camera_view(stage, camera, Vector(c)) for c in box] for box in corners.tolist()]
        )
        expected[..., 1] = 1 - expected[..., 1]
        from_lens = camera_from_lens(
            camera.matrix_world,
            lens=camera.data.lens,
            width=render.resolution_x,
            height=render.resolution_y,
            sensor_width=camera.data.sensor_width,
            sensor_height=camera.data.sensor_height,
            sensor_fit=camera.data.sensor_fit,
            shift_x=camera.data.shift_x,
            shift_y=camera.data.shift_y,
            pixel_aspect_x=render.pixel_aspect_x,
            pixel_aspect_y=render.pixel_aspect_y,
            resolution_percentage=render.resolution_percentage,
        )
        depsgraph = bpy.context.evaluated_depsgraph_get()
        projection = camera.evaluated_get(depsgraph).calc_matrix_camera(
            depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
        )
        from_projection = core.camera.camera_from_projection(camera.matrix_world, projection)
        for ours in (from_lens, from_projection):
            measured = core.boxes.project_boxes([ours], np.stack(boxes))[0]
            # Blender computes in float32: coordinates far outside the picture have fewer digits.
            error = np.abs(measured - expected) / np.maximum(np.abs(expected), 1)
            worst = max(worst, float(error.max()))
    print(f"\nlargest difference from world_to_camera_view over {VIEWS} cameras: {worst:.1e}")
    assert worst <= 1e-5


def test_truncated_resolutions_are_blenders(stage: bpy.types.Scene, core: SimpleNamespace) -> None:
    # 33 % of 101 x 57 pixels is 33 x 18: the aspect of what Blender renders, not of what was asked for.
    render, camera = stage.render, stage.camera
    render.resolution_x, render.resolution_y, render.resolution_percentage = 101, 57, 33
    depsgraph = bpy.context.evaluated_depsgraph_get()
    projection = camera.evaluated_get(depsgraph).calc_matrix_camera(depsgraph, x=33, y=18)
    expected = core.camera.camera_from_projection(camera.matrix_world, projection)
    ours = camera_from_lens(
        camera.matrix_world,
        lens=camera.data.lens,
        width=101,
        height=57,
        sensor_width=camera.data.sensor_width,
        resolution_percentage=33,
    )
    assert (ours.fx, ours.fy, ours.cx, ours.cy) == pytest.approx(
        (expected.fx, expected.fy, expected.cx, expected.cy), rel=1e-6
    )


@pytest.mark.parametrize("scale", [(-1, 1, 1), (1, -2, 1), (-1, -1, -1), (3, 0.2, 1)])
def test_depth_of_scaled_and_mirrored_cameras_is_blenders(
    stage: bpy.types.Scene, core: SimpleNamespace, scale: tuple[float, float, float]
) -> None:
    camera = stage.camera
    camera.location, camera.rotation_euler, camera.scale = (1, 2, 3), (0.4, 0.5, 0.6), scale
    bpy.context.view_layer.update()
    ours = camera_from_lens(camera.matrix_world, lens=50, width=100, height=100)
    for point in ((0, 0, 0), (5, 1, -3), (1, 9, 9)):
        expected = world_to_camera_view(stage, camera, Vector(point)).z
        assert core.camera.project_points(ours, point)[2] == pytest.approx(expected, abs=1e-5)


def test_corners_of_an_empty_are_those_that_blender_draws(
    stage: bpy.types.Scene, core: SimpleNamespace
) -> None:
    # A cube mesh stands in: an empty's bound_box is all zero. Ours in Blender's order is 0 1 3 2 4 5 7 6.
    cube = add_cube(stage, Matrix.LocRotScale((1, 2, 3), Euler((0.1, 0.2, 0.3)), (2, 1, 0.5)), 1)
    bpy.context.view_layer.update()
    theirs = np.array([cube.matrix_world @ Vector(c) for c in cube.bound_box])
    ours = core.boxes.box_corners(np.array(cube.matrix_world))
    np.testing.assert_allclose(ours, theirs[[0, 1, 3, 2, 4, 5, 7, 6]], atol=1e-5)


def add_cube(scene: bpy.types.Scene, world_from_box: Matrix, index: int) -> bpy.types.Object:
    """Add a mesh of the unit cube with an object index."""
    corners = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new("Cube")
    mesh.from_pydata(corners, [], faces)
    cube = bpy.data.objects.new("Cube", mesh)
    cube.matrix_world = world_from_box
    cube.pass_index = index
    scene.collection.objects.link(cube)
    return cube


def render_with_cycles(scene: bpy.types.Scene, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Render one sample at every pixel's centre; return the object indices and depths (H, W)."""
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = SIZE
    render.use_compositing = render.use_sequencer = False
    render.threads_mode, render.threads = "FIXED", 1
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 1, False
    scene.cycles.use_adaptive_sampling, scene.cycles.max_bounces = False, 0
    # A box filter is always a pixel wide; this one is a hundredth, so every sample is at the centre.
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "GAUSSIAN", 0.01
    layer = scene.view_layers[0]
    layer.use_pass_object_index = layer.use_pass_z = True
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    passes = read_passes(path)
    index = next(passes[name] for name in passes if name.startswith(("IndexOB", "Object Index")))
    depth = next(passes[name] for name in passes if name.startswith("Depth"))
    return np.rint(index).astype(int), depth


def read_passes(path: Path) -> dict[str, np.ndarray]:
    """Read a multilayer EXR as "pass.channel" -> (H, W), with the reader that Blender ships."""
    if not hasattr(bpy.utils, "expose_bundled_modules"):
        pytest.skip(f"Blender {bpy.app.version_string} ships no reader of multilayer EXR files")
    bpy.utils.expose_bundled_modules()
    import OpenImageIO

    source = OpenImageIO.ImageInput.open(str(path))
    passes: dict[str, np.ndarray] = {}
    part = 0
    while source.seek_subimage(part, 0):  # Blender 5 writes a part per pass, earlier ones a single part
        spec = source.spec()
        pixels = source.read_image(part, 0, 0, spec.nchannels, "float")
        for channel, name in enumerate(spec.channelnames):
            passes[".".join(name.split(".")[-2:])] = pixels[..., channel]
        part += 1
    source.close()
    return passes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_box_map_is_what_cycles_renders(
    stage: bpy.types.Scene, core: SimpleNamespace, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stage.camera.location = (0.3, -7, 1)
    stage.camera.rotation_euler = (math.pi / 2 - 0.1, 0.1, 0.05)
    stage.camera.data.shift_x = 0.05
    cubes = []
    for number in range(CUBES):  # close together, so that they overlap and cut through each other
        place = Matrix.LocRotScale(
            rng.normal(scale=0.9, size=3), Euler(rng.uniform(-3, 3, 3)), rng.uniform(0.4, 1.8, 3)
        )
        cubes.append(add_cube(stage, place, number + 1))
    bpy.context.view_layer.update()
    index, depth = render_with_cycles(stage, tmp_path / "passes.exr")

    data = stage.camera.data
    camera = camera_from_lens(
        stage.camera.matrix_world,
        lens=data.lens,
        width=SIZE,
        height=SIZE,
        sensor_width=data.sensor_width,
        shift_x=data.shift_x,
    )
    ours = nearest_boxes(camera, [np.array(cube.matrix_world) for cube in cubes], SIZE, SIZE)
    same_index = ours.index + 1 == index
    hit = (ours.index >= 0) & same_index
    # Cycles' Depth pass is measured along the viewing axis, as ours.
    same_depth = ~hit | (np.abs(ours.depth - depth) <= 2e-3 * np.where(hit, ours.depth, 1))
    share = float((same_index & same_depth).mean())
    print(
        f"\nseed {seed}: {100 * share:.3f} % of {SIZE} x {SIZE} pixels agree with Cycles in index and depth, "
        f"{100 * (index > 0).mean():.0f} % of them on cubes; "
        f"median depth difference {np.median(np.abs(ours.depth - depth)[hit]):.1e} m"
    )
    assert (index > 0).mean() > 0.15
    assert len(np.unique(index)) > CUBES // 2
    assert share >= 0.995
