"""Rendered shading in a real window: what is shown, where, in which colours, and what is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from test_layers import SCENE, edit, split, stroke, take_brush
from window import SIZE, Window

Screen = np.ndarray[Any, Any]

PHOTO = skimage.data.coffee()
BOX = [[0.17, 0, 0, -0.005], [0, 0.17, 0, 0.345], [0, 0, 0.125, 0.0625], [0, 0, 0, 1]]
CUP = ("Cup", (0.275, 0.03, 0.7, 0.78), BOX)

HELPERS = """
import gc
import threading
from bpy_extras.view3d_utils import location_3d_to_region_2d
from na_core.geometry.camera import project_points
from bl_ext.user_default.neural_assets.viewport.session import sessions
from bl_ext.user_default.neural_assets.viewport.views import view_of
from bl_ext.user_default.neural_assets.worker import supervisor

THREADS = ("neural-assets-viewport", "neural-assets-render")

def shown():
    return [s for s in sessions() if s.picture is not None or s._request is not None]

def statuses():
    return sorted(s.status for s in shown())

def left():
    "Return what is under way: threads, and sessions with a timer."
    busy = [t.name for t in threading.enumerate() if t.name in THREADS]
    return busy + [s.status for s in sessions() if bpy.app.timers.is_registered(s._timer)]

def show_rendered():
    for each in bpy.context.window_manager.windows[0].screen.areas:
        if each.type == "VIEW_3D":
            each.spaces.active.shading.type = "RENDERED"

scene.render.engine = "NEURAL_ASSETS"
space, region_3d = area.spaces.active, area.spaces.active.region_3d
space.show_region_ui = space.show_gizmo = space.overlay.show_overlays = False
scene.camera.data.show_passepartout = False
cup = bpy.data.objects["Cup"]
space.shading.type = "RENDERED"
"""

FRAME = """
region = region_of(area)
corners = [
    location_3d_to_region_2d(region, region_3d, scene.camera.matrix_world @ corner)
    for corner in scene.camera.data.view_frame(scene=scene)
]
result = [
    region.x + min(c.x for c in corners), region.y + max(c.y for c in corners),
    region.x + max(c.x for c in corners), region.y + min(c.y for c in corners),
]
"""

MATRICES = """
region = region_of(area)
view = view_of(bpy.context.evaluated_depsgraph_get(), space, region_3d, (region.width, region.height))
result = []
for point in points:
    drawn = location_3d_to_region_2d(region, region_3d, point)
    left_, bottom, right, top = view.place
    u, v, _ = project_points(view.camera, point)
    result.append([drawn.x, drawn.y, left_ + u * (right - left_), top - v * (top - bottom)])
"""


@pytest.fixture
def rendered(window: Window) -> Window:
    """Return Blender with the photograph of coffee in a camera view that is Rendered, without overlays."""
    Image.fromarray(PHOTO).save(window.share / "coffee.png")
    window.run(SCENE, photo="/share/coffee.png", world_from_camera=None, focal=1.39, assets=[CUP])
    window.run(HELPERS)
    return window


def screen(window: Window, path: Path) -> Screen:
    """Return what the screen shows, (H, W, 3), and keep it as a file."""
    window.save_screenshot(path)
    return np.asarray(Image.open(path).convert("RGB"))


def settle(window: Window, status: str = "Rendered", seconds: float = 180) -> None:
    """Wait until every viewport shows its picture, and nothing is under way."""
    window.wait(f"statuses() and set(statuses()) == {{{status!r}}} and not left()", seconds)


def frame(window: Window) -> tuple[float, float, float, float]:
    """Return where the camera's frame is on the screen: left, top, right and bottom."""
    left, top, right, bottom = window.run(FRAME)
    return left, SIZE[1] - top, right, SIZE[1] - bottom


def difference(window: Window, seen: Screen) -> float:
    """Return the mean difference in levels of the screen and the photo, where the frame shows its middle."""
    left, top, right, bottom = frame(window)
    scale = (right - left) / PHOTO.shape[1], (bottom - top) / PHOTO.shape[0]
    moved = np.float32([[scale[0], 0, left], [0, scale[1], top]])
    shown = cv2.warpAffine(PHOTO, moved, SIZE, flags=cv2.INTER_LINEAR)
    middle = slice(round(top + 0.3 * (bottom - top)), round(top + 0.7 * (bottom - top)))
    across = slice(round(left + 0.3 * (right - left)), round(left + 0.7 * (right - left)))
    blurred = [cv2.GaussianBlur(each[middle, across], (0, 0), 2).astype(int) for each in (seen, shown)]
    return float(np.abs(blurred[0] - blurred[1]).mean())


