"""The small models' VAE: principal components of patches, refined by convolutions.

Principal components are the best linear code of a given size, and are found in seconds. What they cannot
do, use the neighbouring patches, is left to small residual networks that start at zero: an untrained
refinement is the linear code, and training can only add to it. The components are orthonormal, so an error
in the latents is the same error in the picture: a decoder that learns latents by mean squared error learns
pictures by it.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import Tensor, nn


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """Encodes every patch of a picture as one latent cell.

    Args:
        latent_channels: numbers of a cell.
        patch_size: pixels of a cell's side.
        width: channels of the refinements.
        encoder_blocks, decoder_blocks: residual blocks of the two refinements.
        scaling_factor: of the latents, for diffusion; see :func:`na_core.model.latents.to_latents`.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 24,
        patch_size: int = 8,
        width: int = 128,
        encoder_blocks: int = 2,
        decoder_blocks: int = 4,
        scaling_factor: float = 1.0,
    ) -> None:
        super().__init__()
        values = 3 * patch_size**2
        self.patch_size = patch_size
        self.analysis = nn.Conv2d(values, latent_channels, 1)
        self.synthesis = nn.Conv2d(latent_channels, values, 1)
        self.encoder = Refinement(values, width, encoder_blocks, latent_channels)
        self.decoder = Refinement(latent_channels, width, decoder_blocks, values)

    def encode(self, pictures: Tensor) -> AutoencoderTinyOutput:
        """Encode pictures (B, 3, H, W) in [-1, 1], whose sides are multiples of the patch size.

        The output's ``latents`` (B, c, h, w) are not scaled.
        """
        patches = F.pixel_unshuffle(pictures, self.patch_size)
        return AutoencoderTinyOutput(self.analysis(patches) + self.encoder(patches))

    def decode(self, latents: Tensor) -> DecoderOutput:
        """Decode latents (B, c, h, w): the output's ``sample`` is a picture (B, 3, H, W) in about [-1, 1]."""
        patches = self.synthesis(latents) + self.decoder(latents)
        return DecoderOutput(F.pixel_shuffle(patches, self.patch_size))

    @torch.no_grad()
    def fit(self, pictures: Iterable[Tensor]) -> None:
        """Set the linear code to the principal components of the patches of pictures (B, 3, H, W) in [-1, 1].

        The sign of each component is fixed, so that the same pictures give the same code.
        """
        device = self.analysis.weight.device
        values = self.analysis.in_channels
        count, total = 0, torch.zeros(values, dtype=torch.float64, device=device)
        squares = torch.zeros(values, values, dtype=torch.float64, device=device)
        for batch in pictures:
            patches = F.pixel_unshuffle(batch.to(device).double(), self.patch_size).transpose(0, 1).flatten(1)
            count += patches.shape[1]
            total += patches.sum(dim=1)
            squares += patches @ patches.T
        mean = total / count
        components = torch.linalg.eigh(squares / count - mean[:, None] * mean).eigenvectors
        basis = components.flip(1)[:, : self.analysis.out_channels].T
        assert self.analysis.bias is not None and self.synthesis.bias is not None
        signs = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True)).sign()
        basis = (basis * signs).float()
        self.analysis.weight.copy_(basis[..., None, None])
        self.analysis.bias.copy_(-basis @ mean.float())
        self.synthesis.weight.copy_(basis.T[..., None, None])
        self.synthesis.bias.copy_(mean.float())


class Refinement(nn.Module):
    """A residual network over cells whose output is zero before it is trained.

    Args:
        inputs, width, outputs: channels. blocks: of two 3 x 3 convolutions each.
    """

    def __init__(self, inputs: int, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, cells: Tensor) -> Tensor:
        """Return what is to be added, (B, outputs, h, w), for cells (B, inputs, h, w)."""
        hidden = self.first(cells)
        for block in self.blocks:
            hidden = block(hidden)
        return self.last(F.silu(hidden))


class Block(nn.Module):
    """Two 3 x 3 convolutions whose result is added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, width, h, w) for the same."""
        return hidden + self.second(F.silu(self.first(F.silu(hidden))))
