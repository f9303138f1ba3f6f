"""Seconds of a frame, from the scene to pixels, beside Cycles rendering as many objects in the same run.

    .venv/bin/python benchmarks/frame.py

256 x 256, 6 assets, ``standard`` preset, the embedded checkpoint, a real worker. Every frame has other
boxes, so none comes from a cache; the first one, which encodes the photo, is not counted. Writes into
results.json beside this file: ``frame_seconds`` (median, render() to pixels), ``bridge_share`` (what is not
the worker's own time: add-on, message, transport), ``worker_peak_mib``, ``cycles_seconds`` (64 samples and
denoiser, six subdivided monkeys on a plane), ``cycles_ratio`` (Cycles over ours) and ``frame_table``: seconds
by picture size and number of assets.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median

os.environ.setdefault("NEURAL_ASSETS_WORKER_PYTHON", sys.executable)
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="neural-assets-bench-")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402 (reads the environment above)

import blender_addon  # noqa: E402
from blender_addon import api  # noqa: E402
from blender_addon.demo.subject import load_subject  # noqa: E402
from blender_addon.preferences import worker_settings  # noqa: E402
from blender_addon.render.picture import render_picture  # noqa: E402
from blender_addon.scene.frame import job_message  # noqa: E402

FRAMES = 12
TABLE_FRAMES = 3
COUNTS = (1, 6, 12, 24)
SIZES = ((256, 256), (512, 512), (1024, 576))
CYCLES_FRAMES = 3
SIDE = 256
SEEDS = count()
"""Each measurement has its own, so that no frame is one of another's."""

RESULTS = Path(__file__).with_name("results.json")


def build(number: int = 6) -> list[bpy.types.Object]:
    """Set up the demo's photo with so many assets: its five, and copies of them beside."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    subject = load_subject(ROOT / "demo" / "tabletop.json")
    api.import_photo(subject.photo, camera=subject.camera)
    empties = [
        api.add_asset(asset.rectangle, name=asset.name, world_from_box=asset.world_from_box)
        for asset in subject.assets[:number]
    ]
    for more in range(number - len(empties)):
        twin = empties[more % len(subject.assets)].copy()
        bpy.context.scene.collection.objects.link(twin)
        twin.location.x -= 0.2 * (1 + more // len(subject.assets))
        empties.append(twin)
    return empties


def ours(
    empties: list[bpy.types.Object], size: tuple[int, int] = (SIDE, SIDE), frames: int = FRAMES
) -> dict[str, float]:
    """Render frames with moving boxes; return the figures."""
    totals, shares = [], []
    bpy.context.scene.neural_assets.seed = next(SEEDS)
    for number in range(frames + 1):
        for i, empty in enumerate(empties):
            empty.location.x += 0.004 * (i % 6 - 2.5)
        start = time.perf_counter()
        bpy.context.view_layer.update()
        job, photos = job_message(bpy.context.evaluated_depsgraph_get(), *size)
        picture, _ = render_picture(job, photos, worker_settings())
        total = time.perf_counter() - start
        if picture.cached:
            raise RuntimeError("a cached frame measures nothing")
        if number:
            totals.append(total)
            shares.append(1 - picture.seconds / total)
    return {
        "frame_seconds": round(median(totals), 3),
        "bridge_share": round(median(shares), 3),
        "worker_peak_mib": round(api.worker_capabilities()["peak_memory_mib"]["process"]),
    }


def table() -> dict[str, dict[str, float]]:
    """Return seconds by picture size and number of assets."""
    found: dict[str, dict[str, float]] = {f"{width}x{height}": {} for width, height in SIZES}
    for number in COUNTS:
        for (width, height), row in zip(SIZES, found.values(), strict=True):
            row[str(number)] = ours(build(number), (width, height), TABLE_FRAMES)["frame_seconds"]
    return found


def cycles() -> float:
    """Render six monkeys with Cycles and return the median seconds of a frame."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    for i in range(6):
        bpy.ops.mesh.primitive_monkey_add(location=(1.6 * (i % 3 - 1), 2.0 * (i // 3), 0.0))
        bpy.context.object.modifiers.new("Subdivision", "SUBSURF").render_levels = 2
    bpy.ops.mesh.primitive_plane_add(size=30, location=(0, 0, -1))
    bpy.ops.object.light_add(type="SUN", location=(2, -4, 6), rotation=(0.6, 0.2, 0))
    bpy.ops.object.camera_add(location=(0, -9, 3), rotation=(1.25, 0, 0))
    scene.camera = bpy.context.object
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = SIDE
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 64, True, False
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "cycles.png")
        seconds = []
        for _ in range(CYCLES_FRAMES + 1):
            start = time.perf_counter()
            bpy.ops.render.render(write_still=True)
            seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def main() -> None:
    """Measure both and merge into results.json."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    mine = ours(build())
    figures = {**mine, "frame_table": table()}
    api.stop_worker()
    seconds = cycles()
    figures["cycles_seconds"] = round(seconds, 3)
    figures["cycles_ratio"] = round(seconds / mine["frame_seconds"], 2)
    print(figures)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(results | figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    blender_addon.unregister()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # some bpy wheels hang at exit after rendering
