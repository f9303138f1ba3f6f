"""Configurations are read strictly: every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from na_core.training.config import load_config

SHIPPED = sorted((Path(__file__).parents[3] / "na_core" / "training" / "configs").glob("*.toml"))

TEXT = """
seed = 0
preset = "guided"
size = "tiny"
scenes = "data/train"
output = "runs/x"
threads = 1
mixed_precision = "no"
save_every = 2
[vae]
steps = 1
batch_size = 1
crop = 32
learning_rate = 1e-3
warmup_steps = 0
latent_noise = 0
[decoder]
steps = 1
batch_size = 1
learning_rate = 1e-3
token_learning_rate = 1e-3
warmup_steps = 0
weight_decay = 0
clip_norm = 1
null_probability = 0.1
first_step_share = 0.1
ema_decay = 0.9
"""


def error_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ValueError) as caught:
        load_config(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_a_whole_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TEXT)
    config = load_config(file)
    assert config.scenes == Path("data/train")
    assert config.vae.latent_noise == 0
    assert config.decoder.ema_decay == 0.9


@pytest.mark.parametrize("file", SHIPPED, ids=lambda f: f.stem)
def test_the_configurations_that_come_with_the_project(file: Path) -> None:
    assert load_config(file).decoder.steps > 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("seed = 0", "seed = 0\nsede = 1", "unknown field 'sede'"),
        ("crop = 32", "crop = 32\nflips = 1", "vae: unknown field 'flips'"),
        ("seed = 0", "", "missing field 'seed'"),
        ("clip_norm = 1", "", "decoder: missing field 'clip_norm'"),
        ("threads = 1", "threads = 1.5", "'threads' must be of type int"),
        ("threads = 1", "threads = true", "'threads' must be of type int"),
        ("clip_norm = 1", 'clip_norm = "1"', "decoder: 'clip_norm' must be of type float"),
        ('preset = "guided"', "preset = 1", "'preset' must be of type str"),
        ('scenes = "data/train"', "scenes = 3", "'scenes' must be of type Path"),
        ("seed = 0", "seed = ", "not TOML"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, named: str, tmp_path: Path) -> None:
    assert TEXT.count(old) >= 1
    assert named in error_of(tmp_path, TEXT.replace(old, new, 1))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    assert "missing field 'decoder'" in error_of(tmp_path, TEXT[: TEXT.index("[decoder]")])


def test_a_table_that_is_a_number_is_named(tmp_path: Path) -> None:
    text = "vae = 3\n" + TEXT[: TEXT.index("[vae]")] + TEXT[TEXT.index("[decoder]") :]
    assert "'vae' must be a table" in error_of(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the training configuration"):
        load_config(tmp_path / "none.toml")
