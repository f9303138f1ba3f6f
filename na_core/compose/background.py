"""The background of frames: the photo where it is real, the plate where an object was that has left.

The strip around an object (its contact shadow, and what of it sticks out of its outline) belongs to the
object: it shows the photo while the object is in its place, and fades to the plate as the object leaves.
"""

import torch
from torch import Tensor

from na_core.layers.layers import Layers
from na_core.layers.plate import PLATE_MARGIN, strip_radius
from na_core.raster.backdrop import backdrop_points, backdrops
from na_core.raster.canvas import Canvas
from na_core.raster.morphology import widened
from na_core.raster.pixels import BoxTable
from na_core.tensors.boxes import box_corners, boxes_in_camera
from na_core.tensors.cameras import Cameras, away_from_zero, project_local
from na_core.tensors.frames import FrameBatch

STAYS, NOT_HIDDEN = -1.0, -2.0
"""Weight of the plate where the photo shows a hidden object that stands where it stood; and what stands for
where it shows none."""


def background_positions(
    frames: FrameBatch, canvas: Canvas, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the background's photo shows what pixels' rays meet of the backdrop.

    Args:
        frames: B of them.
        canvas: on which the photos lie.
        width, height: of the frames in pixels.

    Returns:
        x and y in the photo's pixels, both (B, H, W) float32, and (B, H, W) bool, whether the photo shows it.
    """
    source = frames.view_camera[:, 0]
    surfaces = backdrops(source, frames.view_boxes[:, 0], frames.hidden_boxes)
    x, y, z = backdrop_points(surfaces, source, frames.camera, width, height)
    depth = -z
    divisor = away_from_zero(depth)
    photo = frames.photo[:, :1, None]
    across, down = canvas.extent(photo)
    fx, fy, cx, cy = source.intrinsics.float()[..., None, None].unbind(1)
    column = (x / divisor * fx + cx) * across
    row = (cy - y / divisor * fy) * down
    return column, row, (depth > 0) & canvas.inside(photo.expand_as(column), column, row)


def unmoved_positions(frames: FrameBatch, canvas: Canvas, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Return where the background's photo shows the directions of pixels, as if its camera were the frame's.

    Returns:
        x (B, 1, W) and y (B, H, 1) in the photo's pixels, float32.
    """
    own, source = (camera.intrinsics[..., None, None] for camera in (frames.camera, frames.view_camera[:, 0]))
    across, down = canvas.extent(frames.photo[:, :1, None])
    device = own.device
    columns = (torch.arange(width, device=device, dtype=torch.float64) + 0.5) / width
    rows = (torch.arange(height, device=device, dtype=torch.float64)[:, None] + 0.5) / height
    x = (columns - own[:, 2]) / own[:, 0] * source[:, 0] + source[:, 2]
    y = (rows - own[:, 3]) / own[:, 1] * source[:, 1] + source[:, 3]
    return (x * across).float(), (y * down).float()


def plate_weight(frames: FrameBatch, layers: Layers) -> Tensor:
    """Return how far the plate replaces the background's photo, in its pixels: (B, h, w) float32.

    1 where the photo shows a hidden object that has moved, which is not background wherever the object is
    now; where it may show one, and in the strip around that, how far the object has left; 0 elsewhere.
    :data:`STAYS` where it shows one that has not moved.
    """
    photo = frames.photo[:, 0]
    hidden = frames.hidden_boxes
    departed = torch.where(hidden, 1 - presence(frames), 0.0).float()
    none = torch.zeros_like(departed[:, :1])
    owner, cover = layers.owner[photo] + 1, layers.cover[photo].int() + 1  # 0: none
    rows = torch.arange(len(frames), device=photo.device)[:, None, None]
    weight = BoxTable(torch.cat([none, departed], dim=1)[..., None], rows, cover)[0]
    weight = _widened_by_strips(weight, layers.canvas, photo)
    shows = torch.where(hidden, torch.where(departed > 0, 1, STAYS), NOT_HIDDEN)
    shown = BoxTable(torch.cat([none + NOT_HIDDEN, shows], dim=1)[..., None], rows, owner)[0]
    return torch.where(shown == NOT_HIDDEN, weight, shown)


def _widened_by_strips(weight: Tensor, canvas: Canvas, photo: Tensor) -> Tensor:
    """Grow weights (B, h, w) by the width of a strip in each one's photo (B,)."""
    most = strip_radius(canvas.width, canvas.height)
    if canvas.extents is None:
        return widened(weight, most)
    longer = canvas.extents.double().amax(dim=1)[photo]
    radius = (PLATE_MARGIN * longer).round().clamp_min(1).long()[:, None, None]
    for power in range(most.bit_length()):  # to grow by 5 is to grow by 1, then by 4
        weight = torch.where(radius >> power & 1 == 1, widened(weight, 1 << power), weight)
    return weight


def presence(frames: FrameBatch) -> Tensor:
    """Return (B, K): 1 while an object stands where the photo shows it, falling to 0 as it leaves.

    It has left when a corner has moved by the strip's width in the photo. The frame's camera plays no part:
    shadows lie in the world. Continuous, so nothing pops in an animation.
    """
    camera = frames.view_camera[:, 0]
    each = Cameras(camera.world_from_camera[:, None, :, :], camera.intrinsics[:, None, :])
    stays = project_local(each, box_corners(boxes_in_camera(camera, frames.source_boxes)))
    moved = project_local(each, box_corners(boxes_in_camera(camera, frames.boxes)))
    shift = (moved - stays)[..., :2].norm(dim=-1).amax(dim=-1)  # (B, N)
    entries = torch.arange(frames.hidden.shape[1], device=shift.device)
    here = frames.present & (frames.asset_view == 0)
    same = here[..., None] & (frames.asset_entry[..., None] == entries)
    nearest = torch.where(same, shift[..., None], torch.inf).amin(dim=1)
    return (1 - nearest / PLATE_MARGIN).clamp_min(0)
