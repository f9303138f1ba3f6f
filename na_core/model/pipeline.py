"""The pipeline: frames and photos in, pictures out.

It strings the verbs together, and holds weights and caches.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import ViTModel

from na_core.compose.compose import compose
from na_core.compose.frame_passes import FramePasses, frame_passes
from na_core.compose.passes import Passes
from na_core.layers.layers import Layers
from na_core.layers.own_models import NO_MODELS
from na_core.layers.photo_network import PhotoNetwork
from na_core.layers.store import LayerStore, Photos
from na_core.layers.take_apart import TakingApart
from na_core.meshes.placed import MeshFiles, MeshStore, PlacedMesh
from na_core.model.anchored_noise import noise_ids
from na_core.model.blend import kept_share
from na_core.model.box_channels import box_channels
from na_core.model.decoder import Decoder
from na_core.model.latent_decoder import LatentDecoder
from na_core.model.latents import Vae, latent_factor
from na_core.model.pixel_decoder import FINE, PixelDecoder
from na_core.model.refiners.frames import refined_frame
from na_core.model.refiners.refiner import Refiner
from na_core.model.sampling import REFINER_PRESETS, Presets, resolved, sampling_presets
from na_core.model.tokenizer3d import Tokenizer3D
from na_core.model.tokens import FrameTokens
from na_core.model.working_size import (
    DecoderSize,
    at_output_size,
    decoder_frame,
    decoder_size,
    photo_side,
    rays_per_side,
)
from na_core.scene import Frame, Sampling
from na_core.tensors.cameras import cameras_of
from na_core.tensors.frames import FrameBatch, frame_batch, other_views
from na_core.tensors.views import source_views

ALIGNMENT = 64
"""Bytes of whose multiples PyTorch's own memory begins at."""

NO_MESHES: MeshFiles = MappingProxyType({})
"""Of frames whose assets have none."""

Preview = Callable[[], NDArray[np.uint8]]
StepCallback = Callable[[int, int, Preview], None]


class RenderCancelled(Exception):
    """Raised by a step callback to end a render at once."""


@dataclass
class NeuralAssetsOutput(BaseOutput):
    """``images``: (F, H, W, 3) uint8 sRGB."""

    images: NDArray[np.uint8]


