"""The second stage: training encoder, tokenizer and UNet on pairs; the VAE stays frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from na_core.model.pipeline import NeuralAssetsPipeline, encode_features
from na_core.model.residual import fit_variance, residual_scale
from na_core.training.batches import Batches, TrainingBatch
from na_core.training.checkpoint import save_checkpoint
from na_core.training.config import DecoderConfig, TrainingConfig
from na_core.training.loop import Stage, Validate, run_stage
from na_core.training.randomness import DrawKey

FOLDER = "decoder"
"""Of the stage in the run's."""

CHECKPOINT = "checkpoint"
"""Folder of the finished pipeline in the run's."""

SCALE_BATCHES = 16
"""Batches that the residual's scale is measured on."""

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
        self._scheduler, self._settings = pipeline.scheduler, pipeline.config
        self._switches = pipeline.switches

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
        if self._settings.spatial_conditioning:
            proxy, maps = self._switches.spatial(batch.proxy, batch.maps)
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
        if not self._settings.residual:
            return batch.target, batch.target.new_ones((1, 1, 1, 1))
        whole = self._settings.residual_scale
        scale = residual_scale(batch.maps, whole, self._settings.residual_variance)
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
        pictures = torch.cat([batch.object_pictures, batch.background_pictures])
        features = encode_features(self.encoder, pictures)
        shown, behind = features[:objects], features[objects:]
        # One picture shows all objects of most pairs: then no copy per slot is needed.
        each = shown[:, None] if objects == len(behind) else shown[batch.views]
        poses = self._switches.poses(batch.poses)
        tokens = self.tokenizer3d(each, behind, batch.rectangles, poses, batch.background_poses, null)
        if self._settings.preset == "paper":
            return tokens, None
        mask = torch.cat([batch.filled, torch.ones_like(batch.filled[:, :1])], dim=1)
        return tokens, mask.repeat_interleave(self.tokenizer3d.cells**2, dim=1)


def measure_residual(
    pipeline: NeuralAssetsPipeline, batches: Batches, config: TrainingConfig, accelerator: Accelerator
) -> None:
    """Measure the residual's unit on drawn pairs, alike on every process, and set it in the pipeline."""
    if config.decoder is None or not pipeline.config.residual:
        return
    drawn = [
        batches.batch(DrawKey(config.seed, step, accelerator.process_index, part=MEASURING))
        for step in range(SCALE_BATCHES)
    ]
    residual = torch.cat([batch.target - batch.proxy for batch in drawn])
    maps = torch.cat([batch.maps for batch in drawn])
    residual, maps = accelerator.gather((residual, maps))
    scale, variance = fit_variance(residual, maps)
    pipeline.register_to_config(
        residual_scale=scale,
        residual_variance=variance if config.decoder.start == "uncertainty" else None,
    )


def train_decoder(
    pipeline: NeuralAssetsPipeline,
    batches: Batches,
    settings: DecoderConfig,
    config: TrainingConfig,
    accelerator: Accelerator,
    first: int = 0,
    validate: Validate | None = None,
) -> Path:
    """Train a pipeline's encoder, tokenizer and UNet in place, and save checkpoints of their averages.

    Args:
        pipeline: to train, on the accelerator's device.
        batches: of pairs, this process's part.
        settings: of the stage.
        config: of the run.
        accelerator: device, precision and processes.
        first: the step to go on from.
        validate: measures the pipeline at intervals.

    Returns:
        The checkpoint's folder.

    Raises:
        TrainingError, DiskFull: see :func:`na_core.training.loop.run_stage`.
    """
    pipeline.vae.requires_grad_(False).eval()
    unet = pipeline.unet.to(memory_format=torch.channels_last)
    if accelerator.device.type == "cpu":
        # There the gradient of torch's fused attention is slower than that of plain products.
        unet.set_attn_processor(AttnProcessor())
    trained = (unet, pipeline.encoder, pipeline.tokenizer3d)
    for module in trained:
        module.train()
    measure_residual(pipeline, batches, config, accelerator)
    if config.compile:
        unet.compile()
        pipeline.encoder.compile()
    folder = config.output / CHECKPOINT
    decay = settings.weight_decay
    groups: list[dict[str, Any]] = [
        _group("unet", unet, settings.learning_rate, decay),
        _group("encoder", pipeline.encoder, settings.encoder_learning_rate, decay),
        _group("tokens", pipeline.tokenizer3d, settings.token_learning_rate, 0.0),
    ]
    run_stage(
        Stage(
            name=FOLDER,
            objective=DecoderObjective(pipeline, settings.null_probability, settings.first_step_share),
            groups=groups,
            draw=batches.batch,
            save=lambda step: save_checkpoint(pipeline, folder),
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            schedule=settings.schedule,
            clip_norm=settings.clip_norm,
            ema_decay=settings.ema_decay,
            batch_size=settings.batch_size,
            accumulation=settings.accumulation,
            validate=validate,
            validate_every=None if config.validation is None else config.validation.every,
        ),
        config,
        accelerator,
        first,
    )
    for module in trained:
        module.eval()
    return folder


def _group(name: str, module: nn.Module, rate: float, decay: float) -> dict[str, Any]:
    return {"name": name, "params": list(module.parameters()), "lr": rate, "weight_decay": decay}
