"""What the encoder sees of photos, and its features."""

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import ViTModel

from na_core.tensors.boxes import bounds_2d
from na_core.tensors.frames import FrameBatch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

GREY = 0.5
"""What replaces pixels that an encoder picture hides (paper reference, section 1)."""


def encode_features(encoder: ViTModel, pictures: Tensor) -> Tensor:
    """Encode pictures (B, 3, H, W) in [0, 1]: patch features (B, h, w, C) without the class token.

    Pictures are resized bilinearly with antialiasing to the encoder's size and normalised by ImageNet's mean
    and deviation (paper reference, section 1).
    """
    side = encoder.config.image_size
    if pictures.shape[-2:] != (side, side):
        resized = F.interpolate(pictures.float(), (side, side), mode="bilinear", antialias=True)
        pictures = resized.to(pictures.dtype)
    mean = pictures.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = pictures.new_tensor(IMAGENET_STD)[:, None, None]
    states = encoder((pictures - mean) / std).last_hidden_state[:, 1:]
    cells = side // encoder.config.patch_size
    return states.unflatten(1, (cells, cells))


def object_pictures(frames: FrameBatch, pictures: Tensor) -> Tensor:
    """Return every view with everything outside its assets' 2D boxes painted grey: (B, V, 3, H, W) float32.

    Assets that are not shown stay grey where they meet others.

    Args:
        frames: B of them.
        pictures: (M, H, W, 3) uint8, the photos that they name by number.
    """
    height, width = pictures.shape[1:3]
    views = torch.arange(frames.photo.shape[1], device=frames.photo.device)
    here = (frames.asset_view[:, None] == views[:, None]) & frames.present[:, None]  # (B, V, N)
    rectangles = frames.asset_rectangles[:, None].expand(*here.shape, 4)
    kept = union_mask(rectangles, here & frames.shown[:, None], width, height)
    masked = union_mask(rectangles, here & ~frames.shown[:, None], width, height)
    return greyed(pictures[frames.photo], kept & ~masked)


def background_pictures(frames: FrameBatch, pictures: Tensor) -> Tensor:
    """Return the backgrounds' photos, (B, 3, H, W) float32, with all hidden boxes' 2D bounds painted grey.

    Args:
        frames: B of them.
        pictures: (M, H, W, 3) uint8, the photos that they name by number.
    """
    height, width = pictures.shape[1:3]
    bounds = bounds_2d(frames.view_camera[:, 0], frames.view_boxes[:, 0])
    hidden = union_mask(bounds, frames.hidden_boxes, width, height)
    return greyed(pictures[frames.photo[:, 0]], ~hidden)


def greyed(pictures: Tensor, kept: Tensor) -> Tensor:
    """Return pictures (..., H, W, 3) uint8 as (..., 3, H, W) in [0, 1], grey where not kept (..., H, W)."""
    return torch.where(kept[..., None, :, :], pictures.movedim(-1, -3).float() / 255, GREY)


def union_mask(rectangles: Tensor, counts: Tensor, width: int, height: int) -> Tensor:
    """Return the pixels (..., H, W) of a union of rectangles (..., R, 4); edges are round(box * size).

    Args:
        rectangles: in image coordinates.
        counts: (..., R) bool, which of them count.
        width, height: in pixels.
    """
    x0, y0, x1, y1 = rectangles[..., None].unbind(-2)
    column = torch.arange(width, device=rectangles.device)
    row = torch.arange(height, device=rectangles.device)
    columns = (column >= (x0 * width).round()) & (column < (x1 * width).round())
    rows = (row >= (y0 * height).round()) & (row < (y1 * height).round()) & counts[..., None]
    # Zeros and ones: exact in every precision.
    return rows.float().transpose(-1, -2) @ columns.float() > 0
