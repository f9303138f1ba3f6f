"""Training the small VAE on pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from na_core.training.config import TrainingConfig
from na_core.training.loop import Trainables, run_loop

GRADIENT_WEIGHT = 0.5
"""Weight of the difference between picture gradients, beside L1 and L2: keeps edges."""

LATENT_WEIGHT = 1e-3
"""Weight of the latents' mean square: keeps them inside the decoder's soft clamp at 3."""


def train_vae(
    vae: AutoencoderTiny,
    pictures: Sequence[NDArray[np.uint8]],
    config: TrainingConfig,
    resume: bool,
) -> None:
    """Train a VAE in place on random crops of pictures (H, W, 3), and set its scaling factor.

    Raises:
        ValueError: a picture is smaller than the configuration's crop.
    """
    settings = config.vae
    smallest = min(min(picture.shape[:2]) for picture in pictures)
    if settings.crop > smallest:
        raise ValueError(f"vae: 'crop' is {settings.crop}, but the smallest picture has {smallest} pixels")
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        cpu=not torch.cuda.is_available(),
        step_scheduler_with_optimizer=False,
    )
    vae.to(accelerator.device, memory_format=torch.channels_last).train()

    def loss_of_step(step: int, random: np.random.Generator) -> Tensor:
        crops = [
            _crop(pictures[i], settings.crop, random)
            for i in random.integers(len(pictures), size=settings.batch_size)
        ]
        target = torch.as_tensor(np.stack(crops), device=accelerator.device)
        target = target.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = vae.encode(target).latents
        noise = settings.latent_noise * latents.detach().float().std() * torch.randn_like(latents)
        decoded = vae.decode(latents + noise).sample.float()
        return reconstruction_loss(decoded, target) + LATENT_WEIGHT * latents.float().square().mean()

    run_loop(
        accelerator=accelerator,
        modules=Trainables(vae=vae),
        groups=[{"params": list(vae.parameters()), "lr": settings.learning_rate, "weight_decay": 0.0}],
        loss_of_step=loss_of_step,
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        clip_norm=1.0,
        ema_decay=0.995,
        folder=config.output / "vae",
        resume=resume,
        save_every=config.save_every,
        seed=config.seed,
        title="vae",
    )
    vae.eval()
    vae.register_to_config(scaling_factor=_scaling_factor(vae, pictures))


def reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Return L1 + L2 + the L1 of picture gradients, for pictures (B, 3, H, W) in [-1, 1]."""
    difference = decoded - target
    gradients = [difference.diff(dim=axis).abs().mean() for axis in (2, 3)]
    return difference.abs().mean() + difference.square().mean() + GRADIENT_WEIGHT * sum(gradients)


def _crop(picture: NDArray[np.uint8], size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = picture.shape[:2]
    y, x = random.integers(rows - size + 1), random.integers(columns - size + 1)
    crop = picture[y : y + size, x : x + size]
    return crop[:, ::-1].copy() if random.random() < 0.5 else crop


@torch.no_grad()
def _scaling_factor(vae: AutoencoderTiny, pictures: Sequence[NDArray[np.uint8]]) -> float:
    """Return one over the latents' standard deviation, over at most 64 pictures."""
    chosen = pictures[:: max(1, len(pictures) // 64)][:64]
    latents = [encode_pictures(vae, [picture]) for picture in chosen]
    return float(1 / torch.cat([z.flatten() for z in latents]).std())


@torch.no_grad()
def encode_pictures(
    vae: AutoencoderTiny,
    pictures: Sequence[NDArray[np.uint8]],
    title: str | None = None,
    batch_size: int = 16,
) -> Tensor:
    """Encode equally large pictures (H, W, 3) to unscaled latents (n, c, h, w), float32 on the CPU."""
    out = []
    for start in tqdm(range(0, len(pictures), batch_size), desc=title, disable=title is None, unit="batch"):
        batch = np.stack(pictures[start : start + batch_size])
        tensor = torch.as_tensor(batch, device=vae.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast(vae.device.type, torch.bfloat16, enabled=vae.device.type == "cuda"):
            out.append(vae.encode(tensor).latents.float().cpu())
    return torch.cat(out)


def psnr(first: Tensor, second: Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels of pictures in [-1, 1]."""
    return float(10 * torch.log10(4 / F.mse_loss(first.float(), second.float())))
