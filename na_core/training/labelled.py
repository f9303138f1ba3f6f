"""Labelled frames of scenes as plain tensors: as photos, and paired as the frames that ask for targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from na_core.data.pairs import SEEN
from na_core.data.scenes import Scene
from na_core.tensors.boxes import source_quarter_turns
from na_core.tensors.cameras import Cameras, cameras_of
from na_core.tensors.frames import FrameBatch
from na_core.tensors.views import SourceViews


@dataclass(frozen=True)
class LabelledFrames:
    """M frames of any scenes, whose objects keep their slots from frame to frame of a scene.

    Attributes:
        pictures: (M, H, W, 3) uint8 sRGB.
        camera: (M,).
        boxes: (M, N, 4, 4) float64 ``world_from_box``, the identity where there is none.
        there: (M, N) bool, objects that the frame has.
        rectangles: (M, N, 4) float64, 2D boxes in image coordinates.
        seen: (M, N) bool, objects of which the picture shows enough to tell their looks.
    """

    pictures: Tensor
    camera: Cameras
    boxes: Tensor
    there: Tensor
    rectangles: Tensor
    seen: Tensor


def labelled_frames(scenes: Sequence[Scene], pictures: Tensor, slots: int = 1) -> LabelledFrames:
    """Return the frames of scenes in order, with their labels on the CPU.

    Args:
        scenes: at least one.
        pictures: (M, H, W, 3) uint8, of all their frames in order; on any device.
        slots: at least so many for objects; more if a scene has more.
    """
    frames = [frame for scene in scenes for frame in scene.labels.frames]
    count = max(slots, *(len(scene.labels.objects) for scene in scenes))
    boxes = np.tile(np.eye(4), (len(frames), count, 1, 1))
    rectangles = np.zeros((len(frames), count, 4))
    there, seen = (np.zeros((len(frames), count), bool) for _ in range(2))
    for row, frame in enumerate(frames):
        for slot, box in enumerate(frame.boxes):
            if box is not None:
                boxes[row, slot], there[row, slot] = box.world_from_box, True
        rectangles[row, : len(frame.boxes_2d)] = frame.boxes_2d
        seen[row, : len(frame.visible)] = np.array(frame.visible) >= SEEN
    return LabelledFrames(
        pictures=pictures,
        camera=cameras_of([frame.camera for frame in frames]),
        boxes=torch.from_numpy(boxes),
        there=torch.from_numpy(there),
        rectangles=torch.from_numpy(rectangles),
        seen=torch.from_numpy(seen),
    )


def photo_views(labels: LabelledFrames, rows: Tensor) -> SourceViews:
    """Return labelled frames by number as photos with all their boxes, which are hidden from them."""
    return SourceViews(
        pictures=labels.pictures[rows.to(labels.pictures.device)],
        camera=labels.camera[rows],
        boxes=labels.boxes[rows],
        rectangles=labels.rectangles[rows],
        known=labels.there[rows],
        filled=labels.there[rows],
        hidden=labels.there[rows],
    )


def pair_frames(
    labels: LabelledFrames, source: Tensor, target: Tensor, background: Tensor, donor: Tensor
) -> FrameBatch:
    """Return the frames that ask for pairs' targets: what :func:`na_core.data.pairs.frame_message` says.

    An object comes from the source if it is seen there, else from the donor if it is seen there, else from
    the source. Assets keep their objects' slots. Every box of the background's frame is hidden from it.

    Args:
        labels: of all frames.
        source, target, background: (B,) int64, frames by number.
        donor: (B,) int64, -1 for none.
    """
    given = donor >= 0
    donor = torch.where(given, donor, source)
    photo = torch.stack([background, source, donor], dim=1)
    lent = ~labels.seen[source] & labels.seen[donor] & given[:, None]
    shown_in = torch.where(lent, donor[:, None], source[:, None])
    view = torch.where(lent, 2, 1)
    view = torch.where(shown_in == background[:, None], 0, view)  # a photo has one view
    slots = torch.arange(labels.boxes.shape[1], device=source.device).expand(len(source), -1)
    present = labels.there[shown_in, slots] & labels.there[target]
    source_boxes = labels.boxes[shown_in, slots]
    return FrameBatch(
        camera=labels.camera[target],
        photo=photo,
        view_camera=labels.camera[photo],
        view_boxes=labels.boxes[photo],
        view_rectangles=labels.rectangles[photo],
        view_filled=labels.there[photo],
        hidden=labels.there[background],
        asset_view=view,
        asset_entry=slots,
        boxes=labels.boxes[target],
        quarter_turns=source_quarter_turns(source_boxes, labels.camera[shown_in]),
        noise_keys=slots,
        present=present,
        shown=torch.ones_like(present),
        shadow_strength=torch.ones(present.shape, dtype=torch.float64, device=source.device),
        match_light=torch.ones(present.shape, dtype=torch.float64, device=source.device),
    )