def test_the_camera_shows_the_photo_in_its_frame_and_in_its_colours(
    rendered: Window, screenshots: Path
) -> None:
    settle(rendered)
    assert difference(rendered, screen(rendered, screenshots / "viewport-camera.png")) < 2
    rendered.run("region_3d.view_camera_zoom -= 10; region_3d.view_camera_offset = (0.08, -0.05)")
    settle(rendered)
    picture = screen(rendered, screenshots / "viewport-zoomed.png")
    assert difference(rendered, picture) < 2
    _, top, right, bottom = (round(side) for side in frame(rendered))
    row = picture[top + (bottom - top) // 3].astype(int)
    assert np.abs(row[right - 3] - row[right + 3]).max() > 30  # the picture ends where the frame does
    assert (row[right + 3] == row[right + 40]).all()
    matrices = rendered.run(MATRICES, points=[[0.1, 0.3, 0.05], [-0.2, 0.5, 0.2], [0, 0.4, 0]])
    for drawn_x, drawn_y, x, y in matrices:
        assert (x, y) == pytest.approx((drawn_x, drawn_y), abs=0.01)
    rendered.run("space.overlay.show_overlays = scene.camera.data.show_passepartout = True")
    settle(rendered)
    screen(rendered, screenshots / "viewport-overlays.png")


def test_an_object_is_moved_with_the_pointer_and_followed(rendered: Window, screenshots: Path) -> None:
    rendered.run("space.overlay.show_overlays = True")
    settle(rendered)
    still = screen(rendered, screenshots / "viewport-still.png")
    rendered.run("bpy.context.view_layer.objects.active = cup; cup.select_set(True); came = set()")
    rendered.move(rendered.point("VIEW_3D", (0.5, 0.5)))
    rendered.press("g", "x")
    for step in range(20):
        rendered.move(rendered.point("VIEW_3D", (0.5 + 0.01 * step, 0.5)))
        rendered.run("came |= {s.picture.key for s in shown() if s.picture.is_proxy}")
    assert rendered.run("result = len(came)") >= 2  # it follows before the pointer rests
    screen(rendered, screenshots / "viewport-moving.png")
    rendered.press("Return")
    settle(rendered)
    moved = screen(rendered, screenshots / "viewport-moved.png")
    cup = rendered.point("VIEW_3D", (0.35, 0.25))  # which the photo shows there, and the frame no more
    there = (slice(round(cup[1]) - 20, round(cup[1]) + 20), slice(round(cup[0]) - 20, round(cup[0]) + 20))
    assert np.abs(moved[there].astype(int) - still[there]).mean() > 20


def test_a_free_view_is_aligned_and_fades_and_an_orthographic_one_says_why(
    rendered: Window, screenshots: Path
) -> None:
    settle(rendered)
    rendered.run(
        """
from mathutils import Euler
space.overlay.show_overlays, space.lens = True, 40
region_3d.view_perspective = "PERSP"
region_3d.view_rotation = Euler((0.75, 0, 0.35)).to_quaternion()
region_3d.view_location, region_3d.view_distance = (0, 0.35, 0.03), 0.75
"""
    )
    settle(rendered)
    picture = screen(rendered, screenshots / "viewport-free.png")
    for drawn_x, drawn_y, x, y in rendered.run(MATRICES, points=[[0.1, 0.3, 0.05], [-0.2, 0.5, 0.2]]):
        assert (x, y) == pytest.approx((drawn_x, drawn_y), abs=0.01)
    assert picture[100:700, 60:1100].std() > 20
    rendered.run('region_3d.view_perspective = "ORTHO"')
    rendered.wait('any(s.status.startswith("Orthographic views are not shown.") for s in sessions())')
    screen(rendered, screenshots / "viewport-orthographic.png")
    rendered.run('region_3d.view_perspective = "CAMERA"')
    settle(rendered)


def test_strokes_of_a_brush_are_followed_and_undone(rendered: Window, screenshots: Path) -> None:
    rendered.run("cup.location.x += 0.03; cup.select_set(True); bpy.context.view_layer.objects.active = cup")
    split(rendered, "IMAGE_EDITOR")
    rendered.run("show_rendered()")  # Blender makes the half that is new Solid
    edit(rendered, "outline")
    take_brush(rendered)
    settle(rendered)
    keys = [rendered.run("result = shown()[0].picture.key; keys = [result]")]
    for way in ([(300, 100), (330, 120), (360, 150)], [(250, 160), (330, 170)]):
        stroke(rendered, 40, way)
        rendered.wait("shown()[0].picture.key not in keys and not left()")
        keys.append(rendered.run("result = shown()[0].picture.key"))
        rendered.run("", keys=keys)
    screen(rendered, screenshots / "viewport-painted.png")
    rendered.press("ctrl+z")
    rendered.wait("shown()[0].picture.key == keys[1] and not left()")


def test_it_survives_its_worker_and_leaves_nothing_behind(rendered: Window, screenshots: Path) -> None:
    settle(rendered)
    first = rendered.run(
        """
import os, signal
result = first = supervisor.status().address.pid
os.kill(first, signal.SIGKILL)
cup.location.x += 0.03
space.overlay.show_overlays = True
"""
    )
    rendered.wait("set(statuses()) & {'Starting the worker', 'Restarting the worker'}")
    screen(rendered, screenshots / "viewport-starting.png")
    rendered.wait("supervisor.status().state == 'READY' and supervisor.status().address.pid != first", 120)
    settle(rendered)
    assert rendered.run("result = supervisor.status().address.pid") != first
    # two viewports
    rendered.run('with over("VIEW_3D"): bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)')
    rendered.run("show_rendered()")  # Blender makes the new one Solid
    rendered.wait("len(shown()) == 2")
    settle(rendered)
    screen(rendered, screenshots / "viewport-two.png")
    # another engine, and back
    rendered.run('cup.location.x += 0.01; scene.render.engine = "BLENDER_WORKBENCH"')
    rendered.wait("not shown() and not left()")
    rendered.run('scene.render.engine = "NEURAL_ASSETS"')
    settle(rendered)
    # another file, while something is under way
    rendered.run("cup.location.x += 0.01")
    rendered.run("bpy.ops.wm.save_as_mainfile(filepath='/share/coffee.blend')")
    rendered.run("bpy.ops.wm.open_mainfile(filepath='/share/coffee.blend')")
    rendered.wait("not shown() and not left()")  # Blender loads files in Solid
    rendered.run("scene = bpy.context.scene; cup = bpy.data.objects['Cup']; show_rendered()")
    settle(rendered)
    # and without the add-on
    rendered.run("cup.location.x += 0.01")
    rendered.run("bpy.ops.preferences.addon_disable(module='bl_ext.user_default.neural_assets')")
    rendered.wait("not shown() and not left()")
    screen(rendered, screenshots / "viewport-disabled.png")
