"""Pipelines of known shape with random weights: what training starts from and tests run on."""

from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import ViTConfig, ViTModel

from na_core.layers.photo_network import PhotoNetwork
from na_core.model.box_channels import spatial_channels
from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.pixel_decoder import INPUTS, OUTPUTS
from na_core.model.tokenizer3d import Tokenizer3D

Preset = Literal["paper", "guided"]
Size = Literal["tiny", "mini", "sd21"]


@dataclass(frozen=True)
class Scale:
    """Widths of one size of the model (design, section 4).

    Attributes:
        encoder_*: the ViT. vae_width: of PatchAutoencoder's refinements; 0 for AutoencoderKL.
        latent_channels: of the VAE. unet_channels: per resolution; attention at all but the first
        (``sd21``: all but the last). photo_widths: of the photo network, per resolution.
        pixel_channels: of the U-Net of a decoder without a VAE, one block at each resolution.
    """

    picture_size: int
    encoder_size: int
    encoder_patch: int
    encoder_width: int
    encoder_layers: int
    encoder_heads: int
    vae_width: int
    latent_channels: int
    unet_channels: tuple[int, ...]
    unet_layers: int
    head_size: int
    token_size: int
    appearance_size: int
    pose_hidden_size: int
    photo_widths: tuple[int, ...]
    pixel_channels: tuple[int, ...] = ()


PHOTO_WIDTHS, PIXEL_WIDTHS = (24, 48, 80, 128, 160), (64, 96, 160, 192)

SCALES: dict[str, Scale] = {
    "tiny": Scale(64, 32, 8, 32, 1, 2, 16, 4, (32, 32), 1, 16, 32, 16, 32, (8, 8, 8, 8, 8), (32, 32)),
    "mini": Scale(
        256,
        224,
        16,
        128,
        4,
        4,
        128,
        24,
        (64, 128, 160),
        2,
        32,
        256,
        128,
        256,
        PHOTO_WIDTHS,
        (64, 96, 160, 192),
    ),
    "sd21": Scale(
        256, 224, 8, 768, 12, 12, 0, 4, (320, 640, 1280, 1280), 2, 64, 1024, 512, 1024, PHOTO_WIDTHS
    ),
}


def build_pipeline(
    preset: Preset = "guided",
    size: Size = "mini",
    seed: int = 0,
    photo_network: bool = False,
    cells: int = 2,
    pixels: bool = False,
) -> NeuralAssetsPipeline:
    """Build a pipeline with random weights.

    Args:
        preset, size: of the model.
        seed: of the weights.
        photo_network: with a photo network (``guided`` alone).
        cells: appearance tokens along each side of an object's 2D box; the paper's are 2.
        pixels: without a VAE, and with textured plates (``guided`` of size tiny or mini alone).

    ``paper`` and ``guided`` of one size have the same UNet but for the channels that ``guided`` adds to
    ``conv_in``. The UNet's last layer starts at zero, so in one step an untrained ``guided`` pipeline of size
    tiny or mini returns the proxy.

    Raises:
        KeyError: unknown size.
        ValueError: unknown preset, or a size that has no decoder of pixels.
    """
    if preset not in ("paper", "guided"):
        raise ValueError(f"preset must be 'paper' or 'guided', got {preset!r}")
    scale = SCALES[size]
    guided = preset == "guided"
    if pixels and not (guided and scale.pixel_channels):
        raise ValueError(f"there is no decoder of pixels for preset {preset!r} and size {size!r}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = None if pixels else _vae(scale)
        unet = _pixel_unet(scale) if pixels else _unet(scale, guided)
        torch.nn.init.zeros_(unet.conv_out.weight)
        torch.nn.init.zeros_(unet.conv_out.bias)
        pipeline = NeuralAssetsPipeline(
            encoder=_encoder(scale),
            tokenizer3d=Tokenizer3D(
                feature_size=scale.encoder_width,
                appearance_size=scale.appearance_size,
                pose_size=scale.appearance_size,
                pose_hidden_size=scale.pose_hidden_size,
                token_size=scale.token_size,
                cells=cells,
                source_pose=guided,
            ),
            vae=vae,
            unet=unet,
            scheduler=_scheduler(size),
            photo_network=PhotoNetwork(scale.photo_widths, scale.picture_size)
            if photo_network and guided
            else None,
            preset=preset,
            spatial_conditioning=guided,
            anchored_noise=guided,
            residual=guided and size != "sd21",
            detail_transfer=guided and size != "sd21",
            keep_unmoved=guided and size != "sd21",
            picture_size=scale.picture_size,
            plate_texture=pixels,
        )
    for module in (
        pipeline.encoder,
        pipeline.tokenizer3d,
        pipeline.vae,
        pipeline.unet,
        pipeline.photo_network,
    ):
        if module is not None:
            module.eval()
    return pipeline


def _encoder(scale: Scale) -> ViTModel:
    config = ViTConfig(
        hidden_size=scale.encoder_width,
        num_hidden_layers=scale.encoder_layers,
        num_attention_heads=scale.encoder_heads,
        intermediate_size=4 * scale.encoder_width,
        image_size=scale.encoder_size,
        patch_size=scale.encoder_patch,
    )
    return ViTModel(config, add_pooling_layer=False)


def _vae(scale: Scale) -> PatchAutoencoder | AutoencoderKL:
    if not scale.vae_width:
        return AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=scale.latent_channels,
            sample_size=scale.picture_size,
            scaling_factor=0.18215,
        )
    return PatchAutoencoder(latent_channels=scale.latent_channels, width=scale.vae_width)


