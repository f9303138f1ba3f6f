"""The verb: photos and their boxes to layers, once per photo."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from na_core.cancellation import poll
from na_core.layers.box_layers import box_layers
from na_core.layers.layers import Layers, hard_layers
from na_core.layers.matting import SOLID, mattes
from na_core.layers.outlines import outlines
from na_core.layers.own_models import (
    NO_MODELS,
    OwnModels,
    depths_of,
    fitted_depths,
    with_found_outlines,
)
from na_core.layers.painted import (
    NOTHING,
    Outlines,
    Painted,
    repainted,
    with_outlines,
    with_plates,
    with_shadows,
)
from na_core.layers.palette import in_palette
from na_core.layers.photo_network import DARKEST, Estimate, PhotoNetwork, estimate
from na_core.layers.plate import dark_rims, plates
from na_core.layers.plate_models import filled_plate
from na_core.layers.relief_edges import with_sharp_steps
from na_core.layers.remnants import with_remnants
from na_core.layers.resample import resampled_depth, resampled_normals
from na_core.layers.shadow import thrown_shadows
from na_core.layers.shadow_ends import faded_under_objects
from na_core.layers.tones import photo_tones
from na_core.layers.upsampling import enlarged, guided
from na_core.raster.backdrop import backdrops
from na_core.raster.fill import push_pull
from na_core.raster.ground import image_from_ground_below
from na_core.raster.surfaces import pack
from na_core.scene import Rectangle
from na_core.tensors.views import SourceViews

LOOKS = {1.0: 0.8, 0.5: 0.2}
"""Sizes at which the network looks at a photo, as shares of the working size, and how much each counts: the
first sees fine outlines, the second what belongs together in large objects."""

NO_SHADOW, SHADOW = 0.05, 0.15
"""Darkness, as a logarithm, up to which the network may be wrong that there is a shadow, and from which there
is one. Light that objects throw back, on the other side of 0, is left in the photo."""


SURE = 0.9
"""Probability of no object from which a pixel shows the background."""


@dataclass(frozen=True)
class TakingApart:
    """How photos are taken apart.

    Attributes:
        network: that finds outlines, depths, plates and shadows, on the views' device; without it every
            object fills its box as far as its 2D box allows, and throws no shadow.
        working_size: longer side in pixels at which the network sees photos.
        texture: what plates have to guess gets the photo's texture; else it is smooth.
        soft: outlines that the network finds get an alpha from the photo's own pixels, and colours without
            what is behind; else each pixel shows one thing. Objects that fill their boxes stay hard.
        models: of the user's, that take the network's place.
    """

    network: PhotoNetwork | None = None
    working_size: int = 256
    texture: bool = False
    soft: bool = True
    models: OwnModels = NO_MODELS

    @property
    def key(self) -> Hashable:
        """What tells ways apart: a network that is converted in place is another way."""
        return self, None if self.network is None else self.network.dtype


FILLED_BOXES = TakingApart()
"""Without a network: every object fills its box."""


@dataclass(frozen=True)
class _Found:
    """What a network finds in M photos.

    Attributes:
        owner, cover, alpha, foreground: see :class:`na_core.layers.layers.Layers`.
        near, far: (M, H, W) float32, depths in metres where rays meet and leave the owner.
        normals: see :class:`na_core.layers.layers.Layers`.
        shadow: (M, H, W, 3) float32, logarithm of the photo over its plate, whoever throws it; under objects,
            of what the ground would be.
        guess: (M, H, W, 3) float32 sRGB in [0, 1], smooth colours of what is behind objects.
    """

    owner: Tensor
    cover: Tensor
    alpha: Tensor
    foreground: Tensor
    near: Tensor
    far: Tensor
    normals: Tensor
    shadow: Tensor
    guess: Tensor


def take_apart(
    views: SourceViews, how: TakingApart = FILLED_BOXES, painted: Sequence[Painted] = ()
) -> Layers:
    """Take M photos apart into layers: outlines and surfaces of their objects, shadows and plates.

    Args:
        views: the photos and what they show.
        how: to take them apart.
        painted: what someone painted of each photo's layers, which takes the place of what is found.
    """
    painted = painted or [NOTHING] * len(views.pictures)
    if how.models.outlines is not None:
        painted = _with_own_outlines(views, how.models, painted)
    hidden = views.hidden & views.filled
    ground = image_from_ground_below(views.camera, backdrops(views.camera, views.boxes, hidden).ground)
    objects = views.filled.shape[1]
    if how.network is None:
        owner, cover, near, far = with_outlines(views.pictures, _filled_boxes(views), painted)
        plate, real = plates(views.pictures, cover, hidden, how.texture, ground=ground)
        plate = with_plates(_with_own_plates(plate, real, how.models), painted)
        layers = hard_layers(views.pictures, pack(owner, near, far), cover, plate, real, objects)
        shadow_owner, shadow = with_shadows(layers.shadow_owner, layers.shadow, painted, DARKEST)
        return replace(layers, shadow_owner=shadow_owner, shadow=shadow)

    # 1. Whose pixel it is, and where its ray meets and leaves the object.
    found = _found(how.network, views, how.working_size, how.soft, painted, how.models)

    poll()

    # 2. Whose shadow falls on it; one that is nobody's stays in the photo, as a thing of its own would.
    shadow_owner, light, share = _shadow_owners(found, views)
    shadow = found.shadow.mul_(share[..., None]).masked_fill_((shadow_owner < 0)[..., None], 0)  # it is large
    shadow_owner, shadow = with_shadows(shadow_owner, shadow, painted, DARKEST)

    poll()

    # 3. The photo without what can leave it; where a shadow is black at an object's rim, that is its edge.
    dark = dark_rims(found.cover >= 0, shadow.mean(dim=-1))
    cover = torch.where(dark, shadow_owner, found.cover.to(torch.int16))
    stays = ~hidden.gather(1, shadow_owner.flatten(1).clamp_min(0).long()).view_as(shadow_owner)
    leaves = torch.where((stays | (found.owner >= 0))[..., None], 0, shadow)
    plate, real = plates(views.pictures, cover, hidden, how.texture, leaves, found.guess, ground)
    plate = with_plates(_with_own_plates(plate, real, how.models), painted)
    return Layers(
        picture=views.pictures,
        surfaces=pack(found.owner, found.near, found.far),
        normals=found.normals,
        cover=cover,
        plate=plate,
        real=real,
        alpha=found.alpha,
        foreground=found.foreground,
        shadow=shadow.half(),
        shadow_owner=shadow_owner,
        light=light,
        tones=photo_tones(views.pictures, found.foreground, found.owner, objects),
        objects=objects,
        soft=how.soft,
    )


def working_pictures(pictures: Tensor, working_size: int) -> Tensor:
    """Return photos (M, H, W, 3) uint8 whose longer side is the working size, by area."""
    height, width = pictures.shape[1:3]
    scale = working_size / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pictures
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = [cv2.resize(picture, size, interpolation=how) for picture in pictures.cpu().numpy()]
    return torch.from_numpy(np.stack(resized)).to(pictures.device)


def _with_own_outlines(views: SourceViews, models: OwnModels, painted: Sequence[Painted]) -> list[Painted]:
    """Return what was painted of photos' layers, and the outlines that the user's model finds."""
    made = []
    for row, each in enumerate(painted):
        rectangles = _rectangles(views, row)
        made.append(with_found_outlines(models, views.pictures[row].cpu().numpy(), rectangles, each))
    return made


def _rectangles(views: SourceViews, row: int) -> list[Rectangle | None]:
    """Return the 2D boxes of the objects in a photo by number, None where unknown."""
    each = zip(views.rectangles[row].tolist(), views.known[row].tolist(), strict=True)
    return [tuple(rectangle) if known else None for rectangle, known in each]


def _with_own_plates(plate: Tensor, real: Tensor, models: OwnModels) -> Tensor:
    """Return plates (M, H, W, 3), what is made up in them by the user's model."""
    if models.plates is None:
        return plate
    each = zip(plate.cpu().numpy(), real.cpu().numpy(), strict=True)
    made = [filled_plate(models.plates, picture, ~shown) for picture, shown in each]
    return torch.from_numpy(np.stack(made)).to(plate.device)


