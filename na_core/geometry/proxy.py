"""The proxy picture: textured boxes over a warped clean plate, with a mask of what the photo really showed.

A frame in which nothing moved gives back its photo, bit for bit and valid everywhere. The strip around an
object (its contact shadow, and what of it sticks out of its box) belongs to the object: it shows the photo
while the object is in its place, and fades to the filled plate as the object leaves.

The proxy carries detail that tokens cannot, is what the small decoder starts from, and is the preview that
needs no network (design, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.backdrop import backdrop, backdrop_points
from na_core.geometry.boxes import box_corners
from na_core.geometry.boxmap import BoxMap, box_map, seen_from
from na_core.geometry.camera import project_points
from na_core.geometry.fill import push_pull, sample_bilinear
from na_core.scene import Asset, Background, Box, Camera, Frame

PLATE_MARGIN = 0.012
"""Width of the strip around an object that leaves with it, in units of the picture's longer side."""


@dataclass(frozen=True)
class Proxy:
    """A proxy picture.

    Attributes:
        picture: (H, W, 3) float32 in [0, 1] sRGB, without holes.
        validity: (H, W) bool, True where the photo showed this very point.
        boxes: the target box map; its indices count the frame's assets.
    """

    picture: NDArray[np.float32]
    validity: NDArray[np.bool_]
    boxes: BoxMap


@dataclass(frozen=True)
class Plate:
    """A photo without its objects: (H, W, 3) float32 picture, filled, and (H, W) bool where it is real."""

    picture: NDArray[np.float32]
    real: NDArray[np.bool_]


def clean_plate(picture: NDArray[np.float32], background: Background) -> Plate:
    """Take the hidden boxes and the strips around them out of a photo (H, W, 3) and fill the holes smoothly.

    The plate is made in the source view, once per photo, so that a still camera sees the same background in
    every frame.
    """
    rows, columns = picture.shape[:2]
    matrices = [box.world_from_box for box in background.hidden_boxes]
    hidden = box_map(background.source_camera, matrices, columns, rows).index >= 0
    real = _widened(hidden.astype(np.float32)) == 0
    return Plate(push_pull(picture, real.astype(np.float32)), real)