class NeuralAssetsPipeline(DiffusionPipeline):
    """Renders frames with a diffusion decoder conditioned on objects and their boxes.

    Components: ``encoder`` (ViT), ``tokenizer3d``, ``vae``, ``unet``, ``scheduler``. Without a VAE it works
    on pixels, see :mod:`na_core.model.pixel_decoder`. The ``paper`` preset is the paper's; every addition of
    ``guided`` is a switch of its own.

    Args:
        preset: "paper" or "guided": the poses that tokens hold (raw, or relabelled with the source's beside).
        spatial_conditioning: box channels, validity and proxy latents join the UNet's input.
        box_map, proxy, source_pose, tokens, passes: what of the conditions it sees, see
            :mod:`na_core.model.switches`.
        blend_mask: whether a decoder of pixels has a mask for its residual.
        residual: diffuse the residual to the proxy's latents, in units of what is expected of it, instead of
            the picture's latents.
        residual_scale: standard deviation of that residual over the training set.
        residual_variance: how its variance depends on the cell, see :mod:`na_core.model.residual`; None for
            the same unit everywhere.
        detail_transfer: add the decoded difference to the proxy instead of showing the decoded picture, so
            that what the VAE cannot represent survives where nothing changes.
        keep_unmoved, proxy_trust, plate_trust, object_trust: with ``detail_transfer``, where the proxy's own
            pixels are kept, see :func:`na_core.model.blend.kept_share`.
        single_step_noise: standard deviation of the initial noise where the sampling is a single step, see
            :class:`na_core.model.latent_decoder.LatentDecoder`.
        anchored_noise: initial noise sticks to the surfaces of the frame, see
            :mod:`na_core.model.anchored_noise`, instead of to the screen.
        plate_texture: what a photo does not show behind its objects gets the photo's texture, see
            :mod:`na_core.layers.plate_texture`, instead of a smooth fill.
        photo_network: takes photos apart (:mod:`na_core.layers.photo_network`); None: objects fill their
            boxes.
        slots: objects that ``paper`` pads to (its sequence has no attention mask).
        sampling_presets: steps and guidance by the sampling's name, where they are not those of the preset's
            kind, see :mod:`na_core.model.sampling`.
        picture_size: working size of encoder and decoder: longer side in pixels of the photos that they were
            trained at.

    Attributes:
        models: of the user's, that take photos apart in the photo network's place; no part of a checkpoint.
        refiner: of the user's, that finishes proxies in the decoder's place; None for the checkpoint's own
            decoder.
    """

    model_cpu_offload_seq = "encoder->tokenizer3d->unet->vae"

    encoder: ViTModel
    tokenizer3d: Tokenizer3D
    vae: Vae
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler
    photo_network: PhotoNetwork | None

    _optional_components: ClassVar[list[str]] = ["vae", "photo_network"]

    @register_to_config  # what is no module: register_modules writes over the modules
    def __init__(
        self,
        encoder: ViTModel,
        tokenizer3d: Tokenizer3D,
        unet: UNet2DConditionModel,
        scheduler: DDIMScheduler,
        vae: Vae = None,
        photo_network: PhotoNetwork | None = None,
        preset: str = "guided",
        spatial_conditioning: bool = True,
        box_map: bool = True,
        proxy: bool = True,
        source_pose: bool = True,
        tokens: bool = True,
        passes: bool = True,
        blend_mask: bool = True,
        residual: bool = True,
        residual_scale: float = 1.0,
        residual_variance: Sequence[float] | None = None,
        detail_transfer: bool = True,
        keep_unmoved: bool = True,
        proxy_trust: float = 0.0,
        plate_trust: float = 0.0,
        object_trust: float = 0.0,
        single_step_noise: float = 1.0,
        anchored_noise: bool = False,
        plate_texture: bool = False,
        slots: int = 23,
        sampling_presets: Mapping[str, Sequence[float]] | None = None,
        picture_size: int = 256,
    ) -> None:
        super().__init__()
        self.register_modules(
            encoder=encoder,
            tokenizer3d=tokenizer3d,
            vae=vae,
            unet=unet,
            scheduler=scheduler,
            photo_network=photo_network,
        )
        for module in (encoder, tokenizer3d, vae, unet, photo_network):
            if module is not None:
                _align(module)
        self.layers, self.meshes = LayerStore(), MeshStore()
        self.models = NO_MODELS
        self.refiner: Refiner | None = None
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    @property
    def factor(self) -> int:
        """Pixels per latent."""
        return latent_factor(self.vae)

    @property
    def multiple(self) -> int:
        """The decoder's pictures have sides of multiples of this many pixels."""
        cell = FINE if self.vae is None else self.factor
        return max(cell * 2 ** (len(self.unet.config.block_out_channels) - 1), self.factor)

    @property
    def guided(self) -> bool:
        """Whether the preset is ``guided``."""
        return bool(self.config.preset == "guided")

    @property
    def decoder(self) -> Decoder:
        """The networks that turn passes and tokens into pictures."""
        if self.vae is None:
            return PixelDecoder(self.unet, self.config)
        return LatentDecoder(self.vae, self.unet, self.scheduler, self.config)

    @property
    def tokens(self) -> FrameTokens:
        """What makes the tokens of frames."""
        return FrameTokens(self.encoder, self.tokenizer3d, self.config, self._features, self.decoder.dtype)

    @property
    def samplings(self) -> Presets:
        """Steps and guidance by the sampling's name."""
        return sampling_presets(self.config) if self.refiner is None else REFINER_PRESETS

    def clear_cache(self) -> None:
        """Forget what was computed of photos (it is keyed by content, so this only frees memory)."""
        self.layers.clear()
        self.meshes.clear()
        self._features.clear()

    @torch.no_grad()
    def __call__(
        self,
        frames: Sequence[Frame],
        photos: Photos,
        sampling: Sampling,
        callback: StepCallback | None = None,
        meshes: MeshFiles = NO_MESHES,
    ) -> NeuralAssetsOutput:
        """Render frames, one after the other: a picture depends on its frame alone.

        Args:
            frames: what to render.
            photos: every photo that the frames name, by SHA-256: (H, W, 3) uint8 sRGB, upright.
            sampling: its preset, or steps (0 returns proxies) and guidance of its own; seed and size.
            callback: called after each denoising step with the step's number (from 1), the number of steps
                in all, and a function that decodes the present estimate of the frame. It may raise
                :class:`RenderCancelled`.
            meshes: every file of a mesh that the frames name, by SHA-256.

        Raises:
            KeyError: a photo or a mesh is missing.
            MeshError: a mesh cannot be used.
            RenderCancelled: from the callback.
        """
        images: list[NDArray[np.uint8]] = []
        sampling = resolved(sampling, self.samplings)
        steps = max(sampling.steps, 1)
        for number, frame in enumerate(frames):

            def report(step: int, preview: Preview, done: int = number * steps) -> None:
                if callback is not None:
                    callback(done + step, steps * len(frames), preview)

            images.append(self._render(frame, photos, meshes, sampling, report))
        return NeuralAssetsOutput(images=np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8))

    @torch.no_grad()
    def passes(
        self, frame: Frame, photos: Photos, width: int, height: int, meshes: MeshFiles = NO_MESHES
    ) -> FramePasses:
        """Return the passes of a frame; no decoder runs.

        Args:
            frame: what to show.
            photos, meshes: see :meth:`__call__`.
            width, height: in pixels.

        Raises:
            KeyError: a photo or a mesh is missing.
            MeshError: a mesh cannot be used.
        """
        layers, batch, rays = self._layers(frame, photos, width, height)
        placed = self._placed(frame, photos, meshes)
        return frame_passes(layers, frame, batch, width, height, rays, placed)

    @torch.no_grad()
    def sketch(
        self, frame: Frame, photos: Photos, width: int, height: int, meshes: MeshFiles = NO_MESHES
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return a frame's proxy (H, W, 3) and its validity (H, W), as quickly as it goes.

        Both are of one composition, with one ray a pixel: a viewport that moves wants them often.

        Args:
            frame: what to show.
            photos, meshes: see :meth:`__call__`.
            width, height: in pixels.

        Raises:
            KeyError: a photo or a mesh is missing.
            MeshError: a mesh cannot be used.
        """
        layers, batch, _ = self._layers(frame, photos, width, height, most_rays=1)
        placed = {(0, slot): mesh for slot, mesh in self._placed(frame, photos, meshes).items()}
        passes = compose(layers, batch, width, height, meshes=placed, others=other_views(batch, [frame]))
        return to_bytes(passes.proxy)[0], passes.validity[0].float().cpu().numpy()

    def _placed(self, frame: Frame, photos: Photos, meshes: MeshFiles) -> dict[int, PlacedMesh]:
        """Return the meshes of a frame's assets by their slots."""
        if not frame.meshes():
            return {}
        device = next(self.encoder.parameters()).device
        return self.meshes.placed(
            frame, meshes, photos, lambda view: self.layers.layers(view, photos, self.taking_apart, device)
        )

    def _layers(
        self, frame: Frame, photos: Photos, width: int, height: int, most_rays: int = 2
    ) -> tuple[Layers, FrameBatch, int]:
        """Return the layers of a frame's photos at its scale, the frame as tensors, and rays per side."""
        views = source_views(frame)
        rows, columns = photos[views[0].sha256].shape[:2]
        side = photo_side(frame, columns, rows, width, height)
        rays = min(rays_per_side(side, max(rows, columns), width, height), most_rays)
        device = next(self.encoder.parameters()).device  # self.device takes milliseconds
        layers = self.layers.sampled(views, photos, rays * side, self.taking_apart, device)
        return layers, frame_batch([frame]).to(device), rays

    def _render(
        self,
        frame: Frame,
        photos: Photos,
        meshes: MeshFiles,
        sampling: Sampling,
        report: Callable[[int, Preview], None],
    ) -> NDArray[np.uint8]:
        width, height = sampling.width, sampling.height

        # 1. Take the photos apart, and sample their layers at the frame's scale.
        layers, batch, rays = self._layers(frame, photos, width, height)

        # 2. Compose the frame.
        placed = {(0, slot): mesh for slot, mesh in self._placed(frame, photos, meshes).items()}
        others = other_views(batch, [frame])
        passes = compose(layers, batch, width, height, rays, meshes=placed, others=others)
        if sampling.steps == 0:
            proxy = to_bytes(passes.proxy)[0]
            report(1, lambda: proxy)
            return proxy

        views, device = source_views(frame), batch.photo.device
        rows, columns = photos[views[0].sha256].shape[:2]
        side = photo_side(frame, columns, rows, width, height)
        if self.refiner is not None:
            scale = self.refiner.size_for(width, height)[0] / width
            seen = self.layers.sampled(views, photos, side * scale, self.taking_apart, device)
            proxy, photo = to_bytes(passes.proxy)[0], np.asarray(photos[views[0].sha256])
            return refined_frame(
                self.refiner, frame, batch, passes, proxy, seen.canvas, sampling, report, photo
            )

        # 3. Compose it again at the decoder's size, where that is another.
        size = decoder_size(side, width, height, self.config.picture_size, self.multiple)
        small_batch, small_layers, small = batch, layers, passes
        if rays > 1 or size != DecoderSize(width, height, 1.0):
            camera = cameras_of([decoder_frame(frame, width, height, size).camera])
            small_side = side * size.scale
            small_layers = self.layers.sampled(views, photos, small_side, self.taking_apart, device)
            small_batch = batch.seen_by(camera.to(device))
            others = [view.seen_by(small_batch.camera) for view in others]
            small_size = size.width, size.height
            small = compose(small_layers, small_batch, *small_size, meshes=placed, others=others)

        # 4. Decode it.
        tokens = self.tokens.of(views, photos, small_batch, with_null=sampling.guidance != 1)
        channels = box_channels(small_batch, small, self.factor, self.guided)
        anchored = self.config.anchored_noise and self.decoder.noise_level(sampling) > 0
        ids = noise_ids(small_batch, small.boxes, small_layers.canvas) if anchored else None
        conditions = self.decoder.conditions(small, channels, tokens, ids)
        painted = frame.background.plate is not None
        keep = kept_share(
            passes,
            size.scale,
            keep_unmoved=self.config.keep_unmoved,
            proxy_trust=self.config.proxy_trust,
            plate_trust=1.0 if painted else self.config.plate_trust,
            object_trust=self.config.object_trust,
            meshes=[slot for _, slot in placed],
        )

        def finished(decoded: Tensor) -> NDArray[np.uint8]:
            decoded = at_output_size(decoded, size.scale, width, height)
            if self.decoder.corrects:
                return to_bytes(_blended(decoded, passes, keep))[0]
            shown = decoded / 2 + 0.5
            if painted:
                shown = torch.where(passes.index[:, None] < 0, passes.proxy, shown)
            return to_bytes(shown)[0]

        decoded = self.decoder.decode(
            conditions, sampling, lambda step, preview: report(step, lambda: finished(preview()))
        )
        return finished(decoded)

    @property
    def taking_apart(self) -> TakingApart:
        """How photos are taken apart."""
        network, size = self.photo_network, self.config.picture_size
        if network is not None:
            size = network.config.working_size
        return TakingApart(network, size, self.config.plate_texture, models=self.models)


def _align(module: nn.Module) -> None:
    """Move weights that lie at odd addresses, as they do in a mapped file.

    Kernels differ in the last bit by where weights lie: a loaded checkpoint is to give the saved one's bytes.
    """
    for parameter in module.parameters():
        if parameter.device.type == "cpu" and parameter.data_ptr() % ALIGNMENT:
            parameter.data = parameter.data.clone()


def to_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """Round pictures (B, 3, H, W) in [0, 1] to (B, H, W, 3) uint8, clipping what lies outside."""
    levels = (pictures.float() * 255).round_().clamp_(0, 255).to(torch.uint8)
    found: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found


def _blended(correction: Tensor, passes: Passes, keep: Tensor) -> Tensor:
    """Add corrections (B, 3, H, W), in units of [-1, 1], to proxies where these are not kept."""
    return passes.proxy + (1 - keep[:, None]) * correction / 2
