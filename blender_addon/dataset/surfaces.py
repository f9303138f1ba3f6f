"""Surfaces: meshes as numpy arrays, and the few ways that the object families make them.

Lengths are metres, Z is up, an object's front faces -Y. Every face carries texture coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """One piece of an object, of one material.

    Attributes:
        vertices: (V, 3) metres.
        faces: vertex indices of each polygon, counter-clockwise seen from outside.
        uv: (sum of the faces' lengths, 2), or None for a projection along the nearest axis.
        slot: which of the object's materials it wears: 0 body, 1 accent, 2 detail, 3 decal.
        smooth: whether its normals are interpolated.
    """

    vertices: Array
    faces: tuple[tuple[int, ...], ...]
    uv: Array | None = None
    slot: int = 0
    smooth: bool = True


def moved(surface: Surface, offset: ArrayLike) -> Surface:
    """Return the surface translated by ``offset`` (3,)."""
    return replace(surface, vertices=surface.vertices + np.asarray(offset, dtype=np.float64))


def scaled(surface: Surface, factors: ArrayLike) -> Surface:
    """Return the surface scaled about the origin by positive ``factors`` (3,) or a number."""
    return replace(surface, vertices=surface.vertices * np.asarray(factors, dtype=np.float64))


def turned(surface: Surface, axis: str, degrees: float) -> Surface:
    """Return the surface turned about the x, y or z axis through the origin, counter-clockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[i, i], rotation[i, j], rotation[j, i], rotation[j, j] = c, -s, s, c
    return replace(surface, vertices=surface.vertices @ rotation.T)


def worn(surface: Surface, slot: int) -> Surface:
    """Return the surface with another material slot."""
    return replace(surface, slot=slot)


def grid(points: Array, *, wrap: bool, caps: bool = False, repeats: tuple[float, float] = (1, 1)) -> Surface:
    """Return the surface through a grid of points.

    Args:
        points: (M, N, 3); rows go along the surface, columns around it. Outside is where
            (column direction) x (row direction) points.
        wrap: joins the last column to the first.
        caps: closes the first and last row with a polygon each (only with ``wrap``).
        repeats: how often the texture repeats around and along.
    """
    m, n = points.shape[:2]
    columns = n if wrap else n - 1
    faces: list[tuple[int, ...]] = []
    uv: list[tuple[float, float]] = []
    for i in range(m - 1):
        for j in range(columns):
            k = (j + 1) % n
            faces.append((i * n + j, i * n + k, (i + 1) * n + k, (i + 1) * n + j))
            u0, u1 = j / columns * repeats[0], (j + 1) / columns * repeats[0]
            v0, v1 = i / (m - 1) * repeats[1], (i + 1) / (m - 1) * repeats[1]
            uv += [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]
    if caps:
        circle = np.linspace(0, 2 * math.pi, n, endpoint=False)
        disc = np.stack([np.cos(circle), np.sin(circle)], axis=1) * 0.3 + 0.5
        faces.append(tuple(range(n - 1, -1, -1)))
        uv += [(float(u), float(v)) for u, v in disc[::-1]]
        faces.append(tuple((m - 1) * n + j for j in range(n)))
        uv += [(float(u), float(v)) for u, v in disc]
    return Surface(points.reshape(-1, 3).astype(np.float64), tuple(faces), np.array(uv, dtype=np.float64))


def lathe(profile: ArrayLike, segments: int = 28, *, start: float = 0.0, sweep: float = 360.0) -> Surface:
    """Return the profile [(radius, z), ...] (from the outside's bottom upwards) turned about the Z axis.

    ``start`` and ``sweep`` are degrees; 0 is +X, -90 is the front. A sweep below 360 leaves the sides open.
    """
    line = np.asarray(profile, dtype=np.float64)
    closed = sweep >= 360
    angles = np.radians(start + np.linspace(0, sweep, segments + (not closed), endpoint=not closed))
    radius, z = line[:, :1], line[:, 1:]
    points = np.stack(
        [radius * np.cos(angles), radius * np.sin(angles), np.broadcast_to(z, (len(line), len(angles)))],
        axis=-1,
    )
    return grid(points, wrap=closed)


def ball(radii: ArrayLike, segments: int = 24) -> Surface:
    """Return an ellipsoid with the given radii (3,) about the origin."""
    angle = np.linspace(-math.pi / 2, math.pi / 2, segments // 2 + 1)
    profile = np.stack([np.maximum(np.cos(angle), 1e-4), np.sin(angle)], axis=1)
    return scaled(lathe(profile, segments), np.broadcast_to(np.asarray(radii, dtype=np.float64), 3))


def cylinder(radius: float, height: float, segments: int = 24, *, top: float | None = None) -> Surface:
    """Return a closed cylinder from z = 0 upwards, its rims slightly rounded; ``top`` radius makes a cone."""
    upper = radius if top is None else top
    bevel = min(radius, upper, height) * 0.08
    return lathe(
        [
            (1e-4, 0),
            (radius - bevel, 0),
            (radius, bevel),
            (upper, height - bevel),
            (upper - bevel, height),
            (1e-4, height),
        ],
        segments,
    )


def tube(path: ArrayLike, radius: ArrayLike, segments: int = 12, *, flatten: float = 1.0) -> Surface:
    """Return a closed tube along a path.

    Args:
        path: (M, 3) points, M >= 2.
        radius: a number, or (M,) along the path.
        segments: columns around.
        flatten: scale of the cross-section across its first normal.
    """
    line = np.asarray(path, dtype=np.float64)
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.zeros_like(line)
    helper = np.eye(3)[int(np.argmin(np.abs(tangent).sum(axis=0)))]
    for i, direction in enumerate(tangent):
        helper = helper - direction * (helper @ direction)  # carried along, so that the tube does not twist
        helper = helper / max(float(np.linalg.norm(helper)), 1e-9)
        normal[i] = helper
    binormal = np.cross(tangent, normal)
    angles = np.linspace(0, 2 * math.pi, segments, endpoint=False)[None, :, None]
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(line))[:, None, None]
    ring = normal[:, None] * np.cos(angles) * flatten + binormal[:, None] * np.sin(angles)
    return grid(line[:, None] + ring * radii, wrap=True, caps=True, repeats=(1, 2))


def loft(sections: ArrayLike) -> Surface:
    """Return the closed surface through sections (M, N, 3), each a ring; see :func:`grid` for the outside."""
    return grid(np.asarray(sections, dtype=np.float64), wrap=True, caps=True)


def extrusion(outline: ArrayLike, depth: float) -> Surface:
    """Return a polygon extruded along Y from -depth/2 (its front) to +depth/2.

    ``outline`` (N, 2) holds (x, z), counter-clockwise seen from the front.
    """
    flat = np.asarray(outline, dtype=np.float64)
    n = len(flat)
    rings = [np.stack([flat[:, 0], np.full(n, y), flat[:, 1]], axis=1) for y in (-depth / 2, depth / 2)]
    faces = [tuple(range(n)), tuple(range(2 * n - 1, n - 1, -1))]
    faces += [(j, j + n, (j + 1) % n + n, (j + 1) % n) for j in range(n)]
    return Surface(np.concatenate(rings), tuple(faces), smooth=False)


def rounded_box(size: ArrayLike, radius: float | None = None, segments: int = 2) -> Surface:
    """Return a box of the given size (3,) about the origin, with edges rounded by ``radius`` metres."""
    half = np.broadcast_to(np.asarray(size, dtype=np.float64), 3) / 2
    r = min(float(half.min()) * 0.15 if radius is None else radius, float(half.min()) * 0.999)
    bend = np.tan(np.linspace(0, math.pi / 4, segments + 1)) * r
    vertices: list[Array] = []
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        lines = [np.concatenate([-(half[k] - r) - bend[::-1], (half[k] - r) + bend]) for k in (i, j)]
        for sign in (-1, 1):
            sheet = np.empty((len(lines[0]), len(lines[1]), 3))
            sheet[..., axis] = sign * half[axis]
            sheet[..., i], sheet[..., j] = lines[0][:, None], lines[1][None, :]
            inner = np.clip(sheet, -(half - r), half - r)
            away = sheet - inner
            sheet = inner + away / np.linalg.norm(away, axis=-1, keepdims=True) * r
            base, columns = sum(len(v) for v in vertices), sheet.shape[1]
            vertices.append(sheet.reshape(-1, 3))
            for a in range(sheet.shape[0] - 1):
                for b in range(columns - 1):
                    p = base + a * columns + b
                    quad = (p, p + columns, p + columns + 1, p + 1)
                    faces.append(quad if sign > 0 else quad[::-1])
    return Surface(np.concatenate(vertices), tuple(faces), smooth=False)


def polyline(*points: Sequence[float], steps: int = 8) -> Array:
    """Return a smooth curve (M, 3) through the given points (Catmull-Rom)."""
    p = np.asarray(points, dtype=np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5
        * (
            2 * p[i + 1]
            + (p[i + 2] - p[i]) * t
            + (2 * p[i] - 5 * p[i + 1] + 4 * p[i + 2] - p[i + 3]) * t**2
            + (3 * p[i + 1] - p[i] - 3 * p[i + 2] + p[i + 3]) * t**3
        )
        for i in range(len(p) - 3)
    ]
    return np.concatenate([*pieces, p[-2:-1]])
