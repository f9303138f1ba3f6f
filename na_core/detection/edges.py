"""Straight edges in a photo, and the camera whose vanishing points they run to.

Most things that people make, and the rooms that they stand in, have edges that are upright or lie level along
two directions square to each other. In a photo such edges run to vanishing points, which tell the camera to a
fraction of what a network can. Each object has its own two directions, the room another two, and they share
what is upright (Schindler and Dellaert, "Atlanta World", 2004). Which edge is which, and which is none of
them, is weighed and not decided (Coughlan and Yuille, "Manhattan World", 1999). What a network says of the
camera and of the objects' yaws is where the fit starts, and what holds it where there are no edges.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.detection.found import Found
from na_core.detection.perspective import Look, View, fit_look, look_of, moved, pull_of_view
from na_core.detection.standing import rotation

SIDE = 512
"""Longer side in pixels at which edges are looked for."""

LEAST_LENGTH, MOST_EDGES = 0.04, 400
"""Of edges, in units of the longer side; and how many of the longest count."""

SPREADS = np.radians([4, 3, 2, 1.5, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2])
"""Error of a long edge's angle, round by round: at first what is farther off may still belong."""

SHORT = 0.06
"""Length at which an edge's angle is root two times less sure."""

LEAST_OFF = 0.3
"""Of an edge's error: below so much of it, all are as good."""

UPRIGHT, OF_OBJECT, OF_ROOM = 0.2, 0.2, 0.15
"""Shares of edges that are upright, and that are along each of an object's or the room's two directions."""

LEAST_OTHER = 0.3
"""Share of edges that are none of those, at the least."""

EVIDENCE = 0.5
"""Independent observations that an edge is worth: the two sides of a strip of paint err together."""

DOUBT = 2.2
"""Factor by which errors on held-out pictures are larger than edges that err alone would make them."""

YAW_DOUBT = math.radians(14)
"""Error to be expected of a yaw that the network tells."""

MARGIN = 0.01
"""Around a 2D box, in units of the longer side, within which an edge may be its object's."""

ROOM_STEP = math.radians(2)
"""Between the yaws that are tried for the room."""

