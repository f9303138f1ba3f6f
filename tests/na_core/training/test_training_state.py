"""Saved states go back to the bit, old ones go away, and damaged ones are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import nn

from na_core.training.errors import TrainingError
from na_core.training.training_state import (
    Progress,
    Trainees,
    first_step,
    load_state,
    save_state,
    saved_steps,
    state_folder,
)
from tests.na_core.training.conftest import equal, weights


def trainees(seed: int) -> Trainees:
    torch.manual_seed(seed)
    modules = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(modules.parameters(), lr=0.1)
    schedule = get_cosine_schedule_with_warmup(optimizer, 2, 10)
    return Trainees(modules, optimizer, schedule, EMAModel(modules.parameters(), decay=0.9))


def train(these: Trainees, first: int, steps: int) -> None:
    assert these.ema is not None
    for step in range(first, steps):
        torch.manual_seed(step)
        these.modules(torch.randn(2, 3, 8, 8)).square().mean().backward()
        these.optimizer.step()
        these.schedule.step()
        these.optimizer.zero_grad()
        these.ema.step(these.modules.parameters())


def test_a_resumed_run_is_the_run(tmp_path: Path) -> None:
    whole = trainees(0)
    train(whole, 0, 6)
    first = trainees(0)
    train(first, 0, 3)
    save_state(tmp_path, first, Progress(3, 24, ((0.1, 0.2),)), keep=0)
    second = trainees(1)
    assert load_state(tmp_path, 3, second) == Progress(3, 24, ((0.1, 0.2),))
    train(second, 3, 6)
    assert equal(weights(whole.modules), weights(second.modules))
    assert whole.ema is not None
    assert second.ema is not None
    assert equal(whole.ema.shadow_params, second.ema.shadow_params)
    assert whole.schedule.get_last_lr() == second.schedule.get_last_lr()


def test_numbers_keep_their_strides(tmp_path: Path) -> None:
    first = trainees(0)
    train(first, 0, 1)
    save_state(tmp_path, first, Progress(1), keep=0)
    second = trainees(1)
    load_state(tmp_path, 1, second)
    for parameter, values in second.optimizer.state.items():
        assert values["exp_avg"].stride() == parameter.stride()


def test_nothing_is_pickled(tmp_path: Path) -> None:
    first = trainees(0)
    train(first, 0, 1)
    save_state(tmp_path, first, Progress(1), keep=0)
    assert {p.suffix for p in state_folder(tmp_path, 1).iterdir()} == {".safetensors", ".json"}


def test_old_states_go_and_later_ones_too(tmp_path: Path) -> None:
    these = trainees(0)
    train(these, 0, 1)
    for step in (2, 4, 6, 8):
        save_state(tmp_path, these, Progress(step), keep=3)
    assert saved_steps(tmp_path) == [4, 6, 8]
    save_state(tmp_path, these, Progress(5), keep=3)  # resumed from 4: what comes later was another run's
    assert saved_steps(tmp_path) == [4, 5]
    save_state(tmp_path, these, Progress(7), keep=0)
    assert saved_steps(tmp_path) == [4, 5, 7]


def test_half_written_states_do_not_count(tmp_path: Path) -> None:
    state_folder(tmp_path, 4).with_suffix(".partial").mkdir(parents=True)
    assert saved_steps(tmp_path) == []


class TestWhereToGoOn:
    def test_the_newest_state_or_a_chosen_one(self, tmp_path: Path) -> None:
        assert first_step(tmp_path, 10, resume=True, from_step=None) == 0
        for step in (2, 4):
            state_folder(tmp_path, step).mkdir(parents=True)
        assert first_step(tmp_path, 10, resume=True, from_step=None) == 4
        assert first_step(tmp_path, 10, resume=True, from_step=2) == 2
        assert first_step(tmp_path, 10, resume=False, from_step=None) == 0

    def test_a_state_that_is_not_there_is_named_with_those_that_are(self, tmp_path: Path) -> None:
        for step in (2, 4):
            state_folder(tmp_path, step).mkdir(parents=True)
        with pytest.raises(TrainingError, match=r"no state was saved at step 3; there are: 2, 4"):
            first_step(tmp_path, 10, resume=True, from_step=3)


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_state_is_named(name: str, tmp_path: Path) -> None:
    these = trainees(0)
    train(these, 0, 1)
    save_state(tmp_path, these, Progress(2), keep=0)
    file = state_folder(tmp_path, 2) / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(TrainingError, match=r"step-00000002 is damaged .* Delete that folder"):
        load_state(tmp_path, 2, these)


def test_a_state_of_another_model_is_named(tmp_path: Path) -> None:
    these = trainees(0)
    train(these, 0, 1)
    save_state(tmp_path, these, Progress(2), keep=0)
    record = state_folder(tmp_path, 2) / "state.json"
    assert json.loads(record.read_text())["step"] == 2
    other = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match="damaged"):
        load_state(
            tmp_path, 2, Trainees(other, optimizer, get_cosine_schedule_with_warmup(optimizer, 2, 10), None)
        )
