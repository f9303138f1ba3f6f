"""An artist corrects layers, fits a mesh and mixes in a cube, in a real window, with brush and keys."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from window import ROOT, Point, Window

sys.path.insert(0, str(ROOT / "benchmarks"))

import figure_cup

COFFEE = (600, 400)
"""Width and height of the photograph of coffee that comes with scikit-image."""

SPOON = [
    (8, [(407, 58), (408, 70), (410, 84)]),
    (10, [(417, 64), (414, 74), (414, 82), (414, 89)]),
    (9, [(426, 66), (425, 80), (422, 95)]),
    (7, [(416, 96), (417, 108), (417, 120)]),
    (6, [(417, 112), (415, 125), (413, 138), (411, 150)]),
    (7, [(390, 196), (385, 210), (382, 224), (379, 238)]),
    (9, [(400, 190), (398, 205), (394, 220), (390, 235)]),
    (27, [(366, 262), (382, 268), (385, 285), (375, 303), (357, 302), (350, 285), (354, 268), (366, 280)]),
    (10, [(400, 250), (408, 270), (408, 290), (400, 310), (384, 326), (360, 330), (340, 322), (334, 312)]),
]
"""What a brush goes over to take the spoon out of the cup's outline: its radius and way, in pixels."""

SAUCER = (278, 229, 196, 153)
"""Middle and half axes of its ellipse, in pixels."""

CUBE = (0.03, -0.22, 0.06)
"""Where a cube stands on the table top of the demo, in metres."""

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

SCENE = """
import math
import mathutils
import numpy as np
from bl_ext.user_default.neural_assets import api

with over("VIEW_3D"):
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    bpy.ops.neural_assets.import_photo(filepath=photo)
scene = bpy.context.scene
camera = scene.camera
if world_from_camera is None:
    camera.location, camera.rotation_euler = (0, 0, 0.45), (math.radians(40), 0, 0)
else:
    camera.matrix_world = mathutils.Matrix(world_from_camera)
camera.data.angle_x = 2 * math.atan(0.5 / focal)
scene.view_layers[0].update()
api.capture_photo_camera(scene=scene)
for name, rectangle, world_from_box in assets:
    api.add_asset(rectangle, name=name, world_from_box=np.array(world_from_box), scene=scene)
area = area_of("VIEW_3D")
area.spaces.active.region_3d.view_perspective = "CAMERA"
area.spaces.active.show_region_ui = True
bpy.context.preferences.view.render_display_type = "NONE"
with over("VIEW_3D"):
    bpy.ops.view3d.view_center_camera()
"""

BRUSH = """
brush = bpy.data.brushes.new("Test Brush", mode="TEXTURE_PAINT")
brush.asset_mark()
SIZES_OF_RADIUS = 2 if bpy.app.version >= (5, 0) else 1  # sizes were radii, and became diameters
paint = bpy.context.tool_settings.image_paint
settings = getattr(paint, "unified_paint_settings", None) or bpy.context.tool_settings.unified_paint_settings
settings.use_unified_size = settings.use_unified_color = settings.use_unified_strength = False
brush.strength, brush.blend = 1.0, "MIX"
brush.use_pressure_strength = brush.use_pressure_size = False
falloff = "curve_preset" if hasattr(brush, "curve_preset") else "curve_distance_falloff_preset"
setattr(brush, falloff, "CONSTANT")
with over("IMAGE_EDITOR"):
    bpy.ops.brush.asset_activate(asset_library_type="LOCAL", relative_asset_identifier="Brush/Test Brush")
"""


@pytest.fixture
def coffee(window: Window) -> Window:
    """Return Blender with the photograph of coffee, and a box around its cup, which is active."""
    Image.fromarray(skimage.data.coffee()).save(window.share / "coffee.png")
    box = np.diag([0.17, 0.17, 0.125, 1.0])
    box[:3, 3] = (-0.005, 0.345, 0.0625)
    cup = ("Cup", (0.275, 0.03, 0.7, 0.78), box.tolist())
    window.run(SCENE, photo="/share/coffee.png", world_from_camera=None, focal=1.39, assets=[cup])
    show_sidebar(window)
    window.run(
        "cup = bpy.data.objects['Cup']; bpy.context.view_layer.objects.active = cup; cup.select_set(True)"
    )
    return window


def show_sidebar(window: Window) -> None:
    """Show the extension's tab beside the viewport, once the sidebar has been drawn."""
    window.wait("region_of(area_of('VIEW_3D'), 'UI').active_panel_category != 'UNSUPPORTED'")
    window.run("region_of(area_of('VIEW_3D'), 'UI').active_panel_category = 'Neural Assets'")


def split(window: Window, kind: str) -> None:
    """Let another kind of editor have the left half of the viewport."""
    window.run(
        """
with over("VIEW_3D"):
    bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
areas = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"]
min(areas, key=lambda area: area.x).type = kind
area_of("VIEW_3D").spaces.active.show_region_ui = False
with over("VIEW_3D"):
    bpy.ops.view3d.view_center_camera()
""",
        kind=kind,
    )
    window.run("with over(kind): bpy.ops.image.view_all(fit_view=True)", kind=kind)