STEP = 1e-4
"""In radians, to see how angles change."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Edges:
    """N straight edges of a photo, from its middle and in units of its longer side.

    Attributes:
        middles: (N, 2), x and y (down).
        angles: (N,) radians clockwise from up, modulo pi.
        lengths: (N,).
    """

    middles: Array
    angles: Array
    lengths: Array


def straight_edges(photo: NDArray[np.uint8]) -> Edges:
    """Return the straight edges of a photo (H, W, 3) (von Gioi et al., "LSD", 2010)."""
    height, width = photo.shape[:2]
    scale = SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = Image.fromarray(photo).convert("L").resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    found = cv2.createLineSegmentDetector().detect(np.asarray(grey))[0]
    ends = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(np.float64)
    ends = (ends - np.array(size) / 2) / SIDE
    along = ends[:, 1] - ends[:, 0]
    lengths = np.linalg.norm(along, axis=1)
    kept = np.argsort(-lengths, kind="stable")[:MOST_EDGES]
    kept = kept[lengths[kept] >= LEAST_LENGTH]
    return Edges(ends[kept].mean(axis=1), np.arctan2(along[kept, 0], -along[kept, 1]), lengths[kept])


def fit_to_edges(
    view: View,
    edges: Edges,
    found: Found,
    size: tuple[int, int],
    focal: float | None = None,
    pitch: float | None = None,
    roll: float | None = None,
) -> tuple[Look, Array]:
    """Return the camera that agrees best with a network and with edges, and yaws (K,) of objects that do.

    Args:
        view: what the network says of the camera.
        edges: of the photo.
        found: K objects; in their 2D boxes edges may be along their sides.
        size: width and height of the photo, in pixels or any other unit.
        focal, pitch, roll: what is known; see :class:`Look`.
    """
    look = fit_look(view, focal, pitch, roll)
    if not len(edges.lengths):
        return look, found.yaws
    free = np.array([known is None for known in (focal, pitch, roll)])
    numbers = np.array([math.log(look.focal), look.pitch, look.roll])
    centres = found.centres - np.array(size) / max(size) / 2
    shares = _shares(edges, found.rectangles - np.tile(np.array(size) / max(size) / 2, 2))
    yaws = np.append(found.yaws, _yaw_of_room(edges, numbers))
    sure = np.append(np.full(len(found.yaws), YAW_DOUBT**-2), 0)
    first, information = yaws, np.zeros((3, 3))
    for spread in SPREADS:
        off, by_number, by_yaw = _off(edges, numbers, yaws, centres)
        weights = _weights(off, spread * np.sqrt(1 + (SHORT / edges.lengths) ** 2), shares)
        information, pull = pull_of_view(view, numbers)
        information = information + np.einsum("inf,jnf,nf->ij", by_number, by_number, weights, optimize=True)
        pull = pull + np.einsum("inf,nf,nf->i", by_number, off, weights)
        # Of the edges along a frame's two directions, what they say of its yaw is taken out of the equations.
        level, turn = weights[:, 1:], by_yaw[:, 1:]
        both = np.einsum("inf,nf,nf->if", by_number[:, :, 1:], turn, level).reshape(3, -1, 2).sum(-1)
        own = np.einsum("nf,nf->f", turn**2, level).reshape(-1, 2).sum(-1) + sure + 1e-9
        own_pull = np.einsum("nf,nf,nf->f", turn, off[:, 1:], level).reshape(-1, 2).sum(-1)
        own_pull += sure * (yaws - first)
        mask = np.outer(free, free)
        information = (information - (both / own) @ both.T) * mask
        step = -np.linalg.pinv(information) @ ((pull - both @ (own_pull / own)) * free)
        numbers = moved(numbers, step, free)
        yaws = yaws - np.clip((own_pull + both.T @ (step * free)) / own, -0.5, 0.5)
    doubts = DOUBT * np.sqrt(np.diag(np.linalg.pinv(information))) * free
    return look_of(numbers, doubts), yaws[:-1]


def _shares(edges: Edges, rectangles: Array) -> Array:
    """Return how many edges (N, 1 + 2 K + 2) are upright, along objects' directions, along the room's."""
    at = edges.middles[:, None]
    inside = ((at >= rectangles[:, :2] - MARGIN) & (at <= rectangles[:, 2:] + MARGIN)).all(axis=-1)
    count = len(edges.lengths)
    objects = OF_OBJECT * np.repeat(inside, 2, axis=1)
    return np.concatenate([np.full((count, 1), UPRIGHT), objects, np.full((count, 2), OF_ROOM)], axis=1)


def _yaw_of_room(edges: Edges, numbers: Array) -> float:
    """Return the yaw, modulo a quarter turn, along which and square to which most edges are."""
    yaws = np.arange(0, math.pi / 2, ROOM_STEP)
    off = _wrapped(edges.angles[:, None] - _angles(edges, numbers, yaws, np.zeros((0, 2)))[:, 1:])
    spread = SPREADS[0]
    likely = OF_ROOM * np.exp(-np.abs(off) / spread).reshape(len(off), -1, 2).sum(axis=-1) / (2 * spread)
    likely += (1 - 2 * OF_ROOM) / math.pi
    return float(yaws[(np.log(likely) * edges.lengths[:, None]).sum(axis=0).argmax()])


def _weights(off: Array, spreads: Array, shares: Array) -> Array:
    """Return the weights (N, F) of squared errors that edges (N,) have if they are each of F directions'.

    They are as likely as exp(-error / spread), or all angles alike.
    """
    spread = spreads[:, None]
    likely = shares * np.exp(-np.abs(off) / spread) / (2 * spread)
    other = np.maximum(1 - shares.sum(axis=1), LEAST_OTHER) / math.pi
    mine = likely / (likely.sum(axis=1) + other)[:, None]
    return EVIDENCE * mine / (spread * np.maximum(np.abs(off), LEAST_OFF * spread))


def _off(edges: Edges, numbers: Array, yaws: Array, centres: Array) -> tuple[Array, Array, Array]:
    """Return how far edges lean from each direction (N, F) in radians, and how that changes.

    By the camera's numbers (3, N, F), and by the yaw of the frame whose direction it is (N, F).
    """
    here = _angles(edges, numbers, yaws, centres)
    by_number = np.stack(
        [-_wrapped(_angles(edges, numbers + STEP * axis, yaws, centres) - here) / STEP for axis in np.eye(3)]
    )
    by_yaw = -_wrapped(_angles(edges, numbers, yaws + STEP, centres) - here) / STEP
    return _wrapped(edges.angles[:, None] - here), by_number, by_yaw


def _angles(edges: Edges, numbers: Array, yaws: Array, centres: Array) -> Array:
    """Return the angles (N, 1 + 2 J) of edges that are upright, or along the two directions of J frames.

    Args:
        edges: N.
        numbers: of the camera.
        yaws: (J,); those of the first objects are from where they are seen, the others' in the world.
        centres: of those objects in the picture, (K, 2) from its middle.
    """
    focal = math.exp(numbers[0])
    world_from_camera = rotation(Look(focal, numbers[1], numbers[2]))
    seen = np.stack([centres[:, 0], -centres[:, 1], np.full(len(centres), -focal)], axis=-1)
    away = seen @ world_from_camera.T
    turned = yaws.copy()
    turned[: len(centres)] += np.arctan2(away[:, 1], away[:, 0]) - math.pi / 2
    level = np.stack([turned, turned + math.pi / 2], axis=1).ravel()
    world = np.stack([np.cos(level), np.sin(level), np.zeros(len(level))], axis=-1)
    right, up, back = (np.concatenate([[(0.0, 0.0, 1.0)], world]) @ world_from_camera).T
    x, y = edges.middles.T[:, :, None]
    return np.arctan2(focal * right + x * back, focal * up - y * back)


def _wrapped(angles: Array) -> Array:
    """Return angles of undirected lines between minus and plus a quarter turn."""
    return (angles + math.pi / 2) % math.pi - math.pi / 2
