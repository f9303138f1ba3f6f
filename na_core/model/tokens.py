"""The tokens of a frame: appearance from its photos, poses from its boxes (paper, section 3.2)."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import ViTModel

from na_core.layers.store import Photos, cached
from na_core.layers.take_apart import working_pictures
from na_core.model.encoder import encode_features, greyed, union_mask
from na_core.model.poses import frame_poses
from na_core.model.switches import seen_poses, seen_tokens
from na_core.model.tokenizer3d import Tokenizer3D
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.frames import FrameBatch
from na_core.tensors.views import SourceView

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


@dataclass(frozen=True)
class FrameTokens:
    """Makes the tokens of frames.

    Attributes:
        encoder: of photos.
        tokenizer: of features and poses.
        config: of the pipeline: its preset, switches and sizes.
        cache: of features, by content.
        dtype: in which networks compute.
    """

    encoder: ViTModel
    tokenizer: Tokenizer3D
    config: Any
    cache: OrderedDict[Hashable, Tensor]
    dtype: torch.dtype

    def of(
        self, views: Sequence[SourceView], photos: Photos, batch: FrameBatch, with_null: bool = False
    ) -> Tokens:
        """Return the tokens of one frame.

        Args:
            views: its source views.
            photos: by SHA-256.
            batch: the frame as tensors.
            with_null: those of no object and pose as well.
        """
        guided = self.config.preset == "guided"
        padding = 0 if guided else max(0, self.config.slots - batch.present.shape[1])
        poses, background_pose = frame_poses(batch, guided)
        hidden = bounds_2d(batch.view_camera[:, 0], batch.view_boxes[:, 0])[batch.hidden_boxes]
        arguments = (
            self._object_features(views, photos, batch, padding),
            self._encoded(views[0], photos, hidden, outside=False),
            self._numbers(F.pad(batch.source_rectangles.float(), (0, 0, 0, padding))),
            seen_poses(self.config, self._numbers(F.pad(poses, (0, 0, 0, padding)))),
            self._numbers(background_pose),
        )
        empty = torch.ones(1, dtype=torch.bool, device=self.encoder.device)
        values = seen_tokens(self.config, self.tokenizer(*arguments, ~empty))
        null = seen_tokens(self.config, self.tokenizer(*arguments, empty)) if with_null else None
        return Tokens(values, null, self.tokenizer.mask(batch.present) if guided else None)

    def _object_features(
        self, views: Sequence[SourceView], photos: Photos, batch: FrameBatch, padding: int
    ) -> Tensor:
        """Encode each slot's photo without its surroundings: (1, slots, h, w, C), zero in empty slots."""
        present = batch.present[0]
        numbers = batch.asset_view[0, present]
        rectangles = batch.asset_rectangles[0, present].float()
        encoded = {
            number: self._encoded(views[number], photos, rectangles[numbers == number], outside=True)
            for number in dict.fromkeys(numbers.tolist() or [0])
        }
        none = torch.zeros_like(next(iter(encoded.values())))
        each = [encoded[number] for number in numbers.tolist()]
        return torch.stack(each + [none] * (len(present) + padding - len(each)), dim=1)

    def _encoded(self, view: SourceView, photos: Photos, rectangles: Tensor, outside: bool) -> Tensor:
        """Return the features (1, h, w, C) of a photo, grey outside or inside of rectangles (R, 4)."""
        rectangles = rectangles.cpu()

        def make() -> Tensor:
            photo = torch.tensor(photos[view.sha256])[None]
            picture = working_pictures(photo, self.config.picture_size)
            rows, columns = picture.shape[1:3]
            union = union_mask(rectangles, torch.ones(len(rectangles), dtype=torch.bool), columns, rows)
            grey = greyed(picture, (union if outside else ~union)[None])
            return encode_features(self.encoder, self._numbers(grey))

        seen = (view.sha256, self.config.picture_size, outside, tuple(map(tuple, rectangles.tolist())))
        return cached(self.cache, (*seen, self.encoder.device, self.dtype), make, FEATURES)

    def _numbers(self, values: Tensor) -> Tensor:
        return values.to(self.encoder.device, self.dtype)
