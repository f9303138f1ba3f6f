"""What labelled frames show of their objects, for tasks that find objects."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from na_core.data.scenes import Scene
from na_core.training.labelled import LabelledFrames
from na_core.training.run import Run
from na_core.training.scene_shards import load_images


@dataclass(frozen=True)
class Shown:
    """What M labelled frames show of their objects, N slots each.

    Attributes:
        frames: pictures, cameras and boxes.
        masks: (M, H, W) uint8, 0 the background, n object n - 1.
        visible: (M, N) float32, the share of each silhouette that shows; 0 where there is none.
        symmetry: (M, N) int64, turns after which shapes look the same; 0 any.
        plates: (E, H, W, 3) uint8, pictures without any object.
        plate_rows: (E,) int64, the frames that those are of.
    """

    frames: LabelledFrames
    masks: Tensor
    visible: Tensor
    symmetry: Tensor
    plates: Tensor
    plate_rows: Tensor


def load_shown(run: Run) -> Shown:
    """Return what all frames of a run's scenes show, in order.

    Raises:
        OSError: a file cannot be read; the text names it.
    """
    shape = run.frames.there.shape
    visible, symmetry = np.zeros(shape, np.float32), np.ones(shape, np.int64)
    plates, plate_rows, row = [np.zeros((0, *run.frames.pictures.shape[1:]), np.uint8)], [], 0
    for scene in run.scenes:
        things = scene.labels.objects
        for number, frame in enumerate(scene.labels.frames):
            present = [box is not None for box in frame.boxes]
            visible[row, : len(things)] = np.where(present, frame.visible, 0)
            symmetry[row, : len(things)] = [thing.symmetry for thing in things]
            if (plate := scene.plate(number)) is not None:
                plates.append(plate[None])
                plate_rows.append(row)
            row += 1
    masks = load_images(run.scenes, Scene.mask, torch.uint8, "masks")
    return Shown(
        run.frames,
        masks,
        torch.from_numpy(visible),
        torch.from_numpy(symmetry),
        torch.from_numpy(np.concatenate(plates)),
        torch.tensor(plate_rows, dtype=torch.int64),
    )
