"""The proxy picture: textured boxes over a warped clean plate, with a mask of what the photo really showed.

A frame in which nothing moved gives back its photo, bit for bit and valid everywhere. The strip around an
object (its contact shadow, and what of it sticks out of its box) belongs to the object: it shows the photo
while the object is in its place, and fades to the filled plate as the object leaves. A box is larger than its
object: where its texture lies outside the object's 2D box in the photo it is transparent, and shows what is
behind.

The proxy carries detail that tokens cannot, is what the small decoder starts from, and is the preview that
needs no network (design, section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.backdrop import backdrop, backdrop_points
from na_core.geometry.boxes import box_corners
from na_core.geometry.boxmap import BoxMap, box_map, seen_from
from na_core.geometry.camera import pixel_centres, project_points
from na_core.geometry.fill import push_pull, sample_bilinear
from na_core.scene import Asset, Background, Box, Camera, Frame

PLATE_MARGIN = 0.012
"""Width of the strip around an object that leaves with it, in units of the picture's longer side."""

RECTANGLE_MARGIN = 0.006
"""How far an object may reach outside its 2D box, in image units: soft edges and rounding."""

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Proxy:
    """A proxy picture.

    Attributes:
        picture: (H, W, 3) float32 in [0, 1] sRGB, without holes.
        validity: (H, W) bool, True where the photo showed this very point.
        shift: (H, W) float32, pixels from where the background's photo showed this very point; infinite where
            it did not.
        boxes: the target box map; its indices count the frame's assets.
    """

    picture: NDArray[np.float32]
    validity: NDArray[np.bool_]
    shift: NDArray[np.float32]
    boxes: BoxMap


@dataclass(frozen=True)
class Plate:
    """A photo without its objects: (H, W, 3) float32 picture, filled, and (H, W) bool where it is real."""

    picture: NDArray[np.float32]
    real: NDArray[np.bool_]


def clean_plate(
    picture: NDArray[np.float32],
    background: Background,
    rectangles: Sequence[Rectangle | None] | None = None,
) -> Plate:
    """Take the hidden boxes and the strips around them out of a photo (H, W, 3) and fill the holes smoothly.

    The plate is made in the source view, once per photo, so that a still camera sees the same background in
    every frame.

    Args:
        picture: the photo.
        background: its camera, and the boxes to hide.
        rectangles: the 2D box of each hidden object, None where unknown; see :func:`hidden_rectangles`.
    """
    rows, columns = picture.shape[:2]
    known = rectangles if rectangles is not None else [None] * len(background.hidden_boxes)
    hidden = _owners(background.source_camera, background.hidden_boxes, known, columns, rows) >= 0
    real = _widened(hidden.astype(np.float32)) == 0
    return Plate(push_pull(picture, real.astype(np.float32)), real)


def hidden_rectangles(frame: Frame) -> tuple[Rectangle | None, ...]:
    """Return the 2D box of each of the background's hidden objects, None for those not in the frame."""
    known = {
        placed.asset.source_box: placed.asset.source_box_2d
        for placed in frame.assets
        if placed.asset.photo == frame.background.photo
    }
    return tuple(known.get(box) for box in frame.background.hidden_boxes)


def _owners(
    camera: Camera,
    boxes: Sequence[Box],
    rectangles: Sequence[Rectangle | None],
    width: int,
    height: int,
) -> NDArray[np.int32]:
    """Return which object each photo pixel shows (H, W), -1 for none.

    The nearest box in whose object's 2D box the pixel lies; of more than two behind each other, the third
    counts for nothing.
    """
    seen = box_map(camera, [box.world_from_box for box in boxes], width, height)
    if not boxes:
        return seen.index
    inside = np.stack([_in_rectangle(pixel_centres(width, height), rectangle) for rectangle in rectangles])
    owner = np.full_like(seen.index, -1)
    for index in (seen.second_index, seen.index):
        opaque = (index >= 0) & np.take_along_axis(inside, np.maximum(index, 0)[None], axis=0)[0]
        owner = np.where(opaque, index, owner)
    return owner


def _in_rectangle(points: NDArray[np.float64], rectangle: Rectangle | None) -> NDArray[np.bool_]:
    """Tell which points (..., 2) lie in an object's 2D box; all if it is unknown, or empty.

    A side on the picture's border bounds nothing: the object may go on where the photo ends.
    """
    if rectangle is None or rectangle[2] <= rectangle[0] or rectangle[3] <= rectangle[1]:
        return np.ones(points.shape[:-1], bool)
    low = np.array(rectangle[:2]) - RECTANGLE_MARGIN
    high = np.array(rectangle[2:]) + RECTANGLE_MARGIN
    low[low <= 0] = -np.inf
    high[high >= 1] = np.inf
    return ((points >= low) & (points <= high)).all(axis=-1)


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
    photo = pictures[frame.background.photo.sha256]
    if plate is None:
        plate = clean_plate(photo, frame.background, hidden_rectangles(frame))
    targets = box_map(frame.camera, [placed.box.world_from_box for placed in frame.assets], width, height)
    sources = _SourceMaps(frame, pictures)
    picture = np.zeros((height, width, 3), np.float32)
    validity = np.zeros((height, width), bool)
    shift = np.full((height, width), np.inf, np.float32)
    painted = np.zeros((height, width), bool)
    for index, local in ((targets.index, targets.local), (targets.second_index, targets.second_local)):
        for number, placed in enumerate(frame.assets):
            hit = (index == number) & ~painted
            if not hit.any():
                continue
            asset = placed.asset
            texture = _texture(asset, local[hit], pictures[asset.photo.sha256], sources)
            region = np.zeros_like(hit)
            region[hit] = texture.opaque
            colours, usable = texture.colours[texture.opaque], texture.usable[texture.opaque]
            picture[region] = colours if usable.all() else _fill_masked(colours, usable, region)
            validity[region] = texture.seen[texture.opaque]
            if asset.photo == frame.background.photo:
                shift[region] = _shift(texture.at[texture.opaque], region, photo)
            painted |= region
    at = _background(frame, photo, plate, sources.background(), ~painted, picture, validity)
    shift[~painted] = _shift(at, ~painted, photo)
    return Proxy(picture, validity, np.where(validity, shift, np.float32(np.inf)), targets)


