"""Objects that stand on the ground: from what a picture shows of them to boxes under a camera."""

import math
from dataclasses import replace

import numpy as np

from na_core.detection.found import Array, Found
from na_core.detection.perspective import Look
from na_core.geometry.camera import camera_of_photo

DOUBT = 3.0
"""Factor by which the depth at which an object stands on the ground may be off what it looks to be."""

GRID = 6
"""Points along each edge of a box at which it is looked whether they are in another one."""

SHARED = 0.5
"""Share of the smaller one's volume from which two boxes are of one object."""


def standing_boxes(found: Found, look: Look, size: tuple[int, int]) -> Array:
    """Return boxes (K, 4, 4) on the ground, one unit below a camera.

    The camera is above the origin and faces +Y. What would stand behind it or far away is where it looks
    to be, at a factor of :data:`DOUBT`.

    Args:
        found: the objects.
        look: of the camera.
        size: width and height of the photo, in pixels or any other unit.
    """
    world_from_camera = rotation(look)
    middle = np.array(size) / max(size) / 2
    flat = (found.centres - middle) / look.focal
    local = np.stack([flat[:, 0], -flat[:, 1], -np.ones(len(flat))], axis=-1)
    directions = local @ world_from_camera.T
    relative = found.sizes / look.focal  # to depth
    seen = found.depths * look.focal
    # The centre of what stands on the ground is half its height above it: eye + depth * direction.
    fall = relative[:, 2] / 2 - directions[:, 2]
    standing = np.where(fall > 1e-3, 1 / np.maximum(fall, 1e-3), np.inf)
    depths = np.clip(standing, seen / DOUBT, seen * DOUBT)
    dimensions = relative * depths[:, None]
    azimuths = np.arctan2(directions[:, 1], directions[:, 0])
    yaws = found.yaws + azimuths - math.pi / 2
    boxes = np.zeros((len(depths), 4, 4))
    c, s = np.cos(yaws), np.sin(yaws)
    boxes[:, 0, 0], boxes[:, 1, 0] = c * dimensions[:, 0], s * dimensions[:, 0]
    boxes[:, 0, 1], boxes[:, 1, 1] = -s * dimensions[:, 1], c * dimensions[:, 1]
    boxes[:, 2, 2] = dimensions[:, 2]
    boxes[:, :2, 3] = (directions * depths[:, None])[:, :2]
    boxes[:, 2, 3] = dimensions[:, 2] / 2
    boxes[:, 3, 3] = 1
    return boxes


def box_doubts(found: Found, look: Look, size: tuple[int, int]) -> Array:
    """Return how far boxes (K,) may be off where they stand, in units of their own size.

    That is what the camera's doubts move them by, as the camera sees them; the size is the cube root of the
    volume. The arguments are those of :func:`standing_boxes`.
    """
    others = (
        replace(look, focal=look.focal * (1 + look.focal_doubt)),
        replace(look, pitch=look.pitch + look.pitch_doubt),
        replace(look, roll=look.roll + look.roll_doubt),
    )
    boxes = standing_boxes(found, look, size)
    middles, *moved = (
        (standing_boxes(found, each, size)[:, :3, 3] - (0, 0, 1)) @ rotation(each) for each in (look, *others)
    )
    shift = np.linalg.norm(np.stack(moved) - middles, axis=-1)
    volume = np.abs(np.linalg.det(boxes[:, :3, :3]))
    return np.linalg.norm(shift, axis=0) / np.cbrt(np.maximum(volume, 1e-12))


def rotation(look: Look) -> Array:
    """Return the (3, 3) that turns a camera's frame into the world; it faces +Y."""
    return camera_of_photo(look.focal, 1, 1, 1.0, look.pitch, look.roll).world_from_camera[:3, :3]


def shared_volumes(boxes: Array) -> Array:
    """Return (K, K), the share of box i's volume (K, 4, 4) that is in box j, to within a few per cent."""
    middles = (np.arange(GRID) + 0.5) / GRID - 0.5
    points = np.stack(np.meshgrid(middles, middles, middles), axis=-1).reshape(-1, 3)
    inverse = np.linalg.inv(boxes)
    world = np.einsum("kab,pb->kpa", boxes[:, :3, :3], points) + boxes[:, None, :3, 3]
    local = np.einsum("jab,kpb->kjpa", inverse[:, :3, :3], world) + inverse[None, :, None, :3, 3]
    return np.asarray((np.abs(local) <= 0.5).all(axis=-1).mean(axis=-1))


def distinct_boxes(boxes: Array) -> list[int]:
    """Return the numbers of boxes (K, 4, 4), the surest first, in no surer kept one's place.

    Where two things are seen that would be half in one another, one of them is a part of the other, or seen
    twice.
    """
    shared = shared_volumes(boxes)
    kept: list[int] = []
    for number in range(len(boxes)):
        if not (np.maximum(shared[number, kept], shared[kept, number]) > SHARED).any():
            kept.append(number)
    return kept
