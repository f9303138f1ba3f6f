"""The panels in a real window: an artist imports a photo, works with the list of assets, and reads warnings.

Every picture is taken of the whole screen; ``NEURAL_ASSETS_SCREENSHOTS`` says where they go.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from window import SIZE, Point, Window

PYTHON = "/usr/bin/python3"
"""A worker's Python that is there: nothing here asks it for anything."""

START = """
import os
os.environ["NEURAL_ASSETS_WORKER_PYTHON"] = python
bpy.context.preferences.view.render_display_type = "NONE"
with over("VIEW_3D"):
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
area = area_of("VIEW_3D")
area.spaces.active.show_region_ui = True
"""

PHOTO = """
from bl_ext.user_default.neural_assets import api
scene = bpy.context.scene
with over("VIEW_3D"):
    bpy.ops.neural_assets.import_photo(filepath="/share/coffee.png")
for name, rectangle in assets:
    api.add_asset(rectangle, name=name, scene=scene)
area.spaces.active.region_3d.view_perspective = "CAMERA"
bpy.ops.ed.undo_push(message="Scene")
"""

ASSETS = [
    ("Cup", (0.275, 0.03, 0.7, 0.78)),
    ("Spoon", (0.56, 0.6, 0.72, 0.86)),
    ("Saucer", (0.13, 0.2, 0.8, 0.95)),
    ("Table Edge", (0.02, 0.75, 0.2, 0.97)),
]

ONLY = """
from bl_ext.user_default.neural_assets import panels
ours = [cls for cls in panels.CLASSES if issubclass(cls, bpy.types.Panel) and cls.bl_space_type == "VIEW_3D"]
for cls in reversed(ours):
    if cls.__name__ not in names:
        bpy.utils.unregister_class(cls)
"""
"""Leaves some panels of the sidebar, so that it is known where their buttons are."""

OPEN = """
from bl_ext.user_default.neural_assets import panels
inner = [cls for cls in panels.CLASSES if "DEFAULT_CLOSED" in getattr(cls, "bl_options", ())]
for cls in inner:
    bpy.utils.unregister_class(cls)
    cls.bl_options = set()
for cls in inner:
    bpy.utils.register_class(cls)
"""
"""Opens the sub-panels, which are closed at first."""

DRAWN = """
from bl_ext.user_default.neural_assets.panels.asset_list import NEURAL_ASSETS_UL_assets as assets
drawn, draw_item = [], assets.draw_item

def draw_and_note(self, context, layout, data, item, icon, active, name, index=0, flag=0):
    drawn.append(item.name)
    draw_item(self, context, layout, data, item, icon, active, name, index, flag)

assets.draw_item = draw_and_note
"""
"""Notes which rows of the list are drawn."""

FLUSH = """
import ctypes
import sys
sys.stdout.flush()
sys.stderr.flush()
ctypes.CDLL(None).fflush(None)
"""
"""Brings what Blender has written to its log."""

FIRST_HEADER, ROWS_BELOW_HEADER, ROW = 15, 63, 21
"""Pixels from the sidebar's top to the middle of its first header, from there to the first row, of a row."""

ARROW_BELOW, FILTER_BELOW, INVERT, REVERSE = 98, 118, 122, 172
"""Pixels from the dot of the first row to the arrow under the list, to the filter, and to its buttons."""

DOT, NAME, BESIDE = 0.13, 0.38, 0.86
"""Where in a row the dot and the name are, and the buttons beside the list, in widths of the sidebar."""


@pytest.fixture
def started(window: Window, request: pytest.FixtureRequest) -> Window:
    """Return Blender with an empty scene, and the extension's tab beside the viewport."""
    if "opened" in request.fixturenames:
        window.run(OPEN)
    Image.fromarray(skimage.data.coffee()).save(window.share / "coffee.png")
    window.run(START, python=PYTHON)
    show_tab(window)
    return window


@pytest.fixture
def coffee(started: Window) -> Window:
    """Return Blender with the photograph of coffee and four assets."""
    started.run(PHOTO, assets=ASSETS)
    return started


@pytest.fixture
def opened() -> None:
    """Let the sub-panels be open, which are closed at first."""


