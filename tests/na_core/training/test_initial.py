"""What a run starts from: random weights, a checkpoint, a taken VAE; what does not fit is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.training.config import load_config
from na_core.training.errors import ConfigError
from na_core.training.initial import starting_pipeline
from tests.na_core.training.conftest import WriteConfig, equal, weights

NO_VAE_KEYS = dict.fromkeys(
    ("steps", "batch_size", "crop", "learning_rate", "warmup_steps", "latent_noise"), None
)


def start(file: Path) -> NeuralAssetsPipeline:
    return starting_pipeline(load_config(file), file)


def switches(pipeline: NeuralAssetsPipeline) -> tuple[bool, bool, bool]:
    config = pipeline.config
    return config.box_map, config.proxy, config.source_pose


def error_of(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        start(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_random_weights_are_the_seeds(write_config: WriteConfig) -> None:
    file = write_config(top={"seed": 5})
    assert equal(weights(start(file).encoder), weights(build_pipeline("guided", "tiny", 5).encoder))


@pytest.mark.parametrize(("kind", "residual"), [("noise", False), ("residual", True), ("uncertainty", True)])
def test_the_start_decides_what_is_diffused(kind: str, residual: bool, write_config: WriteConfig) -> None:
    config = start(write_config(decoder={"start": kind})).config
    assert (config.residual, config.detail_transfer, config.keep_unmoved) == (residual,) * 3


def test_conditions_are_the_networks(write_config: WriteConfig) -> None:
    pipeline = start(write_config(conditions={"box_map": False, "anchored_noise": False, "cells": 3}))
    assert switches(pipeline) == (False, True, True)
    assert pipeline.config.anchored_noise is False
    assert pipeline.tokenizer3d.cells == 3
    usual = start(write_config("usual"))
    assert switches(usual) == (True, True, True)
    assert usual.config.anchored_noise is True
    assert usual.tokenizer3d.cells == 2


def test_a_checkpoint_is_gone_on_from_in_float32(checkpoint: Path, write_config: WriteConfig) -> None:
    pipeline = start(write_config(top={"size": None, "initial": str(checkpoint)}))
    assert pipeline.unet.dtype == torch.float32
    saved = [value.half().float() for value in weights(build_pipeline("guided", "tiny", 3).encoder)]
    assert equal(weights(pipeline.encoder), saved)


def test_a_checkpoint_of_another_preset(checkpoint: Path, write_config: WriteConfig) -> None:
    file = write_config(
        top={"size": None, "initial": str(checkpoint), "preset": "paper"}, decoder={"start": "noise"}
    )
    text = error_of(file)
    assert f"'initial' is {checkpoint}, a checkpoint of the preset 'guided', but 'preset' is 'paper'" in text


def test_a_missing_checkpoint(write_config: WriteConfig) -> None:
    assert "'initial': There is no checkpoint" in error_of(
        write_config(top={"size": None, "initial": "nowhere"})
    )


class TestTakenVae:
    def test_from_a_checkpoint_or_from_a_vaes_own_folder(
        self, checkpoint: Path, write_config: WriteConfig
    ) -> None:
        saved = [value.half().float() for value in weights(build_pipeline("guided", "tiny", 3).vae)]
        for place in (checkpoint, checkpoint / "vae"):
            pipeline = start(write_config(vae={"from": str(place), **NO_VAE_KEYS}))
            assert equal(weights(pipeline.vae), saved)

    def test_a_missing_one(self, write_config: WriteConfig) -> None:
        text = error_of(write_config(vae={"from": "nowhere", **NO_VAE_KEYS}))
        assert "vae: 'from': There is no checkpoint 'nowhere'" in text

    def test_one_of_another_size(self, write_config: WriteConfig, tmp_path: Path) -> None:
        PatchAutoencoder(latent_channels=24, width=8).save_pretrained(tmp_path / "wide")
        text = error_of(write_config(vae={"from": str(tmp_path / "wide"), **NO_VAE_KEYS}))
        assert "wide', whose VAE has 24 latent channels; this model needs 4" in text

    def test_a_damaged_one(self, checkpoint: Path, write_config: WriteConfig, tmp_path: Path) -> None:
        damaged = Path(shutil.copytree(checkpoint, tmp_path / "damaged"))
        for file in (damaged / "vae").glob("*.safetensors"):
            file.write_bytes(file.read_bytes()[:50])
        text = error_of(write_config(vae={"from": str(damaged), **NO_VAE_KEYS}))
        assert "holds no usable vae" in text


class TestTakenEncoder:
    """A decoder of pixels learns on features of an encoder that does not."""

    def test_from_a_checkpoint(self, checkpoint: Path, write_config: WriteConfig) -> None:
        pipeline = start(
            write_config(decoder={"start": "pixels"}, vae=None, encoder={"from": str(checkpoint)})
        )
        saved = [value.half().float() for value in weights(build_pipeline("guided", "tiny", 3).encoder)]
        assert equal(weights(pipeline.encoder), saved)
        assert pipeline.vae is None
        assert pipeline.config.residual

    def test_one_of_another_size(self, write_config: WriteConfig) -> None:
        text = error_of(write_config(decoder={"start": "pixels"}, vae=None, encoder={"from": "mini"}))
        assert "whose features have 128 channels; this model needs 32" in text
