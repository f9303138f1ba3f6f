"""The shadows that objects throw on the ground: each moves with its object, and darkens what it falls on.

An object's shadow is a layer on the ground of its photo. When the object moves, the layer is laid on the
ground around where the object stands now: a point P of the ground shows the photo's ground at

    Q = source foot + (P - target foot) / scale,

where a foot is right below a box's centre and the scale is that of the boxes' sizes. The light keeps its
direction in the world, so the layer does not turn with the object. An object that is lifted by h above where
it stood throws its shadow h * slope further from the light, with the light's horizontal way per metre of
height as the slope (straight down, if the light is unknown).

How dark it is: the photo's logarithm, times the asset's strength, times 1 / (1 + (h / size)^2) for an object
that is lifted. Its size is the root mean square of its box's edges. An object that sinks into the ground
loses its shadow evenly, until it has sunk by its height.

Where several objects shadow the ground it is as dark as under the darkest of them, channel by channel, not
under all: they stand before the same light. The background's photo has its hidden objects' shadows taken out
wherever it shows; its plate is free of them. So an object that has not moved changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.cancellation import poll
from na_core.compose.ground_layers import GroundLayers, asset_layers, background_layers
from na_core.layers.layers import Layers
from na_core.layers.thrown import ShadowTable
from na_core.raster.backdrop import Backdrops, backdrops
from na_core.raster.canvas import Canvas
from na_core.raster.colour import linear_from_srgb, srgb_from_linear
from na_core.raster.ground import ground_from_pixel
from na_core.raster.pixels import ActivePixels, BoxTable, active, listing_pays, picked
from na_core.raster.sampling import cells_around
from na_core.tensors.frames import FrameBatch

SAME = 1 / 512
"""Change of a logarithm that is rounding. Every change is less by it, so that nothing pops."""

EDGE = 0.5
"""Pixels outside a photo over which its shadows end, as they do between pixels; and inside, from whole."""

DOME_EDGE = 0.9
"""Share of the dome's radius from which shadows on the ground fade, to nothing at the dome."""


def cast_shadows(
    colours: Tensor, shows: Tensor, plate_share: Tensor, layers: Layers, frames: FrameBatch
) -> Tensor:
    """Take the photo's shadows of hidden objects out of backgrounds and throw the assets', in place.

    Args:
        colours: (3, B, H, W) float32 sRGB in [0, 1], what is behind the assets; contiguous.
        shows: (B, H, W) bool, pixels where that matters.
        plate_share: (B, H, W), how far a pixel shows the plate, which has no shadows.
        layers: of the frames' photos.
        frames: B of them.

    Returns:
        (B, 3, H, W) float32 in (0, 1], by how much the assets' shadows darken backgrounds in linear light.
    """
    batch, height, width = shows.shape
    if not layers.has_shadows:
        return torch.ones((), device=colours.device).expand(batch, 3, height, width)
    ground = backdrops(frames.view_camera[:, 0], frames.view_boxes[:, 0], frames.hidden_boxes)
    thrown, taken = torch.ones_like(colours), torch.zeros_like(colours)
    touched = torch.zeros_like(shows)
    for part in _parts(asset_layers(frames, layers, ground, width, height), shows):
        poll()
        found = _found(part, layers.shadows, layers.canvas)
        # Where two objects' shadows meet in the photo, one of them is at least half of what lies between.
        share = found.strength * (2 * found.coverage).clamp_max_(1) / found.coverage.clamp_min(1e-6)
        for values, plane in zip(found.logarithms, thrown, strict=True):
            factors = values.mul_(share).exp_()
            found.pixels.put(torch.minimum(factors, found.pixels.take(plane)), plane)
        touched.view(-1).index_fill_(0, found.pixels.at, True)
    for part in _parts(background_layers(frames, layers, ground, width, height), shows):
        poll()
        found = _found(part, layers.shadows, layers.canvas)
        for values, plane in zip(found.logarithms, taken, strict=True):
            found.pixels.put(values.mul_(found.strength).add_(found.pixels.take(plane)), plane)
        touched.view(-1).index_fill_(0, found.pixels.at, True)
    _apply(colours, thrown, taken, plate_share, ActivePixels.of(touched), frames, ground)
    return thrown.transpose(0, 1)


