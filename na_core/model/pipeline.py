"""The pipeline: frames and photos in, pictures out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel, UNet2DModel
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import ViTModel

from na_core.geometry.boxes import bounds_2d
from na_core.geometry.keeping import kept
from na_core.geometry.photo_views import PhotoView, photo_views
from na_core.geometry.proxy import Plate, clean_plate
from na_core.geometry.relief import Relief
from na_core.model.anchored_noise import anchored_noise, frame_addresses
from na_core.model.conditioning import (
    BOX_MAP_CHANNELS,
    Conditions,
    background_picture,
    conditions,
    object_picture,
    padded_frame,
)
from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.plate_texture import textured
from na_core.model.relief_network import find_relief
from na_core.model.residual import residual_scale
from na_core.model.switches import Switches
from na_core.model.tokenizer3d import Tokenizer3D
from na_core.scene import Frame, Sampling

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CACHE_ENTRIES = 32
"""Encoder features and clean plates kept per pipeline, least recently used first out."""

Preview = Callable[[], NDArray[np.uint8]]
StepCallback = Callable[[int, int, Preview], None]


class RenderCancelled(Exception):
    """Raised by a step callback to end a render at once."""


Vae: TypeAlias = PatchAutoencoder | AutoencoderKL
"""The small models' own, or Stable Diffusion's."""


@dataclass
class NeuralAssetsOutput(BaseOutput):
    """``images``: (F, H, W, 3) uint8 sRGB."""

    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """Conditions of B frames as tensors on the pipeline's device.

    Attributes:
        tokens: (B, L, D). attention_mask: (B, L) bool, or None where every token counts.
        spatial: (B, C, h, w) channels beside the noisy latents, or None (``paper``).
        anchor: (B, c, h, w) proxy latents that the residual is added to, or None.
        scale: (B or 1, 1, h or 1, w or 1), the unit of the residual, or None.
        keep: (B, 1, H, W) in [0, 1], how far the proxy's own pixels are kept.
        proxy: (B, 3, H, W) in [-1, 1], float32.
        addresses: (B, H', W') what the noise sticks to, see :mod:`na_core.model.anchored_noise`, or None.
    """

    tokens: Tensor
    attention_mask: Tensor | None
    spatial: Tensor | None
    anchor: Tensor | None
    scale: Tensor | None
    keep: Tensor
    proxy: Tensor
    addresses: Tensor | None


class NeuralAssetsPipeline(DiffusionPipeline):
    """Renders frames with a latent diffusion decoder conditioned on objects and their boxes.

    Components: ``encoder`` (ViT), ``tokenizer3d``, ``vae``, ``unet``, ``scheduler``. The ``paper`` preset is
    the paper's; every addition of ``guided`` is a switch of its own.

    Args:
        preset: "paper" or "guided": the poses that tokens hold (raw, or relabelled with the source's beside).
        spatial_conditioning: box map, validity and proxy latents join the UNet's input.
        box_map, proxy, source_pose: what of the conditions it sees, see :mod:`na_core.model.switches`.
        residual: diffuse the residual to the proxy's latents, in units of what is expected of it, instead of
            the picture's latents.
        residual_scale: standard deviation of that residual over the training set.
        residual_variance: how its variance depends on the cell, see :mod:`na_core.model.residual`; None for
            the same unit everywhere.
        detail_transfer: add the decoded difference to the proxy instead of showing the decoded picture, so
            that what the VAE cannot represent survives where nothing changes.
        keep_unmoved, proxy_trust, surroundings: with ``detail_transfer``, where the proxy's own pixels are
            kept, see :func:`na_core.geometry.keeping.kept`.
        anchored_noise: initial noise sticks to the surfaces of the frame, see
            :mod:`na_core.model.anchored_noise`, instead of to the screen.
        plate_texture: what a photo does not show behind its objects gets the photo's texture, see
            :mod:`na_core.model.plate_texture`, instead of a smooth fill.
        relief: network that finds the objects' outlines and depths in their boxes
            (:mod:`na_core.model.relief_network`), of which the proxy is made then; None: of boxes.
        slots: objects that ``paper`` pads to (its sequence has no attention mask).
        picture_size: side in pixels of the training pictures.
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
        self._features: OrderedDict[tuple, Tensor] = OrderedDict()
        self._plates: OrderedDict[tuple, Plate] = OrderedDict()
        self._reliefs: OrderedDict[tuple, Relief] = OrderedDict()

    @property
    def factor(self) -> int:
        """Pixels per latent."""
        return latent_factor(self.vae)

    @property
    def switches(self) -> Switches:
        """What of the conditions the network sees."""
        return Switches(self.config.box_map, self.config.proxy, self.config.source_pose)

    @property
    def multiple(self) -> int:
        """Pictures are padded to multiples of this many pixels."""
        return self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def clear_cache(self) -> None:
        """Forget what was computed of photos (it is keyed by content, so this only frees memory)."""
        self._features.clear()
        self._plates.clear()
        self._reliefs.clear()

    @torch.no_grad()
    def __call__(
        self,
        frames: Sequence[Frame],
        photos: Mapping[str, NDArray[np.uint8]],
        sampling: Sampling,
        callback: StepCallback | None = None,
        batch_size: int = 1,
    ) -> NeuralAssetsOutput:
        """Render frames.

        Args:
            frames: what to render.
            photos: every photo that the frames name, by SHA-256: (H, W, 3) uint8 sRGB, upright.
            sampling: steps (0 returns proxies), guidance, seed and size. The same sampling gives the same
                picture, whatever else is in the batch.
            callback: called after each denoising step with the step's number (from 1), the number of steps
                in all, and a function that decodes the present estimate of the batch's first frame. It may
                raise :class:`RenderCancelled`.
            batch_size: frames denoised at once.

        Raises:
            KeyError: a photo is missing.
            RenderCancelled: from the callback.
        """
        images: list[NDArray[np.uint8]] = []
        batches = range(0, len(frames), batch_size)
        total = max(sampling.steps, 1) * len(batches)
        for number, start in enumerate(batches):
            chosen = frames[start : start + batch_size]
            done = number * max(sampling.steps, 1)

            def report(step: int, preview: Preview, done: int = done) -> None:
                if callback is not None:
                    callback(done + step, total, preview)

            images.extend(self._render(chosen, photos, sampling, report))
        return NeuralAssetsOutput(images=np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8))

    def _render(
        self,
        frames: Sequence[Frame],
        photos: Mapping[str, NDArray[np.uint8]],
        sampling: Sampling,
        report: Callable[[int, Preview], None],
    ) -> list[NDArray[np.uint8]]:
        width, height = sampling.width, sampling.height
        # Two latents at the lowest level at least: group norm has no variance over a single value.
        wide, high = (max(2, -(-side // self.multiple)) * self.multiple for side in (width, height))
        pictures = {
            photo.sha256: _picture(photos[photo.sha256], width, height)
            for frame in frames
            for photo in frame.photos()
        }
        computed = []
        padded = [padded_frame(frame, width, height, wide, high) for frame in frames]
        for frame, larger in zip(frames, padded, strict=True):
            reliefs = self.reliefs(frame, pictures)
            computed.append(
                conditions(
                    larger,
                    pictures,
                    wide,
                    high,
                    factor=self.factor,
                    guided=self.config.preset == "guided",
                    plate=self._plate(frame, pictures, reliefs),
                    reliefs=reliefs,
                )
            )

        def crop(batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return batch[:, :height, :width]

        if sampling.steps == 0:
            proxies = crop(to_bytes(np.stack([c.proxy.picture for c in computed])))
            report(1, lambda: proxies[0])
            return list(proxies)
        batch = self.batch(padded, computed, pictures)
        null = None
        if sampling.guidance != 1:
            null = self.unconditional(batch, padded, computed, pictures)
        latents = self._denoise(
            batch, null, sampling, lambda s, z: report(s, lambda: crop(self.decode(z, batch))[0])
        )
        return list(crop(self.decode(latents, batch)))

    def _denoise(
        self,
        batch: Batch,
        null: Batch | None,
        sampling: Sampling,
        report: Callable[[int, Tensor], None],
    ) -> Tensor:
        """Run the sampler: the latents (or residual latents) that it ends with."""
        noise = self._noise(batch, sampling.seed).to(batch.tokens.dtype)
        latents = noise * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(sampling.steps, device=self.device)
        for step, timestep in enumerate(self.scheduler.timesteps, start=1):
            scaled = self.scheduler.scale_model_input(latents, timestep)
            prediction = self.predict(scaled, timestep, batch)
            if null is not None:
                unconditional = self.predict(scaled, timestep, null)
                prediction = unconditional + sampling.guidance * (prediction - unconditional)
            result = self.scheduler.step(prediction, timestep, latents, eta=0.0)
            latents = result.prev_sample
            estimate = result.pred_original_sample
            report(step, latents if estimate is None else estimate)
        return latents

    def _noise(self, batch: Batch, seed: int) -> Tensor:
        """Return the noise (B, c, h, w) that frames start from: that of the seed, anchored if it is to be."""
        count, _, height, width = batch.proxy.shape
        shape = (1, latent_channels(self.vae), height // self.factor, width // self.factor)
        noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)).to(self.device)
        noise = noise.repeat(count, 1, 1, 1)
        if batch.addresses is None:
            return noise
        seeds = torch.full((count,), seed, device=self.device)
        return anchored_noise(batch.addresses, seeds, shape[1], self.factor, noise)

    def predict(self, latents: Tensor, timestep: Tensor, batch: Batch) -> Tensor:
        """Run the UNet on noisy latents (B, c, h, w) at a timestep () or (B,): its output (B, c, h, w)."""
        if batch.spatial is not None:
            latents = torch.cat([latents, batch.spatial], dim=1)
        return self.unet(
            latents,
            timestep,
            encoder_hidden_states=batch.tokens,
            encoder_attention_mask=batch.attention_mask,
        ).sample

    def batch(
        self,
        frames: Sequence[Frame],
        computed: Sequence[Conditions],
        pictures: Mapping[str, NDArray[np.float32]],
    ) -> Batch:
        """Stack the conditions of padded frames."""
        tokens, mask = self._tokens(frames, computed, pictures, null=False)
        # float32 in every precision: bfloat16 cannot hold the 256 levels that detail transfer keeps.
        proxy = torch.as_tensor(np.stack([c.proxy.picture for c in computed]), device=self.device)
        proxy = proxy.permute(0, 3, 1, 2) * 2 - 1
        anchor = scale = spatial = None
        maps = self._tensor(np.stack([c.map_channels for c in computed]))
        if self.config.residual or self.config.spatial_conditioning:
            anchor = encode(self.vae, proxy.to(self.unet.dtype))
        if anchor is not None and self.config.spatial_conditioning:
            spatial = torch.cat(self.switches.spatial(anchor, maps), dim=1)
        if self.config.residual:
            scale = residual_scale(maps, self.config.residual_scale, self.config.residual_variance)
        rules = self.config.keep_unmoved, self.config.proxy_trust, self.config.surroundings
        shares = [kept(frame, c.proxy, *rules) for frame, c in zip(frames, computed, strict=True)]
        keep = torch.as_tensor(np.stack(shares), device=self.device)[:, None]
        addresses = None
        if self.config.anchored_noise:
            shown = [
                frame_addresses(frame, c.proxy.boxes, proxy.shape[3], proxy.shape[2])
                for frame, c in zip(frames, computed, strict=True)
            ]
            addresses = torch.cat(shown).to(self.device)
        anchor = anchor if self.config.residual else None
        return Batch(tokens, mask, spatial, anchor, scale, keep, proxy, addresses)

    def unconditional(
        self,
        batch: Batch,
        frames: Sequence[Frame],
        computed: Sequence[Conditions],
        pictures: Mapping[str, NDArray[np.float32]],
    ) -> Batch:
        """Return the other branch of guidance: of the same batch, without object, pose and box map.

        It keeps the proxy, which the residual is measured from.
        """
        tokens, mask = self._tokens(frames, computed, pictures, null=True)
        spatial = batch.spatial
        if spatial is not None:
            spatial = spatial.clone()
            spatial[:, latent_channels(self.vae) :] = 0
        return replace(batch, tokens=tokens, attention_mask=mask, spatial=spatial)

    def _tokens(
        self,
        frames: Sequence[Frame],
        computed: Sequence[Conditions],
        pictures: Mapping[str, NDArray[np.float32]],
        null: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the tokens of frames and which of them count; with ``null``, those of no object and pose."""
        guided = self.config.preset == "guided"
        slots = max([len(c.poses) for c in computed] + ([] if guided else [self.config.slots]))
        slots = max(slots, 1)
        features = torch.stack([self._object_features(frame, pictures, slots) for frame in frames])
        scene = torch.stack([self._background_features(frame, pictures) for frame in frames])
        nulls = torch.full((len(frames),), null, device=self.device)
        tokens = self.tokenizer3d(
            features,
            scene,
            self._tensor(np.stack([_pad(c.rectangles, slots) for c in computed])),
            self.switches.poses(self._tensor(np.stack([_pad(c.poses, slots) for c in computed]))),
            self._tensor(np.stack([c.background_pose for c in computed])),
            nulls,
        )
        mask = None
        if guided:
            filled = [np.r_[np.arange(slots) < len(c.poses), True] for c in computed]
            mask = torch.as_tensor(np.stack(filled), device=self.device)
            mask = mask.repeat_interleave(self.tokenizer3d.cells**2, dim=1)
        return tokens, mask

    def decode(self, latents: Tensor, batch: Batch) -> NDArray[np.uint8]:
        """Decode latents, or residual latents, to pictures (B, H, W, 3) uint8."""
        if batch.anchor is not None and batch.scale is not None:
            latents = batch.anchor[: len(latents)] + latents * batch.scale[: len(latents)].to(latents.dtype)
        decoded = decode(self.vae, latents)
        if batch.anchor is not None and self.config.detail_transfer:
            decoded = batch.proxy + (1 - batch.keep) * (decoded - decode(self.vae, batch.anchor))
        return to_bytes((decoded.float() / 2 + 0.5).permute(0, 2, 3, 1).cpu().numpy())

    def _tensor(self, array: NDArray) -> Tensor:
        return torch.as_tensor(array, device=self.device).to(self.unet.dtype)

    def reliefs(
        self, frame: Frame, pictures: Mapping[str, NDArray[np.float32]]
    ) -> Mapping[PhotoView, Relief]:
        """Return the reliefs of a frame's photos (H, W, 3) in [0, 1]; none without a relief network."""
        network = self.relief
        if network is None:
            return {}
        found = {}
        for view in photo_views(frame):
            picture = pictures[view.sha256]
            find = partial(find_relief, network, picture, view)
            found[view] = _cached(self._reliefs, ("relief", view, picture.shape, *self._where()), find)
        return found

    def _plate(
        self,
        frame: Frame,
        pictures: Mapping[str, NDArray[np.float32]],
        reliefs: Mapping[PhotoView, Relief],
    ) -> Plate:
        picture = pictures[frame.background.photo.sha256]
        view = photo_views(frame)[0]
        key = (view, frame.background, picture.shape, *self._where())
        rectangles = view.rectangles[: len(frame.background.hidden_boxes)]

        def make() -> Plate:
            plate = clean_plate(picture, frame.background, rectangles, reliefs.get(view))
            return textured(plate) if self.config.plate_texture else plate

        return _cached(self._plates, key, make)

    def _object_features(
        self, frame: Frame, pictures: Mapping[str, NDArray[np.float32]], slots: int
    ) -> Tensor:
        """Encode each asset's photo without its surroundings: (1 or slots, h, w, C)."""
        by_photo: dict[str, list[tuple[float, float, float, float]]] = {}
        for placed in frame.assets:
            by_photo.setdefault(placed.asset.photo.sha256, []).append(placed.asset.source_box_2d)
        if not by_photo:
            by_photo[frame.background.photo.sha256] = []
        encoded = {}
        for sha256, rectangles in by_photo.items():
            picture = pictures[sha256]
            key = ("objects", sha256, picture.shape, tuple(sorted(set(rectangles))), *self._where())
            encode_objects = partial(self._encode_objects, picture, rectangles)
            encoded[sha256] = _cached(self._features, key, encode_objects)
        if len(encoded) == 1 and len(frame.photos()) == 1:
            single = next(iter(encoded.values()))[None]
            return single.expand(slots, -1, -1, -1)
        each = [encoded[placed.asset.photo.sha256] for placed in frame.assets]
        each += [torch.zeros_like(next(iter(encoded.values())))] * (slots - len(each))
        return torch.stack(each)

    def _background_features(self, frame: Frame, pictures: Mapping[str, NDArray[np.float32]]) -> Tensor:
        """Encode the background's photo without its objects: (h, w, C)."""
        background = frame.background
        picture = pictures[background.photo.sha256]
        rectangles = [bounds_2d(background.source_camera, box) for box in background.hidden_boxes]
        key = ("background", background.photo.sha256, picture.shape, tuple(rectangles), *self._where())
        return _cached(self._features, key, lambda: self.encode(background_picture(picture, rectangles)))

    def _where(self) -> tuple[torch.device, torch.dtype]:
        """Cached features are of no use on another device or in another precision."""
        return self.device, self.unet.dtype

    def _encode_objects(
        self, picture: NDArray[np.float32], rectangles: Sequence[tuple[float, float, float, float]]
    ) -> Tensor:
        return self.encode(object_picture(picture, rectangles))

    def encode(self, picture: NDArray[np.float32]) -> Tensor:
        """Return the encoder's features (h, w, C) of a picture (H, W, 3) in [0, 1]."""
        return encode_features(self.encoder, self._tensor(picture[None]).permute(0, 3, 1, 2))[0]


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


def latent_factor(vae: Vae) -> int:
    """Return the pixels per latent of a VAE."""
    if isinstance(vae, PatchAutoencoder):
        return vae.patch_size
    return 2 ** (len(vae.config.block_out_channels) - 1)


def latent_channels(vae: Vae) -> int:
    """Return the channels of a VAE's latents."""
    return int(vae.config.latent_channels)


def encode(vae: Vae, pictures: Tensor) -> Tensor:
    """Encode pictures (B, 3, H, W) in [-1, 1] to scaled latents (B, c, h, w), without sampling."""
    if not isinstance(vae, AutoencoderKL):
        return vae.encode(pictures).latents * vae.config.scaling_factor
    return vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor


def decode(vae: Vae, latents: Tensor) -> Tensor:
    """Decode scaled latents (B, c, h, w) to pictures (B, 3, H, W) in about [-1, 1]."""
    return vae.decode(latents / vae.config.scaling_factor).sample


def to_bytes(pictures: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Round pictures in [0, 1] to uint8, clipping what lies outside."""
    return np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)


def _picture(photo: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """Resize a photo so that its pixels match the result's: exactly its size if the shapes agree."""
    rows, columns = photo.shape[:2]
    if abs(columns * height - rows * width) <= max(width, height):
        size = (width, height)
    else:
        scale = min(1.0, max(width, height) / max(columns, rows))
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    if size != (columns, rows):
        photo = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))
    return photo.astype(np.float32) / 255


def _pad(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    return np.pad(rows, ((0, count - len(rows)), (0, 0)))


def _cached(store: OrderedDict, key: tuple, make: Callable[[], Any]) -> Any:
    if key in store:
        store.move_to_end(key)
        return store[key]
    value = store[key] = make()
    while len(store) > CACHE_ENTRIES:
        store.popitem(last=False)
    return value


def spatial_channels(channels: int) -> int:
    """Return how many channels spatial conditioning adds to ``conv_in`` for a VAE with that many latents."""
    return channels + BOX_MAP_CHANNELS