def show_tab(window: Window) -> None:
    """Show the extension's tab once the sidebar has been drawn."""
    window.wait("region_of(area_of('VIEW_3D'), 'UI').active_panel_category != 'UNSUPPORTED'")
    window.run("region_of(area_of('VIEW_3D'), 'UI').active_panel_category = 'Neural Assets'")


def errors(window: Window) -> list[str]:
    """Return the lines of Blender's log that tell of a panel that failed."""
    window.run(FLUSH)
    log = (window.share / "blender.log").read_text(errors="replace").splitlines()
    return [line for line in log if "Error" in line or "Traceback" in line]


def test_before_a_photo_the_first_panel_says_what_to_do(started: Window, screenshots: Path) -> None:
    started.save_screenshot(screenshots / "panels-empty.png")
    assert errors(started) == []


def row(window: Window, number: int, across: float) -> Point:
    """Return a point of a row of the list, where Assets is the first panel: from 0, left, to 1, right."""
    x, y = window.run(
        'region = region_of(area_of("VIEW_3D"), "UI"); result = [region.x, region.y + region.height]'
    )
    width = window.run('result = region_of(area_of("VIEW_3D"), "UI").width')
    return x + across * width, SIZE[1] - y + FIRST_HEADER + ROWS_BELOW_HEADER + number * ROW


def selected(window: Window) -> list[str]:
    """Return the names of what is selected."""
    return sorted(window.run("result = [item.name for item in bpy.context.selected_objects]"))


def active(window: Window) -> str:
    """Return the name of the active object."""
    return str(window.run("result = bpy.context.view_layer.objects.active.name"))


def test_the_list_and_the_viewport_are_one_selection(coffee: Window, screenshots: Path) -> None:
    coffee.run(ONLY, names=["NEURAL_ASSETS_PT_assets", "NEURAL_ASSETS_PT_box"])
    show_tab(coffee)
    coffee.click(row(coffee, 1, NAME))
    assert (active(coffee), selected(coffee)) == ("Saucer", ["Saucer"])
    coffee.save_screenshot(screenshots / "panels-list.png")
    coffee.click(row(coffee, 3, NAME))
    assert active(coffee) == "Table Edge"
    coffee.move(coffee.point("VIEW_3D", (0.3, 0.3)))
    coffee.press("ctrl+z")
    coffee.wait("bpy.context.view_layer.objects.active.name == 'Saucer'", 10)
    coffee.press("ctrl+shift+z")
    coffee.wait("bpy.context.view_layer.objects.active.name == 'Table Edge'", 10)
    coffee.click(row(coffee, 0, DOT), key="Control_L")
    assert selected(coffee) == ["Cup", "Table Edge"]
    coffee.click(row(coffee, 2, DOT), key="Shift_L")
    assert selected(coffee) == ["Cup", "Saucer", "Spoon"]
    coffee.save_screenshot(screenshots / "panels-range.png")
    coffee.run("bpy.context.view_layer.objects.active = bpy.data.objects['Saucer']")
    assert coffee.run(
        "scene = bpy.context.scene; result = scene.objects[scene.neural_assets_active_row].name"
    ) == ("Saucer")
    assert errors(coffee) == []


def test_a_double_click_renames_and_the_buttons_order_and_remove(coffee: Window, screenshots: Path) -> None:
    coffee.run(ONLY, names=["NEURAL_ASSETS_PT_assets", "NEURAL_ASSETS_PT_box"])
    show_tab(coffee)
    coffee.click(row(coffee, 2, NAME))
    coffee.click(row(coffee, 2, NAME), times=2)
    coffee.press("ctrl+a", "L", "a", "d", "l", "e", "Return")
    assert active(coffee) == "Ladle"
    coffee.click((row(coffee, 0, BESIDE)[0], row(coffee, 3, 0)[1] + 10))  # up
    coffee.save_screenshot(screenshots / "panels-ordered.png")
    assert coffee.run("result = bpy.data.objects['Ladle'].neural_asset.position") > 0
    coffee.click(row(coffee, 1, BESIDE))  # remove
    assert coffee.run("result = 'Ladle' not in bpy.data.objects")
    coffee.press("ctrl+z")
    coffee.wait("'Ladle' in bpy.data.objects", 10)
    assert errors(coffee) == []


