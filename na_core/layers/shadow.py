"""Whose shadow is whose: from a map of how much darker a photo is than without its objects' shadows.

The light is found first: that direction under which the shadows of the boxes on the ground agree best with
the map. For this an object is an ellipsoid in its box, whose shadow on a plane is an ellipse: inside it a
quadratic function of the point is below 1, so a whole grid of directions is a product of two matrices.
Then a pixel's shadow belongs to the object whose ellipse it lies in or near, else to one that it touches.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.cancellation import poll
from na_core.raster.backdrop import backdrops
from na_core.raster.ground import ground_from_pixel, ground_heights
from na_core.raster.pixels import active, picked
from na_core.tensors.cameras import Cameras

LEAST_SHADOW = 0.02
"""Logarithm up to which a pixel counts as not shadowed."""

COARSE_SIDE, FINE_SIDE = 64, 128
"""Longer side in pixels of the map in which the light is looked for: first, and around the best direction."""

AZIMUTHS = 24
ELEVATIONS = (12.0, 22.0, 35.0, 50.0, 65.0, 80.0)
"""Of the grid of directions; elevations in degrees."""

STEPS = ((7.5, 6.0), (3.75, 3.0), (1.9, 1.5))
"""Of azimuth and elevation in degrees, by which the best direction is then refined."""

LOWEST, HIGHEST = 8.0, 90.0
"""Elevations in degrees that a light may have."""

FILL = 1.2
"""Size of the ellipsoid that stands for an object, in units of the one that touches its box from inside."""

SOFT_FROM, SOFT_TO = 0.6, 1.4
"""Squared radii of an ellipse between which its predicted shadow fades."""

DARKEST = 1.0
"""Logarithm beyond which darker counts no more for finding the light."""

LEAST_SHARE = 2e-3
"""Of the ground, in full shadow, that is evidence for a light."""

LEAST_AGREEMENT = 0.4
"""Correlation with the map from which a light explains it."""

AMBIENT = (1.0, 2.0, 4.0, 8.0)
"""Squared radii over which shade around objects' feet fades that no light throws. If such shade agrees better
with the map than any light does, the light has no direction to speak of."""

CAST_REACH = 2.0
"""Radii of an object's ellipse within which a shadow is thrown by it."""

DOUBTED, TRUSTED = 0.7, 0.85
"""Shares of a map's darkness within reach of the objects up to which it shows no shadows, and from which it
does. On 24 rendered scenes all but two have more than 0.85; photographs whose dark things were taken for
shadows have 0.3 to 0.7."""

CONTACT_REACH = 2.0
"""Radii of the ellipse right below an object within which other shadows are its contact shadow."""

AT_ONCE = 2**19
"""Pixels whose shadow's owner is looked for at a time."""


@dataclass(frozen=True)
class ThrownShadows:
    """The shadows of one photo, H x W pixels.

    Attributes:
        owner: (H, W) int16, the box that throws each pixel's shadow, -1 for none.
        light: (3,) float32, direction from the ground to the light in the world; zeros if unknown.
        trust: () float32 in [0, 1], how far the map shows shadows; what is dark by itself lies where no
            object could throw one.
    """

    owner: Tensor
    light: Tensor
    trust: Tensor


def thrown_shadows(
    shadow: Tensor, objects: Tensor, camera: Cameras, boxes: Tensor, filled: Tensor, hidden: Tensor
) -> ThrownShadows:
    """Find out whose shadows a photo shows, and where its light is.

    Args:
        shadow: (H, W, 3), logarithm of the photo over its plate in linear light, negative in shadows.
        objects: (H, W), the object that each pixel shows, -1 for none: what lies under it tells nothing of
            the light.
        camera: () that took the photo.
        boxes: (K, 4, 4) ``world_from_box``.
        filled: (K,) bool, slots that hold a box.
        hidden: (K,) bool, boxes that are taken out of the photo; they tell where the ground is.
    """
    view = GroundView.of(camera, boxes, filled, hidden)
    light, trust = torch.zeros(3, device=shadow.device), torch.ones((), device=shadow.device)
    coarse = _darkness(shadow, objects, view, COARSE_SIDE)
    if coarse is not None:
        fine = _darkness(shadow, objects, view, FINE_SIDE)
        light = _light(coarse, fine or coarse, view)
        trust = _trust(coarse, view, light)
    return ThrownShadows(_owners(shadow, view, light), light, trust)