def _unet(scale: Scale, guided: bool) -> UNet2DConditionModel:
    channels = scale.unet_channels
    depth = len(channels)
    extra = spatial_channels(scale.latent_channels) if guided else 0
    # Stable Diffusion attends at the highest resolutions, the small models at the lowest.
    if channels[0] == 320:
        down = ("CrossAttnDownBlock2D",) * (depth - 1) + ("DownBlock2D",)
        up = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (depth - 1)
    else:
        down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (depth - 1)
        up = ("CrossAttnUpBlock2D",) * (depth - 1) + ("UpBlock2D",)
    inputs = scale.latent_channels + extra
    return _network(scale, channels, inputs, scale.latent_channels, (down, up), scale.unet_layers)


def _pixel_unet(scale: Scale) -> UNet2DConditionModel:
    channels = scale.pixel_channels
    deep = len(channels) // 2  # the lower half attends
    down = ("DownBlock2D",) * (len(channels) - deep) + ("CrossAttnDownBlock2D",) * deep
    up = ("CrossAttnUpBlock2D",) * deep + ("UpBlock2D",) * (len(channels) - deep)
    return _network(scale, channels, INPUTS, OUTPUTS, (down, up), 1)


def _network(
    scale: Scale,
    channels: tuple[int, ...],
    inputs: int,
    outputs: int,
    blocks: tuple[tuple[str, ...], tuple[str, ...]],
    layers: int,
) -> UNet2DConditionModel:
    down, up = blocks
    return UNet2DConditionModel(
        sample_size=scale.picture_size // 8,
        in_channels=inputs,
        out_channels=outputs,
        block_out_channels=channels,
        down_block_types=down,
        up_block_types=up,
        layers_per_block=layers,
        cross_attention_dim=scale.token_size,
        attention_head_dim=tuple(width // scale.head_size for width in channels),
        use_linear_projection=True,
        # Two channels at least: a group of one has no variance where the deepest level is a single cell.
        norm_num_groups=min(32, channels[0] // 2),
    )


def _scheduler(size: str) -> DDIMScheduler:
    """Return DDIM with Stable Diffusion's betas; the small models predict v from zero terminal SNR."""
    common = {
        "num_train_timesteps": 1000,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
        "prediction_type": "v_prediction",
    }
    if size == "sd21":
        return DDIMScheduler(**common, set_alpha_to_one=False, steps_offset=1)
    return DDIMScheduler(**common, rescale_betas_zero_snr=True, timestep_spacing="trailing")
