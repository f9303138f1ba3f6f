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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.backdrop import backdrop, backdrop_points
from na_core.geometry.boxes import box_corners
from na_core.geometry.boxmap import BoxMap, box_map, seen_from
from na_core.geometry.camera import camera_from_world, pixel_centres, project_points
from na_core.geometry.fill import push_pull, sample_bilinear
from na_core.geometry.photo_views import PhotoView, Rectangle, hidden_rectangles, photo_views
from na_core.geometry.relief import HULL, SURFACE, UNKNOWN, Relief, inward, march, through_box, unmixed
from na_core.geometry.seams import soften_seams
from na_core.scene import Asset, Background, Box, Camera, Frame, PlacedAsset

PLATE_MARGIN = 0.012
"""Width of the strip around an object that leaves with it, in units of the picture's longer side."""

RECTANGLE_MARGIN = 0.006
"""How far an object may reach outside its 2D box, in image units: soft edges and rounding."""

UNKNOWN_DEPTH = 1e6
"""Metres by which what a photo cannot tell of stands back behind what another box's photo can."""

MIRRORED = 0.25
"""How far behind the seen surface, in units of the box's extent in depth, a guess is the mirrored point's."""


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
    relief: Relief | None = None,
) -> Plate:
    """Take the hidden boxes and the strips around them out of a photo (H, W, 3) and fill the holes smoothly.

    The plate is made in the source view, once per photo, so that a still camera sees the same background in
    every frame.

    Args:
        picture: the photo.
        background: its camera, and the boxes to hide.
        rectangles: the 2D box of each hidden object, None where unknown; see :func:`hidden_rectangles`.
        relief: of the photo, of the picture's size, in whose boxes the hidden ones come first.
    """
    rows, columns = picture.shape[:2]
    if relief is not None:
        hidden = (relief.cover >= 0) & (relief.cover < len(background.hidden_boxes))
    else:
        known = rectangles if rectangles is not None else [None] * len(background.hidden_boxes)
        hidden = _owners(background.source_camera, background.hidden_boxes, known, columns, rows) >= 0
    real = _widened(hidden.astype(np.float32)) == 0
    return Plate(push_pull(picture, real.astype(np.float32)), real)


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
    reliefs: Mapping[PhotoView, Relief] | None = None,
) -> Proxy:
    """Render the proxy of a frame.

    Args:
        frame: what to render.
        pictures: the frame's photos by their SHA-256, each (H, W, 3) float32 in [0, 1], best at the size of
            the result (an unmoved photo is then reproduced exactly).
        width, height: of the result in pixels.
        plate: the background's clean plate, if the caller keeps it between frames.
        reliefs: of the frame's :func:`~na_core.geometry.photo_views.photo_views`, of the pictures' sizes;
            objects of other photos are boxes.

    Raises:
        KeyError: a photo is missing from ``pictures``.
    """
    photo = pictures[frame.background.photo.sha256]
    sources = _Sources(frame, pictures, reliefs or {})
    if plate is None:
        relief = sources.relief_of_background()
        plate = clean_plate(photo, frame.background, hidden_rectangles(frame), relief)
    targets = box_map(frame.camera, [placed.box.world_from_box for placed in frame.assets], width, height)
    picture = np.zeros((height, width, 3), np.float32)
    validity = np.zeros((height, width), bool)
    owner = np.full((height, width), -1, np.int32)
    shows = np.zeros((height, width, 2), np.float32)  # pixels of the photo
    layers = _layers(frame, targets, pictures, sources)
    nearer = layers[0].depth <= layers[1].depth
    for layer, wins in zip(layers, (nearer, ~nearer), strict=True):
        shown = np.isfinite(layer.depth) & wins
        for number, placed in enumerate(frame.assets):
            region = shown & (layer.index == number)
            if not region.any():
                continue
            colours, usable = layer.colours[region], layer.usable[region]
            picture[region] = colours if usable.all() else _fill_masked(colours, usable, region)
            validity[region] = layer.seen[region]
            shows[region] = layer.at[region] * pictures[placed.asset.photo.sha256].shape[1::-1]
            owner[region] = number
    gone = _gone(frame, *sources.background())
    behind = owner < 0
    shows[behind] = photo.shape[1::-1] * _background(frame, photo, plate, gone, behind, picture, validity)
    y, x = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    shift = np.hypot(shows[..., 0] - x, shows[..., 1] - y)
    elsewhere = np.array([placed.asset.photo != frame.background.photo for placed in frame.assets] + [False])
    shift[~validity | elsewhere[owner]] = np.inf
    return Proxy(soften_seams(picture, owner, shows, shift), validity, shift, targets)


@dataclass(frozen=True)
class _Layer:
    """What the rays of all pixels meet in one of the two boxes that they hit.

    Attributes:
        index: (H, W) the asset whose box it is. depth: (H, W) metres, infinite where its box is empty.
        at, colours, seen, usable: (H, W, ...), see :class:`_Texture`.
    """

    index: NDArray[np.int32]
    depth: NDArray[np.float32]
    at: NDArray[np.float64]
    colours: NDArray[np.float32]
    seen: NDArray[np.bool_]
    usable: NDArray[np.bool_]


