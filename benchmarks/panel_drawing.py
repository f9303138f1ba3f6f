"""What the add-on's own code takes of a drawing of Blender's window, with every sub-panel open.

    NEURAL_ASSETS_WINDOW=out/window/trixie NEURAL_ASSETS_ZIP=dist/neural_assets-0.1.0.zip \
        .venv/bin/python benchmarks/panel_drawing.py [ASSETS [OTHER_OBJECTS]]

As root, in the window of ``make test-gui``. Shown are the sidebar's tab and *Properties > Render*. Prints
milliseconds: the median over drawings, the fastest, and each panel's mean.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

import skimage.data
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "gui"))

from test_panels import OPEN, PHOTO, PYTHON, START, show_tab
from window import blender_window

DRAWINGS, WARM_UP = 30, 3

CLOCK = """
import time
from bl_ext.user_default.neural_assets import panels
took, each = [], {}

def timed(cls):
    inner = cls.draw
    def draw(self, context):
        start = time.perf_counter()
        inner(self, context)
        seconds = time.perf_counter() - start
        took[-1] += seconds
        each[cls.__name__] = each.get(cls.__name__, 0.0) + seconds
    cls.draw = draw

for cls in panels.CLASSES:
    if issubclass(cls, bpy.types.Panel) and "draw" in vars(cls):
        timed(cls)
for number in range(others):
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Other", None))
bpy.ops.neural_assets.select_asset(name="Asset 1")
area_of("PROPERTIES").spaces.active.context = "RENDER"
"""

DRAW = """
for _ in range(drawings):
    took.append(0.0)
    region_of(area_of("VIEW_3D"), "UI").tag_redraw()
    area_of("PROPERTIES").tag_redraw()
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
"""


def measure(assets: int, others: int) -> tuple[list[float], dict[str, float]]:
    """Return the seconds of each drawing, and of each panel over all of them."""
    folder, extension = Path(os.environ["NEURAL_ASSETS_WINDOW"]), Path(os.environ["NEURAL_ASSETS_ZIP"])
    display = int(os.environ.get("NEURAL_ASSETS_DISPLAY", "78"))
    with blender_window(folder, extension.resolve(), Path(sys.executable), display) as window:
        Image.fromarray(skimage.data.coffee()).save(window.share / "coffee.png")
        window.run(OPEN)
        window.run(START, python=PYTHON)
        show_tab(window)
        window.run(PHOTO, assets=[(f"Asset {number}", rectangle(number)) for number in range(1, assets + 1)])
        window.run(CLOCK, others=others)
        window.run(DRAW, drawings=WARM_UP)
        window.run("took.clear(); each.clear()")
        window.run(DRAW, drawings=DRAWINGS)
        return window.run("result = took"), window.run("result = each")


def rectangle(number: int) -> tuple[float, float, float, float]:
    """Return where in the photo an asset is; they lie in rows of ten."""
    left, top = 0.05 + 0.085 * (number % 10), 0.45 + 0.08 * (number // 10 % 5)
    return left, top, left + 0.06, top + 0.12


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    took, each = measure(*(numbers + [50, 0][len(numbers) :]))
    print(f"median {1e3 * statistics.median(took):.2f} ms, fastest {1e3 * min(took):.2f} ms")
    for name, seconds in sorted(each.items(), key=lambda entry: -entry[1]):
        print(f"{1e3 * seconds / DRAWINGS:7.3f}  {name}")
