"""The box map: which box, where on it and how far, for every pixel of many frames; exact, without a mesh.

In a camera's view the inverse depth of a plane is an affine function of the pixel. A ray hits a box where
the least of the inverse depths of the faces turned to the camera is no less than the greatest of the others',
so a box costs a pixel a few additions and comparisons. That finds the boxes; where they are hit is then
computed slab by slab (Kay and Kajiya, "Ray Tracing Complex Scenes", 1986). Conditioning channels, the proxy
picture and the anchors of noise all come from it (design, section 5.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.pixels import ActivePixels, BoxTable, active, listing_pays, picked
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.cameras import Cameras, affine_inverse, away_from_zero, camera_from_pixel

DEGENERATE_VOLUME = 1e-12
"""Boxes of a smaller volume (cubic metres) are flat or empty and are never hit."""

KEY_BITS = 5
"""Bits of a depth that give way to the box's number: as many for one box as for 32, so that the other frames
of a batch change nothing."""

TILE = 32
"""Side of the square of pixels for which the boxes that may touch it are listed."""

PART = 1 << 20
"""Hits that are worked on at once on a CPU: large pictures take less memory."""

FAR_ABOVE = 1e30
"""More than any inverse depth."""

AT_THE_CAMERA = 1e8
"""Inverse depth (1 / metres) of a hit that is in the camera itself and does not count."""

ON_A_FACE = 1e-12
"""How near to a face, in box coordinates, the camera lies on it."""


@dataclass(frozen=True)
class Hits:
    """Where rays hit boxes, for a list of P pixels; of pixels whose ray hits nothing, finite numbers.

    Attributes:
        pixels: which; all that hit something are among them.
        box: (P,) int64, -1 for none.
        local: (3, P) float32, the hit in box coordinates scaled to [-1, 1].
        face: (P,) int64, the face that is hit: 2 * axis, + 1 on its positive side.
        depth: (P,) float32, metres along the viewing direction.
    """

    pixels: ActivePixels
    box: Tensor
    local: Tensor
    face: Tensor
    depth: Tensor

    def before(self, depth: Tensor, inside: Tensor) -> Hits:
        """Return the hits whose box begins before what is seen already; where lists do not pay, all.

        Args:
            depth: (B, H, W) metres to that.
            inside: (B, N) bool, boxes that hold the camera: they begin at it.
        """
        begins = BoxTable(inside[..., None], self.pixels.row, self.box)[0]
        kept = active(begins | (self.depth < self.pixels.take(depth)))
        return self if len(kept) == len(self.box) else self.only(kept)

    def only(self, kept: Tensor) -> Hits:
        """Return some of the hits, by their numbers (R,)."""
        values = (self.pixels.at, self.box, self.local, self.face, self.depth)
        at, box, local, face, depth = (picked(each, kept) for each in values)
        return Hits(ActivePixels(at, self.pixels.shape), box, local, face, depth)

    def parts(self) -> list[Hits]:
        """Return the hits in lists of limited size; on a GPU, in one."""
        size = PART if listing_pays(self.box.device) else max(1, len(self.box))
        columns = (self.pixels.at.split(size), self.box.split(size), self.face.split(size))
        flat = (self.local.split(size, dim=1), self.depth.split(size))
        return [
            Hits(ActivePixels(at, self.pixels.shape), box, local, face, depth)
            for at, box, face, local, depth in zip(*columns, *flat, strict=True)
        ]


@dataclass(frozen=True)
class BoxMap:
    """The first two boxes along every pixel's ray.

    Attributes:
        index: (2, B, H, W) int32, the box that is hit first, and the next *other* box; -1 for none.
        hits: where they are hit.
    """

    index: Tensor
    hits: tuple[Hits, Hits]


def box_map(cameras: Cameras, boxes: Tensor, filled: Tensor, width: int, height: int) -> BoxMap:
    """Intersect the rays through all pixel centres with all boxes.

    A ray hits a box where it enters it; from a camera inside a box it hits the inside of the far face.

    Args:
        cameras: (B,).
        boxes: (B, N, 4, 4) ``world_from_box``. Flat boxes are legal and never hit.
        filled: (B, N) bool; the other slots are never hit.
        width, height: of the map in pixels.
    """
    rays = box_from_pixel(cameras, boxes, width, height)
    index = hit_boxes(cameras, boxes, filled, width, height)
    return BoxMap(index, (_hits(rays, index[0]), _hits(rays, index[1])))


def hit_boxes(cameras: Cameras, boxes: Tensor, filled: Tensor, width: int, height: int) -> Tensor:
    """Return the nearest and the second box of every pixel, (2, B, H, W) int32 with -1 for none.

    Arguments are :func:`box_map`'s. Surfaces that are nearer to each other than some 1e-5 of their depth
    count as one, that of the first box.
    """
    batch, slots = filled.shape
    touched, planes, cap = _planes(cameras, boxes, filled, width, height)
    across, down = -(-width // TILE), -(-height // TILE)
    tiles = across * down
    rectangles = bounds_2d(cameras, boxes)
    overlaps = _overlaps(rectangles, touched, width, height)  # (B, tiles, N)
    order = overlaps.to(torch.int8).argsort(dim=-1, descending=True, stable=True)
    counts = overlaps.sum(-1).flatten()
    fullest = counts.argsort(descending=True, stable=True)

    bits = max(KEY_BITS, (slots - 1).bit_length())
    low = (1 << bits) - 1  # the key's last bits hold the box: of equal depths the first box is the nearer
    first = torch.zeros((batch * tiles, TILE, TILE), dtype=torch.int32, device=boxes.device)
    second = torch.zeros_like(first)
    steps = torch.arange(TILE, dtype=torch.float32, device=boxes.device)
    for rank, used in enumerate(_used(counts, slots)):
        if not used:
            break
        place = fullest[:used]
        frame, tile = place // tiles, place % tiles
        box = order.flatten(0, 1)[place, rank]
        g, margin = planes[frame, box], cap[frame, box]
        x, y = (tile % across * TILE)[:, None], (tile // across * TILE)[:, None]
        start = (g[..., 2] + g[..., 0] * x + g[..., 1] * y).float()
        along = g[..., 0].float()[..., None] * steps
        beside = g[..., 1].float()[..., None] * steps + start[..., None]
        near = _extreme(torch.minimum, along[:, :3], beside[:, :3])
        far = _extreme(torch.maximum, along[:, 3:], beside[:, 3:])
        hit = near.clone().ge_(far)
        inverse_depth = torch.minimum(near, far.add_(margin[:, None, None])).mul_(hit)
        key = inverse_depth.view(torch.int32)  # positive floats are ordered as their bits are
        key.bitwise_and_(~low).bitwise_or_((low - box).int()[:, None, None])
        torch.maximum(second[:used], torch.minimum(first[:used], key), out=second[:used])
        torch.maximum(first[:used], key, out=first[:used])

    unsorted = torch.empty_like(fullest)
    unsorted[fullest] = torch.arange(len(fullest), device=boxes.device)
    grid = (batch, down, across, TILE, TILE)
    nearest, behind = (
        _picture_of_tiles(keys.index_select(0, unsorted).view(grid), width, height)
        for keys in (first, second)
    )
    return torch.stack([torch.where(key > low, low - (key & low), -1) for key in (nearest, behind)])


def _picture_of_tiles(tiles: Tensor, width: int, height: int) -> Tensor:
    """Return (B, H, W) of tiles (B, rows, columns, S, S), cut to size."""
    batch, down, across, side, _ = tiles.shape
    grid = tiles.transpose(2, 3).reshape(batch, down * side, across * side)
    return grid[:, :height, :width]


def through_box(eye: Tensor, hits: Hits) -> tuple[Tensor, Tensor, Tensor]:
    """Return where rays enter and leave the boxes that they hit.

    Args:
        eye: (3, P), where each ray starts, in its box's coordinates in [-1, 1].
        hits: of the rays.

    Returns:
        Two (3, P), in the boxes' coordinates in [-1, 1], and (P,) bool, rays that start inside.
    """
    inside = (eye.abs() <= 1).all(dim=0)
    direction = away_from_zero(hits.local - eye, 1e-9)
    further = ((direction.sign() - hits.local) / direction).amin(dim=0).clamp_min(0)
    leave = (hits.local + further * direction).clamp(-1, 1)
    return torch.where(inside, eye, hits.local), torch.where(inside, hits.local, leave), inside


def eyes(cameras: Cameras, boxes: Tensor, hits: Hits) -> Tensor:
    """Return where the rays of hits start, (3, P) in their boxes' coordinates in [-1, 1].

    Args:
        cameras: (B,).
        boxes: (B, N, 4, 4).
        hits: of a box map of them.
    """
    return of_hits(camera_in_box(cameras[:, None], boxes)[0].float(), hits)


def of_hits(vectors: Tensor, hits: Hits) -> Tensor:
    """Return the vectors (3, P) of the boxes that are hit, from (B, N, 3)."""
    table = BoxTable(vectors, hits.pixels.row, hits.box)
    return torch.stack([table[axis] for axis in range(3)])


def camera_in_box(cameras: Cameras, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return where cameras (...,) are in boxes (..., 4, 4), which are [-1, 1]^3, and the boxes' volumes."""
    inverse, volume = affine_inverse(boxes)
    at = inverse @ cameras.world_from_camera[..., :, 3:]
    return 2 * at[..., :3, 0], volume


