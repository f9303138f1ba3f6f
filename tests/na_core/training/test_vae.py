"""The VAE: the loss falls, the latents get unit spread, and crops are crops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.training.errors import ConfigError
from na_core.training.loop import train_task
from na_core.training.randomness import DrawKey
from na_core.training.run_log import read_log
from na_core.training.tables import VaeConfig
from na_core.training.vae import VaeTask, draw_crops, encode_pictures, reconstruction_loss
from tests.na_core.conftest import write_scenes
from tests.na_core.training.conftest import Configure, MakeRun, equal, weights


def test_the_loss_falls_and_the_trained_vae_is_saved(configure: Configure, make_run: MakeRun) -> None:
    config = configure(vae={"steps": 50}, top={"save_every": 1000, "log_every": 10})
    assert isinstance(config.vae, VaeConfig)
    run = make_run(config)
    task = VaeTask(run, config.vae)
    train_task(task)
    losses = [line["loss"] for line in read_log(config.output / "vae")]
    assert len(losses) == 5
    assert losses[-1] < 0.95 * losses[0]  # from the linear code on, which it starts with
    saved = PatchAutoencoder.from_pretrained(task.folder)
    vae = run.pipeline.vae
    assert equal(weights(saved), weights(vae))
    assert saved.config.scaling_factor == vae.config.scaling_factor
    assert not vae.training
    assert float(encode_pictures(saved, run.pictures).float().std()) == pytest.approx(1.0, abs=1e-2)


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


def test_pictures_smaller_than_the_crop_are_refused(
    configure: Configure, make_run: MakeRun, tmp_path: Path
) -> None:
    config = configure(top={"scenes": str(write_scenes(tmp_path / "small", 1, 16))})
    assert isinstance(config.vae, VaeConfig)
    with pytest.raises(ConfigError, match="vae: 'crop' is 32, but the pictures have 16 pixels"):
        VaeTask(make_run(config), config.vae)