def _found(
    network: PhotoNetwork,
    views: SourceViews,
    working_size: int,
    soft: bool,
    painted: Sequence[Painted],
    models: OwnModels = NO_MODELS,
) -> _Found:
    """Return what a network finds in photos, at their own size, with outlines that someone painted.

    Of what covers less than half of a pixel there is a thin sheet: what is seen of it from the side is the
    rest of the object.
    """
    looks, seen = [], []
    for share in LOOKS:
        poll()
        seen.append(working_pictures(views.pictures, max(1, round(share * working_size))))
        looks.append(estimate(network, replace(views, pictures=seen[-1])))
    found = looks[0]
    each = [_chances(look, views.filled.shape[1]) for look in looks]
    chances = (_mean(each) * (each[0] > 0)).cpu().numpy()  # a coarse look would reach over boxes' edges
    index, near, far = (values.cpu().numpy() for values in (found.index, found.near, found.far))
    guides = seen[0].cpu().numpy()
    shadow, guess = (_mean([getattr(look, name) for look in looks]) for name in ("shadow", "plate"))
    normals = _mean([look.normal for look in looks]).movedim(1, -1).cpu().numpy()
    guess = _guesses(guess, views.pictures, found.probability[:, 0], shadow)
    # The network says nothing of the ground under objects: there shadows go on as they are around.
    shadow = push_pull(shadow, (found.probability[:, :1] > 0.5).float())
    shadows, guesses = (values.movedim(1, -1).cpu().numpy() for values in (shadow, guess))
    parts = []
    for number, picture in enumerate(views.pictures.cpu().numpy()):
        poll()
        owner, cover = outlines(picture, chances[number])
        alpha, foreground = np.where(owner < 0, 0, 255).astype(np.uint8), picture
        if soft:
            poll()
            matte = mattes(picture, chances[number], owner)
            owner, alpha = matte.owner, matte.alpha
            # To the bit: a share may round to the whole.
            foreground = np.where((alpha == 255)[..., None], picture, matte.foreground)
            cover = np.where(owner < 0, cover, owner)
        after = Outlines(owner, cover, alpha, foreground)
        after = repainted(picture, after, painted[number].outlines, soft=soft)
        owner, cover, alpha, foreground = after.owner, after.cover, after.alpha, after.foreground
        poll()
        met, left = (
            resampled_depth(
                with_sharp_steps(each[number], index[number], owner, guides[number]), index[number], owner
            )
            for each in (near, far)
        )
        told = depths_of(models, picture)
        if told is not None:
            met = fitted_depths(told, owner, met, left)
            left = np.maximum(met, left)
        parts.append(
            (
                owner,
                with_remnants(picture, cover, painted[number].outlines.keys(), _rectangles(views, number)),
                alpha,
                foreground,
                met,
                np.where(alpha < SOLID, met, left),
                resampled_normals(normals[number], owner),
                _shadow(shadows[number], picture, owner),
                enlarged(guesses[number], picture.shape[1], picture.shape[0]),
            )
        )
    planes = (torch.from_numpy(np.stack(part)).to(views.pictures.device) for part in zip(*parts, strict=True))
    return _Found(**dict(zip((field.name for field in fields(_Found)), planes, strict=True)))