def _shift(
    at: NDArray[np.float64], region: NDArray[np.bool_], photo: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how far a region's pixels are from the photo's pixels at image points (n, 2)."""
    y, x = np.nonzero(region)
    rows, columns = photo.shape[:2]
    distance = np.hypot(at[:, 0] * columns - (x + 0.5), at[:, 1] * rows - (y + 0.5))
    return distance.astype(np.float32)


def _background(
    frame: Frame,
    photo: NDArray[np.float32],
    plate: Plate,
    source: NDArray[np.int32],
    shown: NDArray[np.bool_],
    picture: NDArray[np.float32],
    validity: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Show the photo, and the clean plate where objects were, from the frame's camera.

    Args:
        frame: what to render.
        photo: (h, w, 3), the background's.
        plate: its clean plate.
        source: (h, w) which hidden box each of the photo's pixels shows, -1 for none.
        shown: (H, W) where the frame shows background.
        picture, validity: (H, W, 3) and (H, W), filled there: colours, and whether they are the photo's.

    Returns:
        (n, 2), where the photo shows what those pixels show.
    """
    rows, columns = shown.shape
    points = backdrop_points(backdrop(frame.background), frame.camera, columns, rows)[shown]
    projected = project_points(frame.background.source_camera, points)
    at = projected[:, :2]
    gone = _lookup(_gone(frame, source), at)
    blend = gone[:, None]
    picture[shown] = sample_bilinear(photo, at) * (1 - blend) + sample_bilinear(plate.picture, at) * blend
    validity[shown] = (projected[:, 2] > 0) & _inside(at) & (gone < 0.5)
    return at


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
    """Who owns which pixel of each photo, in the photos' own views and sizes, made on first use."""

    def __init__(self, frame: Frame, pictures: Mapping[str, NDArray[np.float32]]) -> None:
        self._boxes: dict[tuple[str, str], list[Box]] = {}
        self._rectangles: dict[tuple[str, str], list[Rectangle | None]] = {}
        self._maps: dict[tuple[str, str], NDArray[np.int32]] = {}
        self._sizes = {sha256: picture.shape[1::-1] for sha256, picture in pictures.items()}
        background = frame.background
        self._hidden = len(background.hidden_boxes)
        self._background_camera = background.source_camera
        self._background_key = self._key(background.photo.sha256, background.source_camera)
        self._boxes[self._background_key] = [*background.hidden_boxes]
        self._rectangles[self._background_key] = [*hidden_rectangles(frame)]
        for placed in frame.assets:
            asset = placed.asset
            key = self._key(asset.photo.sha256, asset.source_camera)
            known = self._boxes.setdefault(key, [])
            if asset.source_box not in known:
                known.append(asset.source_box)
                self._rectangles.setdefault(key, []).append(asset.source_box_2d)

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
            width, height = self._sizes[key[0]]
            self._maps[key] = _owners(camera, self._boxes[key], self._rectangles[key], width, height)
        return self._maps[key]


@dataclass(frozen=True)
class _Texture:
    """What a photo says of n box-surface points.

    Attributes:
        at: (n, 2) image points of the photo. colours: (n, 3).
        seen: (n,) the photo showed this very point. usable: (n,) the colour is the asset's.
        opaque: (n,) the object may reach here; elsewhere its box is empty.
    """

    at: NDArray[np.float64]
    colours: NDArray[np.float32]
    seen: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    opaque: NDArray[np.bool_]


def _texture(
    asset: Asset, local: NDArray[np.float32], photo: NDArray[np.float32], sources: _SourceMaps
) -> _Texture:
    """Colour box-surface points from the asset's photo.

    A face that the photo did not see is coloured from the opposite face, mirrored through the box, and
    marked as unseen: the best guess for most objects, and the decoder knows that it is one.

    Args:
        asset: whose box it is.
        local: (n, 3) in [-1, 1].
        photo: (H, W, 3).
        sources: who owns which photo pixel.
    """
    source = asset.source_box.world_from_box
    camera = asset.source_camera.world_from_camera[:3, 3]
    try:
        camera_local = 2 * (np.linalg.inv(source) @ np.append(camera, 1.0))[:3]
    except np.linalg.LinAlgError:  # a flat source box shows nothing
        nothing = np.zeros(len(local), bool)
        grey = np.full((len(local), 3), 0.5, np.float32)
        return _Texture(np.zeros((len(local), 2)), grey, nothing, nothing, ~nothing)
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
    opaque = _in_rectangle(at, asset.source_box_2d)
    usable = opaque & (projected[:, 2] > 0) & _inside(at) & sources.owns(asset, at)
    return _Texture(at, sample_bilinear(photo, at), facing & usable, usable, opaque)


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
