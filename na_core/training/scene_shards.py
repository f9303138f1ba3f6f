"""Which scenes a process trains on, and their pictures."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import tqdm
from numpy.typing import NDArray
from torch import Tensor

from na_core.data.scenes import Scene, scenes
from na_core.training.errors import TrainingError

DEVICE_SHARE = 0.4
"""Of a GPU's free memory that pictures may take."""


def shard_of(place: Path, process: int = 0, processes: int = 1) -> list[Scene]:
    """Return a process's scenes: every ``processes``-th, so that together they have each scene once.

    Raises:
        TrainingError: there are fewer scenes than processes, or their pictures differ in size.
        SceneError, ShardError: a scene or a shard is damaged; the text names it.
    """
    found = list(islice(scenes(place), process, None, processes))
    if not found:
        raise TrainingError(f"{place}: process {process + 1} of {processes} has no scene; start fewer")
    width, height = found[0].labels.width, found[0].labels.height
    for scene in found:
        if (scene.labels.width, scene.labels.height) != (width, height):
            size = f"{scene.labels.width} x {scene.labels.height}"
            raise TrainingError(
                f"{place}: {scene.name} has pictures of {size} pixels, {found[0].name} of "
                f"{width} x {height}. Train on pictures of one size"
            )
    return found


def load_pictures(chosen: Sequence[Scene], device: torch.device) -> Tensor:
    """Return all pictures of scenes in order, (M, H, W, 3) uint8; they are of one size.

    On the device if they fit there; else in the CPU's memory, page-locked where a GPU copies from it.

    Raises:
        OSError: a picture cannot be read; the text names it.
    """
    bank = load_images(chosen, Scene.picture, torch.uint8, "pictures")
    if device.type != "cuda":
        return bank
    free, _ = torch.cuda.mem_get_info(device)
    return bank.to(device) if bank.nbytes < DEVICE_SHARE * free else bank.pin_memory()


def load_images(
    chosen: Sequence[Scene],
    read: Callable[[Scene, int], NDArray],
    dtype: torch.dtype,
    title: str,
) -> Tensor:
    """Return what ``read`` finds of each frame of scenes in order, (M, H, W) or (M, H, W, C).

    The main process shows a progress bar of that title.

    Raises:
        OSError: an image cannot be read; the text names it.
    """
    places = [(scene, i) for scene in chosen for i in range(len(scene.labels.frames))]
    first = read(*places[0])
    bank = torch.empty((len(places), *first.shape), dtype=dtype)

    def load(number: int) -> None:
        # A copy: writable, as torch wants it.
        bank[number] = torch.from_numpy(np.array(read(*places[number])))

    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        for _ in tqdm(pool.map(load, range(len(places))), total=len(places), desc=title, unit="image"):
            pass
    return bank
