"""The pipeline: frames and photos in, pictures out.

It strings the verbs together, and holds weights and caches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet2DConditionModel, UNet2DModel
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from torch import Tensor
from transformers import ViTModel

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.layers.layers import Layers
from na_core.layers.store import LayerStore, Photos, TakingApart, cached
from na_core.layers.take_apart import working_pictures
from na_core.model.anchored_noise import noise_ids
from na_core.model.blend import kept_share
from na_core.model.box_channels import box_channels
from na_core.model.decoder import Conditions, Decoder, Tokens
from na_core.model.encoder import encode_features, greyed, union_mask
from na_core.model.enlarge import at_output_size
from na_core.model.latents import Vae, latent_factor
from na_core.model.poses import frame_poses
from na_core.model.switches import Switches
from na_core.model.tokenizer3d import Tokenizer3D
from na_core.model.working_size import DecoderSize, decoder_frame, decoder_size, photo_side
from na_core.scene import Frame, Sampling
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import SourceView, source_views, views_as_tensors

FEATURES = 64
"""Encoder features of photos that are kept, least recently used first out."""

Preview = Callable[[], NDArray[np.uint8]]
StepCallback = Callable[[int, int, Preview], None]


class RenderCancelled(Exception):
    """Raised by a step callback to end a render at once."""


@dataclass
class NeuralAssetsOutput(BaseOutput):
    """``images``: (F, H, W, 3) uint8 sRGB."""

    images: NDArray[np.uint8]


class NeuralAssetsPipeline(DiffusionPipeline):
    """Renders frames with a latent diffusion decoder conditioned on objects and their boxes.

    Components: ``encoder`` (ViT), ``tokenizer3d``, ``vae``, ``unet``, ``scheduler``. The ``paper`` preset is
    the paper's; every addition of ``guided`` is a switch of its own.

    Args:
        preset: "paper" or "guided": the poses that tokens hold (raw, or relabelled with the source's beside).
        spatial_conditioning: box channels, validity and proxy latents join the UNet's input.
        box_map, proxy, source_pose: what of the conditions it sees, see :mod:`na_core.model.switches`.
        residual: diffuse the residual to the proxy's latents, in units of what is expected of it, instead of
            the picture's latents.
        residual_scale: standard deviation of that residual over the training set.
        residual_variance: how its variance depends on the cell, see :mod:`na_core.model.residual`; None for
            the same unit everywhere.
        detail_transfer: add the decoded difference to the proxy instead of showing the decoded picture, so
            that what the VAE cannot represent survives where nothing changes.
        keep_unmoved, proxy_trust, surroundings: with ``detail_transfer``, where the proxy's own pixels are
            kept, see :func:`na_core.model.blend.kept_share`.
        anchored_noise: initial noise sticks to the surfaces of the frame, see
            :mod:`na_core.model.anchored_noise`, instead of to the screen.
        plate_texture: what a photo does not show behind its objects gets the photo's texture, see
            :mod:`na_core.layers.plate_texture`, instead of a smooth fill.
        relief: network that finds the objects' outlines and depths in their boxes
            (:mod:`na_core.layers.relief_network`); None: objects fill their boxes.
        slots: objects that ``paper`` pads to (its sequence has no attention mask).
        picture_size: working size: longer side in pixels of the photos that the networks were trained at.
    """

    model_cpu_offload_seq = "encoder->tokenizer3d->unet->vae"

    encoder: ViTModel
    tokenizer3d: Tokenizer3D
    vae: Vae
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler
    relief: UNet2DModel | None

    _optional_components: ClassVar[list[str]] = ["relief"]

    def __init__(
        self,
        encoder: ViTModel,
        tokenizer3d: Tokenizer3D,
        vae: Vae,
        unet: UNet2DConditionModel,
        scheduler: DDIMScheduler,
        relief: UNet2DModel | None = None,
        preset: str = "guided",
        spatial_conditioning: bool = True,
        box_map: bool = True,
        proxy: bool = True,
        source_pose: bool = True,
        residual: bool = True,
        residual_scale: float = 1.0,
        residual_variance: Sequence[float] | None = None,
        detail_transfer: bool = True,
        keep_unmoved: bool = True,
        proxy_trust: float = 0.0,
        surroundings: float = 0.0,
        anchored_noise: bool = False,
        plate_texture: bool = False,
        slots: int = 23,
        picture_size: int = 256,
    ) -> None:
        super().__init__()
        self.register_modules(
            encoder=encoder,
            tokenizer3d=tokenizer3d,
            vae=vae,
            unet=unet,
            scheduler=scheduler,
            relief=relief,
        )
        self.register_to_config(
            preset=preset,
            spatial_conditioning=spatial_conditioning,
            box_map=box_map,
            proxy=proxy,
            source_pose=source_pose,
            residual=residual,
            residual_scale=residual_scale,
            residual_variance=residual_variance,
            detail_transfer=detail_transfer,
            keep_unmoved=keep_unmoved,
            proxy_trust=proxy_trust,
            surroundings=surroundings,
            anchored_noise=anchored_noise,
            plate_texture=plate_texture,
            slots=slots,
            picture_size=picture_size,
        )
        self.layers = LayerStore()
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    @property
    def factor(self) -> int:
        """Pixels per latent."""
        return latent_factor(self.vae)

    @property
    def multiple(self) -> int:
        """The decoder's pictures have sides of multiples of this many pixels."""
        return self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def guided(self) -> bool:
        """Whether the preset is ``guided``."""
        return bool(self.config.preset == "guided")

    @property
    def switches(self) -> Switches:
        """What of the conditions the network sees."""
        return Switches(self.config.box_map, self.config.proxy, self.config.source_pose)

    @property
    def decoder(self) -> Decoder:
        """The networks that turn passes and tokens into pictures."""
        return Decoder(self.vae, self.unet, self.scheduler, self.config)

    def clear_cache(self) -> None:
        """Forget what was computed of photos (it is keyed by content, so this only frees memory)."""
        self.layers.clear()
        self._features.clear()

    @torch.no_grad()
    def __call__(
        self,
        frames: Sequence[Frame],
        photos: Photos,
        sampling: Sampling,
        callback: StepCallback | None = None,
    ) -> NeuralAssetsOutput:
        """Render frames, one after the other: a picture depends on its frame alone.

        Args:
            frames: what to render.
            photos: every photo that the frames name, by SHA-256: (H, W, 3) uint8 sRGB, upright.
            sampling: steps (0 returns proxies), guidance, seed and size.
            callback: called after each denoising step with the step's number (from 1), the number of steps
                in all, and a function that decodes the present estimate of the frame. It may raise
                :class:`RenderCancelled`.

        Raises:
            KeyError: a photo is missing.
            RenderCancelled: from the callback.
        """
        images: list[NDArray[np.uint8]] = []
        steps = max(sampling.steps, 1)
        for number, frame in enumerate(frames):

            def report(step: int, preview: Preview, done: int = number * steps) -> None:
                if callback is not None:
                    callback(done + step, steps * len(frames), preview)

            images.append(self._render(frame, photos, sampling, report))
        return NeuralAssetsOutput(images=np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8))

    def _render(
        self, frame: Frame, photos: Photos, sampling: Sampling, report: Callable[[int, Preview], None]
    ) -> NDArray[np.uint8]:
        width, height = sampling.width, sampling.height
        working_size = self.config.picture_size

        # 1. Take the photos apart, and sample their layers at the frame's scale.
        views = source_views(frame)
        rows, columns = photos[views[0].sha256].shape[:2]
        side = photo_side(frame, columns, rows, width, height)
        layers = self.layers.sampled(views, photos, side, self.taking_apart, self.device)

        # 2. Compose the frame.
        batch = self._batch(frame, views)
        passes = compose(layers, batch, width, height)
        if sampling.steps == 0:
            proxy = to_bytes(passes.proxy)[0]
            report(1, lambda: proxy)
            return proxy

        # 3. Compose it again at the decoder's size, where that is another.
        size = decoder_size(side, width, height, working_size, self.multiple)
        small_batch, small_layers, small = batch, layers, passes
        if size != DecoderSize(width, height, 1.0):
            small_frame = decoder_frame(frame, width, height, size)
            small_side = side * size.scale
            small_layers = self.layers.sampled(views, photos, small_side, self.taking_apart, self.device)
            small_batch = self._batch(small_frame, views)
            small = compose(small_layers, small_batch, size.width, size.height)

        # 4. Decode it.
        conditions = self._conditions(frame, views, photos, small_batch, small_layers, small, sampling)
        keep = kept_share(
            batch,
            passes,
            size.scale,
            keep_unmoved=self.config.keep_unmoved,
            proxy_trust=self.config.proxy_trust,
            surroundings=self.config.surroundings,
        )

        def finished(decoded: Tensor) -> NDArray[np.uint8]:
            decoded = at_output_size(decoded, size.scale, width, height)
            corrects = self.decoder.corrects
            return to_bytes(_blended(decoded, passes, keep) if corrects else decoded / 2 + 0.5)[0]

        decoded = self.decoder.decode(
            conditions, sampling, lambda step, preview: report(step, lambda: finished(preview()))
        )
        return finished(decoded)

    @property
    def taking_apart(self) -> TakingApart:
        """How photos are taken apart."""
        return TakingApart(self.relief, self.config.picture_size, self.config.plate_texture)

    def _batch(self, frame: Frame, views: Sequence[SourceView]) -> FrameBatch:
        return frame_batch([frame], {view: number for number, view in enumerate(views)}).to(self.device)

    def _conditions(
        self,
        frame: Frame,
        views: Sequence[SourceView],
        photos: Photos,
        batch: FrameBatch,
        layers: Layers,
        passes: Passes,
        sampling: Sampling,
    ) -> Conditions:
        tokens = self.tokens(frame, views, photos, batch, with_null=sampling.guidance != 1)
        channels = box_channels(batch, passes, self.factor, self.guided)
        ids = noise_ids(batch, passes.boxes, layers.canvas) if self.config.anchored_noise else None
        return self.decoder.conditions(passes, channels, tokens, ids)

    def tokens(
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
        slots = max(count, 1 if self.guided else self.config.slots)
        poses, background_pose = frame_poses(batch, self.guided)
        arguments = (
            self._object_features(frame, views, photos, slots),
            self._background_features(views[0], photos),
            self._numbers(_padded(batch.source_rectangles.float(), slots)),
            self.switches.poses(self._numbers(_padded(poses, slots))),
            self._numbers(background_pose),
        )
        empty = torch.ones(1, dtype=torch.bool, device=self.device)
        values = self.tokenizer3d(*arguments, ~empty)
        null = self.tokenizer3d(*arguments, empty) if with_null else None
        mask = None
        if self.guided:
            filled = (torch.arange(slots + 1, device=self.device) < count) | (
                torch.arange(slots + 1, device=self.device) == slots
            )
            mask = filled.repeat_interleave(self.tokenizer3d.cells**2)[None]
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
            picture = working_pictures(photo, self.config.picture_size)
            rows, columns = picture.shape[1:3]
            union = union_mask(rectangles, torch.ones(len(rectangles), dtype=torch.bool), columns, rows)
            grey = greyed(picture, (union if outside else ~union)[None])
            return encode_features(self.encoder, self._numbers(grey))

        key = (view.sha256, outside, tuple(map(tuple, rectangles.tolist())), *self._where())
        return cached(self._features, key, make, FEATURES)

    def _where(self) -> tuple[torch.device, torch.dtype]:
        """What was computed is of no use on another device or in another precision."""
        return self.device, self.unet.dtype

    def _numbers(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.unet.dtype)


def to_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """Round pictures (B, 3, H, W) in [0, 1] to (B, H, W, 3) uint8, clipping what lies outside."""
    levels = (pictures.float().clamp(0, 1) * 255).round().to(torch.uint8)
    found: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found


def _blended(correction: Tensor, passes: Passes, keep: Tensor) -> Tensor:
    """Add corrections (B, 3, H, W), in units of [-1, 1], to proxies where these are not kept."""
    return passes.proxy + (1 - keep[:, None]) * correction / 2


def _padded(values: Tensor, slots: int) -> Tensor:
    """Return rows (1, N, C) as (1, slots, C): zeros in slots without an asset, and none beyond."""
    padded = values.new_zeros((1, slots, values.shape[2]))
    count = min(slots, values.shape[1])
    padded[:, :count] = values[:, :count]
    return padded