def box_from_pixel(cameras: Cameras, boxes: Tensor, width: int, height: int) -> Tensor:
    """Return (B, N, 3, 4): a pixel's (column, row, 1) ray in box coordinates, and where all rays start."""
    box_from_camera = affine_inverse(boxes)[0] @ cameras.world_from_camera[..., None, :, :]
    rays = camera_from_pixel(cameras, width, height)[..., None, :, :]
    return torch.cat([box_from_camera[..., :3, :3] @ rays, box_from_camera[..., :3, 3:]], dim=-1)


def _planes(
    cameras: Cameras, boxes: Tensor, filled: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the inverse depths of faces as functions of the pixel.

    Returns:
        (B, N) bool, the boxes that can be hit. (B, N, 9, 3) float64: inverse depth is the product with
        (column, row, 1); first three for the faces turned to the camera, then six of which the greatest is
        where rays leave. (B, N) float32: what is added to that to make it count only for a camera inside.
    """
    volume = affine_inverse(boxes)[1]
    solid = filled & (volume.abs() >= DEGENERATE_VOLUME)
    pixels = box_from_pixel(cameras, boxes, width, height)
    rays, start = pixels[..., :3], pixels[..., 3]
    beyond = (start.abs() > 0.5)[..., None]  # outside the two planes of an axis
    side = torch.where(start > 0, 0.5, -0.5)
    # A camera on a face's plane is within: rays that go out leave at once.
    to_near = torch.copysign(
        (side - start).abs().clamp_min(ON_A_FACE), torch.where(beyond[..., 0], -side, side)
    )
    near = rays / to_near[..., None]
    far = rays / away_from_zero(-side - start, ON_A_FACE)[..., None]
    always = torch.zeros_like(near)
    always[..., 2] = AT_THE_CAMERA
    planes = torch.cat([torch.where(beyond, near, always), far, torch.where(beyond, far, near)], dim=-2)
    never = torch.zeros_like(planes)
    never[..., :3, 2], never[..., 3:, 2] = -1, 1
    planes = torch.where(solid[..., None, None], planes, never)
    inside = ~beyond.any(dim=-2)[..., 0]
    return solid, planes, torch.where(inside, 0.0, FAR_ABOVE).float()


def _overlaps(rectangles: Tensor, touched: Tensor, width: int, height: int) -> Tensor:
    """Tell which boxes may be seen in which tile: (B, tiles, N) bool, tiles row by row."""
    device = rectangles.device
    x0, y0, x1, y1 = rectangles.unbind(-1)
    left = torch.arange(0, width, TILE, device=device)[:, None]
    top = torch.arange(0, height, TILE, device=device)[:, None]
    columns = ((x0 * width).floor()[:, None] < left + TILE) & ((x1 * width).ceil()[:, None] > left)
    rows = ((y0 * height).floor()[:, None] < top + TILE) & ((y1 * height).ceil()[:, None] > top)
    seen = touched & (x1 > x0)
    return (rows[:, :, None] & columns[:, None] & seen[:, None, None]).flatten(1, 2)


def _used(counts: Tensor, slots: int) -> list[int]:
    """Return how many of the tiles, the fullest first, have a box of each rank.

    Where lists do not pay, all are taken to.
    """
    if not listing_pays(counts.device):
        return [len(counts)] * slots
    return [int((counts > rank).sum()) for rank in range(slots)]


def _extreme(choose: Callable[..., Tensor], along: Tensor, beside: Tensor) -> Tensor:
    """Return the least or greatest of planes: (P, n, S) over columns and (P, n, S) over rows to (P, S, S)."""
    found = along[:, 0, None, :] + beside[:, 0, :, None]
    other = torch.empty_like(found)
    for plane in range(1, along.shape[1]):
        torch.add(along[:, plane, None, :], beside[:, plane, :, None], out=other)
        choose(found, other, out=found)
    return found


def _hits(rays: Tensor, index: Tensor) -> Hits:
    """Intersect pixels' rays with the boxes that they hit, by slabs.

    Args:
        rays: (B, N, 3, 4), see :func:`box_from_pixel`.
        index: (B, H, W) int32, -1 for none.
    """
    pixels = ActivePixels.of(index >= 0)
    box = pixels.take(index).long()
    through = slabs(rays, pixels, box)
    enter, enter_axis = through.enter.max(dim=0)
    leave, leave_axis = through.leave.min(dim=0)
    outside = enter > 1e-9
    depth = torch.where(box < 0, 1.0, torch.where(outside, enter, leave))
    axis_hit = torch.where(outside, enter_axis, leave_axis)
    face = 2 * axis_hit
    local = torch.empty((3, len(box)), device=index.device)
    for axis in range(3):
        at = through.start[axis].add_(through.direction[axis].mul_(depth)).mul_(2)
        # The face's own coordinate is exactly 1, whatever the rounding of a box that is thin and far away.
        here, positive = axis_hit == axis, at > 0
        face.add_(here & positive)
        local[axis] = torch.where(here, positive * 2.0 - 1.0, at.clamp_(-1, 1))
    return Hits(pixels, box, local, face, depth)


@dataclass(frozen=True)
class Slabs:
    """Where P rays are between the three pairs of planes of their boxes.

    Attributes:
        start, direction: three times (P,) float32, of the rays in box coordinates; a step is one metre of
            depth.
        enter, leave: (3, P) float32, metres along the viewing direction to either plane of each pair.
    """

    start: tuple[Tensor, ...]
    direction: tuple[Tensor, ...]
    enter: Tensor
    leave: Tensor


def slabs(rays: Tensor, pixels: ActivePixels, box: Tensor) -> Slabs:
    """Intersect the rays of P pixels with the planes of boxes.

    A ray hits its box where the last plane that it enters lies before the first that it leaves.

    Args:
        rays: (B, N, 3, 4), see :func:`box_from_pixel`.
        pixels: of the rays.
        box: (P,) int64, the box of each.
    """
    table = BoxTable(rays.flatten(2).float(), pixels.row, box)
    column, row = (centre - 0.5 for centre in pixels.centre)
    directions, starts, enters, leaves = [], [], [], []
    for axis in range(3):
        along, down, offset, start = (table[4 * axis + part] for part in range(4))
        direction = away_from_zero(along.mul_(column).add_(down.mul_(row)).add_(offset), 1e-20)
        middle, half = -start / direction, (0.5 / direction).abs()
        directions.append(direction)
        starts.append(start)
        enters.append(middle - half)
        leaves.append(middle + half)
    return Slabs(tuple(starts), tuple(directions), torch.stack(enters), torch.stack(leaves))