def _mean(looks: Sequence[Tensor]) -> Tensor:
    """Return the weighted mean (B, C, H, W) of what looks see, at the size of the first."""
    size = looks[0].shape[2:]
    total = torch.zeros_like(looks[0])
    for look, weight in zip(looks, LOOKS.values(), strict=True):
        same = look.shape[2:] == size
        total += weight * (look if same else F.interpolate(look, size, mode="bilinear", align_corners=False))
    return total


def _guesses(guess: Tensor, pictures: Tensor, nothing: Tensor, shadow: Tensor) -> Tensor:
    """Return colours (M, 3, h, w) of what is behind objects, of a network that guesses them.

    Args:
        guess: (M, 3, h, w).
        pictures: (M, H, W, 3), the photos.
        nothing: (M, h, w), the probability that a pixel shows no object.
        shadow: (M, 3, h, w), the logarithm of photos over what they would be without shadows.
    """
    seen = working_pictures(pictures, max(guess.shape[2:])).movedim(-1, 1).float() / 255
    clear = (nothing > SURE) & (shadow.mean(dim=1) > -SHADOW)
    return torch.stack([in_palette(*each) for each in zip(guess, seen, clear, strict=True)])


def _shadow(
    shadow: NDArray[np.float32], picture: NDArray[np.uint8], owner: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return shadows (h, w, 3) at the photo's size; faint ones fade to none.

    Edges are the photo's where it shows the ground; under objects there are none.
    """
    larger = guided(shadow, picture)
    height, width = owner.shape
    np.copyto(larger, enlarged(shadow, width, height), where=(owner >= 0)[..., None])
    np.clip(larger, DARKEST, 0, out=larger)
    darkness = cv2.transform(larger, np.full((1, 3), -1 / 3))
    doubt = np.clip((darkness - NO_SHADOW) / (SHADOW - NO_SHADOW), 0, 1)
    larger *= doubt[..., None]
    return larger


def _shadow_owners(found: _Found, views: SourceViews) -> tuple[Tensor, Tensor, Tensor]:
    """Return who throws each pixel's shadow (M, H, W), lights' directions (M, 3), and shares (M, H, W).

    Under an object lies a shadow of its own: how dark others' are there, nothing around it tells. They fade.
    """
    thrown = [
        thrown_shadows(
            found.shadow[number],
            found.owner[number],
            views.camera[number],
            views.boxes[number],
            views.filled[number],
            views.hidden[number],
        )
        for number in range(len(found.owner))
    ]
    owner, light, trust = (torch.stack([getattr(t, n) for t in thrown]) for n in ("owner", "light", "trust"))
    own = (found.owner < 0) | (owner == found.owner)
    owner = torch.where((trust > 0)[:, None, None] & own, owner, -1).to(torch.int16)
    ends = [
        faded_under_objects(thrower.cpu().numpy(), objects.cpu().numpy())
        for thrower, objects in zip(owner, found.owner, strict=True)
    ]
    owner, share = (torch.from_numpy(np.stack(part)).to(light.device) for part in zip(*ends, strict=True))
    return owner, light, share * trust[:, None, None]


def _chances(found: Estimate, objects: int) -> Tensor:
    """Return the probabilities (B, K, H, W) that a pixel shows each object."""
    number = torch.arange(objects, device=found.index.device)[None, :, None, None]
    nearest, second = (
        found.probability[:, layer + 1, None] * (found.index[:, layer, None] == number) for layer in range(2)
    )
    return nearest + second


def _filled_boxes(views: SourceViews) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return owners, covers, near and far depths (M, H, W) of objects that fill their boxes.

    A pixel shows the nearest box in whose object's 2D box it lies; of more than two behind each other, the
    third counts for nothing.
    """
    layers, _ = box_layers(views)
    shows = (layers.index >= 0) & layers.allowed
    first = (~shows[:, :1]).long()
    owner = torch.where(shows.any(dim=1), layers.index.gather(1, first)[:, 0], -1)
    enter, leave = (values.gather(1, first)[:, 0] for values in (layers.enter, layers.leave))
    # A camera in a box sees the inside of its far faces.
    return owner, owner, torch.where(enter > 0, enter, leave), leave
