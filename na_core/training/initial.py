"""The pipeline that a run starts from: random weights or a checkpoint's, its own VAE or a taken one."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import ViTModel

from na_core.backbone import EfficientNetLite
from na_core.backbone_weights import load_published
from na_core.detection.network import BoxDetector
from na_core.detection.refiner import BoxRefiner
from na_core.layers.photo_network import PhotoNetwork
from na_core.model.checkpoints import CheckpointError, load_checkpoint, resolve_checkpoint
from na_core.model.latents import Vae, latent_channels, latent_factor
from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import SCALES, build_pipeline
from na_core.training.config import TrainingConfig
from na_core.training.errors import ConfigError
from na_core.training.tables import PhotoNetworkConfig, Taken, VaeConfig

PARTS: dict[str, tuple[Any, ...]] = {
    "vae": (PatchAutoencoder, AutoencoderKL),
    "encoder": (ViTModel,),
    "photo_network": (PhotoNetwork,),
    "detector": (BoxDetector,),
    "refiner": (BoxRefiner,),
}
"""Classes of the parts that a run can start from, by their folders in a checkpoint."""


def starting_pipeline(config: TrainingConfig, file: Path) -> NeuralAssetsPipeline:
    """Return the pipeline that a configuration, read from ``file``, trains, in float32.

    Raises:
        ConfigError: a checkpoint is missing, damaged, of another preset, or its VAE does not fit; the text
            names file and key.
    """
    if config.initial is None:
        assert config.size is not None and config.preset is not None
        conditions = {} if config.conditions is None else asdict(config.conditions)
        cells = conditions.pop("cells", 2)
        pixels = config.decoder is not None and config.decoder.start == "pixels"
        pipeline = build_pipeline(config.preset, config.size, config.seed, cells=cells, pixels=pixels)
        pipeline.register_to_config(**conditions)
    else:
        try:
            pipeline = load_checkpoint(config.initial)
        except CheckpointError as error:
            raise ConfigError(f"{file}: 'initial': {error}") from error
        if pipeline.config.preset != config.preset:
            raise ConfigError(
                f"{file}: 'initial' is {config.initial}, a checkpoint of the preset "
                f"'{pipeline.config.preset}', but 'preset' is '{config.preset}'"
            )
    if isinstance(config.photo_network, PhotoNetworkConfig) and pipeline.photo_network is None:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            scale = SCALES[config.size or "mini"]
            size = config.photo_network.working_size or scale.picture_size
            network = PhotoNetwork(scale.photo_widths, size)
        if config.photo_network.backbone == "imagenet":
            give_published(network.backbone, f"{file}: photo_network")
        pipeline.register_modules(photo_network=network)
    for name in ("vae", "encoder", "photo_network"):
        table = getattr(config, name)
        if isinstance(table, Taken):
            part = load_part(name, table.origin, f"{file}: {name}: 'from'")
            if name == "vae":
                _check_fit(part, pipeline.vae, table.origin, file)
            if name == "encoder" and part.config.hidden_size != pipeline.encoder.config.hidden_size:
                raise ConfigError(
                    f"{file}: encoder: 'from' is '{table.origin}', whose features have "
                    f"{part.config.hidden_size} channels; this model needs "
                    f"{pipeline.encoder.config.hidden_size}"
                )
            pipeline.register_modules(**{name: part})
    if isinstance(config.vae, VaeConfig) and not isinstance(pipeline.vae, PatchAutoencoder):
        kind = type(pipeline.vae).__name__
        raise ConfigError(f"{file}: vae: the checkpoint's {kind} is not trained; leave out [vae]")
    if config.decoder is not None and pipeline.vae is not None:
        set_start(pipeline, config.decoder.start)
    return pipeline


def give_published(backbone: EfficientNetLite, table: str) -> None:
    """Give a backbone the weights that have seen ImageNet's photographs.

    Raises:
        ConfigError: they are not installed; the text begins with the table that asks for them.
    """
    try:
        load_published(backbone)
    except ImportError as error:
        raise ConfigError(f'{table}: {error}, or train with backbone = "random"') from error


def set_start(pipeline: NeuralAssetsPipeline, start: str) -> None:
    """Set what a pipeline diffuses: "noise", "residual" or "uncertainty"; see ``docs/training.md``.

    Details are transferred, and pixels kept, only where the decoder starts from the proxy.
    """
    residual = start != "noise"
    pipeline.register_to_config(
        residual=residual,
        detail_transfer=residual and pipeline.config.detail_transfer,
        keep_unmoved=residual and pipeline.config.keep_unmoved,
    )


def load_part(name: str, origin: str, key: str) -> Any:
    """Load a part of an existing checkpoint, in float32.

    Args:
        name: of the part, see :data:`PARTS`.
        origin: the checkpoint's folder or embedded name, or the folder of the part.
        key: where the configuration asks for it, for errors.

    Raises:
        ConfigError: there is none, or it is damaged; the text names the key.
    """
    folder = Path(origin)
    try:
        if not (folder / "config.json").is_file():
            folder = resolve_checkpoint(origin) / name
    except CheckpointError as error:
        raise ConfigError(f"{key}: {error}") from error
    try:
        stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if name == "encoder":
            return ViTModel.from_pretrained(
                folder, add_pooling_layer=False, local_files_only=True, use_safetensors=True
            ).float()
        kind = {kind.__name__: kind for kind in PARTS[name]}[stored["_class_name"]]
        return kind.from_pretrained(folder, local_files_only=True, use_safetensors=True).float()
    except Exception as error:  # whatever the loaders raise on damaged files
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ConfigError(f"{key} is '{origin}', which holds no usable {name} ({text})") from error


def _check_fit(vae: Vae, expected: Vae, origin: str, file: Path) -> None:
    for text, count in (("latent channels", latent_channels), ("pixels per latent", latent_factor)):
        if count(vae) != count(expected):
            raise ConfigError(
                f"{file}: vae: 'from' is '{origin}', whose VAE has {count(vae)} {text}; "
                f"this model needs {count(expected)}"
            )