def _apply(
    colours: Tensor,
    thrown: Tensor,
    taken: Tensor,
    plate_share: Tensor,
    pixels: ActivePixels,
    frames: FrameBatch,
    ground: Backdrops,
) -> None:
    """Change the colours of pixels by shadows that are thrown and taken out, in place.

    Args:
        colours: (3, B, H, W) sRGB.
        thrown: (3, B, H, W), factors of shadows; faded towards the dome, in place.
        taken: (3, B, H, W), logarithms of shadows.
        plate_share: (B, H, W).
        pixels: P of the frames.
        frames: B of them.
        ground: of the frames.
    """
    fade = _before_dome(pixels, frames, ground)
    remains = fade * (1 - pixels.take(plate_share))
    changes = []
    for factors, logs in zip(thrown, taken, strict=True):
        new = pixels.take(factors).log_().mul_(fade)
        pixels.put(new.exp(), factors)
        change = new - pixels.take(logs) * remains
        changes.append(change.sign() * (change.abs() - SAME).clamp_min_(0))
    differs = active((changes[0] != 0) | (changes[1] != 0) | (changes[2] != 0))
    some = ActivePixels(picked(pixels.at, differs), pixels.shape)
    for plane, change in zip(colours, changes, strict=True):
        step, before = picked(change, differs), some.take(plane)
        after = srgb_from_linear(linear_from_srgb(before) * step.exp())
        some.put(torch.where(step == 0, before, after), plane)


def _before_dome(pixels: ActivePixels, frames: FrameBatch, ground: Backdrops) -> Tensor:
    """Return how much of a shadow the ground shows at pixels (P,): 1, less near the dome, 0 beyond."""
    _, height, width = pixels.shape
    source = frames.view_camera[:, 0].world_from_camera[:, :3, 3]
    matrix = ground_from_pixel(frames.camera, ground.ground, width, height)
    centre = torch.cat([source[:, :2], torch.zeros_like(source[:, :1])], dim=1)[..., None]
    matrix = matrix - centre * matrix[:, 2:]  # from below the source camera
    drop = (ground.ground - source[:, 2]).square() / ground.radius.square()
    matrix[:, :2] /= ground.radius[:, None, None]
    values = torch.cat([matrix.flatten(1), drop[:, None]], dim=1)[:, None].float()
    table = BoxTable(values, pixels.row, torch.zeros_like(pixels.at))
    column, row = (at - 0.5 for at in pixels.centre)
    x, y, inverse = (table[3 * n] * column + table[3 * n + 1] * row + table[3 * n + 2] for n in range(3))
    squared = (x * x + y * y) / (inverse * inverse).clamp_min_(1e-20) + table[9]
    inside = (1 - squared.sqrt_()).div_(1 - DOME_EDGE).clamp_(0, 1)
    return torch.where(inverse > 0, inside, 0.0)


@dataclass(frozen=True)
class _Part:
    """One box's shadow in a window of some frames.

    Attributes:
        photo, entry, strength, photo_from_frame: (b,) and (b, 3, 3), see :class:`GroundLayers`.
        frames: the first of the b frames. left, top: of the window.
        shows: (b, h, w) bool, the window's pixels that matter.
        shape: of all frames, B, H and W.
    """

    photo: Tensor
    entry: Tensor
    strength: Tensor
    photo_from_frame: Tensor
    frame: int
    left: int
    top: int
    shows: Tensor
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class _Found:
    """What photos show of a shadow at P pixels of frames.

    Attributes:
        pixels: which.
        logarithms: three times (P,) float32, of the pixels around that the object shadows; of others 0.
        coverage: (P,), how much of the pixels around is its or no one's.
        strength: (P,), of the object.
    """

    pixels: ActivePixels
    logarithms: tuple[Tensor, ...]
    coverage: Tensor
    strength: Tensor


