"""The second look's training: from what a detector sees at the first look to what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from na_core.detection.embedded import SECOND_THRESHOLD, load_detector, load_refiner
from na_core.detection.network import BoxDetector
from na_core.detection.refiner import CUT_SIDE, OUTLINE_SIDE, BoxRefiner, windows
from na_core.training.config import load_config
from na_core.training.errors import ConfigError
from na_core.training.proposals import Proposals, load_proposals, pairs_of, proposals_of, save_proposals
from na_core.training.randomness import DrawKey
from na_core.training.refiner import Cuts, draw_cuts, losses
from na_core.training.run_log import read_log
from na_core.training.shown import Shown, load_shown
from na_core.training.tables import RefinerConfig
from na_core.training.train import main
from tests.na_core.training.conftest import Configure, MakeRun, WriteConfig, equal, weights

CPU = torch.device("cpu")
ALONE = {"vae": None, "decoder": None}
TOP = {"preset": None, "size": None, "save_every": 20, "log_every": 10}
PLAIN = {"shift": 0.0, "resize": 1.0, "wrong_rectangle": 0.0, "cover": 0.0}
PLAIN |= {"mirror": 0.0, "recolour": 0.0, "degrade": 0.0}


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
    return proposals_of(shown, network, None, (0.5, 0.5), np.random.default_rng(0))


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
        proposals.first.rectangles[given], proposals.truth.rectangles[given, 0], atol=1e-6, rtol=0
    )
    assert proposals.boxed[given, 0].min() == 1
    assert proposals.boxed[given, 1].max() == 0
    assert proposals.counted[given].max() == 0  # whoever gave a box is sure
    assert set(proposals.rows.tolist()) <= set(range(len(shown.masks)))


def test_what_the_initial_network_sees_is_looked_at_again(shown: Shown) -> None:
    once, both = (
        proposals_of(shown, load_detector(), refiner, (0.5, 0.5), np.random.default_rng(0))
        for refiner in (None, load_refiner())
    )
    given = both.given == 1
    assert given.sum() == 2 * (once.given == 1).sum()
    assert (~given).sum() > (once.given == 0).sum() > 0
    numbers = both.first.numbers
    assert all((numbers == row).all(dim=1).any() for row in once.first.numbers)
    assert both.first.logits[~given].sigmoid().min() >= SECOND_THRESHOLD - 1e-6


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
    first, truth, side = proposals.first, proposals.truth, squares[:, None, 2:]
    numbers = truth.numbers - first.numbers[:, None]
    numbers[..., :2] *= 4 / side
    numbers[..., 4:6] *= 3
    front = truth.front.clamp_min(1e-9).log()
    logit = 20 * (2 * proposals.boxed - 1)
    rectangles = (truth.rectangles - first.rectangles[:, None]) * 4 / side
    return torch.cat([rectangles, numbers, front, logit[..., None]], dim=2)


def nothing_but(proposals: Proposals) -> Cuts:
    """Return the proposals as if black were cut out of the photos."""
    squares = windows(proposals.first.rectangles)
    count = len(squares)
    pictures = torch.zeros(count, CUT_SIDE, CUT_SIDE, 3, dtype=torch.uint8)
    return Cuts(pictures, torch.zeros(count, 2, OUTLINE_SIDE, OUTLINE_SIDE), squares, proposals)


def test_the_truth_costs_nothing(proposals: Proposals) -> None:
    cuts = nothing_but(proposals)
    right = corrections_to(proposals, cuts.squares)
    no_outlines = torch.full_like(cuts.shown, -30)
    parts = losses(right, no_outlines, cuts)
    assert all(float(loss) < 1e-4 for loss in parts.values())
    wrong = replace(proposals, first=replace(proposals.first, numbers=proposals.first.numbers + 0.5))
    off = losses(right, no_outlines, replace(cuts, of=wrong))
    assert min(float(off[name]) for name in ("centre", "height", "footprint", "stretch", "quarter")) > 0.1
    assert float(losses(right, -no_outlines, cuts)["outline"]) > 1


def test_what_misses_the_2d_box_is_no_object(proposals: Proposals) -> None:
    seen = proposals[proposals.boxed[:, 0] == 1]
    seen = replace(seen, counted=torch.ones_like(seen.boxed), given=torch.zeros_like(seen.given))
    cuts = nothing_but(seen)
    right = corrections_to(seen, cuts.squares)
    wrong = right.clone()
    wrong[..., :4] += 4  # a whole square beside it
    sure = [losses(each, cuts.shown, cuts)["object"] for each in (right, wrong)]
    assert float(sure[0]) < 1e-4
    assert float(sure[1]) > 1


def test_which_of_two_objects_comes_first_is_the_networks_choice(proposals: Proposals) -> None:
    one = proposals[proposals.boxed[:, 0] == 1]
    flags = {name: getattr(one, name)[:, :1].repeat(1, 2) for name in ("boxed", "turns", "faces")}
    truth = replace(one.truth, numbers=one.truth.numbers + torch.tensor([[0.0], [0.5]]))
    two = replace(one, truth=truth, **flags, counted=flags["boxed"], given=torch.zeros_like(one.given))
    cuts = nothing_but(two)
    right, none = corrections_to(two, cuts.squares), torch.full_like(cuts.shown, -30)
    for order in (right, right.flip(1)):
        assert all(float(loss) < 1e-4 for loss in losses(order, none, cuts).values())
    given = replace(two, given=torch.ones_like(two.given))
    assert float(losses(right.flip(1), none, replace(cuts, of=given))["height"]) > 0.1


def test_a_box_around_two_objects_shows_both_and_one_around_one_shows_it_alone() -> None:
    true = np.array(
        [[0.1, 0.1, 0.3, 0.3], [0.3, 0.1, 0.45, 0.3], [0.8, 0.8, 0.9, 0.9], [0.12, 0.12, 0.2, 0.2]]
    )
    there, wanted = np.array([True] * 4), np.array([True, True, True, False])
    seen = np.array(
        [[0.1, 0.1, 0.45, 0.3], [0.79, 0.8, 0.9, 0.9], [0.5, 0.5, 0.6, 0.6], [0.12, 0.12, 0.2, 0.21]]
    )
    pairs, boxed, counted = pairs_of(seen, true, there, wanted)
    assert pairs[0].tolist() == [0, 1]
    assert boxed.tolist() == [[True, True], [True, False], [False, False], [False, False]]
    assert pairs[1, 0] == 2
    assert counted.tolist() == [[True] * 2] * 3 + [[False] * 2]  # the last is of one that need not be found


def test_outlines_are_where_objects_show(shown: Shown, proposals: Proposals) -> None:
    seen = proposals[proposals.boxed[:, 0] == 1]
    plain = RefinerConfig(steps=1, batch_size=32, learning_rate=1e-3, warmup_steps=1, **PLAIN)
    cuts = draw_cuts(shown.frames.pictures, shown.masks, seen, 32, plain, DrawKey(0, 1), CPU)
    place = (torch.arange(OUTLINE_SIDE) + 0.5) / OUTLINE_SIDE - 0.5
    x, y = (cuts.squares[:, None, axis, None] + place * cuts.squares[:, None, 2:] for axis in (0, 1))
    x0, y0, x1, y1 = (edge[..., None] for edge in cuts.of.truth.rectangles.unbind(2))
    inside = ((x > x0) & (x < x1))[:, :, None, :] & ((y > y0) & (y < y1))[..., None]
    assert (cuts.shown * ~inside).sum() < 0.1 * cuts.shown.sum()
    assert ((cuts.shown.sum(dim=(2, 3)) > 0) == (cuts.of.boxed == 1)).all()


def test_objects_are_a_function_of_their_key(shown: Shown, proposals: Proposals) -> None:
    base = RefinerConfig(steps=1, batch_size=4, learning_rate=1e-3, warmup_steps=1)
    pictures = shown.frames.pictures
    first, again, other = (
        draw_cuts(pictures, shown.masks, proposals, 4, base, DrawKey(0, step), CPU) for step in (7, 7, 8)
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
            shown.masks,
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
    torch.testing.assert_close(plain.shown, turned.shown.flip(3))
    torch.testing.assert_close(plain.squares * torch.tensor([-1, 1, 1]), turned.squares)
    torch.testing.assert_close(plain.of.truth.rectangles[..., 0], -turned.of.truth.rectangles[..., 2])
    torch.testing.assert_close(plain.of.cameras[:, 2], -turned.of.cameras[:, 2])
