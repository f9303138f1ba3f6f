"""Tiny configurations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from na_core.training.config import DecoderConfig, TrainingConfig, VaeConfig


@pytest.fixture
def configure(painted_scenes: Path, tmp_path: Path) -> Callable[..., TrainingConfig]:
    """Return a maker of configurations for a few steps of tiny training."""

    def make(steps: int = 4, vae_steps: int = 4, **changes: Any) -> TrainingConfig:
        decoder = DecoderConfig(
            steps=steps,
            batch_size=2,
            learning_rate=1e-3,
            token_learning_rate=1e-3,
            warmup_steps=1,
            weight_decay=0.01,
            clip_norm=1.0,
            null_probability=0.2,
            first_step_share=0.3,
            ema_decay=0.9,
        )
        config = TrainingConfig(
            seed=0,
            preset="guided",
            size="tiny",
            scenes=painted_scenes,
            output=tmp_path / "run",
            threads=1,
            mixed_precision="no",
            save_every=2,
            vae=VaeConfig(vae_steps, 4, 32, 3e-3, 1, 0.05),
            decoder=decoder,
        )
        return replace(config, **changes)

    return make
