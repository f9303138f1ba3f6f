"""Layers of photos, kept: taken apart once, and sampled once for every size."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.layers.layers import Layers, stacked
from na_core.layers.painted import painted_of
from na_core.layers.resample import resampled
from na_core.layers.take_apart import TakingApart, take_apart
from na_core.scene import MAX_SIDE
from na_core.tensors.views import SourceView, views_as_tensors

PHOTOS = 32
"""Photos whose layers are kept, least recently used first out."""

SAMPLED = 12
"""Sets of photos whose layers are kept at the sizes of frames."""

Photos = Mapping[str, NDArray[np.uint8]]
Value = TypeVar("Value")


class LayerStore:
    """Layers of photos by content: another photo, box, camera or way is another entry."""

    def __init__(self) -> None:
        self._layers: OrderedDict[Hashable, Layers] = OrderedDict()
        self._sampled: OrderedDict[Hashable, Layers] = OrderedDict()

    def clear(self) -> None:
        """Forget everything; it only frees memory."""
        self._layers.clear()
        self._sampled.clear()

    def layers(self, view: SourceView, photos: Photos, how: TakingApart, device: torch.device) -> Layers:
        """Return what a photo is taken apart into, at its own size, on the CPU.

        Args:
            view: of the photo.
            photos: it, and what was painted of its layers, by SHA-256, (H, W, 3) uint8.
            how: to take it apart.
            device: on which networks run.

        Raises:
            KeyError: a picture is missing.
        """

        def make() -> Layers:
            views = views_as_tensors([view], torch.tensor(photos[view.sha256], device=device)[None])
            return take_apart(views, how, [painted_of(view, photos)]).to("cpu")

        return cached(self._layers, (view, how.key, device), make, PHOTOS)

    def sampled(
        self,
        views: Sequence[SourceView],
        photos: Photos,
        side: float,
        how: TakingApart,
        device: torch.device,
    ) -> Layers:
        """Return photos' layers on a device, on one canvas, at the scale of a frame.

        Args:
            views: of the photos.
            photos: see :meth:`layers`.
            side: the longer side in pixels of each photo there.
            how: to take them apart.
            device: on which networks run and frames are composed.

        Raises:
            KeyError: a photo is missing.
        """
        sizes = [sampled_size(side, *photos[view.sha256].shape[1::-1]) for view in views]

        def make() -> Layers:
            each = [self.layers(view, photos, how, device) for view in views]
            poll()
            parts = [resampled(layers, *size) for layers, size in zip(each, sizes, strict=True)]
            return stacked([part.to(device) for part in parts])

        return cached(self._sampled, (tuple(views), how.key, tuple(sizes), device), make, SAMPLED)


def sampled_size(side: float, photo_width: int, photo_height: int) -> tuple[int, int]:
    """Return the width and height at which a photo is sampled whose longer side has so many pixels."""
    scale = min(side, MAX_SIDE) / max(photo_width, photo_height)
    return max(1, round(photo_width * scale)), max(1, round(photo_height * scale))


def cached(
    store: OrderedDict[Hashable, Value], key: Hashable, make: Callable[[], Value], entries: int
) -> Value:
    """Return what a store holds under a key, made on first use; the least recently used goes first."""
    if key in store:
        store.move_to_end(key)
        return store[key]
    value = store[key] = make()
    while len(store) > entries:
        store.popitem(last=False)
    return value
