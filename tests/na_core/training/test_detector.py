"""The detector: it learns boxes from photos, resumes, and trains alone or beside other tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from na_core.detection.embedded import load_detector
from na_core.detection.network import BoxDetector
from na_core.detection.targets import targets
from na_core.training.config import load_config
from na_core.training.detector import draw_labelled
from na_core.training.errors import ConfigError
from na_core.training.randomness import DrawKey
from na_core.training.run_folder import export_folder
from na_core.training.run_log import read_log
from na_core.training.shown import load_shown
from na_core.training.tables import DetectorConfig
from na_core.training.train import main
from tests.na_core.training.conftest import Configure, MakeRun, WriteConfig, equal, weights

CPU = torch.device("cpu")
DETECTOR = {
    "steps": 60,
    "batch_size": 4,
    "learning_rate": 5e-3,
    "warmup_steps": 5,
    "size": "tiny",
    "ema_decay": 0.5,
    "group_rates": {"backbone": 2e-4},
}
NO_VAE_KEYS = dict.fromkeys(("steps", "batch_size", "crop", "learning_rate", "warmup_steps", "latent_noise"))
ALONE = {"vae": None, "decoder": None}
TOP = {"preset": None, "size": None, "save_every": 30, "log_every": 10}


def test_it_learns_and_a_resumed_run_ends_with_the_same_weights(write_config: WriteConfig) -> None:
    whole = main(write_config("whole", top=TOP, detector=DETECTOR, **ALONE))
    losses = [line["loss"] for line in read_log(whole.parent)]
    assert losses[-1] < 0.7 * losses[0]
    detector = BoxDetector.from_pretrained(whole)
    again = main(write_config("whole", top=TOP, detector=DETECTOR, **ALONE), step=30)
    assert again == whole == export_folder(whole.parent.parent, "detector")
    assert equal(weights(detector), weights(BoxDetector.from_pretrained(again)))
    assert list(detector.config.widths) == [8, 8, 8, 8]


def test_a_run_may_start_from_another_ones_detector(write_config: WriteConfig) -> None:
    first = main(write_config("first", top=TOP, detector=DETECTOR | {"steps": 2}, **ALONE))
    then = DETECTOR | {"steps": 1, "initial": str(first), "learning_rate": 0.0, "weight_decay": 0.0}
    second = main(write_config("second", top=TOP, detector=then, **ALONE))
    assert equal(weights(load_detector(first)), weights(load_detector(second)))
    missing = DETECTOR | {"initial": str(first.parent / "none")}
    with pytest.raises(ConfigError, match="detector: 'initial': There is no checkpoint"):
        main(write_config("third", top=TOP, detector=missing, **ALONE))


def test_it_trains_beside_others_as_it_does_alone(write_config: WriteConfig) -> None:
    few = DETECTOR | {"steps": 2}
    alone = main(write_config("alone", top=TOP, detector=few, **ALONE))
    main(write_config("beside", detector=few, vae={"steps": 1}, decoder={"steps": 1}))
    beside = export_folder(alone.parents[2] / "beside", "detector")
    assert equal(weights(load_detector(alone)), weights(load_detector(beside)))


def test_what_it_does_not_need_is_refused(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match="'preset' does not go with \\[detector\\] alone"):
        load_config(write_config(detector=DETECTOR, **ALONE))
    with pytest.raises(ConfigError, match="'vae' does not go with \\[detector\\] alone"):
        load_config(
            write_config(top=TOP, detector=DETECTOR, vae={"from": "mini", **NO_VAE_KEYS}, decoder=None)
        )
    with pytest.raises(ConfigError, match="missing key 'preset'"):
        load_config(write_config(top={"preset": None}))


def test_photos_are_a_function_of_their_key(configure: Configure, make_run: MakeRun) -> None:
    run = make_run(configure())
    shown = load_shown(run)
    settings = DetectorConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1)
    first, again = (draw_labelled(shown, 4, settings, DrawKey(0, 7), CPU) for _ in range(2))
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.boxes, again.boxes)


def test_some_photos_are_empty_and_teach_that(configure: Configure, make_run: MakeRun) -> None:
    shown = load_shown(make_run(configure()))
    settings = DetectorConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1, empty=1.0)
    photos = draw_labelled(shown, 4, settings, DrawKey(0, 7), CPU)
    assert (photos.owner == -1).all()
    wanted = targets(photos)
    assert not len(wanted.cell)
    assert wanted.counts.min() == 1  # whatever is found in them is wrong


@pytest.mark.parametrize("seed", range(6))
def test_photos_that_are_not_square_are_cut_about_their_middle(
    configure: Configure, make_run: MakeRun, seed: int
) -> None:
    shown = load_shown(make_run(configure()))
    plain = {"recolour": 0.0, "degrade": 0.0, "mirror": 0.0, "turn": 0.0, "zoom": 1.0, "empty": 0.0}
    base = DetectorConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1, trim=0.0, **plain)
    whole, cut = (
        draw_labelled(shown, 4, settings, DrawKey(0, seed), CPU)
        for settings in (base, replace(base, trim=1.0))
    )
    (height, width), (rows, columns) = whole.owner.shape[1:], cut.owner.shape[1:]
    assert min(rows, columns) <= max(rows, columns) == max(height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    assert torch.equal(cut.pictures, whole.pictures[:, top : top + rows, left : left + columns])
    pixels = (
        of.camera.intrinsics[:, :2] * torch.tensor(size)
        for of, size in ((whole, (width, height)), (cut, (columns, rows)))
    )
    torch.testing.assert_close(*pixels)  # the same lens
    assert (cut.visible <= whole.visible).all()
