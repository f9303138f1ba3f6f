"""The decoder: the right weights learn, from the right targets, and the loss falls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file

from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.training.decoder import MEASURING, SCALE_BATCHES, DecoderObjective, DecoderTask
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.initial import set_start
from na_core.training.loop import train_task
from na_core.training.pair_batches import TrainingBatch
from na_core.training.randomness import DrawKey, seed_torch
from na_core.training.run import Run
from na_core.training.run_log import read_log
from na_core.training.training_state import state_folder
from tests.na_core.training.conftest import Configure, MakeRun, equal, weights

PRESETS = [("paper", "noise"), ("guided", "residual"), ("guided", "uncertainty")]


class ByHeart(DecoderTask):
    """Draws the same pairs at every step: what a network that learns at all learns by heart."""

    batch: TrainingBatch | None = None

    def draw(self, key: DrawKey) -> TrainingBatch:
        self.batch = self.batch or super().draw(DrawKey(0, 0))
        return self.batch


def tiny(preset: str, start: str) -> NeuralAssetsPipeline:
    pipeline = build_pipeline(preset, "tiny")  # type: ignore[arg-type]
    set_start(pipeline, start)
    return pipeline


def train(run: Run) -> DecoderTask:
    assert run.config.decoder is not None
    task = DecoderTask(run, run.config.decoder)
    train_task(task)
    return task


@pytest.mark.parametrize(("preset", "start"), PRESETS)
def test_the_loss_falls_and_the_checkpoint_loads(
    preset: str, start: str, configure: Configure, make_run: MakeRun
) -> None:
    pipeline = tiny(preset, start)
    trained = (pipeline.unet, pipeline.encoder, pipeline.tokenizer3d)
    before = [weights(module) for module in trained]
    frozen = weights(pipeline.vae)
    changes = {"steps": 40, "batch_size": 4, "first_step_share": 1.0, "null_probability": 0.0}
    config = configure(
        top={"preset": preset, "save_every": 1000, "log_every": 10},
        decoder={"start": start, "learning_rate": 4e-3, **changes},
    )
    assert config.decoder is not None
    task = ByHeart(make_run(config, pipeline), config.decoder)
    train_task(task)
    losses = [line["loss"] for line in read_log(config.output / "decoder")]
    assert losses[-1] < 0.7 * losses[0]
    for module, old in zip(trained, before, strict=True):
        assert not equal(weights(module), old)
        assert all(p.requires_grad for p in module.parameters())
        assert not module.training
    assert equal(weights(pipeline.vae), frozen)
    assert not any(p.requires_grad for p in pipeline.vae.parameters())
    loaded = load_checkpoint(task.folder)
    assert loaded.config.preset == preset
    assert loaded.config.residual == (start != "noise")
    assert (loaded.config.residual_variance is not None) == (start == "uncertainty")
    assert equal(weights(loaded.unet), [w.half().float() for w in weights(pipeline.unet)])


def test_a_decoder_of_pixels_learns_and_its_checkpoint_loads(
    configure: Configure, make_run: MakeRun, checkpoint: Path
) -> None:
    """Of its encoder it has the features alone."""
    changes = {"steps": 40, "batch_size": 4, "null_probability": 0.0, "noisy_share": 0.0}
    config = configure(
        top={"save_every": 1000, "log_every": 10},
        vae=None,
        encoder={"from": str(checkpoint)},
        decoder={"start": "pixels", "crop": 48, "learning_rate": 4e-3, "features": False, **changes},
    )
    assert config.decoder is not None
    run = make_run(config)
    encoder = weights(run.pipeline.encoder)
    task = ByHeart(run, config.decoder)
    train_task(task)
    losses = [line["loss"] for line in read_log(config.output / "decoder")]
    assert losses[-1] < 0.8 * losses[0]
    assert equal(weights(run.pipeline.encoder), encoder)
    loaded = load_checkpoint(task.folder)
    assert loaded.vae is None
    assert loaded.config.picture_size == max(run.picture_size)
    assert equal(weights(loaded.unet), [w.half().float() for w in weights(run.pipeline.unet)])


@pytest.mark.parametrize("crop", [32, 52, 80])
def test_parts_that_cannot_be_learnt_are_refused(
    crop: int, configure: Configure, make_run: MakeRun, checkpoint: Path
) -> None:
    config = configure(vae=None, encoder={"from": str(checkpoint)}, decoder={"start": "pixels", "crop": crop})
    assert config.decoder is not None
    with pytest.raises(ConfigError, match=f"'crop' is {crop}; .* a multiple of 8 from 48 to 64"):
        DecoderTask(make_run(config), config.decoder)


def test_gradients_reach_every_weight_that_counts(configure: Configure, make_run: MakeRun) -> None:
    """Three steps: the UNet's last layer starts at zero and blocks the first step's gradients."""
    pipeline = tiny("guided", "residual")
    before = DecoderObjective(pipeline, 0.0, 0.0).state_dict()
    before = {name: value.clone() for name, value in before.items()}
    config = configure(decoder={"steps": 3, "null_probability": 0.0})
    train(make_run(config, pipeline))
    after = load_file(state_folder(config.output / "decoder", 3) / "weights.safetensors")
    still = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert still == []


def test_the_groups_have_their_own_learning_rates(configure: Configure, make_run: MakeRun) -> None:
    rates = {"learning_rate": 1e-4, "group_rates": {"encoder": 0.0, "tokens": 1e-3}}
    config = configure(decoder={**rates, "warmup_steps": 2, "schedule": "constant", "weight_decay": 0.0})
    pipeline = tiny("guided", "residual")
    encoder = [w.half().float() for w in weights(pipeline.encoder)]  # as the checkpoint holds them
    train(make_run(config, pipeline))
    assert equal(weights(pipeline.encoder), encoder)
    logged = [line["learning_rate"] for line in read_log(config.output / "decoder")]
    assert [group["unet"] for group in logged] == pytest.approx([0, 5e-5, 1e-4, 1e-4])
    assert [group["tokens"] for group in logged] == pytest.approx([0, 5e-4, 1e-3, 1e-3])


def test_accumulating_parts_is_the_mean_over_them(configure: Configure, make_run: MakeRun) -> None:
    pipeline = tiny("guided", "residual")
    config = configure(decoder={"steps": 1, "batch_size": 4, "accumulation": 2, "clip_norm": 0.0})
    assert config.decoder is not None
    task = train(make_run(config, pipeline))
    parts = []
    fresh = tiny("guided", "residual")
    fresh.register_to_config(residual_scale=pipeline.config.residual_scale)
    objective = DecoderObjective(fresh, 0.2, 0.3)
    for part in range(2):
        batch = task.draw(DrawKey(0, 0, 0, part))
        assert len(batch.target) == 2
        seed_torch(DrawKey(0, 0, 0, part))
        parts.append(float(objective(batch).detach()))
    (line,) = read_log(config.output / "decoder")
    assert line["loss"] == pytest.approx(sum(parts) / 2, rel=1e-5)


def test_bfloat16_keeps_weights_in_float32(configure: Configure, make_run: MakeRun) -> None:
    pipeline = tiny("guided", "residual")
    train(make_run(configure(top={"mixed_precision": "bf16"}, decoder={"steps": 2}), pipeline))
    assert all(torch.isfinite(w).all() for w in weights(pipeline.unet))
    assert {p.dtype for p in pipeline.unet.parameters()} == {torch.float32}


def test_without_averages(configure: Configure, make_run: MakeRun) -> None:
    pipeline = tiny("guided", "residual")
    config = configure(decoder={"steps": 2, "ema_decay": 0.0})
    train(make_run(config, pipeline))
    assert not list(config.output.rglob("ema.safetensors"))


def test_the_residuals_unit_and_the_working_size_are_saved(configure: Configure, make_run: MakeRun) -> None:
    pipeline = tiny("guided", "residual")
    config = configure(decoder={"steps": 1})
    task = train(make_run(config, pipeline))
    drawn = [task.draw(DrawKey(0, step, 0, MEASURING)) for step in range(SCALE_BATCHES)]
    expected = torch.cat([batch.target - batch.proxy for batch in drawn]).square().mean().sqrt()
    saved = load_checkpoint(task.folder).config
    assert saved.residual_scale == pytest.approx(float(expected), rel=1e-5)
    assert saved.picture_size == 64


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])
def test_the_target_is_the_schedulers(kind: str) -> None:
    pipeline = build_pipeline("paper", "tiny")
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, prediction_type=kind)
    pipeline.register_modules(scheduler=scheduler)
    clean, noise = torch.randn(2, 1, 4, 2, 2)
    timestep = torch.tensor([500])
    noisy = scheduler.add_noise(clean, noise, timestep)
    target = DecoderObjective(pipeline, 0.0, 0.0).target(clean, noise, timestep)
    scheduler.set_timesteps(10)
    found = scheduler.step(target, 500, noisy).pred_original_sample
    torch.testing.assert_close(found, clean, atol=1e-4, rtol=1e-4)


def test_timesteps_are_uniform_but_for_a_share_at_the_last() -> None:
    objective = DecoderObjective(build_pipeline("paper", "tiny"), 0.0, 0.3)
    torch.manual_seed(0)
    steps = objective.draw_timesteps(20000, torch.device("cpu"))
    assert steps.min() == 0
    assert float((steps == 999).float().mean()) == pytest.approx(0.3, abs=0.02)
    rest = steps[steps < 999].float()
    assert float(rest.mean()) == pytest.approx(499, abs=10)


def test_a_loss_that_is_not_finite_ends_the_run(configure: Configure, make_run: MakeRun) -> None:
    pipeline = tiny("guided", "residual")
    with torch.no_grad():
        pipeline.unet.conv_in.weight.fill_(np.nan)
    config = replace(configure(), log_every=1)
    with pytest.raises(TrainingError, match="decoder: the loss or its gradient is no longer finite"):
        train(make_run(config, pipeline))
