"""The task that trains encoder, tokenizer and UNet on pairs; VAE and photo network stay frozen."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from na_core.backbone import EfficientNetLite
from na_core.model.box_channels import BOX_CHANNELS
from na_core.model.checkpoints import COMPONENTS, OPTIONAL_COMPONENTS, load_checkpoint
from na_core.model.encoder import encode_features
from na_core.model.latents import to_pictures
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.pixel_decoder import MOST_NOISE, residual_of
from na_core.model.residual import fit_variance, residual_scale
from na_core.model.switches import seen_passes, seen_poses, seen_spatial, seen_tokens
from na_core.training.composed_pairs import ComposedPairs, composed_folder
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.initial import give_published
from na_core.training.pair_batches import PairBatches, TrainingBatch
from na_core.training.picture_loss import SMALLEST, PictureLoss
from na_core.training.pixel_batches import PixelBatches
from na_core.training.randomness import DrawKey
from na_core.training.run import Run
from na_core.training.run_log import RunLog
from na_core.training.tables import DecoderConfig
from na_core.training.task import ParameterGroup, TrainingTask
from na_core.training.validation import Validation

SCALE_BATCHES = 16
"""Batches that the residual's scale is measured on."""

MATTERING = 4.0
"""Weight of pixels of objects, and of what no photo showed, where others count once."""

MEASURING = 2**31
"""Part of a step that no training step has: its pairs are drawn for the measurement alone."""


