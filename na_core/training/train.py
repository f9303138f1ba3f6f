"""The command: pairs, then the VAE, then the decoder; each stage resumes."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny

from na_core.data.labels import load_labels
from na_core.data.scenes import Scene, read_picture
from na_core.model.pipeline import latent_factor
from na_core.model.presets import build_pipeline
from na_core.training.cache import cache_pairs, complete_scenes
from na_core.training.config import load_config
from na_core.training.decoder import load_pair_set, train_decoder
from na_core.training.vae import train_vae


def main(config: Path, resume: bool = False) -> Path:
    """Train what a configuration file describes.

    Returns:
        The checkpoint's folder.

    Raises:
        ValueError: the configuration is malformed (the field is named).
        FileNotFoundError: there are no scenes; the text says how to make some.
    """
    settings = load_config(config)
    torch.set_num_threads(settings.threads)
    pipeline = build_pipeline(settings.preset, settings.size, settings.seed)  # type: ignore[arg-type]
    done = settings.output / "vae" / "trained"
    if resume and done.is_dir():
        pipeline.register_modules(vae=AutoencoderTiny.from_pretrained(done))
    else:
        pictures = [
            read_picture(scene.picture_path(i))
            for folder in complete_scenes(settings.scenes)
            for scene in [Scene(folder, load_labels(folder))]
            for i in range(len(scene.labels.frames))
        ]
        train_vae(pipeline.vae, pictures, settings, resume)
        pipeline.vae.save_pretrained(done, safe_serialization=True)
    files = cache_pairs(
        settings.scenes,
        settings.output / f"pairs-{settings.preset}",
        guided=settings.preset == "guided",
        factor=latent_factor(pipeline.vae),
        jobs=settings.threads,
    )
    data = load_pair_set(files, pipeline)
    train_decoder(pipeline, data, settings, resume)
    return settings.output / "checkpoint"
