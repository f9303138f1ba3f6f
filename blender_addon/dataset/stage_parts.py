"""Stage parts: what the modules that build a stage share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .ground_pictures import mixed
from .layout import View
from .patterns import Texture
from .plain_pictures import plain
from .streams import Random
from .surfaces import Surface

Array = np.ndarray


@dataclass(frozen=True)
class Room:
    """What a stage is built around.

    Attributes:
        views: every camera that looks at it.
        radius: of the disc in metres that the objects stand on.
        footprints: (n, 4, 2) metres, every place where an object ever stands.
    """

    views: Sequence[View]
    radius: float
    footprints: Array

    @property
    def reach(self) -> float:
        """Metres from the origin to the farthest corner of an object."""
        return max(self.radius, float(np.linalg.norm(self.footprints, axis=-1).max()))

    @property
    def cameras(self) -> Array:
        """Where the cameras are, (n, 3) metres."""
        return np.array([view.position for view in self.views])


@dataclass(frozen=True)
class Builder:
    """Adds meshes to one stage, with the numbers of its stream."""

    random: Random
    split: str
    room: Room
    collection: bpy.types.Collection

    def add(self, name: str, surface: Surface, material: bpy.types.Material, *, shadow: bool = True) -> None:
        """Put a surface on the stage; without ``shadow``, all light goes through it."""
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(surface.vertices.tolist(), [], [list(face) for face in surface.faces])
        if surface.uv is not None:
            mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", surface.uv.astype(np.float32).ravel())
        mesh.materials.append(material)
        mesh.polygons.foreach_set("use_smooth", np.full(len(mesh.polygons), surface.smooth))
        thing: Any = bpy.data.objects.new(name, mesh)
        thing.visible_shadow = shadow
        self.collection.objects.link(thing)

    def wide(self, side: int = 512) -> Texture:
        """Return a texture for a large upright surface: one colour, or calmer than an object's texture."""
        if self.random.random() < 0.3:
            return plain(self.random, 128)
        return mixed(self.random, self.split, side)


def sheet(corners: Sequence[tuple[float, float, float]], tile: float) -> Surface:
    """Return a rectangle; corner 1 and 3 neighbour corner 0, its texture repeats every ``tile`` metres."""
    points = np.array(corners)
    w, h = np.linalg.norm(points[1] - points[0]) / tile, np.linalg.norm(points[3] - points[0]) / tile
    return Surface(points, ((0, 1, 2, 3),), np.array([(0, 0), (w, 0), (w, h), (0, h)]), smooth=False)


def flat(surface: Surface, tile: float) -> Surface:
    """Return the surface with its texture seen from above, repeated every ``tile`` metres."""
    uv = np.concatenate([surface.vertices[list(face)][:, :2] / tile for face in surface.faces])
    return Surface(surface.vertices, surface.faces, uv, smooth=False)


def fronted(surface: Surface, width: float, height: float) -> Surface:
    """Return the surface with its texture seen from the front; one repeat measures ``width`` x ``height``."""
    points = np.concatenate([surface.vertices[list(face)] for face in surface.faces])
    uv = points[:, (0, 2)] / (width, height) + 0.5
    return Surface(surface.vertices, surface.faces, uv, smooth=False)


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Return several surfaces as one; each takes its colour from one point of the texture."""
    vertices, faces, uv, base = [], [], [], 0
    for i, surface in enumerate(surfaces):
        vertices.append(surface.vertices)
        faces += [tuple(index + base for index in face) for face in surface.faces]
        at = ((i * 0.618) % 1, (i * 0.377) % 1)
        uv.append(np.broadcast_to(at, (sum(map(len, surface.faces)), 2)))
        base += len(surface.vertices)
    return Surface(np.concatenate(vertices), tuple(faces), np.concatenate(uv), smooth=False)