def _layers(
    frame: Frame, targets: BoxMap, pictures: Mapping[str, NDArray[np.float32]], sources: _Sources
) -> tuple[_Layer, _Layer]:
    """Look both boxes of every pixel up in their assets' photos, the nearer box first."""
    shape = targets.index.shape
    found = []
    for index, local, depth in (
        (targets.index, targets.local, targets.depth),
        (targets.second_index, targets.second_local, targets.second_depth),
    ):
        layer = _Layer(
            index=index,
            depth=np.full(shape, np.inf, np.float32),
            at=np.zeros((*shape, 2)),
            colours=np.zeros((*shape, 3), np.float32),
            seen=np.zeros(shape, bool),
            usable=np.zeros(shape, bool),
        )
        for number, placed in enumerate(frame.assets):
            hit = index == number
            if not hit.any():
                continue
            look: Look = _texture if sources.relief(placed.asset) is None else _relief_texture
            photo = pictures[placed.asset.photo.sha256]
            texture = look(frame.camera, placed, local[hit], depth[hit], photo, sources)
            layer.depth[hit], layer.at[hit], layer.colours[hit] = texture.depth, texture.at, texture.colours
            layer.seen[hit], layer.usable[hit] = texture.seen, texture.usable
        found.append(layer)
    return found[0], found[1]


