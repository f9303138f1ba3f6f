"""How often Rendered shading shows a new picture while things move, and where the time goes.

    .venv/bin/python benchmarks/viewport.py [--size 512] [--seconds 5]

Without a window: 6 assets of the demo move before every look, in a square picture that the camera sees, and
freely; a real worker answers. Prints, as medians in milliseconds, what one proxy takes at full size:
``message_ms`` (the scene to the worker's words, on Blender's own thread), ``worker_ms`` (the worker's own
time), ``transport_ms`` (the request's thread and both sockets) and ``pixels_ms`` (scene-linear floats, faded
in a free view, in the request's thread). Then ``proxies_per_second``, as a viewport drives itself, and
``proxy_size``, to which it reduces them meanwhile. Uploading and drawing need a window and are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.frame import build  # (reads the environment before bpy does)  # isort: skip

import bpy
import numpy as np
from mathutils import Matrix

import blender_addon
from blender_addon import api
from blender_addon.preferences import worker_settings
from blender_addon.render.colour import working_from_rec709
from blender_addon.render.picture import render_picture
from blender_addon.viewport.message import view_message
from blender_addon.viewport.photos import KnownPhotos
from blender_addon.viewport.picture import view_picture
from blender_addon.viewport.session import POLL_SECONDS, Session
from blender_addon.viewport.views import View, view_of

ROUNDS = 12
"""Proxies that are taken apart; the first two, which take the photo apart, do not count."""


class Stage:
    """The scene whose assets move, and a viewport's look at it.

    Args:
        size: of the region and of the picture, both square.
        free: whether the view is a free one, where the camera stands.
    """

    def __init__(self, size: int, *, free: bool) -> None:
        self._assets = build()
        scene = bpy.context.scene
        scene.render.resolution_x = scene.render.resolution_y = size
        self._size, self._free, self._moves = size, free, 0

    def move(self) -> None:
        """Move every asset a little."""
        self._moves += 1
        for number, asset in enumerate(self._assets):
            asset.location.x += 0.004 * (number - 2.5) * (1 if self._moves // 20 % 2 else -1)

    def look(self) -> tuple[bpy.types.Depsgraph, View]:
        """Return the evaluated scene, and what the viewport looks at."""
        bpy.context.view_layer.update()
        depsgraph = bpy.context.evaluated_depsgraph_get()
        camera = bpy.context.scene.camera
        window = camera.calc_matrix_camera(depsgraph, x=self._size, y=self._size)
        data: Any = type("RegionData", (), {})()
        data.view_perspective = "PERSP" if self._free else "CAMERA"
        data.view_matrix, data.window_matrix = Matrix(camera.matrix_world).inverted(), window
        space: Any = type("Space", (), {"use_local_camera": False})()
        return depsgraph, view_of(depsgraph, space, data, (self._size, self._size))


def parts(stage: Stage) -> dict[str, float]:
    """Return what the parts of one proxy take, in milliseconds."""
    photos, matrix = KnownPhotos(), working_from_rec709()
    taken: list[tuple[float, ...]] = []
    for _ in range(ROUNDS):
        stage.move()
        depsgraph, view = stage.look()
        began = time.perf_counter()
        message = view_message(depsgraph, view, photos)
        key = message.key
        asked = time.perf_counter()
        received, _ = render_picture(message.proxy_job(view.size), message.files, worker_settings())
        answered = time.perf_counter()
        view_picture(received, key, view, True, matrix)
        done = time.perf_counter()
        worker = received.seconds
        taken.append((asked - began, worker, answered - asked - worker, done - answered))
    names = ("message_ms", "worker_ms", "transport_ms", "pixels_ms")
    medians = np.median(np.array(taken[2:]), axis=0) * 1e3
    return {name: round(float(value), 1) for name, value in zip(names, medians, strict=True)}


def pace(stage: Stage, seconds: float) -> dict[str, Any]:
    """Return how many proxies a second come while everything moves at every look, and their size."""
    session = Session(lambda: None)
    sizes, times, last = [], [], None
    end = None
    while end is None or time.perf_counter() < end:
        stage.move()
        session.mark_changed()
        session.step(*stage.look())
        picture = session.picture
        if picture is not None and picture is not last:
            last = picture
            times.append(time.perf_counter())
            sizes.append(picture.pixels.shape[1::-1])
            end = end or times[0] + seconds
        time.sleep(POLL_SECONDS)
    session.close()
    gaps = np.diff(times[len(times) // 3 :])
    return {"proxies_per_second": round(1 / median(gaps), 1), "proxy_size": list(sizes[-1])}


def main() -> None:
    """Measure both kinds of view."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    figures = {}
    for name, free in (("camera", False), ("free", True)):
        stage = Stage(chosen.size, free=free)
        figures[name] = parts(stage) | pace(stage, chosen.seconds)
    print(json.dumps({"size": chosen.size, "load": os.getloadavg()[0], **figures}, indent=2))
    api.stop_worker()
    blender_addon.unregister()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # some bpy wheels hang at exit