def edit(window: Window, layer: str) -> None:
    """Press Edit Outline or Edit Plate, and wait for the image."""
    window.run(
        'with over("VIEW_3D"): bpy.ops.neural_assets.edit_layer("INVOKE_DEFAULT", layer=layer)', layer=layer
    )
    owner = "scene.neural_assets" if layer == "plate" else "cup.neural_asset"
    window.wait(f"{owner}.{layer} is not None")
    window.run('with over("IMAGE_EDITOR"): bpy.ops.image.view_all(fit_view=True)')


def take_brush(window: Window) -> None:
    """Choose a brush with a hard rim; Debian's Blender comes without any."""
    window.run(BRUSH)
    window.move(window.point("IMAGE_EDITOR", (0.5, 0.5)))
    window.wait("bpy.context.tool_settings.image_paint.brush == brush")


def stroke(window: Window, radius: float, way: Sequence[Point], colour: Sequence[float] = BLACK) -> None:
    """Paint with the left button held; the radius is in the image's pixels."""
    points = [window.pixel(place, COFFEE) for place in way]
    left, right = window.pixel((0, 0), COFFEE)[0], window.pixel((100, 0), COFFEE)[0]
    size = max(1, round(radius * (right - left) / 100))
    window.run("brush.color, brush.size = colour, size * SIZES_OF_RADIUS", colour=list(colour), size=size)
    window.drag(points)


def pixels(window: Window, image: str) -> np.ndarray[Any, Any]:
    """Return what an image of Blender's holds, the top row first, 0 to 1."""
    window.run(
        """
image = eval(image)
values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
image.pixels.foreach_get(values)
np.save("/share/pixels.npy", values.reshape(image.size[1], image.size[0], 4)[::-1, :, :3])
""",
        image=image,
    )
    return np.load(window.share / "pixels.npy")


def render(window: Window, name: str) -> np.ndarray[Any, Any]:
    """Choose Render > Render Image, wait for the frame, and return it (H, W, 3)."""
    window.run(
        """
done = []
bpy.app.handlers.render_complete.append(lambda *_: done.append(True))
with over("VIEW_3D"):
    bpy.ops.render.render("INVOKE_DEFAULT", use_viewport=True)
"""
    )
    window.wait("done and not bpy.app.is_job_running('RENDER')", 180)
    window.run("bpy.data.images['Render Result'].save_render(path)", path=f"/share/{name}.png")
    return np.asarray(Image.open(window.share / f"{name}.png").convert("RGB"))


def show_result(window: Window) -> None:
    """Show the rendered frame in the Image Editor."""
    window.run(
        """
space = area_of("IMAGE_EDITOR").spaces.active
space.mode = "VIEW"
space.image = bpy.data.images["Render Result"]
with over("IMAGE_EDITOR"):
    bpy.ops.image.view_all(fit_view=True)
"""
    )


def saucer_strokes(outline: np.ndarray[Any, Any]) -> Iterator[tuple[list[Point], list[float]]]:
    """Yield strokes under a cup, row by row, in the colour that the saucer has beside it."""
    photo = skimage.data.coffee() / 255
    x, y, across, down = SAUCER
    row, column = np.mgrid[: COFFEE[1], : COFFEE[0]]
    around = cv2.dilate(np.float32(outline > 0.05), np.ones((19, 19))) > 0
    saucer = ((column - x) / (across - 6)) ** 2 + ((row - y) / (down - 6)) ** 2 < 1
    spoon = np.hypot(column - 366, row - 280) < 52
    for middle in range(86, 330, 6):
        beside = saucer & ~around & ~spoon & (abs(row - middle) < 25)
        hole = np.flatnonzero(around[middle] & saucer[middle])
        if len(hole) and beside.sum() > 50:
            colour = np.median(photo[beside], axis=0).tolist()
            for part in np.split(hole, np.flatnonzero(np.diff(hole) > 1) + 1):
                yield [(part[0], middle), (part[-1], middle)], colour


def test_outline_and_plate_are_corrected_with_the_brush(coffee: Window, screenshots: Path) -> None:
    split(coffee, "IMAGE_EDITOR")
    edit(coffee, "outline")
    take_brush(coffee)
    found = pixels(coffee, "cup.neural_asset.outline")
    coffee.save_screenshot(screenshots / "outline-found.png")
    for radius, way in SPOON:
        stroke(coffee, radius, way)
    painted = pixels(coffee, "cup.neural_asset.outline")
    coffee.save_screenshot(screenshots / "outline-painted.png")
    for x, y in [(413, 85), (382, 214), (365, 300)]:
        assert found[y, x, 0] > 0.5 and painted[y, x, 0] == 0  # the spoon is the cup's no more
    assert painted[200, 280, 0] == 1
    coffee.move(coffee.point("VIEW_3D", (0.5, 0.5)))
    coffee.press("g", "x", "0", "period", "0", "3", "5", "Return")
    assert coffee.run("result = round(cup.location.x, 4)") == 0.03
    edit(coffee, "shadow_image")
    stroke(
        coffee,
        70,
        [(60, 60), (540, 60), (540, 170), (60, 170), (60, 280), (540, 280), (540, 350), (60, 350)],
        WHITE,
    )
    assert pixels(coffee, "cup.neural_asset.shadow_image").mean() > 0.99
    edit(coffee, "plate")
    for way, colour in saucer_strokes(painted[..., 0]):
        stroke(coffee, 4, way, colour)
    coffee.save_screenshot(screenshots / "plate-painted.png")
    frame = render(coffee, "corrected")
    show_result(coffee)
    coffee.save_screenshot(screenshots / "corrected.png")
    spoon = (slice(294, 312), slice(345, 400))
    apart = np.abs(frame[spoon].astype(int) - skimage.data.coffee()[spoon])
    assert (apart <= 3).mean() > 0.99  # it stays, as the photo shows it


