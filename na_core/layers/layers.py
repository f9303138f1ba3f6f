"""The layers that photos are taken apart into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.layers.object_colours import ObjectColours, object_colours
from na_core.layers.thrown import ShadowTable, shadow_table
from na_core.layers.tones import photo_tones
from na_core.raster.canvas import Canvas
from na_core.raster.pixels import span
from na_core.raster.sampling import planar
from na_core.raster.surfaces import Surfaces, inward_steps

PLANES = ("picture", "normals", "cover", "plate", "real", "alpha", "foreground", "shadow", "shadow_owner")
"""Fields of :class:`Layers` that have a value for each pixel."""


@dataclass(frozen=True)
class Layers:
    """What M photos were taken apart into, pixel by pixel, on one canvas.

    A box is named by its place among its photo's, see :class:`na_core.tensors.views.SourceView`.

    Attributes:
        picture: (M, H, W, 3) uint8 sRGB, the photos.
        surfaces: the object that each pixel shows, and where its ray meets and leaves it.
        normals: (M, H, W, 3) int8, unit vectors times 127 in the cameras' frames, where an object's normal is
            known; else zeros.
        cover: (M, H, W) int16, the object that a pixel may show, though perhaps it does not: what is taken
            out of the background when the object leaves. Where there is an owner, the owner; -1 for none.
        plate: (M, H, W, 3) uint8 sRGB, the photos without their hidden objects and the strips around them.
        real: (M, H, W) bool, where the plate is the photo itself.
        alpha: (M, H, W) uint8, how much of a pixel its owner covers, 255 all of it; 0 where there is none.
        foreground: (M, H, W, 3) uint8 sRGB, the photos, whose objects' colours are free of what is behind.
        shadow: (M, H, W, 3) float16, natural logarithm of the photo over its plate in linear light: the
            shadow that an object throws on the ground, what the object hides of it included. Negative is
            darker; 0 where there is none.
        shadow_owner: (M, H, W) int16, the object that throws it, -1 for none.
        light: (M, 3) float32, direction from the ground to the light in the world; zeros if unknown.
        tones: (M, 1 + K, 3) float32, how bright they and their objects are, see :mod:`na_core.layers.tones`.
        objects: boxes of a photo at most, K.
        extents: (M, 2) float32, width and height of each photo in pixels; None where all fill the canvas.
        soft: whether there may be an alpha between nothing and everything.
    """

    picture: Tensor
    surfaces: Surfaces
    normals: Tensor
    cover: Tensor
    plate: Tensor
    real: Tensor
    alpha: Tensor
    foreground: Tensor
    shadow: Tensor
    shadow_owner: Tensor
    light: Tensor
    tones: Tensor
    objects: int
    extents: Tensor | None = None
    soft: bool = False

    def __len__(self) -> int:
        return len(self.picture)

    @property
    def canvas(self) -> Canvas:
        """Where the photos lie."""
        return Canvas(self.picture.shape[2], self.picture.shape[1], self.extents)

    @cached_property
    def owner(self) -> Tensor:
        """The object that each pixel shows, (M, H, W) int32, -1 for none."""
        return self.surfaces.owner

    @cached_property
    def picture_planes(self) -> Tensor:
        """The photos for :func:`na_core.raster.sampling.sample_planes`, kept for many frames."""
        return planar(self.picture)

    @cached_property
    def foreground_planes(self) -> Tensor:
        """The foregrounds for it, kept for many frames."""
        return planar(self.foreground) if self.soft else self.picture_planes

    @cached_property
    def plate_planes(self) -> Tensor:
        """The plates for it, kept for many frames."""
        return planar(self.plate)

    @cached_property
    def rim(self) -> Tensor:
        """Pixels that, or beside which others, are covered in part or by something else, (M, H, W) bool."""
        return (span(self.owner) > 0) | (span(self.alpha.int()) > 0) | ((self.alpha > 0) & (self.alpha < 255))

    @cached_property
    def inward_steps(self) -> Tensor:
        """The way from pixels on objects' rims to an unmixed colour, (M, H, W) int8."""
        return inward_steps(self.owner, self.canvas)

    @cached_property
    def has_shadows(self) -> bool:
        """Whether any object throws a shadow in any of the photos."""
        return bool((self.shadow_owner >= 0).any())

    @cached_property
    def shadows(self) -> ShadowTable:
        """The objects' shadows as frames look them up."""
        return shadow_table(self.shadow, self.shadow_owner, self.canvas, self.objects)

    @cached_property
    def colours(self) -> ObjectColours:
        """The colours of each object on a small canvas."""
        return object_colours(self.foreground, self.canvas.within(self.owner, -1), self.objects)

    def __getitem__(self, rows: Tensor) -> "Layers":
        """Return the layers of some of the photos, (R,) int64."""
        return self.changed(lambda values: values[rows.to(values.device)])

    def to(self, device: torch.device | str) -> "Layers":
        """Return the layers on a device."""
        return self.changed(lambda values: values.to(device))

    def changed(self, change: Callable[[Tensor], Tensor]) -> "Layers":
        """Return the layers with every tensor changed alike."""
        planes: dict[str, Any] = {name: change(getattr(self, name)) for name in (*PLANES, "light", "tones")}
        extents = None if self.extents is None else change(self.extents)
        return replace(self, surfaces=self.surfaces.changed(change), extents=extents, **planes)


