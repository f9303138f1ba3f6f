"""Configurations are read strictly: every mistake is named, with its file and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from na_core.training.config import TASKS, load_config
from na_core.training.errors import ConfigError
from na_core.training.tables import ConditionsConfig, DecoderConfig, Optimisation, Taken, VaeConfig
from na_core.training.train import REGISTRY
from tests.na_core.training.conftest import WriteConfig

SHIPPED = sorted((Path(__file__).parents[3] / "na_core" / "training" / "configs").glob("*.toml"))


def error_of(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_a_whole_configuration(write_config: WriteConfig, painted_scenes: Path) -> None:
    config = load_config(write_config(vae={"latent_noise": 0}))
    assert config.scenes == painted_scenes
    assert isinstance(config.vae, VaeConfig)
    assert config.vae.latent_noise == 0.0
    assert isinstance(config.decoder, DecoderConfig)
    assert config.decoder.ema_decay == 0.9
    assert config.keep_states == 2  # by default


def test_a_vae_can_be_taken(write_config: WriteConfig) -> None:
    values = dict.fromkeys(("steps", "batch_size", "crop", "learning_rate", "warmup_steps", "latent_noise"))
    assert load_config(write_config(vae={"from": "mini", **values})).vae == Taken("mini")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda f: f.stem)
def test_the_configurations_that_come_with_the_project(file: Path) -> None:
    config = load_config(file)
    assert config.trained
    assert config.output == Path("runs") / file.stem


def test_the_comparison_differs_in_the_start_alone() -> None:
    configs = {f.stem.removeprefix("compare-"): load_config(f) for f in SHIPPED if "compare-" in f.stem}
    assert configs.keys() == {"noise", "residual", "uncertainty"}
    noise = configs["noise"]
    assert noise.decoder is not None
    for start, config in configs.items():
        decoder = replace(noise.decoder, start=start)
        assert config == replace(noise, output=config.output, decoder=decoder)


def test_an_ablation_leaves_one_thing_out() -> None:
    configs = {f.stem.removeprefix("ablation-"): load_config(f) for f in SHIPPED if "ablation-" in f.stem}
    whole = configs.pop("whole")
    assert whole.conditions == ConditionsConfig()
    left_out = {
        "box-map": {"box_map": False},
        "source-pose": {"source_pose": False},
        "tokens": {"tokens": False},
        "passes": {"passes": False},
        "blend-mask": {"blend_mask": False},
        "cells": {"cells": 4},
    }
    assert configs.keys() == left_out.keys()
    for name, config in configs.items():
        conditions = ConditionsConfig(**left_out[name])
        assert config == replace(whole, output=config.output, conditions=conditions), name


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({"top": {"sede": 1}}, "unknown key 'sede'"),
        ({"vae": {"flips": 1}}, "vae: unknown key 'flips'"),
        ({"top": {"seed": None}}, "missing key 'seed'"),
        ({"decoder": {"warmup_steps": None}}, "decoder: missing key 'warmup_steps'"),
        ({"top": {"threads": 1.5}}, "'threads' must be a valid integer, not 1.5"),
        ({"top": {"threads": True}}, "'threads' must be a valid integer, not True"),
        ({"top": {"compile": 1}}, "'compile' must be a valid boolean, not 1"),
        ({"decoder": {"clip_norm": "1"}}, "decoder: 'clip_norm' must be a valid number, not '1'"),
        ({"top": {"preset": "best"}}, "'preset' must be 'paper' or 'guided', not 'best'"),
        (
            {"decoder": {"start": 1}},
            "decoder: 'start' must be 'noise', 'residual', 'uncertainty' or 'pixels', not 1",
        ),
        ({"decoder": {"start": "pixels"}}, "\"pixels\" is for preset 'guided' of size 'mini' or 'tiny'"),
        ({"decoder": {"start": "pixels"}, "vae": None}, "needs an encoder that has learnt"),
        ({"encoder": {"from": "mini"}}, "encoder: it learns with a decoder of latents"),
        ({"top": {"scenes": 3}}, "'scenes' must be a path, not 3"),
        ({"decoder": {"steps": 0}}, "decoder: 'steps' must be at least 1, not 0"),
        ({"decoder": {"ema_decay": 1.5}}, "decoder: 'ema_decay' must be at most 1, not 1.5"),
        ({"decoder": {"learning_rate": float("nan")}}, "decoder: 'learning_rate' must be a finite number"),
        ({"vae": None}, "missing table 'vae'"),
        ({"decoder": None, "vae": None}, "nothing to train"),
        ({"top": {"size": None}}, "one of 'size' (random weights) and 'initial' (a checkpoint)"),
        ({"top": {"initial": "x"}}, "one of 'size' (random weights) and 'initial' (a checkpoint)"),
        ({"top": {"size": "sd21"}}, "vae: Stable Diffusion's VAE is not trained"),
        ({"top": {"preset": "paper"}}, "decoder: 'start' must be 'noise' for the preset 'paper'"),
        ({"conditions": {"cells": 0}}, "conditions: 'cells' must be at least 1, not 0"),
        ({"conditions": {"proxy": False}}, "without 'proxy', the decoder must 'start' from \"noise\""),
        (
            {"conditions": {"cells": 2}, "top": {"preset": "paper"}, "decoder": {"start": "noise"}},
            "conditions: the preset 'paper' has its own",
        ),
        (
            {"conditions": {"cells": 2}, "top": {"size": None, "initial": "x"}},
            "conditions: 'initial' has its own",
        ),
        ({"decoder": {"group_rates": 1}}, "decoder: 'group_rates' must be a table"),
        (
            {"decoder": {"group_rates": {"unet": -1}}},
            "decoder: group_rates: 'unet' must be at least 0",
        ),
        (
            {"decoder": {"group_rates": {"net": 1}}},
            "decoder: group_rates: unknown key 'net'; there are: 'unet', 'encoder', 'tokens'",
        ),
        ({"decoder": {"edit_share": 0.7, "crossed_share": 0.7}}, "more than 1 together"),
    ],
)
def test_a_mistake_is_named(tables: dict[str, Any], named: str, write_config: WriteConfig) -> None:
    assert named in error_of(write_config(**tables))


def test_what_is_not_toml_is_named(write_config: WriteConfig) -> None:
    file = write_config()
    file.write_text(file.read_text() + "seed = ")
    assert "is not TOML" in error_of(file)


def test_a_table_that_is_a_number_is_named(write_config: WriteConfig) -> None:
    assert "'vae' must be a table" in error_of(write_config(vae=None, top={"vae": 3}))


def test_a_missing_file(tmp_path: Path) -> None:
    assert "cannot read the training configuration" in error_of(tmp_path / "none.toml")


def test_tasks_come_in_their_order(write_config: WriteConfig) -> None:
    optimisation = {"steps": 1, "batch_size": 1, "learning_rate": 0.1, "warmup_steps": 0}
    each = dict.fromkeys(("detector", "refiner", "photo_network"), optimisation)
    config = load_config(write_config(**each))
    assert tuple(config.trained) == tuple(REGISTRY) == TASKS
    assert all(isinstance(table, Optimisation) for table in config.trained.values())
    taken = load_config(write_config("taken", detector=optimisation, photo_network={"from": "mini"}))
    assert tuple(taken.trained) == ("vae", "detector", "decoder")


class TestExtending:
    def test_tables_are_merged_key_by_key(self, write_config: WriteConfig, tmp_path: Path) -> None:
        base = load_config(write_config())
        child = tmp_path / "below" / "child.toml"
        child.parent.mkdir()
        child.write_text("extends = '../run.toml'\nseed = 4\ndecoder.steps = 9\n")
        assert base.decoder is not None
        assert load_config(child) == replace(base, seed=4, decoder=replace(base.decoder, steps=9))
        grandchild = child.with_name("grandchild.toml")
        grandchild.write_text("extends = 'child.toml'\nseed = 5\n[vae]\nfrom = 'mini'\n")
        config = load_config(grandchild)
        assert config.seed == 5
        assert config.vae == Taken("mini")  # and nothing of the table that trains it
        assert config.decoder == replace(base.decoder, steps=9)

    def test_a_missing_file_is_named_with_the_one_that_asks_for_it(self, tmp_path: Path) -> None:
        file = tmp_path / "child.toml"
        file.write_text("extends = 'none.toml'\n")
        assert f"cannot read the training configuration {tmp_path / 'none.toml'}" in error_of(file)

    def test_a_circle_is_named(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a.toml", tmp_path / "b.toml"
        first.write_text("extends = 'b.toml'\n")
        second.write_text("extends = 'a.toml'\n")
        with pytest.raises(ConfigError, match=r"b\.toml: 'extends' is 'a\.toml', which extends this file"):
            load_config(first)

    def test_what_is_no_name_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "child.toml"
        file.write_text("extends = 3\n")
        assert "'extends' must be of type str, not 3" in error_of(file)