def test_blenders_filter_shows_a_part_of_the_assets_and_nothing_else(
    coffee: Window, screenshots: Path
) -> None:
    coffee.run(ONLY, names=["NEURAL_ASSETS_PT_assets", "NEURAL_ASSETS_PT_box"])
    coffee.run(DRAWN)
    show_tab(coffee)

    def rows() -> list[str]:
        coffee.run("drawn.clear()")
        coffee.save_screenshot(screenshots / "panels-filter.png")
        names: list[str] = coffee.run("result = list(dict.fromkeys(drawn))")
        return names

    assert rows() == ["Cup", "Saucer", "Spoon", "Table Edge"]
    x, y = row(coffee, 0, DOT)
    coffee.click((x, y + ARROW_BELOW))
    field = (x + 60, y + FILTER_BELOW)
    coffee.click(field, times=2)
    coffee.press("u", "Return")
    assert rows() == ["Cup", "Saucer"]
    coffee.click((x + INVERT, field[1]))
    assert rows() == ["Spoon", "Table Edge"]  # and neither the camera nor anything else
    coffee.click((x + REVERSE, field[1]))
    assert rows() == ["Table Edge", "Spoon"]
    assert errors(coffee) == []


@pytest.mark.usefixtures("opened")
def test_everything_open(coffee: Window, screenshots: Path) -> None:
    coffee.run("bpy.ops.neural_assets.select_asset(name='Cup')")
    below = coffee.point("VIEW_3D", (0.9, 0.5))
    for number in range(5):
        coffee.save_screenshot(screenshots / f"panels-open-{number + 1}.png")
        coffee.click(below, button=5, times=12)
    assert errors(coffee) == []


def test_warnings_before_the_render(coffee: Window, screenshots: Path) -> None:
    coffee.run(
        """
import os
os.environ["NEURAL_ASSETS_WORKER_PYTHON"] = ""
scene = bpy.context.scene
bpy.data.objects["Cup"].location.y = -50
bpy.data.objects["Spoon"].neural_asset.photo = None
bpy.data.objects["Saucer"].neural_asset.outline = bpy.data.images.new("Painted", 64, 64)
scene.render.resolution_percentage = 400
scene.view_settings.view_transform = "AgX"
bpy.context.view_layer.use_pass_z = True
"""
    )
    show_tab(coffee)
    below = coffee.point("VIEW_3D", (0.9, 0.5))
    for number in range(2):
        coffee.save_screenshot(screenshots / f"panels-warnings-{number + 1}.png")
        coffee.click(below, button=5, times=12)
    assert errors(coffee) == []


@pytest.mark.usefixtures("opened")
def test_render_properties(coffee: Window, screenshots: Path) -> None:
    coffee.run(
        """
area_of("PROPERTIES").spaces.active.context = "RENDER"
bpy.context.scene.neural_assets.preset = "custom"
"""
    )
    coffee.save_screenshot(screenshots / "panels-render.png")
    coffee.click(coffee.point("PROPERTIES", (0.5, 0.6)), button=5, times=8)
    coffee.save_screenshot(screenshots / "panels-render-2.png")
    assert errors(coffee) == []


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_other_scales(coffee: Window, screenshots: Path, scale: float) -> None:
    coffee.run("bpy.context.preferences.view.ui_scale = scale", scale=scale)
    coffee.run("bpy.ops.neural_assets.select_asset(name='Cup')")
    show_tab(coffee)
    coffee.save_screenshot(screenshots / f"panels-scale-{scale:g}.png")
    assert errors(coffee) == []


def test_the_pie_menu_opens_with_its_key(coffee: Window, screenshots: Path) -> None:
    coffee.run("bpy.ops.neural_assets.select_asset(name='Cup')")
    coffee.move(coffee.point("VIEW_3D", (0.4, 0.5)))
    coffee.press("shift+alt+n")  # off at first
    coffee.run(
        "bpy.context.preferences.addons['bl_ext.user_default.neural_assets'].preferences.use_keys = True"
    )
    coffee.press("shift+alt+n")
    coffee.save_screenshot(screenshots / "panels-pie.png")
    coffee.press("Escape")
    assert errors(coffee) == []
