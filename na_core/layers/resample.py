"""Layers at other sizes: the same outlines and the same objects, sampled otherwise."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.layers.layers import Layers
from na_core.layers.outlines import enlarged_owner
from na_core.raster.surfaces import pack


def resampled(layers: Layers, width: int, height: int) -> Layers:
    """Return the layers of photos that fill their canvas at another size, on the CPU.

    Colours are averaged over the area of a smaller pixel, and smooth between the pixels of a larger picture;
    an outline stays where it is, and depths stay apart at it.
    """
    layers = layers.to("cpu")
    rows, columns = layers.picture.shape[1:3]
    if (columns, rows) == (width, height):
        return layers
    picture, plate, foreground = (
        resampled_colours(values, width, height)
        for values in (layers.picture, layers.plate, layers.foreground)
    )
    alpha = resampled_colours(layers.alpha[..., None], width, height)
    shadow = resampled_colours(layers.shadow.float(), width, height).half()
    shadow_owner = _nearest(layers.shadow_owner, width, height)
    cover, real = (_nearest(values, width, height) for values in (layers.cover, layers.real))
    if width <= columns and height <= rows:
        owner = _nearest(layers.owner, width, height)
    else:
        larger = [enlarged_owner(each, width, height) for each in layers.owner.numpy()]
        owner = torch.from_numpy(np.stack(larger))
    near, far = (
        _depths(depths, layers.owner, owner) for depths in (layers.surfaces.near, layers.surfaces.far)
    )
    cover = torch.where(owner < 0, cover, owner.to(cover.dtype))
    return Layers(
        picture=picture,
        surfaces=pack(owner, near, far),
        cover=cover,
        plate=plate,
        real=real,
        alpha=torch.where(owner < 0, 0, alpha.view(owner.shape)),
        foreground=foreground,
        shadow=shadow,
        shadow_owner=shadow_owner,
        light=layers.light,
        objects=layers.objects,
    )


def resampled_depth(
    depths: NDArray[np.float32], index: NDArray[np.integer], owner: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the depth of what each pixel shows at another size, (H, W) metres; 0 for none.

    Args:
        depths: (L, h, w) metres, on each of L layers.
        index: (L, h, w), the object that each depth is of, -1 for none.
        owner: (H, W), the object that each pixel shows, -1 for none.
    """
    height, width = owner.shape
    result = np.zeros((height, width), np.float32)
    same_size = index.shape[1:] == owner.shape
    for number in np.unique(owner[owner >= 0]):
        of_it = index == number
        depth, known = (depths * of_it).sum(axis=0, dtype=np.float32), of_it.any(axis=0).astype(np.float32)
        shows = owner == number
        if same_size:
            result[shows] = depth[shows]
            continue
        if not known.any():
            continue
        depth, weight = (
            cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in (depth, known)
        )
        outside = weight < 1e-3  # an outline that reaches further than the known pixels
        depth[outside] = np.median(depths[of_it])
        weight[outside] = 1
        result[shows] = (depth / weight)[shows]
    return result


def _depths(depths: Tensor, index: Tensor, owner: Tensor) -> Tensor:
    """Return the depths (M, H, W) of what pixels show, of photos with depths and objects (M, h, w)."""
    photos = zip(depths.numpy(), index.numpy(), owner.numpy(), strict=True)
    return torch.from_numpy(np.stack([resampled_depth(d[None], i[None], o) for d, i, o in photos]))


def resampled_colours(pictures: Tensor, width: int, height: int) -> Tensor:
    """Return pictures (M, height, width, 3): what a larger one, smooth between the pixels, averages to."""
    rows, columns = pictures.shape[1:3]
    times = max(-(-columns // width), -(-rows // height))
    each = []
    for picture in pictures.numpy():
        larger = cv2.resize(picture, (times * width, times * height), interpolation=cv2.INTER_CUBIC)
        each.append(cv2.resize(larger, (width, height), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(each))


def _nearest(values: Tensor, width: int, height: int) -> Tensor:
    """Return the values (M, height, width) at the middles of a picture's pixels."""
    rows, columns = values.shape[1:3]
    row = ((torch.arange(height) + 0.5) * rows / height).long()
    column = ((torch.arange(width) + 0.5) * columns / width).long()
    return values[:, row][:, :, column]
