"""Training encoder, tokenizer and UNet on pairs of frames."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from na_core.model.conditioning import background_picture, object_picture
from na_core.model.pipeline import NeuralAssetsPipeline, encode_features
from na_core.training.cache import load_pairs
from na_core.training.config import TrainingConfig
from na_core.training.loop import Trainables, run_loop
from na_core.training.vae import encode_pictures

PIPELINE_SETTINGS = (
    "preset",
    "spatial_conditioning",
    "residual",
    "residual_scale",
    "detail_transfer",
    "keep_unmoved",
    "proxy_trust",
    "slots",
    "picture_size",
)
"""What a pipeline is configured with beside its components."""


@dataclass(frozen=True)
class PairSet:
    """Every pair of the training set, in memory; P pairs, M pictures, S slots.

    Attributes:
        pictures: (M, H, W, 3) uint8. hidden: (M, S, 4) 2D bounds of each picture's boxes.
        source, target: (P,) indices into ``pictures``.
        target_latents: (M, c, h, w), proxy_latents: (P, c, h, w) float16, scaled.
        maps: (P, 11, h, w) float16. poses, background_poses, rectangles, counts: as in ``ScenePairs``.
    """

    pictures: NDArray[np.uint8]
    hidden: NDArray[np.float32]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    target_latents: Tensor
    proxy_latents: Tensor
    maps: NDArray[np.float16]
    poses: NDArray[np.float32]
    background_poses: NDArray[np.float32]
    rectangles: NDArray[np.float32]
    counts: NDArray[np.int32]


def load_pair_set(files: Sequence[Path], pipeline: NeuralAssetsPipeline) -> PairSet:
    """Read the cached pairs and encode pictures and proxies with the pipeline's VAE."""
    scenes = [pairs for file in files if (pairs := load_pairs(file)) is not None]
    slots = max(scene.poses.shape[1] for scene in scenes)
    columns: dict[str, list] = {
        name: []
        for name in (
            *("pictures", "hidden", "order", "maps"),
            *("poses", "background_poses", "rectangles", "counts"),
        )
    }
    proxy_latents = []
    first = 0
    vae = pipeline.vae
    for scene in tqdm(scenes, desc="latents", unit="scene"):
        proxy_latents.append(encode_pictures(vae, list(scene.proxies)).half())
        pad = ((0, 0), (0, slots - scene.poses.shape[1]), (0, 0))
        columns["pictures"].append(scene.frames)
        columns["hidden"].append(np.pad(scene.hidden, pad))
        columns["order"].append(scene.order.astype(np.int64) + first)
        columns["maps"].append(scene.maps)
        columns["poses"].append(np.pad(scene.poses, pad))
        columns["background_poses"].append(scene.background_poses)
        columns["rectangles"].append(np.pad(scene.rectangles, pad))
        columns["counts"].append(scene.counts)
        first += len(scene.frames)
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    order = joined.pop("order")
    scale = vae.config.scaling_factor
    targets = encode_pictures(vae, list(joined["pictures"]), title="latents")
    return PairSet(
        **joined,
        source=order[:, 0],
        target=order[:, 1],
        target_latents=(targets * scale).half(),
        proxy_latents=torch.cat(proxy_latents) * scale,
    )


def train_decoder(
    pipeline: NeuralAssetsPipeline, data: PairSet, config: TrainingConfig, resume: bool
) -> None:
    """Train a pipeline's encoder, tokenizer and UNet in place; the VAE stays frozen.

    Loss: mean squared error on the scheduler's target (paper reference, section 2). Timesteps are uniform,
    but for a share at the last one, where every few-step sampler begins.
    """
    settings = config.decoder
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        cpu=not torch.cuda.is_available(),
        step_scheduler_with_optimizer=False,
    )
    device = accelerator.device
    pipeline.to(device)
    pipeline.vae.requires_grad_(False)
    unet = pipeline.unet.to(memory_format=torch.channels_last).train()
    encoder, tokenizer = pipeline.encoder.train(), pipeline.tokenizer3d.train()
    if pipeline.config.residual:
        pipeline.register_to_config(residual_scale=_residual_scale(data))

    def loss_of_step(step: int, random: np.random.Generator) -> Tensor:
        chosen = random.integers(len(data.source), size=settings.batch_size)
        null = torch.as_tensor(random.random(settings.batch_size) < settings.null_probability, device=device)
        tokens, mask = _tokens(pipeline, data, chosen, null)
        target = data.target_latents[data.target[chosen]].to(device, torch.float32)
        proxy = data.proxy_latents[chosen].to(device, torch.float32)
        clean = (target - proxy) / pipeline.config.residual_scale if pipeline.config.residual else target
        noise = torch.randn_like(clean)
        timesteps = _timesteps(pipeline, settings.batch_size, settings.first_step_share, random).to(device)
        noisy = pipeline.scheduler.add_noise(clean, noise, timesteps)
        inputs = noisy
        if pipeline.config.spatial_conditioning:
            maps = torch.as_tensor(data.maps[chosen], device=device).float() * (~null)[:, None, None, None]
            inputs = torch.cat([noisy, proxy, maps], dim=1)
        prediction = unet(
            inputs.contiguous(memory_format=torch.channels_last),
            timesteps,
            encoder_hidden_states=tokens,
            encoder_attention_mask=mask,
        ).sample
        return F.mse_loss(prediction.float(), _target(pipeline, clean, noise, timesteps))

    run_loop(
        accelerator=accelerator,
        modules=Trainables(unet=unet, encoder=encoder, tokenizer3d=tokenizer),
        groups=[
            {
                "params": [*unet.parameters(), *encoder.parameters()],
                "lr": settings.learning_rate,
                "weight_decay": settings.weight_decay,
            },
            {"params": list(tokenizer.parameters()), "lr": settings.token_learning_rate, "weight_decay": 0.0},
        ],
        loss_of_step=loss_of_step,
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        clip_norm=settings.clip_norm,
        ema_decay=settings.ema_decay,
        folder=config.output / "decoder",
        resume=resume,
        save_every=config.save_every,
        seed=config.seed,
        title="decoder",
        after_save=lambda step: save_half(pipeline, config.output / "checkpoint"),
    )
    for module in (unet, encoder, tokenizer):
        module.eval()
    save_half(pipeline, config.output / "checkpoint")


