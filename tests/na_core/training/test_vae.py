"""The first stage: the loss falls, the latents get unit spread, and crops are crops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.presets import build_pipeline
from na_core.training.config import VaeConfig
from na_core.training.errors import ConfigError
from na_core.training.randomness import DrawKey
from na_core.training.run_log import read_log
from na_core.training.scene_shards import load_pictures, shard_of
from na_core.training.vae import draw_crops, encode_pictures, reconstruction_loss, train_vae, trained_vae
from tests.na_core.training.conftest import Configure, equal, weights


@pytest.fixture(scope="module")
def pictures(painted_scenes: Path) -> Tensor:
    return load_pictures(shard_of(painted_scenes), torch.device("cpu"))


def tiny_vae() -> PatchAutoencoder:
    vae = build_pipeline("guided", "tiny").vae
    assert isinstance(vae, PatchAutoencoder)
    return vae


def test_the_loss_falls_and_the_trained_vae_is_saved(
    configure: Configure, pictures: Tensor, accelerator: Accelerator
) -> None:
    vae = tiny_vae()
    config = configure(vae={"steps": 50}, top={"save_every": 1000, "log_every": 10})
    assert isinstance(config.vae, VaeConfig)
    train_vae(vae, pictures, config.vae, config, accelerator)
    losses = [line["loss"] for line in read_log(config.output / "vae")]
    assert len(losses) == 5
    assert losses[-1] < 0.95 * losses[0]  # from the linear code on, which it starts with
    saved = PatchAutoencoder.from_pretrained(trained_vae(config.output))
    assert equal(weights(saved), weights(vae))
    assert not vae.training
    assert float(encode_pictures(saved, pictures).float().std()) == pytest.approx(1.0, abs=1e-2)


def test_the_reconstruction_loss_is_zero_for_the_truth_alone() -> None:
    truth = torch.rand(2, 3, 8, 8) * 2 - 1
    assert float(reconstruction_loss(truth, truth)) == 0
    assert float(reconstruction_loss(truth + 0.1, truth)) == pytest.approx(0.11, abs=1e-5)


def test_crops_are_parts_of_the_pictures_every_other_mirrored() -> None:
    # A pixel says in which column it is.
    columns = torch.arange(64, dtype=torch.uint8)[:, None].expand(3, 64, 64, 3)
    crops = draw_crops(columns, 200, 16, DrawKey(0, 0), torch.device("cpu"))
    assert crops.shape == (200, 3, 16, 16)
    values = ((crops + 1) * 127.5).round()
    mirrored = values[:, 0, 0, 0] > values[:, 0, 0, -1]
    assert 0.3 < float(mirrored.float().mean()) < 0.7
    plain = torch.where(mirrored[:, None, None, None], values.flip(-1), values)
    assert (plain.diff(dim=-1) == 1).all()
    assert (plain[:, 0, 0, 0].min(), plain[:, 0, 0, -1].max()) == (0, 63)


def test_pictures_smaller_than_the_crop_are_refused(configure: Configure, accelerator: Accelerator) -> None:
    config = configure()
    assert isinstance(config.vae, VaeConfig)
    small = torch.zeros((1, 16, 40, 3), dtype=torch.uint8)
    with pytest.raises(ConfigError, match="'crop' is 32, but the pictures have 16 pixels"):
        train_vae(tiny_vae(), small, config.vae, config, accelerator)
