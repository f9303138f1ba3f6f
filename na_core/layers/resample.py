"""Layers at other sizes: the same outlines and the same objects, sampled otherwise."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.cancellation import poll
from na_core.layers.layers import Layers
from na_core.layers.matting import FULL_ALPHA, MIN_ALPHA, SOLID
from na_core.layers.outlines import enlarged_owner
from na_core.raster.surfaces import pack

ROWS_AT_ONCE = 256
"""Of a large photo, whose normals are scaled at a time."""


def resampled(layers: Layers, width: int, height: int) -> Layers:
    """Return the layers of photos that fill their canvas at another size, on the CPU.

    Colours are averaged over the area of a smaller pixel, and smooth between the pixels of a larger picture;
    an outline stays where it is, and depths stay apart at it. A pixel is an object's from
    :data:`na_core.layers.matting.MIN_ALPHA` on, if the photo's outlines are soft.
    """
    layers = layers.to("cpu")
    rows, columns = layers.picture.shape[1:3]
    if (columns, rows) == (width, height):
        return layers
    picture, plate = (resampled_colours(values, width, height) for values in (layers.picture, layers.plate))
    poll()
    shadow = resampled_colours(layers.shadow.float(), width, height).half()
    shadow_owner = _nearest(layers.shadow_owner, width, height)
    cover, real = (_nearest(values, width, height) for values in (layers.cover, layers.real))
    if layers.soft:
        owner, alpha, foreground = _soft(layers, picture, width, height)
    elif width <= columns and height <= rows:
        owner = _nearest(layers.owner, width, height)
    else:
        larger = [enlarged_owner(each, width, height) for each in layers.owner.numpy()]
        owner = torch.from_numpy(np.stack(larger))
    if not layers.soft:
        alpha, foreground = (owner >= 0).to(torch.uint8) * 255, picture
    near, far = (
        _depths(depths, layers.owner, owner) for depths in (layers.surfaces.near, layers.surfaces.far)
    )
    far = torch.where(alpha < SOLID, near, far)
    normals = [
        resampled_normals(each, shows)
        for each, shows in zip(layers.normals.float().numpy(), owner.numpy(), strict=True)
    ]
    poll()
    cover = torch.where(owner < 0, cover, owner.to(cover.dtype))
    return Layers(
        picture=picture,
        surfaces=pack(owner, near, far),
        normals=torch.from_numpy(np.stack(normals)),
        cover=cover,
        plate=plate,
        real=real,
        alpha=alpha,
        foreground=foreground,
        shadow=shadow,
        shadow_owner=shadow_owner,
        light=layers.light,
        tones=layers.tones,
        objects=layers.objects,
        soft=layers.soft,
    )


def _soft(layers: Layers, picture: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return owners and alpha (M, height, width) and foregrounds of soft layers at another size.

    Alpha is averaged object by object; colours are averaged by how much of their pixel is the object's.

    Args:
        layers: on the CPU.
        picture: (M, height, width, 3), their photos at the other size.
        width, height: in pixels.
    """
    owner = torch.full(picture.shape[:3], -1, dtype=torch.int32)
    alpha, foreground = torch.zeros(picture.shape[:3], dtype=torch.uint8), picture.clone()
    for number in range(layers.objects):
        poll()
        own = torch.where(layers.owner == number, layers.alpha, 0)
        if not own.any():
            continue
        share = resampled_colours(own, width, height)
        wins = (share > alpha) & (share >= round(255 * MIN_ALPHA))
        owner[wins], alpha[wins] = number, share[wins]
        alpha[wins & (share > round(255 * FULL_ALPHA))] = 255
    weight = layers.alpha[..., None].float()
    weighted = resampled_colours(torch.cat([layers.foreground * weight, weight], dim=-1), width, height)
    mean = weighted[..., :3] / weighted[..., 3:].clamp_min(1)
    mixed = (alpha > 0) & (alpha < 255)
    foreground[mixed] = mean[mixed].round().clamp(0, 255).to(torch.uint8)
    return owner, alpha, foreground


