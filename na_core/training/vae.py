"""The first stage: training the small VAE on pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.pipeline import encode
from na_core.training.atomic_folder import atomic_folder
from na_core.training.config import TrainingConfig, VaeConfig
from na_core.training.errors import ConfigError
from na_core.training.loop import Stage, run_stage
from na_core.training.randomness import DrawKey, generator

GRADIENT_WEIGHT = 0.5
"""Weight of the difference between picture gradients, beside L1 and L2: keeps edges."""

FITTED_PICTURES = 1024
"""Pictures, at most, that the linear code is fitted to."""

SPREAD_PICTURES = 64
"""Pictures, at most, that the latents' spread is measured on."""

FOLDER = "vae"
"""Of the stage in the run's; the finished VAE is in ``trained`` below it."""


class VaeObjective(nn.Module):
    """The loss of a VAE on crops of pictures.

    Args:
        vae: that learns.
        latent_noise: added to the latents, relative to their spread, so that the decoder forgives the UNet.
    """

    def __init__(self, vae: PatchAutoencoder, latent_noise: float) -> None:
        super().__init__()
        self.vae = vae
        self.latent_noise = latent_noise

    def forward(self, crops: Tensor) -> Tensor:
        """Return the loss of crops (B, 3, s, s) in [-1, 1]."""
        latents = self.vae.encode(crops).latents
        noise = self.latent_noise * latents.detach().float().std() * torch.randn_like(latents)
        decoded = self.vae.decode(latents + noise).sample.float()
        return reconstruction_loss(decoded, crops)


def train_vae(
    vae: PatchAutoencoder,
    pictures: Tensor,
    settings: VaeConfig,
    config: TrainingConfig,
    accelerator: Accelerator,
    first: int = 0,
) -> None:
    """Train a VAE in place, set its scaling factor and save it to :func:`trained_vae`.

    Args:
        vae: to train.
        pictures: (M, H, W, 3) uint8, this process's.
        settings: of the stage.
        config: of the run.
        accelerator: device, precision and processes.
        first: the step to go on from.

    Raises:
        ConfigError: pictures are smaller than the configuration's crop.
        TrainingError, DiskFull: see :func:`na_core.training.loop.run_stage`.
    """
    smallest = min(pictures.shape[1:3])
    if settings.crop > smallest:
        raise ConfigError(f"vae: 'crop' is {settings.crop}, but the pictures have {smallest} pixels")
    device = accelerator.device
    vae.to(device, memory_format=torch.channels_last).train()
    if first == 0:
        fit(vae, pictures)
    count = settings.batch_size // (accelerator.num_processes * settings.accumulation)
    if config.compile:
        vae.encoder.compile()
        vae.decoder.compile()

    def save(step: int) -> None:
        vae.register_to_config(scaling_factor=1.0)
        vae.register_to_config(scaling_factor=1 / _spread(vae, pictures))
        with atomic_folder(trained_vae(config.output)) as folder:
            vae.save_pretrained(folder, safe_serialization=True)

    run_stage(
        Stage(
            name=FOLDER,
            objective=VaeObjective(vae, settings.latent_noise),
            groups=[
                {
                    "name": "vae",
                    "params": list(vae.parameters()),
                    "lr": settings.learning_rate,
                    "weight_decay": 0.0,
                }
            ],
            draw=lambda key: draw_crops(pictures, count, settings.crop, key, device),
            save=save,
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            schedule="cosine",
            clip_norm=settings.clip_norm,
            ema_decay=settings.ema_decay,
            batch_size=settings.batch_size,
            accumulation=settings.accumulation,
        ),
        config,
        accelerator,
        first,
    )
    # The averaged weights are the main process's; the others read what it saved.
    done = trained_vae(config.output)
    vae.load_state_dict(load_file(done / SAFETENSORS_WEIGHTS_NAME))
    vae.register_to_config(scaling_factor=PatchAutoencoder.load_config(done)["scaling_factor"])
    vae.eval()


def fit(vae: PatchAutoencoder, pictures: Tensor) -> None:
    """Fit a VAE's linear code to some of the pictures (M, H, W, 3) uint8; what training starts from."""
    chosen = pictures[:: max(1, len(pictures) // FITTED_PICTURES)]
    vae.fit(_values(batch) for batch in chosen.split(16))


def trained_vae(output: Path) -> Path:
    """Return the folder of a run's trained VAE: finished once the stage's last state is saved."""
    return output / FOLDER / "trained"


def reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Return L1 + L2 + the L1 of picture gradients, for pictures (B, 3, H, W) in [-1, 1]."""
    difference = decoded - target
    gradients = [difference.diff(dim=axis).abs().mean() for axis in (2, 3)]
    return difference.abs().mean() + difference.square().mean() + GRADIENT_WEIGHT * sum(gradients)


def draw_crops(pictures: Tensor, count: int, size: int, key: DrawKey, device: torch.device) -> Tensor:
    """Draw square crops of pictures (M, H, W, 3) uint8, every other mirrored: (count, 3, size, size)."""
    random = generator(key)
    rows, columns = pictures.shape[1:3]
    crops = []
    for number in random.integers(len(pictures), size=count):
        y, x = random.integers(rows - size + 1), random.integers(columns - size + 1)
        crop = pictures[number, y : y + size, x : x + size].to(device, non_blocking=True)
        crops.append(crop.flip(1) if random.random() < 0.5 else crop)
    return _values(torch.stack(crops))


@torch.no_grad()
def _spread(vae: PatchAutoencoder, pictures: Tensor) -> float:
    """Return the standard deviation of the latents of some of the pictures."""
    chosen = pictures[:: max(1, len(pictures) // SPREAD_PICTURES)][:SPREAD_PICTURES]
    return float(encode_pictures(vae, chosen).float().std())


@torch.no_grad()
def encode_pictures(
    vae: nn.Module, pictures: Tensor, batch_size: int = 16, title: str | None = None
) -> Tensor:
    """Encode pictures (M, H, W, 3) uint8 to scaled latents (M, c, h, w) float16, where the pictures are.

    Args:
        vae: on the device that computes.
        pictures: on any.
        batch_size: of them at once.
        title: of the progress bar; None for none.
    """
    device = next(vae.parameters()).device
    out = []
    for batch in tqdm(pictures.split(batch_size), desc=title, disable=title is None, unit="batch"):
        out.append(encode(vae, _values(batch.to(device, non_blocking=True))).half().to(pictures.device))
    return torch.cat(out)


def _values(pictures: Tensor) -> Tensor:
    """Return pictures (B, H, W, 3) uint8 as (B, 3, H, W) in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
