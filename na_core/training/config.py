"""Training configurations: small TOML files, read strictly."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VaeConfig:
    """How to train the VAE. ``crop`` in pixels; ``latent_noise`` relative to the latents' spread."""

    steps: int
    batch_size: int
    crop: int
    learning_rate: float
    warmup_steps: int
    latent_noise: float


@dataclass(frozen=True)
class DecoderConfig:
    """How to train encoder, tokenizer and UNet."""

    steps: int
    batch_size: int
    learning_rate: float
    token_learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    null_probability: float
    first_step_share: float
    ema_decay: float


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run: data, model, where to write, and both stages."""

    seed: int
    preset: str
    size: str
    scenes: Path
    output: Path
    threads: int
    mixed_precision: str
    save_every: int
    vae: VaeConfig
    decoder: DecoderConfig


_FORMS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "Path": (str,)}
"""What TOML holds for a field's type."""


def load_config(path: Path) -> TrainingConfig:
    """Read a configuration.

    Raises:
        ValueError: the file is missing, not TOML, or has an unknown, missing or ill-typed field (named).
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read the training configuration {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    nested = {"vae": VaeConfig, "decoder": DecoderConfig}
    values = dict(data)
    for name, kind in nested.items():
        if name in values:
            if not isinstance(values[name], dict):
                raise ValueError(f"{path}: '{name}' must be a table, [{name}]")
            values[name] = _build(kind, values[name], f"{path}: {name}")
    return _build(TrainingConfig, values, str(path))


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    known = {f.name: f.type for f in dataclasses.fields(kind)}
    for name in values:
        if name not in known:
            raise ValueError(f"{where}: unknown field '{name}'")
    for name, type_name in known.items():
        if name not in values:
            raise ValueError(f"{where}: missing field '{name}'")
        expected = _FORMS.get(str(type_name))
        if expected and (isinstance(values[name], bool) or not isinstance(values[name], expected)):
            raise ValueError(f"{where}: '{name}' must be of type {type_name}")
    return kind(**{n: Path(v) if known[n] == "Path" else v for n, v in values.items()})
