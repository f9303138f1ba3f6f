"""The tokens of a frame: appearance from its photos, poses from its boxes (paper, section 3.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import ViTModel

from na_core.layers.store import Photos, cached
from na_core.layers.take_apart import working_pictures
from na_core.model.encoder import encode_features, greyed, union_mask
from na_core.model.poses import frame_poses
from na_core.model.switches import Switches
from na_core.model.tokenizer3d import Tokenizer3D
from na_core.scene import Frame
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.frames import FrameBatch
from na_core.tensors.views import SourceView, views_as_tensors

FEATURES = 64
"""Encoder features of photos that are kept, least recently used first out."""


@dataclass(frozen=True)
class Tokens:
    """What the UNet attends to.

    Attributes:
        values: (B, L, D), of objects and background.
        null: the same of no object and no pose: the other branch of guidance; None where it is not needed.
        mask: (B, L) bool, tokens that count; None where all do.
    """

    values: Tensor
    null: Tensor | None
    mask: Tensor | None


class FrameTokens:
    """Makes the tokens of frames.

    Args:
        encoder: of photos.
        tokenizer: of features and poses.
        config: of the pipeline: its preset, switches and sizes.
        cache: of features, by content.
        dtype: in which networks compute.
    """

    def __init__(
        self,
        encoder: ViTModel,
        tokenizer: Tokenizer3D,
        config: Any,
        cache: OrderedDict[Hashable, Tensor],
        dtype: torch.dtype,
    ) -> None:
        self._encoder, self._tokenizer, self._config, self._cache = encoder, tokenizer, config, cache
        self._device, self._dtype = encoder.device, dtype
        self._guided = config.preset == "guided"
        self._switches = Switches.of(config)

    def of(
        self,
        frame: Frame,
        views: Sequence[SourceView],
        photos: Photos,
        batch: FrameBatch,
        with_null: bool = False,
    ) -> Tokens:
        """Return the tokens of one frame.

        Args:
            frame: as its message says it.
            views: its source views.
            photos: by SHA-256.
            batch: the frame as tensors.
            with_null: those of no object and pose as well.
        """
        count = len(frame.assets)
        slots = max(count, 1 if self._guided else self._config.slots)
        poses, background_pose = frame_poses(batch, self._guided)
        arguments = (
            self._object_features(frame, views, photos, slots),
            self._background_features(views[0], photos),
            self._numbers(_padded(batch.source_rectangles.float(), slots)),
            self._switches.poses(self._numbers(_padded(poses, slots))),
            self._numbers(background_pose),
        )
        empty = torch.ones(1, dtype=torch.bool, device=self._device)
        values = self._tokenizer(*arguments, ~empty)
        null = self._tokenizer(*arguments, empty) if with_null else None
        mask = None
        if self._guided:
            filled = (torch.arange(slots + 1, device=self._device) < count) | (
                torch.arange(slots + 1, device=self._device) == slots
            )
            mask = filled.repeat_interleave(self._tokenizer.cells**2)[None]
        return Tokens(values, null, mask)

    def _object_features(
        self, frame: Frame, views: Sequence[SourceView], photos: Photos, slots: int
    ) -> Tensor:
        """Encode each asset's photo without its surroundings: (1, 1 or slots, h, w, C)."""
        keys = {(view.sha256, view.camera): view for view in views}
        shown: dict[SourceView, list[tuple[float, ...]]] = {}
        for placed in frame.assets:
            view = keys[placed.asset.photo.sha256, placed.asset.source_camera]
            shown.setdefault(view, []).append(placed.asset.source_box_2d)
        if not shown:
            shown[views[0]] = []
        encoded = {
            view: self._encoded(view, photos, torch.tensor(rectangles or [[0.0] * 4]), outside=True)
            for view, rectangles in shown.items()
        }
        if len(encoded) == 1 and len(views) == 1:
            return next(iter(encoded.values()))[:, None].expand(-1, slots, -1, -1, -1)
        each = [encoded[keys[p.asset.photo.sha256, p.asset.source_camera]] for p in frame.assets]
        each += [torch.zeros_like(next(iter(encoded.values())))] * (slots - len(each))
        return torch.stack(each, dim=1)

    def _background_features(self, view: SourceView, photos: Photos) -> Tensor:
        """Encode the background's photo without its objects: (1, h, w, C)."""
        tensors = views_as_tensors([view], torch.zeros((1, 1, 1, 3), dtype=torch.uint8))
        bounds = bounds_2d(tensors.camera, tensors.boxes)[0][: view.hidden]
        return self._encoded(view, photos, bounds, outside=False)

    def _encoded(self, view: SourceView, photos: Photos, rectangles: Tensor, outside: bool) -> Tensor:
        """Return the features (1, h, w, C) of a photo, grey outside or inside of rectangles (R, 4)."""

        def make() -> Tensor:
            photo = torch.tensor(photos[view.sha256])[None]
            picture = working_pictures(photo, self._config.picture_size)
            rows, columns = picture.shape[1:3]
            union = union_mask(rectangles, torch.ones(len(rectangles), dtype=torch.bool), columns, rows)
            grey = greyed(picture, (union if outside else ~union)[None])
            return encode_features(self._encoder, self._numbers(grey))

        seen = (view.sha256, self._config.picture_size, outside, tuple(map(tuple, rectangles.tolist())))
        key = (*seen, self._device, self._dtype)
        return cached(self._cache, key, make, FEATURES)

    def _numbers(self, values: Tensor) -> Tensor:
        return values.to(self._device, self._dtype)


def _padded(values: Tensor, slots: int) -> Tensor:
    """Return rows (1, N, C) as (1, slots, C): zeros in slots without an asset, and none beyond."""
    padded = values.new_zeros((1, slots, values.shape[2]))
    count = min(slots, values.shape[1])
    padded[:, :count] = values[:, :count]
    return padded
