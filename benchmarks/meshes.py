"""What meshes cost: a frame's passes with reliefs and with meshes, in turn, on an idle machine.

    python benchmarks/meshes.py

The demo's tabletop, its five objects turned by half a radian, and balls of so many triangles for shapes.
Times are medians of :data:`RUNS` frames after the first, which takes the photo apart; each frame is another
one.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.geometry.boxes import bounds_2d, source_quarter_turns
from na_core.geometry.mesh_file import mesh_bytes
from na_core.meshes.mesh_arrays import read_mesh
from na_core.model.checkpoints import load_checkpoint
from na_core.scene import Asset, Background, Box, Camera, Frame, Mesh, MeshFile, Photo, PlacedAsset, Sampling

DEMO = Path(__file__).resolve().parents[1] / "demo"
SIZES = (256, 1024)
RINGS = (50, 350)
"""Of the balls: 5,000 and 245,000 triangles."""

RUNS = 5


def ball(rings: int) -> bytes:
    """Return the file of a ball that fills its box."""
    polar, around = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, rings, endpoint=False)
    across = np.sin(polar)[:, None]
    points = np.stack(
        [across * np.cos(around), across * np.sin(around), np.cos(polar)[:, None] + 0 * around], axis=-1
    )
    row, column = np.meshgrid(np.arange(rings), np.arange(rings), indexing="ij")
    a, b = row * rings + column, row * rings + (column + 1) % rings
    halves = np.stack([np.stack([a, a + rings, b], axis=-1), np.stack([b, a + rings, b + rings], axis=-1)])
    return mesh_bytes(points.reshape(-1, 3) / 2, halves.reshape(-1, 3))


def turned(box: NDArray[np.float64], angle: float) -> Box:
    """Return a box turned about its up axis."""
    c, s = np.cos(angle), np.sin(angle)
    found = box.copy()
    found[:2, :3] = np.array([[c, -s], [s, c]]) @ box[:2, :3]
    return Box(found)


def main() -> None:
    """Measure, and print a line for each size and shape."""
    told = json.loads((DEMO / "tabletop.json").read_text())
    file = DEMO / told["photo"]
    photo = Photo(hashlib.sha256(file.read_bytes()).hexdigest())
    photos = {photo.sha256: np.asarray(Image.open(file).convert("RGB"))}
    camera = Camera.from_dict(told["camera"])
    assets = []
    for each in told["assets"]:
        box = Box(np.array(each["world_from_box"]))
        turns = source_quarter_turns(box, camera)
        assets.append(Asset(each["name"], photo, box, camera, bounds_2d(camera, box), turns))
    background = Background(photo, camera, tuple(asset.source_box for asset in assets))
    pipeline = load_checkpoint("mini")

    def frame(step: int, mesh: Mesh | None) -> Frame:
        placed = [
            PlacedAsset(replace(asset, mesh=mesh), turned(asset.source_box.world_from_box, 0.5 + 0.01 * step))
            for asset in assets
        ]
        return Frame(camera, tuple(placed), background)

    for size in SIZES:
        sampling = Sampling.from_preset("draft", width=size, height=size)
        shapes = {"reliefs": None, **{f"{2 * rings**2:,} triangles": rings for rings in RINGS}}
        seconds: dict[str, float] = {}
        for name, rings in shapes.items():
            data = None if rings is None else ball(rings)
            mesh = None if data is None else Mesh(MeshFile(hashlib.sha256(data).hexdigest()))
            files = {} if data is None or mesh is None else {mesh.file.sha256: read_mesh(data)}
            times = []
            for step in range(RUNS + 1):
                start = time.perf_counter()
                pipeline([frame(step, mesh)], photos, sampling, meshes=files)
                times.append(time.perf_counter() - start)
            seconds[name] = median(times[1:])
        for name, value in seconds.items():
            print(f"{size:5} px  {name:18} {value:6.3f} s  {value / seconds['reliefs']:5.2f} x reliefs")


if __name__ == "__main__":
    main()