def _parts(layers: GroundLayers, shows: Tensor) -> Iterator[_Part]:
    """Return windows around frames' shadows; where lists do not pay, all frames whole, together."""
    batch, height, width = shows.shape
    count = layers.photo.shape[1]
    if not listing_pays(shows.device):
        for n in range(count):
            values = (layers.photo[:, n], layers.entry[:, n], layers.strength[:, n])
            yield _Part(*values, layers.photo_from_frame[:, n], 0, 0, 0, shows, (batch, height, width))
        return
    for b, windows in enumerate(layers.windows.long().tolist()):
        for n, (left, top, right, bottom) in enumerate(windows):
            if right > left and bottom > top:
                at = (slice(b, b + 1), n)
                values = (layers.photo[at], layers.entry[at], layers.strength[at])
                window = shows[b : b + 1, top:bottom, left:right]
                matrix = layers.photo_from_frame[at]
                yield _Part(*values, matrix, b, left, top, window, (batch, height, width))


def _found(part: _Part, table: ShadowTable, canvas: Canvas) -> _Found:
    """Look a shadow up in the photos that show it."""
    shape, device = part.shows.shape, part.shows.device
    columns = torch.arange(part.left, part.left + shape[2], dtype=torch.float64, device=device)
    rows = torch.arange(part.top, part.top + shape[1], dtype=torch.float64, device=device)[:, None]
    lines = part.photo_from_frame[..., None, None].unbind(1)
    x, y, depth = (line[:, 0] * columns + (line[:, 1] * rows + line[:, 2]) for line in lines)
    divisor = depth.clamp_min(1e-12)
    x, y = (values.div_(divisor).float() for values in (x, y))

    # 1. Where the photo shows the shadow of this object.
    photo, entry = (values[:, None, None].expand(shape).flatten() for values in (part.photo, part.entry))
    corner, right, below, across, down = cells_around(canvas, photo, x.flatten(), y.flatten())
    inside = (depth > 0) & part.shows & canvas.inside(photo.view(shape), x, y, EDGE)
    near = table.near.index_select(0, corner).bitwise_and_(table.bit(entry)) != 0
    chosen = active(inside.flatten() & near)

    # 2. How dark it is there.
    numbers = (part.frame + torch.arange(shape[0], device=device)[:, None, None]) * part.shape[1]
    numbers = (numbers + rows.long()) * part.shape[2] + columns.long()
    values = (
        corner,
        across,
        down,
        entry,
        inside.flatten(),
        numbers.flatten(),
        photo,
        x.flatten(),
        y.flatten(),
    )
    corner, across, down, entry, inside, numbers, photo, x, y = (picked(each, chosen) for each in values)
    width, height = canvas.extent(photo)
    within = torch.minimum(torch.minimum(x, width - x), torch.minimum(y, height - y)).add_(EDGE).clamp_(0, 1)
    within = torch.where(inside, within, 0.0)
    strength = picked(part.strength[:, None, None].expand(shape).flatten(), chosen)
    right, below = (picked(s, chosen) if isinstance(s, Tensor) else s for s in (right, below))
    logarithms = [torch.zeros_like(across) for _ in range(3)]
    coverage = torch.zeros_like(across)
    for at, weight in (
        (corner, (1 - across) * (1 - down)),
        (corner + right, across * (1 - down)),
        (corner + below, (1 - across) * down),
        (corner + below + right, across * down),
    ):
        owner = table.owner.index_select(0, at)
        own = torch.where(owner == entry, weight, 0.0)
        coverage += torch.where(owner < 0, weight, own)
        own *= within
        for total, plane in zip(logarithms, table.planes, strict=True):
            total.addcmul_(own, plane.index_select(0, at).float())
    return _Found(ActivePixels(numbers, part.shape), tuple(logarithms), coverage, strength)
