"""The task that trains the small VAE on pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import tqdm
from torch import Tensor, nn

from na_core.model.latents import to_latents
from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.training.errors import ConfigError
from na_core.training.randomness import DrawKey, generator
from na_core.training.run import Run
from na_core.training.tables import VaeConfig
from na_core.training.task import ParameterGroup, TrainingTask

GRADIENT_WEIGHT = 0.5
"""Weight of the difference between picture gradients, beside L1 and L2: keeps edges."""

FITTED_PICTURES = 1024
"""Pictures, at most, that the linear code is fitted to."""

SPREAD_PICTURES = 64
"""Pictures, at most, that the latents' spread is measured on."""


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


class VaeTask(TrainingTask[VaeConfig]):
    """Trains the pipeline's small VAE on crops of pictures, and sets its scaling factor.

    Raises:
        ConfigError: pictures are smaller than the configuration's crop.
    """

    name = "vae"

    def __init__(self, run: Run, settings: VaeConfig) -> None:
        vae: Any = run.pipeline.vae
        super().__init__(
            run, settings, VaeObjective(vae, settings.latent_noise), [ParameterGroup("vae", vae)]
        )
        smallest = min(run.picture_size)
        if settings.crop > smallest:
            raise ConfigError(
                f"{run.file}: vae: 'crop' is {settings.crop}, but the pictures have {smallest} pixels"
            )

    @property
    def compiled(self) -> Sequence[nn.Module]:
        """The two halves: they are called without the whole."""
        return self.network.encoder, self.network.decoder

    def prepare(self, begins: bool) -> None:
        """Fit the linear code that training starts from to some of the pictures."""
        if begins:
            chosen = self.run.pictures[:: max(1, len(self.run.pictures) // FITTED_PICTURES)]
            self.network.fit(_values(batch) for batch in chosen.split(16))

    def draw(self, key: DrawKey) -> Tensor:
        """Return crops (B, 3, s, s) in [-1, 1]; see :func:`draw_crops`."""
        count = self.run.share(self.settings)
        return draw_crops(self.run.pictures, count, self.settings.crop, key, self.run.device)

    def export(self, folder: Path) -> None:
        """Save the VAE, scaled so that the latents of some of the pictures have unit spread."""
        pictures = self.run.pictures
        chosen = pictures[:: max(1, len(pictures) // SPREAD_PICTURES)][:SPREAD_PICTURES]
        self.network.register_to_config(scaling_factor=1.0)
        spread = float(encode_pictures(self.network, chosen).float().std())
        self.network.register_to_config(scaling_factor=1 / spread)
        super().export(folder)

    def load(self, folder: Path) -> None:
        """Read the averaged weights and their scaling factor back."""
        super().load(folder)
        self.network.register_to_config(scaling_factor=self.network.load_config(folder)["scaling_factor"])


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
def encode_pictures(vae: Any, pictures: Tensor, batch_size: int = 16, title: str | None = None) -> Tensor:
    """Encode pictures (M, H, W, 3) uint8 to scaled latents (M, c, h, w) float16, where the pictures are.

    The VAE computes on its own device. A progress bar is shown if it has a title.
    """
    device = next(vae.parameters()).device
    out = []
    for batch in tqdm(pictures.split(batch_size), desc=title, disable=title is None, unit="batch"):
        out.append(to_latents(vae, _values(batch.to(device, non_blocking=True))).half().to(pictures.device))
    return torch.cat(out)


def _values(pictures: Tensor) -> Tensor:
    """Return pictures (B, H, W, 3) uint8 as (B, 3, H, W) in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
