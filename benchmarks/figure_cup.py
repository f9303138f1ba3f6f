"""The picture of docs/layers.md of a cup that turns: a photograph, a mesh that was modelled over it, half a
turn.

    python benchmarks/figure_cup.py

The photograph of coffee comes with scikit-image. The mesh is a saucer, a cup and a handle, a few lathes and a
tube.
"""

from __future__ import annotations

import math
import os

import bpy
import numpy as np
from coffee_scene import coffee_scene
from mathutils import Matrix
from numpy.typing import NDArray
from pictures import IMAGES, save_for_docs
from PIL import Image, ImageDraw

from blender_addon import api
from blender_addon.dataset.objects import build
from blender_addon.dataset.surfaces import Surface, lathe, moved, polyline, tube, turned, worn
from na_core.geometry.camera import project_points

SAUCER, HEIGHT, RIM, ASIDE = 0.1335, 0.128, 0.0668, 0.0095
"""Metres: the saucer's radius, the cup's height and its rim's radius, how far it stands beside the middle."""

PLACE = (-0.0145, 0.352)
HANDLE_DEGREES = -113.0
COLOURS = {"red": (0.28, 0.025, 0.008), "white": (0.8, 0.7, 0.6), "coffee": (0.45, 0.2, 0.06)}
TURNS = (60, 120, 180)


def model() -> list[Surface]:
    """Return the saucer, cup, rim, coffee and handle, by material."""
    s, h, r = SAUCER, HEIGHT, RIM
    saucer = [(1e-4, 0), (s * 0.55, 0), (s, 0.022), (s - 0.003, 0.024), (s * 0.5, 0.007), (1e-4, 0.007)]
    outside = [(1e-4, 0.008), (r * 0.55, 0.008), (r * 0.66, 0.02), (r * 0.9, 0.055), (r, h - 0.004)]
    inside = [(r, h - 0.004), (r - 0.003, h), (r - 0.006, h - 0.003), (r * 0.8, 0.055), (r * 0.74, 0.05)]
    line = polyline(
        (r * 0.74, 0, 0.04),
        (r + 0.01, 0, 0.042),
        (r + 0.028, 0, 0.06),
        (r + 0.024, 0, 0.085),
        (r * 0.97, 0, 0.092),
    )
    parts = [
        lathe(outside, 64),
        worn(lathe(inside, 64), 1),
        worn(lathe([(r * 0.76, 0.052), (1e-4, 0.0525)], 64), 2),
        turned(tube(line, 0.0105, 16), "z", HANDLE_DEGREES),
    ]
    return [lathe(saucer, 64), *(moved(part, (ASIDE, 0, 0)) for part in parts)]


def material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    """Return a plain material."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    assert made.node_tree is not None
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)  # type: ignore[attr-defined]
    return made


def wired(photo: NDArray[np.uint8], item: bpy.types.Object, scene: bpy.types.Scene) -> NDArray[np.uint8]:
    """Return the photograph with a mesh's edges over it."""
    height, width = photo.shape[:2]
    data = item.data
    assert isinstance(data, bpy.types.Mesh)
    points = np.array([item.matrix_world @ vertex.co for vertex in data.vertices])
    places = project_points(api.photo_camera(scene), points)[:, :2] * (width, height)
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    for edge in data.edges:
        draw.line([tuple(places[number]) for number in edge.vertices], fill=(0, 255, 255))
    return np.asarray(picture)


def main() -> None:
    """Set the scene up, render it, and save the picture."""
    scene, photo = coffee_scene()
    surfaces = model()
    points = np.concatenate([surface.vertices for surface in surfaces])
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.diag([*(high - low), 1.0])
    box[:3, 3] = (low + high) / 2 + (*PLACE, 0)
    materials = [material(name, colour) for name, colour in COLOURS.items()]
    mesh = build("Cup Model", surfaces, 1.0, 1.0, materials, scene.collection)
    cup = api.add_asset(name="Cup", world_from_box=box, scene=scene)
    api.fit_mesh(cup, mesh, scene=scene)
    scene.view_layers[0].update()
    pictures = [photo, wired(photo, mesh, scene)]
    start, axis = cup.matrix_world.copy(), Matrix.Translation((*PLACE, 0))
    for degrees in TURNS:
        cup.matrix_world = axis @ Matrix.Rotation(math.radians(degrees), 4, "Z") @ axis.inverted() @ start
        pictures.append(api.render_frame(scene=scene))
    api.stop_worker()
    left, right = np.concatenate(pictures[:2], axis=1), np.concatenate(pictures[2:], axis=1)
    width = right.shape[1]
    upper = Image.fromarray(left).resize((width, round(left.shape[0] * width / left.shape[1])))
    save_for_docs(Image.fromarray(np.concatenate([np.asarray(upper), right])), IMAGES / "cup.webp")
    os._exit(0)  # some bpy wheels crash while the interpreter shuts down


if __name__ == "__main__":
    main()
