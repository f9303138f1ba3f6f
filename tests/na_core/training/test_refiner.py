"""The second look's training: from what a detector sees at the first look to what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from na_core.detection.network import BoxDetector
from na_core.detection.refiner import BoxRefiner, windows
from na_core.training.config import RefinerConfig, load_config
from na_core.training.errors import ConfigError
from na_core.training.proposals import Proposals, load_proposals, proposals_of, save_proposals
from na_core.training.randomness import DrawKey
from na_core.training.refiner import Cuts, draw_cuts, losses
from na_core.training.run_log import read_log
from na_core.training.shown import Shown, load_shown
from na_core.training.train import main
from tests.na_core.training.conftest import Configure, MakeRun, WriteConfig, equal, weights

CPU = torch.device("cpu")
ALONE = {"vae": None, "decoder": None}
TOP = {"preset": None, "size": None, "save_every": 20, "log_every": 10}
PLAIN = {"shift": 0.0, "resize": 1.0, "wrong_rectangle": 0.0, "mirror": 0.0, "recolour": 0.0, "degrade": 0.0}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a detector that has learned nothing."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("detector")
    BoxDetector(widths=(8, 8, 8, 8)).save_pretrained(folder)
    return folder


@pytest.fixture
def settings(detector: Path) -> dict[str, object]:
    return {
        "steps": 40,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "warmup_steps": 5,
        "size": "tiny",
        "detector": str(detector),
        "ema_decay": 0.5,
        "group_rates": {"backbone": 2e-4},
    }


@pytest.fixture
def shown(configure: Configure, make_run: MakeRun) -> Shown:
    return load_shown(make_run(configure()))


@pytest.fixture
def proposals(shown: Shown, detector: Path) -> Proposals:
    network = BoxDetector.from_pretrained(detector).eval()
    return proposals_of(shown, network, (0.5, 0.5), np.random.default_rng(0))


def test_it_learns_and_a_resumed_run_ends_with_the_same_weights(
    write_config: WriteConfig, settings: dict[str, object]
) -> None:
    whole = main(write_config("whole", top=TOP, refiner=settings, **ALONE))
    said = [line["loss"] for line in read_log(whole.parent)]
    assert said[-1] < 0.8 * said[0]
    refiner = BoxRefiner.from_pretrained(whole)
    again = main(write_config("whole", top=TOP, refiner=settings, **ALONE), step=20)
    assert equal(weights(refiner), weights(BoxRefiner.from_pretrained(again)))
    assert refiner.config.width == 8


def test_a_folder_without_a_detector_is_refused(
    write_config: WriteConfig, settings: dict[str, object], tmp_path: Path
) -> None:
    missing = settings | {"detector": str(tmp_path / "none")}
    with pytest.raises(ConfigError, match="refiner: 'detector': There is no checkpoint"):
        main(write_config(top=TOP, refiner=missing, **ALONE))
    with pytest.raises(ConfigError, match="'preset' does not go with \\[refiner\\] alone"):
        load_config(write_config(refiner=settings, **ALONE))


def test_every_object_is_looked_at_in_its_own_2d_box(shown: Shown, proposals: Proposals) -> None:
    given = proposals.given == 1
    assert given.sum() > 0
    torch.testing.assert_close(
        proposals.first.rectangles[given], proposals.truth.rectangles[given], atol=1e-6, rtol=0
    )
    assert proposals.boxed[given].min() == 1
    assert proposals.counted[given].max() == 0  # whoever gave a box is sure
    assert set(proposals.rows.tolist()) <= set(range(len(shown.masks)))


def test_what_was_seen_is_kept_with_the_run(proposals: Proposals, tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    save_proposals(proposals, folder / "looks.safetensors")
    again = load_proposals(folder / "looks.safetensors")
    assert torch.equal(again.rows, proposals.rows)
    for name in ("rectangles", "numbers", "front", "logits"):
        for one, other in ((again.first, proposals.first), (again.truth, proposals.truth)):
            assert torch.equal(getattr(one, name), getattr(other, name))
    assert [file.name for file in folder.iterdir()] == ["looks.safetensors"]


def corrections_to(proposals: Proposals, squares: Tensor) -> Tensor:
    """Return the corrections that lead from the first look to the truth."""
    first, truth, side = proposals.first, proposals.truth, squares[:, 2:]
    numbers = truth.numbers - first.numbers
    numbers[:, :2] *= 4 / side
    numbers[:, 4:6] *= 3
    front = truth.front.clamp_min(1e-9).log()
    logit = torch.logit(truth.logits.clamp(1e-6, 1 - 1e-6))
    rectangles = (truth.rectangles - first.rectangles) * 4 / side
    return torch.cat([rectangles, numbers, front, logit[:, None]], dim=1)


def test_the_loss_of_the_truth_is_only_the_doubt_about_objects(proposals: Proposals) -> None:
    squares = windows(proposals.first.rectangles)
    cuts = Cuts(torch.zeros(len(squares), 128, 128, 3, dtype=torch.uint8), squares, proposals)
    parts = losses(corrections_to(proposals, squares), cuts)
    assert all(float(loss) < 1e-4 for name, loss in parts.items() if name != "object")
    wrong = replace(proposals, first=replace(proposals.first, numbers=proposals.first.numbers + 0.5))
    off = losses(corrections_to(proposals, squares), replace(cuts, of=wrong))
    assert min(float(off[name]) for name in ("centre", "height", "footprint", "stretch", "quarter")) > 0.1


def test_objects_are_a_function_of_their_key(shown: Shown, proposals: Proposals) -> None:
    base = RefinerConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1)
    pictures = shown.frames.pictures
    first, again, other = (
        draw_cuts(pictures, proposals, 4, base, DrawKey(0, step), CPU) for step in (7, 7, 8)
    )
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.of.truth.numbers, again.of.truth.numbers)
    assert not torch.equal(first.pictures, other.pictures)


def test_a_mirrored_object_is_taught_as_the_mirror_image_of_the_same(
    shown: Shown, proposals: Proposals
) -> None:
    pictures = shown.frames.pictures
    plain, turned = (
        draw_cuts(
            pictures,
            proposals,
            6,
            RefinerConfig(
                steps=1, batch_size=6, learning_rate=1e-3, warmup_steps=1, **PLAIN | {"mirror": mirror}
            ),
            DrawKey(0, 3),
            CPU,
        )
        for mirror in (0.0, 1.0)
    )
    assert (plain.pictures.int() - turned.pictures.flip(2).int()).abs().max() <= 1
    torch.testing.assert_close(plain.squares * torch.tensor([-1, 1, 1]), turned.squares)
    torch.testing.assert_close(plain.of.truth.rectangles[:, 0], -turned.of.truth.rectangles[:, 2])
    torch.testing.assert_close(plain.of.cameras[:, 2], -turned.of.cameras[:, 2])