@dataclass(frozen=True)
class GroundView:
    """The ground that a photo shows, and the boxes on it.

    Attributes:
        camera: () that took it.
        boxes: (K, 4, 4) ``world_from_box``.
        filled: (K,) bool, slots that hold a box.
        ground: () its height in metres.
        radius: () of the backdrop's dome in metres: farther away there is no ground.
    """

    camera: Cameras
    boxes: Tensor
    filled: Tensor
    ground: Tensor
    radius: Tensor

    @classmethod
    def of(cls, camera: Cameras, boxes: Tensor, filled: Tensor, hidden: Tensor) -> Self:
        """Return the ground under boxes; those that are taken out of the photo tell where it is, if any."""
        hidden = hidden & filled
        counts = torch.where(hidden.any(), hidden, filled)[None]
        ground = ground_heights(boxes[None], counts, filled[None])[0]
        return cls(camera, boxes, filled, ground, backdrops(camera[None], boxes[None], counts).radius[0])

    def points(self, pixels: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
        """Return where rays meet the ground, (P, 2) float64 in metres, and whether they end there, bool.

        Args:
            pixels: (P,) int64, their numbers in a picture.
            width, height: of the picture.
        """
        matrix = ground_from_pixel(self.camera, self.ground, width, height)
        column, row = pixels % width, pixels // width
        x, y, inverse = (one * column + two * row + three for one, two, three in matrix)
        divisor = inverse.clamp_min(1e-9)
        points = torch.stack([x / divisor, y / divisor], dim=-1)
        at = self.camera.world_from_camera[:3, 3]
        squared = (points - at[:2]).square().sum(-1) + (self.ground - at[2]).square()
        return points, (inverse > 0) & (squared < self.radius.square())

    def features(self, points: Tensor) -> Tensor:
        """Return (n, 6) float32, of which :meth:`ellipses` are linear functions."""
        origin, unit = self._frame
        x, y = ((points - origin) / unit).float().unbind(-1)
        return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], dim=-1)

    def ellipses(self, lights: Tensor) -> Tensor:
        """Return (L, K, 6) float32: times features, the squared radius of points in boxes' shadows.

        It is 1 on the edge of an ellipsoid's shadow; infinite for a slot without a box.

        Args:
            lights: (L, 3) float64, directions to lights.
        """
        slope = lights[:, :2] / lights[:, 2:].clamp_min(1e-6)
        linear, at = self.boxes[:, :3, :3], self.boxes[:, :3, 3]
        origin, unit = self._frame
        # A point of height z throws its shadow on (x, y) - z * slope.
        spread = linear[:, :2] - slope[:, None, :, None] * linear[:, 2:]  # (L, K, 2, 3)
        spread = spread * (0.5 * FILL / unit)
        centre = at[:, :2] - slope[:, None, :] * (at[:, 2:] - self.ground)
        cx, cy = ((centre - origin) / unit).unbind(-1)
        a, b, c = (
            (spread[..., i, :] * spread[..., j, :]).sum(-1) + (1e-6 if i == j else 0.0)
            for i, j in ((0, 0), (0, 1), (1, 1))
        )
        divisor = a * c - b * b
        xx, xy, yy = c / divisor, -2 * b / divisor, a / divisor
        none = xx * cx * cx + xy * cx * cy + yy * cy * cy
        columns = [none, -2 * xx * cx - xy * cy, -2 * yy * cy - xy * cx, xx, xy, yy]
        found = torch.stack(columns, dim=-1)
        nowhere = torch.zeros_like(found)
        nowhere[..., 0] = 1e9
        return torch.where(self.filled[:, None], found, nowhere).float()

    @property
    def _frame(self) -> tuple[Tensor, Tensor]:
        """An origin (2,) among the boxes, and a length () like their distances: numbers stay small."""
        share = self.filled.double() / self.filled.sum().clamp_min(1)
        at = self.boxes[:, :2, 3]
        origin = (share[:, None] * at).sum(0)
        size = self.boxes[:, :3, :3].flatten(1).norm(dim=-1)
        unit = (share * ((at - origin).norm(dim=-1) + size)).sum()
        return origin, unit.clamp_min(1e-6)


@dataclass(frozen=True)
class Darkness:
    """How dark n places of the ground are.

    Attributes:
        features: (n, 6) float32, see :meth:`GroundView.features`.
        dark: (n,) float32, absolute logarithm, up to :data:`DARKEST`.
    """

    features: Tensor
    dark: Tensor


def _light(coarse: Darkness, fine: Darkness, view: GroundView) -> Tensor:
    """Return the direction (3,) float32 from the ground to the light; zeros where nothing tells it."""
    azimuths = torch.arange(AZIMUTHS, dtype=torch.float64) * (360 / AZIMUTHS)
    elevations = torch.tensor(ELEVATIONS, dtype=torch.float64)
    grid = torch.cartesian_prod(elevations, azimuths).flip(-1).to(view.ground.device)
    scores = _agreement(coarse, view, grid)
    best = int(scores.argmax())
    least = max(LEAST_AGREEMENT, float(_ambient_agreement(coarse, view).max()))
    if float(scores[best]) < least:
        return torch.zeros(3, device=grid.device)

    angles = grid[best]
    offsets = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    beside = torch.cartesian_prod(offsets, offsets).to(grid.device)
    for step in STEPS:
        poll()
        near = angles + beside * torch.tensor(step, dtype=torch.float64, device=grid.device)
        near[:, 1].clamp_(LOWEST, HIGHEST)
        angles = near[_agreement(fine, view, near).argmax()]
    return _direction(angles[None])[0].float()