def _widened(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grow a weight (H, W) by the plate's margin: the maximum over a square window."""
    radius = max(1, round(PLATE_MARGIN * max(weight.shape)))
    for axis in (0, 1):
        reach = 0
        while reach < radius:  # maxima of maxima: the reach doubles
            shift = min(max(reach, 1), radius - reach)
            weight = _maximum_beside(weight, axis, shift)
            reach += shift
    return weight


def _maximum_beside(weight: NDArray[np.float32], axis: int, shift: int) -> NDArray[np.float32]:
    """Return the maximum of every cell and the two that lie ``shift`` before and after it."""
    grown = weight.copy()
    ahead, behind = [slice(None), slice(None)], [slice(None), slice(None)]
    ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
    for to, of in ((tuple(ahead), tuple(behind)), (tuple(behind), tuple(ahead))):
        np.maximum(grown[to], weight[of], out=grown[to])
    return grown


def proxy_picture(
    frame: Frame,
    pictures: Mapping[str, NDArray[np.float32]],
    width: int,
    height: int,
    plate: Plate | None = None,
) -> Proxy:
    """Render the proxy of a frame.

    Args:
        frame: what to render.
        pictures: the frame's photos by their SHA-256, each (H, W, 3) float32 in [0, 1], best at the size of
            the result (an unmoved photo is then reproduced exactly).
        width, height: of the result in pixels.
        plate: the background's clean plate, if the caller keeps it between frames.

    Raises:
        KeyError: a photo is missing from ``pictures``.
    """
    if plate is None:
        plate = clean_plate(pictures[frame.background.photo.sha256], frame.background)
    targets = box_map(frame.camera, [placed.box.world_from_box for placed in frame.assets], width, height)
    sources = _SourceMaps(frame, pictures)
    photo = pictures[frame.background.photo.sha256]
    picture, validity = _background(frame, photo, plate, sources.background(), targets.index < 0)
    for number, placed in enumerate(frame.assets):
        hit = targets.index == number
        if not hit.any():
            continue
        asset = placed.asset
        colours, seen, usable = _texture(asset, targets.local[hit], pictures[asset.photo.sha256], sources)
        if not usable.all():
            colours = _fill_masked(colours, usable, hit)
        picture[hit] = colours
        validity[hit] = seen
    return Proxy(picture, validity, targets)


def _background(
    frame: Frame,
    photo: NDArray[np.float32],
    plate: Plate,
    source: NDArray[np.int32],
    shown: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Show the photo, and the clean plate where objects were, from the frame's camera.

    Args:
        frame: what to render.
        photo: (h, w, 3), the background's.
        plate: its clean plate.
        source: (h, w) which hidden box each of the photo's pixels shows, -1 for none.
        shown: (H, W) where the frame shows background; the rest is left black.

    Returns:
        (H, W, 3) colours and (H, W) bool where they are the photo's.
    """
    rows, columns = shown.shape
    points = backdrop_points(backdrop(frame.background), frame.camera, columns, rows)[shown]
    projected = project_points(frame.background.source_camera, points)
    at = projected[:, :2]
    gone = _lookup(_gone(frame, source), at)
    blend = gone[:, None]
    picture = np.zeros((rows, columns, 3), np.float32)
    picture[shown] = sample_bilinear(photo, at) * (1 - blend) + sample_bilinear(plate.picture, at) * blend
    validity = np.zeros(shown.shape, bool)
    validity[shown] = (projected[:, 2] > 0) & _inside(at) & (gone < 0.5)
    return picture, validity


def _gone(frame: Frame, source: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return how far the plate replaces the photo, (h, w) in [0, 1].

    1 where the photo shows a hidden box, which is not background wherever the object is now; in the strip
    around a box how far its object has left; 0 elsewhere.
    """
    left = np.array([1 - _presence(frame, box) for box in frame.background.hidden_boxes], np.float32)
    covered = source >= 0
    weight = np.zeros(source.shape, np.float32)
    weight[covered] = left[source[covered]]
    return np.where(covered, np.float32(1), _widened(weight))


def _presence(frame: Frame, hidden: Box) -> float:
    """Return 1 while an object stands in the box that the photo shows it in, falling to 0 as it leaves.

    It has left when a corner has moved by the strip's width in the photo. The frame's camera plays no part:
    shadows lie in the world. Continuous, so nothing pops in an animation.
    """
    background = frame.background
    nearest = np.inf
    for placed in frame.assets:
        asset = placed.asset
        if asset.photo != background.photo:
            continue
        if not np.array_equal(asset.source_box.world_from_box, hidden.world_from_box):
            continue
        stays, moved = box_corners(np.stack([hidden.world_from_box, placed.box.world_from_box]))
        shift = project_points(background.source_camera, moved) - project_points(
            background.source_camera, stays
        )
        nearest = min(nearest, float(np.linalg.norm(shift[:, :2], axis=-1).max()))
    return max(0.0, 1.0 - nearest / PLATE_MARGIN)


def _inside(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    tolerance = 1e-6
    return ((points >= -tolerance) & (points <= 1 + tolerance)).all(axis=-1)


def _lookup(grid: NDArray, points: NDArray[np.float64]) -> NDArray:
    """Return the nearest cells of a grid (H, W) at image points (..., 2), clamped to its edges."""
    rows, columns = grid.shape[:2]
    x = np.clip(np.floor(points[..., 0] * columns), 0, columns - 1).astype(np.intp)
    y = np.clip(np.floor(points[..., 1] * rows), 0, rows - 1).astype(np.intp)
    return grid[y, x]


class _SourceMaps:
    """Box maps of the photos' own views and sizes, made on first use: which object owns which photo pixel."""

    def __init__(self, frame: Frame, pictures: Mapping[str, NDArray[np.float32]]) -> None:
        self._boxes: dict[tuple[str, str], list[Box]] = {}
        self._maps: dict[tuple[str, str], NDArray[np.int32]] = {}
        self._sizes = {sha256: picture.shape[1::-1] for sha256, picture in pictures.items()}
        background = frame.background
        self._hidden = len(background.hidden_boxes)
        self._background_camera = background.source_camera
        self._background_key = self._key(background.photo.sha256, background.source_camera)
        self._boxes[self._background_key] = [*background.hidden_boxes]
        for placed in frame.assets:
            asset = placed.asset
            known = self._boxes.setdefault(self._key(asset.photo.sha256, asset.source_camera), [])
            if asset.source_box not in known:
                known.append(asset.source_box)

    @staticmethod
    def _key(sha256: str, camera: Camera) -> tuple[str, str]:
        return sha256, camera.to_json()

    def owns(self, asset: Asset, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell at photo points (n, 2) whether the asset's own box is the nearest in its photo."""
        key = self._key(asset.photo.sha256, asset.source_camera)
        number = self._boxes[key].index(asset.source_box)
        return _lookup(self._map(key, asset.source_camera), points) == number

    def background(self) -> NDArray[np.int32]:
        """Return which hidden box each pixel of the background's photo shows (h, w), -1 for none."""
        owner = self._map(self._background_key, self._background_camera)
        return np.where(owner < self._hidden, owner, -1)

    def _map(self, key: tuple[str, str], camera: Camera) -> NDArray[np.int32]:
        if key not in self._maps:
            matrices = [box.world_from_box for box in self._boxes[key]]
            width, height = self._sizes[key[0]]
            self._maps[key] = box_map(camera, matrices, width, height).index
        return self._maps[key]


def _texture(
    asset: Asset, local: NDArray[np.float32], photo: NDArray[np.float32], sources: _SourceMaps
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Colour box-surface points from the asset's photo.

    A face that the photo did not see is coloured from the opposite face, mirrored through the box, and
    marked as unseen: the best guess for most objects, and the decoder knows that it is one.

    Args:
        asset: whose box it is.
        local: (n, 3) in [-1, 1].
        photo: (H, W, 3).
        sources: who owns which photo pixel.

    Returns:
        (n, 3) colours, (n,) seen: the photo showed this very point, (n,) usable: the colour is the asset's.
    """
    source = asset.source_box.world_from_box
    camera = asset.source_camera.world_from_camera[:3, 3]
    try:
        camera_local = 2 * (np.linalg.inv(source) @ np.append(camera, 1.0))[:3]
    except np.linalg.LinAlgError:  # a flat source box shows nothing
        nothing = np.zeros(len(local), bool)
        return np.full((len(local), 3), 0.5, np.float32), nothing, nothing
    point = local.astype(np.float64)
    axis = np.abs(point).argmax(axis=1)
    each = np.arange(len(point))
    side = np.sign(point[each, axis])
    facing = seen_from(asset.source_camera, source, local)
    mirror = ~facing & (-side * camera_local[axis] > 1)
    point[each[mirror], axis[mirror]] *= -1
    world = point / 2 @ source[:3, :3].T + source[:3, 3]
    projected = project_points(asset.source_camera, world)
    at = projected[:, :2]
    usable = (projected[:, 2] > 0) & _inside(at) & sources.owns(asset, at)
    return sample_bilinear(photo, at), facing & usable, usable


def _fill_masked(
    colours: NDArray[np.float32], usable: NDArray[np.bool_], region: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Fill the colours (n, 3) of a region's unusable pixels from its usable ones."""
    rows = np.flatnonzero(region.any(axis=1))
    columns = np.flatnonzero(region.any(axis=0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    canvas = np.zeros((*region.shape, 3), np.float32)
    weight = np.zeros(region.shape, np.float32)
    canvas[region] = colours
    weight[region] = usable
    return push_pull(canvas[window], weight[window])[region[window]]
