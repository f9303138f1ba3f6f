"""Other photos out of a photo: mirrored, cut out and recoloured, with cameras, boxes and truth that fit.

Each is exact: what a camera would have seen of a mirrored world, or through a longer lens. Every function
draws its numbers for each photo, whatever it does with them.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from na_core.tensors.cameras import Cameras, camera_from_pixel, image_from_camera
from na_core.tensors.views import SourceViews

BLUR, NOISE, WORST = 1.2, 12.0, 40
"""Largest blur in pixels and noise in levels of 255 of a photo that is made worse, and its least quality."""


@dataclass(frozen=True)
class Photos:
    """B photos and what they show.

    Attributes:
        views: the photos and their boxes.
        owner: (B, H, W) int64, the box's number that each pixel shows, -1 for none.
        depths: (B, H, W) float32 each, metres to whatever of it.
        plate: (B, H, W, 3) uint8 sRGB, what they would show without their objects.
    """

    views: SourceViews
    owner: Tensor
    depths: tuple[Tensor, ...] = ()
    plate: Tensor | None = None


def mirror(photos: Photos, random: np.random.Generator, probability: float) -> Photos:
    """Mirror photos left to right, each with the given probability."""
    views = photos.views
    chosen = torch.from_numpy(random.random(len(views.pictures)) < probability).to(views.pictures.device)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64, device=chosen.device))
    fx, fy, cx, cy = views.camera.intrinsics.unbind(-1)
    camera = Cameras(
        _where(chosen, flip @ views.camera.world_from_camera @ flip, views.camera.world_from_camera),
        _where(chosen, torch.stack([fx, fy, 1 - cx, cy], dim=-1), views.camera.intrinsics),
    )
    x0, y0, x1, y1 = views.rectangles.unbind(-1)
    return Photos(
        replace(
            views,
            pictures=_where(chosen, views.pictures.flip(2), views.pictures),
            camera=camera,
            boxes=_where(chosen, flip @ views.boxes, views.boxes),
            rectangles=_where(chosen, torch.stack([1 - x1, y0, 1 - x0, y1], dim=-1), views.rectangles),
        ),
        _where(chosen, photos.owner.flip(2), photos.owner),
        tuple(_where(chosen, of.flip(2), of) for of in photos.depths),
        None if photos.plate is None else _where(chosen, photos.plate.flip(2), photos.plate),
    )


def crop(photos: Photos, random: np.random.Generator, smallest: float) -> Photos:
    """Cut a part out of each photo and enlarge it to the photo's size.

    ``smallest`` is the side of the smallest part, as a share of the photo's; 1 leaves photos whole.
    """
    views = photos.views
    height, width = views.pictures.shape[1:3]
    cut, plates, corners = [], [], []
    for number in range(len(views.pictures)):
        share, across, down = random.random(3)
        side = smallest + (1 - smallest) * share
        columns, rows = max(1, round(side * width)), max(1, round(side * height))
        left, top = round(across * (width - columns)), round(down * (height - rows))
        window = (number, slice(top, top + rows), slice(left, left + columns))
        if photos.plate is not None:
            plates.append(_resized_colours(photos.plate[window], height, width))
        cut.append(
            (
                _resized_colours(views.pictures[window], height, width),
                _resized(photos.owner[window][None, None].float(), height, width, "nearest-exact"),
                *(_resized(of[window][None, None], height, width, "nearest-exact") for of in photos.depths),
            )
        )
        corners.append((left / width, top / height, columns / width, rows / height))
    x, y, w, h = torch.tensor(corners, dtype=torch.float64, device=views.boxes.device).unbind(-1)
    fx, fy, cx, cy = views.camera.intrinsics.unbind(-1)
    intrinsics = torch.stack([fx / w, fy / h, (cx - x) / w, (cy - y) / h], dim=-1)
    offset, scale = (torch.stack([a, b, a, b], dim=-1)[:, None] for a, b in ((x, y), (w, h)))
    pictures, owner, *depths = (torch.cat(parts) for parts in zip(*cut, strict=True))
    return Photos(
        replace(
            views,
            pictures=pictures,
            camera=Cameras(views.camera.world_from_camera, intrinsics),
            rectangles=((views.rectangles - offset) / scale).clamp(0, 1),
        ),
        owner[:, 0].long(),
        tuple(depth[:, 0] for depth in depths),
        torch.cat(plates) if plates else None,
    )


def turn(photos: Photos, random: np.random.Generator, angle: float, zoom: float) -> Photos:
    """Turn each photo's camera about its centre and change its lens; what it had not seen repeats the edge.

    The longer the lens becomes, the farther the camera turns: to anywhere in what the photo shows.

    Args:
        photos: to turn; without depths, which are along other directions then.
        angle: radians of the largest pan and tilt beyond that; roll is a third of it.
        zoom: largest factor that the focal length grows by; were it to shrink, the border that repeats the
            edge would give it away.
    """
    views = photos.views
    count, height, width = views.pictures.shape[:3]
    device = views.boxes.device
    turns, factors = 2 * random.random((3, count)) - 1, zoom ** random.random(count)
    fx, fy, cx, cy = views.camera.intrinsics.unbind(-1)
    lenses = torch.stack([fy, fx]).cpu().numpy()  # of tilt, and of pan
    room = np.arctan(0.5 / lenses) - np.arctan(0.5 / (lenses * factors))
    tilt, pan, roll = turns * np.stack([angle + room[0], angle + room[1], np.full(count, angle / 3)])
    rotation = torch.from_numpy(Rotation.from_euler("xyz", np.stack([tilt, pan, roll], axis=1)).as_matrix())
    factor = torch.from_numpy(factors).to(device)
    world_from_camera = views.camera.world_from_camera.clone()
    world_from_camera[:, :3, :3] = world_from_camera[:, :3, :3] @ rotation.to(device)
    camera = Cameras(world_from_camera, torch.stack([fx * factor, fy * factor, cx, cy], dim=-1))
    before = image_from_camera(views.camera) @ rotation.to(device) @ camera_from_pixel(camera, width, height)
    columns, rows = torch.arange(width, device=device), torch.arange(height, device=device)
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).double()
    pixels = F.pad(pixels, (0, 1), value=1.0)
    x, y, depth = torch.einsum("bij,hwj->bihw", before, pixels).unbind(1)
    places = torch.stack([x, y], dim=-1) / depth.clamp_min(1e-6)[..., None]
    grid = (2 * places - 1).float()
    colours = views.pictures.permute(0, 3, 1, 2).float()
    pictures = F.grid_sample(colours, grid, padding_mode="border", align_corners=False)
    owner = F.grid_sample(photos.owner[:, None].float() + 1, grid, mode="nearest", align_corners=False)
    return Photos(
        replace(views, pictures=pictures.round().to(torch.uint8).permute(0, 2, 3, 1), camera=camera),
        owner[:, 0].round().long() - 1,
    )


def recolour(photos: Photos, random: np.random.Generator, probability: float, gain: float = 0.2) -> Photos:
    """Recolour photos and their plates alike; see :func:`recoloured`."""
    views = photos.views
    both = [views.pictures] if photos.plate is None else [views.pictures, photos.plate]
    made = recoloured(torch.cat(both, dim=2), random, probability, gain).split(views.pictures.shape[2], dim=2)
    return replace(
        photos,
        views=replace(views, pictures=made[0]),
        plate=None if photos.plate is None else made[1],
    )


def recoloured(
    pictures: Tensor, random: np.random.Generator, probability: float, gain: float = 0.2
) -> Tensor:
    """Exchange colour channels of pictures (B, H, W, 3) uint8, and make them brighter or darker.

    Each picture's channels are exchanged with the given probability; ``gain`` is by how much, at most, a
    channel is brightened or darkened.
    """
    count, device = len(pictures), pictures.device
    orders = np.argsort(random.random((count, 3)), axis=1)
    kept = random.random(count) >= probability
    orders[kept] = (0, 1, 2)
    order = torch.from_numpy(orders).to(device)[:, None, None, :].expand(pictures.shape)
    gains = torch.from_numpy(1 + gain * (2 * random.random((count, 1, 1, 3)) - 1)).float().to(device)
    return (pictures.gather(-1, order) * gains).round().clamp(0, 255).to(torch.uint8)


def degrade(photos: Photos, random: np.random.Generator, probability: float) -> Photos:
    """Make photos as bad as cameras do; see :func:`degraded`."""
    return replace(
        photos,
        views=replace(photos.views, pictures=degraded(photos.views.pictures, random, probability)),
    )


def degraded(pictures: Tensor, random: np.random.Generator, probability: float) -> Tensor:
    """Make pictures (B, H, W, 3) uint8 as bad as cameras do, each with the given probability.

    A lens's or a hand's blur, a sensor's noise (its variance grows with the light), and JPEG's artefacts.
    """
    made = []
    for picture in pictures.cpu().numpy():
        chosen, share, shots, read, quality, half = random.random(6)
        noise = random.standard_normal(picture.shape, np.float32)
        if chosen >= probability:
            made.append(picture)
            continue
        softened = cv2.GaussianBlur(picture, (0, 0), 0.05 + BLUR * share**2).astype(np.float32)
        spread = np.sqrt((NOISE * shots**2) ** 2 * softened / 255 + (NOISE * read**2 / 2) ** 2)
        noisy = np.clip(np.rint(softened + spread * noise), 0, 255).astype(np.uint8)
        sampling = (
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if half < 0.5 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        )
        how = [cv2.IMWRITE_JPEG_QUALITY, round(WORST + (98 - WORST) * quality)]
        how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        _, file = cv2.imencode(".jpg", noisy, how)
        made.append(cv2.imdecode(file, cv2.IMREAD_COLOR))
    return torch.from_numpy(np.stack(made)).to(pictures.device)


def _where(chosen: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Choose whole rows of two tensors (B, ...)."""
    return torch.where(chosen.view(-1, *[1] * (one.dim() - 1)), one, other)


def _resized_colours(picture: Tensor, height: int, width: int) -> Tensor:
    """Return a picture (h, w, 3) uint8 as (1, height, width, 3)."""
    resized = _resized(picture.permute(2, 0, 1)[None].float(), height, width, "bilinear")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1)


def _resized(values: Tensor, height: int, width: int, mode: str) -> Tensor:
    return (
        values if values.shape[-2:] == (height, width) else F.interpolate(values, (height, width), mode=mode)
    )