def _trust(coarse: Darkness, view: GroundView, light: Tensor) -> Tensor:
    """Return how far a map shows shadows, () float32 in [0, 1]: by the share of it that objects can throw.

    Args:
        coarse: the map.
        view: what the photo shows.
        light: (3,) direction to it; zeros if unknown.
    """
    above = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64, device=light.device)
    lights = torch.cat([light.double()[None], above]) if bool(light.any()) else above
    reached = _radii(coarse.features, view, lights).amin(dim=0) <= CAST_REACH**2
    share = (coarse.dark * reached).sum() / coarse.dark.sum().clamp_min(1e-9)
    return ((share - DOUBTED) / (TRUSTED - DOUBTED)).clamp(0, 1)


def _darkness(shadow: Tensor, objects: Tensor, view: GroundView, side: int) -> Darkness | None:
    """Return how dark the ground is of a photo whose longer side is at most ``side``; None if none is."""
    poll()
    height, width = objects.shape
    scale = min(1.0, side / max(width, height))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    bare = (objects < 0).float()
    dark = shadow.float().mean(-1).neg().clamp(0, DARKEST) * bare
    dark, bare = F.adaptive_avg_pool2d(torch.stack([dark, bare])[None], size)[0].flatten(1)
    points, ground = view.points(torch.arange(len(bare), device=bare.device), size[1], size[0])
    seen = (ground & (bare > 0.5)).nonzero()[:, 0]
    if len(seen) < 8 or not bool(view.filled.any()):
        return None
    dark = dark[seen] / bare[seen]
    if float(dark.mean()) < LEAST_SHARE:
        return None
    return Darkness(view.features(points[seen]), dark)


def _agreement(ground: Darkness, view: GroundView, angles: Tensor) -> Tensor:
    """Return how the shadows under lights correlate with a map, (L,) float32 in [-1, 1].

    Args:
        ground: the map.
        view: of the photo.
        angles: (L, 2) float64, azimuths and elevations in degrees.
    """
    radii = _radii(ground.features, view, _direction(angles))
    return _correlation(((SOFT_TO - radii) / (SOFT_TO - SOFT_FROM)).clamp_(0, 1), ground.dark)


def _ambient_agreement(ground: Darkness, view: GroundView) -> Tensor:
    """Return how shades of all widths around feet correlate with a map, as :func:`_agreement` does."""
    above = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64, device=ground.dark.device)
    widths = torch.tensor(AMBIENT, device=ground.dark.device)[:, None]
    return _correlation((-_radii(ground.features, view, above) / widths).exp(), ground.dark)


def _radii(features: Tensor, view: GroundView, lights: Tensor) -> Tensor:
    """Return squared radii of points in the nearest ellipses, (L, n), under lights (L, 3)."""
    ellipses = view.ellipses(lights)
    count, boxes, _ = ellipses.shape
    return (ellipses.flatten(0, 1) @ features.t()).view(count, boxes, -1).amin(dim=1)


def _correlation(shades: Tensor, darkness: Tensor) -> Tensor:
    """Return the correlations (L,) of shades (L, n) with what a map shows (n,)."""
    shades = shades - shades.mean(dim=-1, keepdim=True)
    wanted = darkness - darkness.mean()
    spread = shades.square().sum(-1).sqrt() * wanted.square().sum().sqrt()
    return (shades @ wanted) / spread.clamp_min(1e-9)


def _direction(angles: Tensor) -> Tensor:
    """Return unit vectors (L, 3) of azimuths and elevations (L, 2) in degrees."""
    azimuth, elevation = (angles * (math.pi / 180)).unbind(-1)
    flat = elevation.cos()
    return torch.stack([flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin()], dim=-1)


def _owners(shadow: Tensor, view: GroundView, light: Tensor) -> Tensor:
    """Return the box that throws each pixel's shadow, (H, W) int16, -1 for none.

    The one in whose shadow under the light the pixel lies deepest, up to :data:`CAST_REACH` radii; else the
    one that it is nearest to, up to :data:`CONTACT_REACH` radii of what lies right below it.

    Args:
        shadow: (H, W, 3), see :func:`thrown_shadows`.
        view: what the photo shows.
        light: (3,) direction to it; zeros if unknown.
    """
    height, width = shadow.shape[:2]
    shaded = shadow.amin(-1).flatten() < -LEAST_SHADOW
    above = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64, device=light.device)
    known = bool(light.any())
    ellipses = view.ellipses(torch.stack([light.double() if known else above, above]))
    owners = torch.full_like(shaded, -1, dtype=torch.int16)
    for at in active(shaded).split(AT_ONCE):
        poll()
        points, ground = view.points(at, width, height)
        features = view.features(points)
        cast, contact = ((features @ each.t()).min(dim=-1) for each in ellipses)
        owner = torch.where(contact.values <= CONTACT_REACH**2, contact.indices, -1)
        if known:
            owner = torch.where(cast.values <= CAST_REACH**2, cast.indices, owner)
        owners.index_copy_(0, at, torch.where(picked(shaded, at) & ground, owner, -1).to(torch.int16))
    return owners.view(height, width)