def hard_layers(
    picture: Tensor, surfaces: Surfaces, cover: Tensor, plate: Tensor, real: Tensor, objects: int
) -> Layers:
    """Return layers whose pixels show one thing each, without shadows; see :class:`Layers`."""
    owner = surfaces.owner
    return Layers(
        picture=picture,
        surfaces=surfaces,
        normals=torch.zeros_like(picture, dtype=torch.int8),
        cover=cover.to(torch.int16),
        plate=plate,
        real=real,
        alpha=(owner >= 0).to(torch.uint8) * 255,
        foreground=picture,
        shadow=torch.zeros_like(picture, dtype=torch.float16),
        shadow_owner=torch.full_like(owner, -1, dtype=torch.int16),
        light=torch.zeros((len(owner), 3), device=owner.device),
        tones=photo_tones(picture, picture, owner, objects),
        objects=objects,
    )


def stacked(parts: Sequence[Layers]) -> Layers:
    """Return the layers of photos of several sizes as one, on a canvas that holds the largest.

    Beyond a photo its edge repeats.
    """
    if len(parts) == 1:
        return parts[0]
    height, width = (max(part.picture.shape[axis] for part in parts) for axis in (1, 2))
    sizes = [part.picture.shape[2:0:-1] for part in parts for _ in range(len(part))]
    extents = None
    if len(set(sizes)) > 1:
        extents = torch.tensor([[*size] for size in sizes], dtype=torch.float32)
        extents = extents.to(parts[0].picture.device)

    def join(values: Sequence[Tensor]) -> Tensor:
        return torch.cat([_extended(value, height, width) for value in values])

    surfaces = Surfaces(
        join([part.surfaces.packed for part in parts]),
        join([part.surfaces.thickness for part in parts]),
        torch.cat([part.surfaces.unit for part in parts]),
    )
    planes: dict[str, Any] = {name: join([getattr(part, name) for part in parts]) for name in PLANES}
    objects, soft = max(part.objects for part in parts), any(part.soft for part in parts)
    tones = [F.pad(part.tones, (0, 0, 0, objects - part.objects), value=torch.nan) for part in parts]
    return Layers(
        surfaces=surfaces,
        light=torch.cat([part.light for part in parts]),
        tones=torch.cat(tones),
        objects=objects,
        extents=extents,
        soft=soft,
        **planes,
    )


def _extended(values: Tensor, height: int, width: int) -> Tensor:
    """Return pictures (M, h, w, ...) as (M, height, width, ...) whose last rows and columns repeat."""
    rows = torch.arange(height, device=values.device).clamp_max(values.shape[1] - 1)
    columns = torch.arange(width, device=values.device).clamp_max(values.shape[2] - 1)
    if (height, width) == tuple(values.shape[1:3]):
        return values
    return values[:, rows][:, :, columns]