def _background(
    frame: Frame,
    photo: NDArray[np.float32],
    plate: Plate,
    gone: NDArray[np.float32],
    shown: NDArray[np.bool_],
    picture: NDArray[np.float32],
    validity: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Show the photo, and the clean plate where objects were, from the frame's camera.

    Args:
        frame: what to render.
        photo: (h, w, 3), the background's.
        plate: its clean plate.
        gone: (h, w), how far the plate replaces the photo.
        shown: (H, W) where the frame shows background.
        picture, validity: (H, W, 3) and (H, W), filled there: colours, and whether they are the photo's.

    Returns:
        (n, 2), where the photo shows what those pixels show.
    """
    rows, columns = shown.shape
    points = backdrop_points(backdrop(frame.background), frame.camera, columns, rows)[shown]
    projected = project_points(frame.background.source_camera, points)
    at = projected[:, :2]
    left = _lookup(gone, at)
    blend = left[:, None]
    picture[shown] = sample_bilinear(photo, at) * (1 - blend) + sample_bilinear(plate.picture, at) * blend
    validity[shown] = (projected[:, 2] > 0) & _inside(at) & (left < 0.5)
    return at


def _gone(frame: Frame, source: NDArray[np.int32], cover: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return how far the plate replaces the photo, (h, w) in [0, 1].

    1 where the photo shows a hidden object, which is not background wherever the object is now; where it may
    show one, and in the strip around that, how far the object has left; 0 elsewhere.

    Args:
        frame: what to render.
        source: (h, w) which hidden object each of the photo's pixels shows, -1 for none.
        cover: (h, w) which it may show.
    """
    left = np.array([1 - presence(frame, box) for box in frame.background.hidden_boxes], np.float32)
    covered = cover >= 0
    weight = np.zeros(source.shape, np.float32)
    weight[covered] = left[cover[covered]]
    return np.where(source >= 0, np.float32(1), _widened(weight))


def presence(frame: Frame, hidden: Box) -> float:
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


class _Sources:
    """What each photo shows where, in the photos' own views and sizes, made on first use."""

    def __init__(
        self,
        frame: Frame,
        pictures: Mapping[str, NDArray[np.float32]],
        reliefs: Mapping[PhotoView, Relief],
    ) -> None:
        self._views = photo_views(frame)
        self._reliefs = [reliefs.get(view) for view in self._views]
        self._owners: list[NDArray[np.int32] | None] = [
            None if relief is None else relief.owner for relief in self._reliefs
        ]
        self._inner: dict[int, NDArray[np.int32]] = {}
        self._sizes = {sha256: picture.shape[1::-1] for sha256, picture in pictures.items()}
        self._hidden = len(frame.background.hidden_boxes)
        self._numbers = {(view.sha256, view.camera): n for n, view in enumerate(self._views)}

    def number(self, asset: Asset) -> int:
        """Return the place of an asset's box among those of its photo."""
        return self._views[self._view(asset)].boxes.index(asset.source_box)

    def relief(self, asset: Asset) -> Relief | None:
        """Return the relief of an asset's photo, if there is one."""
        return self._reliefs[self._view(asset)]

    def inner(self, asset: Asset) -> NDArray[np.int32]:
        """Return which object each pixel of an asset's photo shows unmixed, -1 for none."""
        view = self._view(asset)
        if view not in self._inner:
            self._inner[view] = unmixed(self._owner(view))
        return self._inner[view]

    def relief_of_background(self) -> Relief | None:
        """Return the relief of the background's photo, if there is one."""
        return self._reliefs[0]

    def owns(self, asset: Asset, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell at photo points (n, 2) whether the photo shows the asset there."""
        return _lookup(self._owner(self._view(asset)), points) == self.number(asset)

    def background(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return which hidden object each pixel of the background's photo shows and may show.

        Both (h, w), -1 for none.
        """
        relief = self._reliefs[0]
        owner = self._owner(0)
        cover = owner if relief is None else relief.cover
        return np.where(owner < self._hidden, owner, -1), np.where(cover < self._hidden, cover, -1)

    def _view(self, asset: Asset) -> int:
        return self._numbers[asset.photo.sha256, asset.source_camera]

    def _owner(self, number: int) -> NDArray[np.int32]:
        owner = self._owners[number]
        if owner is None:
            view = self._views[number]
            size = self._sizes[view.sha256]
            owner = self._owners[number] = _owners(view.camera, view.boxes, view.rectangles, *size)
        return owner


@dataclass(frozen=True)
class _Texture:
    """What a photo says of n box-surface points.

    Attributes:
        at: (n, 2) image points of the photo. colours: (n, 3).
        seen: (n,) the photo showed this very point. usable: (n,) the colour is the asset's.
        depth: (n,) metres from the frame's camera, infinite where the box is empty.
    """

    at: NDArray[np.float64]
    colours: NDArray[np.float32]
    seen: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    depth: NDArray[np.float32]


Look = Callable[
    [Camera, PlacedAsset, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], _Sources], _Texture
]


def _texture(
    camera: Camera,
    placed: PlacedAsset,
    local: NDArray[np.float32],
    depth: NDArray[np.float32],
    photo: NDArray[np.float32],
    sources: _Sources,
) -> _Texture:
    """Colour box-surface points from the asset's photo.

    A face that the photo did not see is coloured from the opposite face, mirrored through the box, and
    marked as unseen: the best guess for most objects, and the decoder knows that it is one.

    Args:
        camera: that the rays start from; a box's colours do not depend on it.
        placed: the asset and its box.
        local: (n, 3) in [-1, 1].
        depth: (n,) metres, where the rays hit the box.
        photo: (H, W, 3), the asset's.
        sources: who owns which photo pixel.
    """
    asset = placed.asset
    source = asset.source_box.world_from_box
    eye = asset.source_camera.world_from_camera[:3, 3]
    try:
        camera_local = 2 * (np.linalg.inv(source) @ np.append(eye, 1.0))[:3]
    except np.linalg.LinAlgError:  # a flat source box shows nothing
        nothing = np.zeros(len(local), bool)
        grey = np.full((len(local), 3), 0.5, np.float32)
        return _Texture(np.zeros((len(local), 2)), grey, nothing, nothing, depth)
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
    reached = np.where(opaque, depth, np.float32(np.inf))
    return _Texture(at, sample_bilinear(photo, at), facing & usable, usable, reached)


def _relief_texture(
    camera: Camera,
    placed: PlacedAsset,
    local: NDArray[np.float32],
    depth: NDArray[np.float32],
    photo: NDArray[np.float32],
    sources: _Sources,
) -> _Texture:
    """Colour what rays through a box meet of the object in it; see :mod:`na_core.geometry.relief`.

    What the photo did not see has the colour of what the photo shows in front of it; far behind that, of the
    point that is mirrored through the box, if the photo shows the object there. On the object's rim, where
    the photo mixes it with what is behind, it is the colour beside the rim.

    Args:
        camera: that the rays start from.
        placed: the asset and its box.
        local: (n, 3) in [-1, 1], where the rays hit the box.
        depth: (n,) metres, of that.
        photo: (H, W, 3), the asset's.
        sources: what the photo shows where; with a relief.
    """
    asset = placed.asset
    relief = sources.relief(asset)
    assert relief is not None
    source = asset.source_box.world_from_box
    enter, leave = through_box(camera, placed.box.world_from_box, local)
    found = march(relief, sources.number(asset), asset.source_camera, asset.source_box, enter, leave)
    at = found.at.copy()
    guessed = (found.kind == HULL) & (found.behind > MIRRORED)
    if guessed.any():
        point = found.local[guessed]
        axis = np.abs(local[guessed]).argmax(axis=1)
        point[np.arange(len(point)), axis] *= -1
        mirrored = project_points(asset.source_camera, point / 2 @ source[:3, :3].T + source[:3, 3])[:, :2]
        there = _inside(mirrored) & sources.owns(asset, mirrored)
        at[guessed] = np.where(there[:, None], mirrored, at[guessed])
    unseen = found.kind == HULL
    at[unseen] = inward(sources.inner(asset), sources.number(asset), at[unseen])
    usable = unseen | (found.kind == SURFACE)
    met = placed.box.world_from_box @ np.append(found.local.T / 2, np.ones((1, len(local))), axis=0)
    distance = -(camera_from_world(camera)[2] @ met)
    # What the photo cannot tell of gives way to what it can.
    reached = np.select([usable, found.kind == UNKNOWN], [distance, UNKNOWN_DEPTH + depth], np.inf)
    colours = sample_bilinear(photo, at)
    return _Texture(at, colours, found.kind == SURFACE, usable, reached.astype(np.float32))


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