def write_cup(path: Path) -> None:
    """Write the cup of benchmarks/figure_cup.py, as another program would: OBJ with its materials."""
    lines, materials, before = [f"mtllib {path.stem}.mtl"], [], 1
    for name, colour in figure_cup.COLOURS.items():
        materials += [f"newmtl {name}", "Kd " + " ".join(map(str, colour))]
    for surface in figure_cup.model():
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in surface.vertices]
        lines += [f"usemtl {list(figure_cup.COLOURS)[surface.slot]}", "s 1"]
        lines += ["f " + " ".join(str(index + before) for index in face) for face in surface.faces]
        before += len(surface.vertices)
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".mtl").write_text("\n".join(materials) + "\n")


def test_a_mesh_is_fitted_to_the_cup_and_turned_half_round(window: Window, screenshots: Path) -> None:
    Image.fromarray(skimage.data.coffee()).save(window.share / "coffee.png")
    write_cup(window.share / "cup.obj")
    points = np.concatenate([surface.vertices for surface in figure_cup.model()])
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.diag([*(high - low), 1.0])
    box[:3, 3] = (low + high) / 2 + (*figure_cup.PLACE, 0)
    cup = ("Cup", None, box.tolist())
    window.run(SCENE, photo="/share/coffee.png", world_from_camera=None, focal=1.39, assets=[cup])
    show_sidebar(window)
    window.run(
        """
with over("VIEW_3D"):
    bpy.ops.wm.obj_import(filepath="/share/cup.obj", forward_axis="Y", up_axis="Z")
    mesh, cup = bpy.context.selected_objects[0], bpy.data.objects["Cup"]
    cup.select_set(True)
    bpy.context.view_layer.objects.active = cup
    result = list(bpy.ops.neural_assets.fit_mesh("INVOKE_DEFAULT"))
    mesh.select_set(True)
"""
    )
    window.save_screenshot(screenshots / "mesh-fitted.png")
    split(window, "IMAGE_EDITOR")
    window.run('with over("VIEW_3D"): bpy.ops.neural_assets.show_mesh()')
    assert window.run("result = mesh.hide_get()")
    still = render(window, "still")
    assert np.array_equal(still, skimage.data.coffee())  # where it stands as in the photo, it is the photo
    window.move(window.point("VIEW_3D", (0.5, 0.5)))
    window.press("r", "z", "1", "8", "0", "Return")
    assert abs(window.run("result = cup.rotation_euler.z")) == pytest.approx(np.pi, abs=1e-4)
    turned = render(window, "turned")
    show_result(window)
    window.save_screenshot(screenshots / "mesh-turned.png")
    handle = (slice(250, 305), slice(205, 245))
    rim = (slice(30, 50), slice(270, 300))
    assert np.abs(turned[handle].astype(int) - still[handle]).mean() > 20  # the handle is behind the cup now
    assert turned[rim].min(axis=2).mean() > 120  # its far rim is white as before


def test_a_cube_of_blenders_stands_between_two_objects(window: Window, screenshots: Path) -> None:
    subject = json.loads((ROOT / "demo" / "tabletop.json").read_text())
    shutil.copy(ROOT / "demo" / "tabletop.png", window.share)
    assets = [(a["name"], a["rectangle"], a["world_from_box"]) for a in subject["assets"]]
    matrix, focal = subject["camera"]["world_from_camera"], subject["camera"]["fx"]
    window.run(SCENE, photo="/share/tabletop.png", world_from_camera=matrix, focal=focal, assets=assets)
    split(window, "IMAGE_EDITOR")
    before = render(window, "without")
    window.run(
        """
with over("VIEW_3D"):
    bpy.ops.mesh.primitive_cube_add(size=0.12, location=place, rotation=(0, 0, 0.4))
    bpy.ops.neural_assets.mix_with_cg()
""",
        place=CUBE,
    )
    window.save_screenshot(screenshots / "cube-placed.png")
    mixed = render(window, "mixed")
    show_result(window)
    window.save_screenshot(screenshots / "cube-mixed.png")
    changed = np.abs(mixed.astype(int) - before).max(axis=2) > 8
    assert 0.01 < changed.mean() < 0.3  # the cube and its shadow, and nothing else