def resampled_depth(
    depths: NDArray[np.float32], index: NDArray[np.integer], owner: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the depth of what each pixel shows at another size, (H, W) metres; 0 for none.

    Where an outline reaches further than the known pixels, that of the nearest goes on.

    Args:
        depths: (L, h, w) metres, on each of L layers.
        index: (L, h, w), the object that each depth is of, -1 for none.
        owner: (H, W), the object that each pixel shows, -1 for none.
    """
    height, width = owner.shape
    result = np.zeros((height, width), np.float32)
    same_size = index.shape[1:] == owner.shape
    for number in np.unique(owner[owner >= 0]):
        poll()
        of_it = index == number
        depth, known = (depths * of_it).sum(axis=0, dtype=np.float32), of_it.any(axis=0).astype(np.float32)
        shows = owner == number
        if not known.any():
            continue
        if not same_size:
            size = width, height
            depth, known = (
                cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (depth, known)
            )
        beyond = known < 1e-3
        if (shows & beyond).any():
            depth[beyond], known[beyond] = nearest_known(depth / np.maximum(known, 1e-3), beyond)[beyond], 1
        result[shows] = depth[shows] / known[shows]
    return result


def nearest_known(values: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (H, W) the values of the nearest pixels that are not unknown."""
    _, labels = cv2.distanceTransformWithLabels(
        unknown.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.float32)
    of_label[labels[~unknown]] = values[~unknown]
    return of_label[labels]


def resampled_normals(normals: NDArray[np.float32], owner: NDArray[np.int32]) -> NDArray[np.int8]:
    """Return the normals of what each pixel shows at another size, (H, W, 3), unit vectors times 127.

    Args:
        normals: (h, w, 3) of any length; of no length where none is known.
        owner: (H, W), the object that each pixel shows, -1 for none.
    """
    height, width = owner.shape
    shrinks = height * width < normals.shape[0] * normals.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    mean = cv2.resize(normals, (width, height), interpolation=how)
    result = np.empty(mean.shape, np.int8)
    for top in range(0, height, ROWS_AT_ONCE):
        poll()
        rows = slice(top, top + ROWS_AT_ONCE)
        length = np.sqrt(np.square(mean[rows]).sum(axis=-1, keepdims=True))
        known = (owner[rows] >= 0)[..., None] & (length > 1e-6)
        unit = np.divide(127 * mean[rows], length, out=np.zeros_like(mean[rows]), where=known)
        result[rows] = np.rint(unit)
    return result


def _depths(depths: Tensor, index: Tensor, owner: Tensor) -> Tensor:
    """Return the depths (M, H, W) of what pixels show, of photos with depths and objects (M, h, w)."""
    photos = zip(depths.numpy(), index.numpy(), owner.numpy(), strict=True)
    return torch.from_numpy(np.stack([resampled_depth(d[None], i[None], o) for d, i, o in photos]))


def resampled_colours(pictures: Tensor, width: int, height: int) -> Tensor:
    """Return pictures (M, height, width, ...): what a larger one, smooth between the pixels, averages to."""
    rows, columns = pictures.shape[1:3]
    times = max(-(-columns // width), -(-rows // height))
    each = []
    for picture in pictures.numpy():
        poll()
        larger = cv2.resize(picture, (times * width, times * height), interpolation=cv2.INTER_CUBIC)
        each.append(cv2.resize(larger, (width, height), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(each))


def _nearest(values: Tensor, width: int, height: int) -> Tensor:
    """Return the values (M, height, width) at the middles of a picture's pixels."""
    rows, columns = values.shape[1:3]
    row = ((torch.arange(height) + 0.5) * rows / height).long()
    column = ((torch.arange(width) + 0.5) * columns / width).long()
    return values[:, row][:, :, column]
