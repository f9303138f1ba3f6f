"""The detector's stage: it learns boxes from photos, resumes, and has runs of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from na_core.detection.embedded import load_detector
from na_core.training.config import DetectorConfig, load_config
from na_core.training.detector import draw_labelled, families, load_shown, trained_detector
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.randomness import DrawKey
from na_core.training.run_log import read_log
from na_core.training.scene_shards import shard_of
from na_core.training.train import main
from tests.na_core.training.conftest import WriteConfig, equal, weights

CPU = torch.device("cpu")
DETECTOR = {
    "steps": 60,
    "batch_size": 4,
    "learning_rate": 5e-3,
    "warmup_steps": 5,
    "size": "tiny",
    "ema_decay": 0.5,
}
ALONE = {"vae": None, "decoder": None}
TOP = {"preset": None, "size": None, "save_every": 30, "log_every": 10}


def test_it_learns_and_a_resumed_run_ends_with_the_same_weights(write_config: WriteConfig) -> None:
    whole = main(write_config("whole", top=TOP, detector=DETECTOR, **ALONE))
    losses = [line["loss"] for line in read_log(whole.parent)]
    assert losses[-1] < 0.7 * losses[0]
    again = main(write_config("whole", top=TOP, detector=DETECTOR, **ALONE), step=30)
    assert again == whole == trained_detector(whole.parent.parent)
    detector = load_detector(whole)
    fresh = main(write_config("fresh", top=TOP, detector=DETECTOR, **ALONE))
    assert equal(weights(detector), weights(load_detector(fresh)))
    assert detector.config.names


def test_a_run_may_start_from_another_ones_detector(write_config: WriteConfig) -> None:
    first = main(write_config("first", top=TOP, detector=DETECTOR | {"steps": 2}, **ALONE))
    then = DETECTOR | {"steps": 1, "initial": str(first), "learning_rate": 0.0, "weight_decay": 0.0}
    second = main(write_config("second", top=TOP, detector=then, **ALONE))
    assert equal(weights(load_detector(first)), weights(load_detector(second)))
    missing = DETECTOR | {"initial": str(first.parent / "none")}
    with pytest.raises(ConfigError, match=r"'initial'.*no detector there"):
        main(write_config("third", top=TOP, detector=missing, **ALONE))


def test_it_shares_its_run_with_no_other_stage(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match="'vae' does not go with \\[detector\\]"):
        load_config(write_config(top=TOP, detector=DETECTOR, decoder=None))
    with pytest.raises(ConfigError, match="missing key 'preset'"):
        load_config(write_config(top={"preset": None}))


def test_unknown_families_are_refused(painted_scenes: Path) -> None:
    shard = shard_of(painted_scenes)
    with pytest.raises(TrainingError, match="knows no"):
        load_shown(shard, ("mug",), CPU)


def test_photos_are_a_function_of_their_place(painted_scenes: Path) -> None:
    shard = shard_of(painted_scenes)
    shown = load_shown(shard, families(shard), CPU)
    settings = DetectorConfig(1, 4, 1e-3, 1)
    first, again = (draw_labelled(shown, 4, settings, DrawKey(0, 7), CPU) for _ in range(2))
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.boxes, again.boxes)