def save_half(pipeline: NeuralAssetsPipeline, folder: Path) -> None:
    """Save a checkpoint with float16 weights, half the size; the pipeline itself keeps its precision."""
    modules = {name: getattr(pipeline, name) for name in ("encoder", "tokenizer3d", "vae", "unet")}
    halved = {name: copy.deepcopy(module).half() for name, module in modules.items()}
    settings = {name: pipeline.config[name] for name in PIPELINE_SETTINGS}
    NeuralAssetsPipeline(**halved, scheduler=pipeline.scheduler, **settings).save_pretrained(folder)


def _residual_scale(data: PairSet) -> float:
    """Return the standard deviation of the residual to the proxy over at most 512 pairs."""
    chosen = np.arange(len(data.source))[:: max(1, len(data.source) // 512)]
    residual = data.target_latents[data.target[chosen]].float() - data.proxy_latents[chosen].float()
    return float(residual.std())


def _timesteps(
    pipeline: NeuralAssetsPipeline, count: int, last_share: float, random: np.random.Generator
) -> Tensor:
    last = pipeline.scheduler.config.num_train_timesteps - 1
    uniform = random.integers(last + 1, size=count)
    return torch.as_tensor(np.where(random.random(count) < last_share, last, uniform))


def _target(pipeline: NeuralAssetsPipeline, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return what the UNet should say, by the scheduler's prediction type."""
    kind = pipeline.scheduler.config.prediction_type
    if kind == "v_prediction":
        return pipeline.scheduler.get_velocity(clean, noise, timesteps)
    if kind == "epsilon":
        return noise
    return clean


def _tokens(
    pipeline: NeuralAssetsPipeline, data: PairSet, chosen: NDArray[np.int64], null: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return the tokens (B, L, D) of pairs, and their attention mask (``guided``)."""
    device = null.device
    objects, backgrounds = [], []
    for pair in chosen:
        source = data.source[pair]
        picture = data.pictures[source].astype(np.float32) / 255
        count = data.counts[pair]
        objects.append(object_picture(picture, data.rectangles[pair, :count].tolist()))
        backgrounds.append(background_picture(picture, data.hidden[source].tolist()))
    stacked = torch.as_tensor(np.stack(objects + backgrounds), device=device).permute(0, 3, 1, 2)
    features = encode_features(pipeline.encoder, stacked)
    object_features, background_features = features.chunk(2)
    guided = pipeline.config.preset == "guided"
    rectangles, poses = data.rectangles[chosen], data.poses[chosen]
    if not guided and pipeline.config.slots > poses.shape[1]:
        pad = ((0, 0), (0, pipeline.config.slots - poses.shape[1]), (0, 0))
        rectangles, poses = np.pad(rectangles, pad), np.pad(poses, pad)
    tokens = pipeline.tokenizer3d(
        object_features[:, None],
        background_features,
        torch.as_tensor(rectangles, device=device),
        torch.as_tensor(poses, device=device),
        torch.as_tensor(data.background_poses[chosen], device=device),
        null,
    )
    if not guided:
        return tokens, None
    slots = np.arange(poses.shape[1]) < data.counts[chosen][:, None]
    mask = np.concatenate([slots, np.ones((len(chosen), 1), bool)], axis=1)
    each_token = np.repeat(mask, pipeline.tokenizer3d.cells**2, axis=1)
    return tokens, torch.as_tensor(each_token, device=device)