class DecoderObjective(nn.Module):
    """The loss of a pipeline's encoder, tokenizer and UNet on batches of pairs.

    Mean squared error on the scheduler's target (paper, section 2). Timesteps are uniform, but for a share at
    the last one. Where the residual's unit differs per cell, errors are weighed by its square, so that they
    count as errors of the latents do.

    Args:
        pipeline: that learns.
        null_probability: of a pair without boxes and poses.
        first_step_share: of pairs at the last timestep.
    """

    def __init__(
        self, pipeline: NeuralAssetsPipeline, null_probability: float, first_step_share: float
    ) -> None:
        super().__init__()
        self.unet, self.encoder, self.tokenizer3d = pipeline.unet, pipeline.encoder, pipeline.tokenizer3d
        self.null_probability, self.first_step_share = null_probability, first_step_share
        self._pipeline, self._scheduler = pipeline, pipeline.scheduler

    def forward(self, batch: TrainingBatch) -> Tensor:
        """Return the loss of a batch. Random numbers come from torch's default generators."""
        count, device = len(batch.target), batch.target.device
        null = torch.rand(count, device=device) < self.null_probability
        clean, weight = self.clean(batch)
        noise = batch.noise
        if noise is None:
            noise = torch.randn(clean.shape, device=device)  # randn_like would follow the strides
        timesteps = self.draw_timesteps(count, device)
        inputs = self._scheduler.add_noise(clean, noise, timesteps)
        if self._pipeline.config.spatial_conditioning:
            proxy, maps = seen_spatial(self._pipeline.config, batch.proxy, batch.maps)
            inputs = torch.cat([inputs, proxy, maps * (~null)[:, None, None, None]], dim=1)
        tokens, mask = self.tokens(batch, null)
        prediction = self.unet(
            inputs.contiguous(memory_format=torch.channels_last),
            timesteps,
            encoder_hidden_states=tokens,
            encoder_attention_mask=mask,
        ).sample
        error = (prediction.float() - self.target(clean, noise, timesteps)).square()
        return (error * weight).mean()

    def clean(self, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """Return what is diffused of pairs, (B, c, h, w), and how errors of it count, (1 or B, 1, ...)."""
        if not self._pipeline.config.residual:
            return batch.target, batch.target.new_ones((1, 1, 1, 1))
        whole = self._pipeline.config.residual_scale
        scale = residual_scale(batch.maps, whole, self._pipeline.config.residual_variance)
        return (batch.target - batch.proxy) / scale, (scale / whole).square()

    def draw_timesteps(self, count: int, device: torch.device) -> Tensor:
        """Draw timesteps (count,): uniform, but for a share at the last."""
        last = self._scheduler.config.num_train_timesteps - 1
        uniform = torch.randint(last + 1, (count,), device=device)
        chosen = torch.rand(count, device=device) < self.first_step_share
        return torch.where(chosen, last, uniform)

    def target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return what the UNet should say, (B, c, h, w), by the scheduler's prediction type."""
        kind = self._scheduler.config.prediction_type
        if kind == "v_prediction":
            return self._scheduler.get_velocity(clean, noise, timesteps)
        return noise if kind == "epsilon" else clean

    def tokens(self, batch: TrainingBatch, null: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the tokens (B, L, D) of pairs, and which count (B, L) bool (``guided``; ``paper``: None).

        Args:
            batch: of B pairs.
            null: (B,) bool, pairs whose boxes and poses are all zero.
        """
        objects = len(batch.object_pictures)
        if batch.encoded:
            shown, behind = batch.object_pictures, batch.background_pictures
        else:
            pictures = torch.cat([batch.object_pictures, batch.background_pictures])
            features = encode_features(self.encoder, pictures)
            shown, behind = features[:objects], features[objects:]
        # One picture shows all objects of most pairs: then no copy per slot is needed.
        each = shown[:, None] if objects == len(behind) else shown[batch.views]
        poses = seen_poses(self._pipeline.config, batch.poses)
        tokens = self.tokenizer3d(each, behind, batch.rectangles, poses, batch.background_poses, null)
        tokens = seen_tokens(self._pipeline.config, tokens)
        return tokens, self.tokenizer3d.mask(batch.filled) if self._pipeline.guided else None


class PixelObjective(DecoderObjective):
    """The loss of a pipeline without a VAE: of its pictures, see :mod:`na_core.training.picture_loss`.

    The proxies of a share of the pairs are noisy, more or less.

    Args:
        pipeline: that learns.
        null_probability: of a pair without boxes and poses.
        noisy_share: of pairs whose proxies are noisy.
        loss: of pictures.
    """

    def __init__(
        self, pipeline: NeuralAssetsPipeline, null_probability: float, noisy_share: float, loss: PictureLoss
    ) -> None:
        super().__init__(pipeline, null_probability, 0.0)
        self.noisy_share, self.loss = noisy_share, loss

    def forward(self, batch: TrainingBatch) -> Tensor:
        """Return the loss of a batch. Random numbers come from torch's default generators."""
        count, device = len(batch.target), batch.target.device
        null = torch.rand(count, device=device) < self.null_probability
        noisy = torch.rand(count, device=device) < self.noisy_share
        level = torch.rand(count, device=device) * noisy * MOST_NOISE
        noise = torch.randn(batch.target.shape, device=device) if batch.noise is None else batch.noise
        config = self._pipeline.config
        boxes, passes = batch.maps.tensor_split([BOX_CHANNELS], dim=1)
        proxy, boxes = seen_spatial(config, batch.proxy, boxes)
        boxes = boxes * (~null)[:, None, None, None]
        tokens, mask = self.tokens(batch, null)
        noisy_proxy = batch.proxy + level[:, None, None, None] * noise
        extra = torch.cat([proxy, boxes, seen_passes(config, passes)], dim=1)
        residual = residual_of(self.unet, noisy_proxy, level, extra, tokens, mask, config.blend_mask)
        made, true = (to_pictures(None, patches) for patches in (batch.proxy + residual, batch.target))
        assert batch.matters is not None
        weight = 1 + (MATTERING - 1) * batch.matters.float()
        return self.loss(made, true, weight, 1 - level / MOST_NOISE)


def save_checkpoint(pipeline: NeuralAssetsPipeline, folder: Path) -> None:
    """Save a checkpoint with float16 weights, half the size; the pipeline itself keeps its precision."""
    names = (*COMPONENTS, *OPTIONAL_COMPONENTS)
    modules = {name: getattr(pipeline, name) for name in names if name != "scheduler"}
    halved = {name: copy.deepcopy(module).half() for name, module in modules.items() if module is not None}
    for module in halved.values():
        if isinstance(module, ConfigMixin):  # diffusers would write down where its parts were loaded from
            module.register_to_config(_name_or_path="")
    settings = {
        name: value
        for name, value in pipeline.config.items()
        if name not in names and not name.startswith("_")
    }
    NeuralAssetsPipeline(**halved, scheduler=pipeline.scheduler, **settings).save_pretrained(folder)


def _objective(pipeline: NeuralAssetsPipeline, settings: DecoderConfig, table: str) -> DecoderObjective:
    if pipeline.vae is not None:
        return DecoderObjective(pipeline, settings.null_probability, settings.first_step_share)
    backbone = None
    if settings.features:
        backbone = EfficientNetLite()
        give_published(backbone, table)
    return PixelObjective(pipeline, settings.null_probability, settings.noisy_share, PictureLoss(backbone))


class DecoderTask(TrainingTask[DecoderConfig]):
    """Trains a pipeline's encoder, tokenizer and UNet, and saves its checkpoint.

    Raises:
        ConfigError: the model cannot take pictures of the scenes' size.
        TrainingError: no held-out scene has a pair.
    """

    name = "decoder"

    def __init__(self, run: Run, settings: DecoderConfig) -> None:
        pipeline = run.pipeline
        super().__init__(
            run,
            settings,
            _objective(pipeline, settings, f"{run.file}: decoder"),
            [
                ParameterGroup("unet", pipeline.unet),
                ParameterGroup("encoder", pipeline.encoder),
                ParameterGroup("tokens", pipeline.tokenizer3d, decays=False),
            ],
        )
        if run.config.encoder is not None:
            pipeline.encoder.requires_grad_(False)
        width, height = run.picture_size
        if width % pipeline.multiple or height % pipeline.multiple:
            raise ConfigError(
                f"{run.file}: 'scenes' has pictures of {width} x {height} pixels; this model needs multiples "
                f"of {pipeline.multiple}"
            )
        smallest = -(-SMALLEST // pipeline.multiple) * pipeline.multiple
        crop = settings.crop or width
        if pipeline.vae is None and (crop % pipeline.multiple or not smallest <= crop <= min(width, height)):
            raise ConfigError(
                f"{run.file}: decoder: 'crop' is {settings.crop}; for these scenes it must be 0, or a "
                f"multiple of {pipeline.multiple} from {smallest} to {min(width, height)}"
            )
        self._validation = None
        if run.config.validation is not None:
            self.validate_every = run.config.validation.every
            if run.accelerator.is_main_process:
                sheets = run.config.output / "samples"
                self._validation = Validation(run.config.validation, pipeline, sheets)

    @property
    def compiled(self) -> Sequence[nn.Module]:
        """All but the tokenizer, which is small."""
        return self.run.pipeline.unet, self.run.pipeline.encoder

    def prepare(self, begins: bool) -> None:
        """Take the pictures apart, encode them, and measure the residual's unit."""
        pipeline = self.run.pipeline.to(self.run.device)
        pipeline.register_to_config(picture_size=max(self.run.picture_size))
        for frozen in (pipeline.vae, pipeline.photo_network):
            if frozen is not None:
                frozen.to(memory_format=torch.channels_last).requires_grad_(False).eval()
        if self.run.device.type == "cpu":
            # There the gradient of torch's fused attention is slower than that of plain products.
            pipeline.unet.set_attn_processor(AttnProcessor())
        share = self.run.share(self.settings)
        self._batches: PairBatches | PixelBatches
        if pipeline.vae is None:
            self._batches = PixelBatches(self._composed(), self.settings, share, self.run.device)
        else:
            self._batches = PairBatches(self.run, self.settings, share)
        if pipeline.config.residual and pipeline.vae is not None:
            self._measure_residual()

    def draw(self, key: DrawKey) -> TrainingBatch:
        """Return pairs."""
        return self._batches.batch(key)

    def validate(self, step: int, log: RunLog) -> Mapping[str, Any]:
        """Measure held-out pairs."""
        return {} if self._validation is None else self._validation(step, log)

    def export(self, folder: Path) -> None:
        """Save the whole pipeline as a checkpoint."""
        save_checkpoint(self.run.pipeline, folder)

    def load(self, folder: Path) -> None:
        """Read the trained parts of the checkpoint back."""
        saved = load_checkpoint(folder)
        for name in ("unet", "encoder", "tokenizer3d"):
            getattr(self.run.pipeline, name).load_state_dict(getattr(saved, name).state_dict())

    def _composed(self) -> ComposedPairs:
        run, config = self.run, self.run.config
        folder = composed_folder(config.scenes, run.pipeline, self.settings, config.augmentation)
        pairs = ComposedPairs(
            run.scenes,
            folder,
            run.pipeline,
            self.settings,
            config.augmentation,
            run.accelerator.autocast,
        )
        if not len(pairs):
            raise TrainingError(
                "no scene has a pair of pictures to train on: each needs two frames of one stage"
            )
        return pairs

    def _measure_residual(self) -> None:
        """Measure the residual's unit on drawn pairs, alike on every process, and set it in the pipeline."""
        run = self.run
        process = run.accelerator.process_index
        keys = [DrawKey(run.config.seed, step, process, MEASURING) for step in range(SCALE_BATCHES)]
        drawn = [self.draw(key) for key in keys]
        residual = torch.cat([batch.target - batch.proxy for batch in drawn])
        maps = torch.cat([batch.maps for batch in drawn])
        residual, maps = run.accelerator.gather((residual, maps))
        scale, variance = fit_variance(residual, maps)
        uncertain = self.settings.start == "uncertainty"
        run.pipeline.register_to_config(
            residual_scale=scale, residual_variance=variance if uncertain else None
        )
