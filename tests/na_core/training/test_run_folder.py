"""A run's folder belongs to one configuration and its data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from na_core.training.errors import ConfigError, TrainingError
from na_core.training.run_folder import RECORD, claim_folder
from na_core.training.training_state import state_folder
from tests.na_core.training.conftest import Configure

FILE = Path("a.toml")
NAMES = ["00000000", "00000001"]


def test_the_same_configuration_goes_on(configure: Configure) -> None:
    config = configure()
    claim_folder(config, FILE, NAMES, resume=False)
    claim_folder(config, FILE, NAMES, resume=True)
    assert json.loads((config.output / RECORD).read_text())["config"]["decoder.steps"] == 4


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ({"top": {"seed": 1}}, "'seed' is 1, but"),
        ({"decoder": {"steps": 5}}, "'decoder.steps' is 5, but"),
        ({"vae": {"crop": 16}}, "'vae.crop' is 16, but"),
        ({"decoder": None}, "'decoder.accumulation' is None, but"),
        ({"decoder": {"start": "noise"}}, "'decoder.start' is 'noise', but"),
    ],
)
def test_another_configuration_is_refused(tables: dict[str, Any], key: str, configure: Configure) -> None:
    claim_folder(configure(), FILE, NAMES, resume=False)
    with pytest.raises(ConfigError) as caught:
        claim_folder(configure(**tables), FILE, NAMES, resume=True)
    assert str(caught.value).startswith(f"{FILE}: {key} ")
    assert "Give another 'output'" in str(caught.value)


@pytest.mark.parametrize("change", [{"threads": 2}, {"save_every": 9}, {"log_every": 9}, {"keep_states": 9}])
def test_what_does_not_change_the_result_may_change(change: dict[str, Any], configure: Configure) -> None:
    config = configure()
    claim_folder(config, FILE, NAMES, resume=False)
    record = (config.output / RECORD).read_text()
    changed = replace(config, **change)
    assert changed != config
    claim_folder(changed, FILE, NAMES, resume=True)
    assert (config.output / RECORD).read_text() == record


@pytest.mark.parametrize("names", [NAMES[:1], [*NAMES, "00000002"], ["00000000", "00000003"]])
def test_other_scenes_are_refused(names: list[str], configure: Configure) -> None:
    config = configure()
    claim_folder(config, FILE, NAMES, resume=False)
    with pytest.raises(ConfigError, match=f"'scenes' has {len(names)} scenes, but .* a run on 2 others"):
        claim_folder(config, FILE, names, resume=True)


def test_saved_states_are_not_written_over(configure: Configure) -> None:
    config = configure()
    claim_folder(config, FILE, NAMES, resume=False)
    claim_folder(config, FILE, NAMES, resume=False)  # nothing was saved yet
    state_folder(config.output / "vae", 2).mkdir(parents=True)
    with pytest.raises(TrainingError, match="holds a run already: go on with --resume"):
        claim_folder(config, FILE, NAMES, resume=False)


def test_a_damaged_record_is_named(configure: Configure) -> None:
    config = configure()
    config.output.mkdir()
    (config.output / RECORD).write_text("{")
    with pytest.raises(TrainingError, match=r"run\.json is damaged"):
        claim_folder(config, FILE, NAMES, resume=True)
