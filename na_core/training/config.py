"""Training configurations: small TOML files, read strictly. ``docs/training.md`` explains every key."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from na_core.training.errors import ConfigError

Start = Literal["noise", "residual", "uncertainty"]
Table = TypeVar("Table")


VALIDATION_SCENES = Path(__file__).resolve().parent.parent / "evaluation" / "scenes" / "validation.tar"
"""The held-out scenes that come with the package."""


@dataclass(frozen=True)
class ValidationConfig:
    """How held-out pairs are measured during training.

    Attributes:
        every: steps between measurements.
        scenes: a split's folder, a shard or a folder of shards; by default those that come with the package.
        pairs: how many are measured, evenly spread over the scenes.
        sheet_pairs: how many of them are drawn on the sample grid.
    """

    every: int
    scenes: Path = VALIDATION_SCENES
    pairs: int = 8
    sheet_pairs: int = 4


@dataclass(frozen=True)
class VaeConfig:
    """How to train the VAE.

    Attributes:
        steps: of the optimizer.
        batch_size: crops per step, over all processes.
        crop: side of a crop in pixels.
        learning_rate: of AdamW, after the warm-up and before the cosine fall to zero.
        warmup_steps: of linear warm-up.
        latent_noise: standard deviation of the noise on latents, relative to their spread.
        accumulation: parts that a process computes its share of a step in.
        clip_norm: of the gradient.
        ema_decay: of the weight average.
    """

    steps: int
    batch_size: int
    crop: int
    learning_rate: float
    warmup_steps: int
    latent_noise: float
    accumulation: int = 1
    clip_norm: float = 1.0
    ema_decay: float = 0.995


@dataclass(frozen=True)
class Taken:
    """A part of an existing checkpoint in place of training one.

    Attributes:
        origin: a checkpoint's folder or embedded name, or the folder of the part; ``from`` in TOML.
    """

    origin: str


@dataclass(frozen=True)
class ReliefConfig:
    """How to train the relief network; see :mod:`na_core.model.relief_network`.

    Attributes:
        steps: of the optimizer.
        batch_size: photos per step, over all processes.
        learning_rate: of AdamW, after the warm-up and before the cosine fall to zero.
        warmup_steps: of linear warm-up.
        jitter_boxes: probability of each box to be wrong as a detector's.
        drop_boxes: of each box to be missing: its object is background then.
        forget_rectangles: of each 2D box to be unknown.
        mirror: of each photo to be mirrored left to right.
        smallest_crop: side of the smallest part that is cut out of a photo, as a share; 1 leaves it whole.
        recolour: of each photo to have its colour channels exchanged.
        accumulation: parts that a process computes its share of a step in.
        clip_norm: of the gradient.
        ema_decay: of the weight average.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    jitter_boxes: float = 0.3
    drop_boxes: float = 0.1
    forget_rectangles: float = 0.1
    mirror: float = 0.5
    smallest_crop: float = 0.5
    recolour: float = 0.5
    accumulation: int = 1
    clip_norm: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True)
class DetectorConfig:
    """How to train the embedded detector, in a run of its own; see :mod:`na_core.detection.network`.

    Attributes:
        steps: of the optimizer.
        batch_size: photos per step, over all processes.
        learning_rate: of AdamW, after the warm-up and before the cosine fall to zero.
        warmup_steps: of linear warm-up.
        size: of random weights; "tiny" is for tests.
        initial: the folder of a detector to start from in their stead.
        side: of the pictures in pixels, which are made so small; smaller ones teach faster at first.
        tell_focal: probability of each photo's focal length to be told.
        mirror: of each photo to be mirrored left to right.
        recolour: of each photo to have its colour channels exchanged.
        turn: radians by which the camera is turned about itself at most.
        zoom: by which its focal length grows at most.
        weight_decay: of AdamW.
        accumulation: parts that a process computes its share of a step in.
        clip_norm: of the gradient.
        ema_decay: of the weight average.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    size: Literal["tiny", "mini"] = "mini"
    initial: Path | None = None
    side: int = 256
    tell_focal: float = 0.5
    mirror: float = 0.5
    recolour: float = 0.5
    turn: float = 0.15
    zoom: float = 1.4
    weight_decay: float = 0.05
    accumulation: int = 1
    clip_norm: float = 10.0
    ema_decay: float = 0.998


@dataclass(frozen=True)
class DecoderConfig:
    """How to train encoder, tokenizer and UNet.

    Attributes:
        steps: of the optimizer.
        batch_size: pairs per step, over all processes.
        learning_rate, encoder_learning_rate, token_learning_rate: of the UNet, the encoder, and the
            tokenizer's MLPs and projections.
        warmup_steps: of linear warm-up.
        schedule: of the learning rates after the warm-up: "cosine" (to zero) or "constant" (the paper's).
        null_probability: of a pair without boxes and poses, for guidance.
        ema_decay: of the weight average; 0 for none.
        start: what the decoder diffuses, see :mod:`na_core.model.residual`; "noise" is the paper's.
        first_step_share: of pairs at the last timestep, where every few-step sampler begins.
        weight_decay: of UNet and encoder.
        clip_norm: of the gradient.
        accumulation: parts that a process computes its share of a step in.
        edit_share, crossed_share: of pairs that are controlled edits, and that have objects from one stage
            and background from another; where a scene has none, its other pairs take over.
    """

    steps: int
    batch_size: int
    learning_rate: float
    encoder_learning_rate: float
    token_learning_rate: float
    warmup_steps: int
    schedule: Literal["cosine", "constant"]
    null_probability: float
    ema_decay: float
    start: Start = "noise"
    first_step_share: float = 0.0
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    accumulation: int = 1
    edit_share: float = 0.3
    crossed_share: float = 0.2


@dataclass(frozen=True)
class ConditionsConfig:
    """What a ``guided`` decoder with random weights is to see; each can be left out to price it.

    Attributes:
        box_map, proxy, source_pose: see :class:`na_core.model.switches.Switches`.
        anchored_noise: noise that sticks to surfaces, see :mod:`na_core.model.anchored_noise`.
        cells: appearance tokens along each side of an object's 2D box.
    """

    box_map: bool = True
    proxy: bool = True
    source_pose: bool = True
    anchored_noise: bool = True
    cells: int = 2


@dataclass(frozen=True)
class AugmentationConfig:
    """Probabilities with which pairs are changed; see :mod:`na_core.model.batched.augment`.

    Attributes:
        jitter_boxes: of each source box to be wrong as a detector's, the target's along with it.
        relabel_corners: of each asset near the switch to take the other label; 0.5 makes them alike.
        drop_objects: of each asset that the target does not show to be left out.
        mask_sources: of each object to be hidden in its photo and the proxy.
        drop_proxies: of each pair to have no proxy.
        blur_proxies: of each pair to have a proxy without detail.
    """

    jitter_boxes: float = 0.0
    relabel_corners: float = 0.0
    drop_objects: float = 0.0
    mask_sources: float = 0.0
    drop_proxies: float = 0.0
    blur_proxies: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run.

    Attributes:
        seed: of every random number.
        preset: "paper" or "guided"; None for a detector, which has none.
        size: of a model with random weights ("tiny", "mini", "sd21"), or
        initial: the folder of a checkpoint to start from. One of both.
        scenes: what to train on: a split's folder, a shard or a folder of shards.
        output: folder of the run.
        processes: that train together; 0 is one for each GPU, or one on the CPU.
        threads: of torch on the CPU, in each process; 0 leaves it to torch.
        mixed_precision: "no", "bf16", or "auto": bf16 where the device computes in it.
        compile: compile the networks with torch.compile.
        save_every: steps between saved states.
        keep_states: how many saved states are kept, the newest; 0 keeps all.
        log_every: steps between lines of the log.
        vae: how to train the VAE, or where to take it from; None leaves the checkpoint's.
        relief: how to train the relief network, or where to take it from; None leaves the checkpoint's, or
            goes without.
        decoder: None trains the other parts alone.
        detector: how to train the embedded detector, which has a run of its own.
        conditions: what the decoder sees; None is what ``guided`` always sees, or the checkpoint's.
        augmentation: of the decoder's pairs; none by default.
    """

    seed: int
    scenes: Path
    output: Path
    preset: Literal["paper", "guided"] | None = None
    size: Literal["tiny", "mini", "sd21"] | None = None
    initial: Path | None = None
    processes: int = 0
    threads: int = 0
    mixed_precision: Literal["auto", "no", "bf16"] = "auto"
    compile: bool = False
    save_every: int = 500
    keep_states: int = 2
    log_every: int = 25
    validation: ValidationConfig | None = None
    vae: VaeConfig | Taken | None = None
    relief: ReliefConfig | Taken | None = None
    decoder: DecoderConfig | None = None
    detector: DetectorConfig | None = None
    conditions: ConditionsConfig | None = None
    augmentation: AugmentationConfig = AugmentationConfig()


SHARES = (
    *("null_probability", "first_step_share", "edit_share", "crossed_share", "ema_decay"),
    *("drop_boxes", "forget_rectangles", "mirror", "smallest_crop", "recolour", "tell_focal"),
    *(field.name for field in dataclasses.fields(AugmentationConfig)),
)
"""Keys whose values are from 0 to 1."""

COUNTS = (
    *("steps", "batch_size", "accumulation", "crop", "save_every", "log_every", "every", "pairs", "cells"),
    "side",
)
"""Keys whose values are at least 1; those of all other numbers are at least 0."""


def load_config(path: Path) -> TrainingConfig:
    """Read a configuration.

    Raises:
        ConfigError: the file is missing, not TOML, or has an unknown, missing, ill-typed or contradictory
            key; the text names file and key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the training configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    config = _build(TrainingConfig, data, str(path))
    _check(config, path)
    return config


def _check(config: TrainingConfig, path: Path) -> None:
    """Refuse keys that are well-formed alone and contradict each other."""
    if config.detector is not None:
        for key in ("preset", "size", "initial", "validation", "vae", "relief", "decoder", "conditions"):
            if getattr(config, key) is not None:
                raise ConfigError(f"{path}: '{key}' does not go with [detector], which has a run of its own")
        return
    if config.preset is None:
        raise ConfigError(f"{path}: missing key 'preset'")
    if (config.size is None) == (config.initial is None):
        raise ConfigError(f"{path}: give one of 'size' (random weights) and 'initial' (a checkpoint)")
    trained = isinstance(config.vae, VaeConfig) or isinstance(config.relief, ReliefConfig)
    if config.decoder is None and not trained:
        raise ConfigError(f"{path}: nothing to train: give tables [vae], [relief], [decoder] or [detector]")
    if config.relief is not None and config.preset == "paper":
        raise ConfigError(f"{path}: relief: the preset 'paper' has none")
    if config.size is not None and config.vae is None:
        raise ConfigError(
            f"{path}: missing table 'vae': train one, or take a checkpoint's with: [vae] from = 'mini'"
        )
    if config.size == "sd21" and isinstance(config.vae, VaeConfig):
        raise ConfigError(f"{path}: vae: Stable Diffusion's VAE is not trained; take a checkpoint's: 'from'")
    decoder = config.decoder
    if config.conditions is not None:
        if config.preset == "paper":
            raise ConfigError(f"{path}: conditions: the preset 'paper' has its own")
        if config.initial is not None:
            raise ConfigError(f"{path}: conditions: 'initial' has its own; they go with 'size' alone")
        if not config.conditions.proxy and decoder is not None and decoder.start != "noise":
            raise ConfigError(f"{path}: conditions: without 'proxy', the decoder must 'start' from \"noise\"")
    if decoder is not None:
        if config.preset == "paper" and decoder.start != "noise":
            raise ConfigError(f"{path}: decoder: 'start' must be 'noise' for the preset 'paper'")
        if decoder.edit_share + decoder.crossed_share > 1:
            raise ConfigError(f"{path}: decoder: 'edit_share' and 'crossed_share' are more than 1 together")


def _build(kind: type[Table], values: Mapping[str, Any], where: str) -> Table:
    """Build a table's dataclass from TOML's values."""
    hints = get_type_hints(kind)
    fields = {_key(field): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key '{key}'")
    found = {}
    for key, field in fields.items():
        if key in values:
            found[field.name] = _value(hints[field.name], values[key], key, where)
        elif field.default is dataclasses.MISSING:
            raise ConfigError(f"{where}: missing key '{key}'")
    return kind(**found)


def _key(field: dataclasses.Field) -> str:
    return "from" if field.name == "origin" else field.name


def _value(hint: Any, value: Any, key: str, where: str) -> Any:
    """Check a value against its field's type; return it in that type."""
    choices = [
        c
        for c in (get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,))
        if c is not type(None)
    ]
    taken = isinstance(value, dict) and "from" in value and Taken in choices
    expected = Taken if taken else choices[0]
    if isinstance(expected, type) and dataclasses.is_dataclass(expected):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: '{key}' must be a table, [{key}]")
        return _build(expected, value, f"{where}: {key}")
    if get_origin(expected) is Literal:
        if value not in get_args(expected):
            names = ", ".join(f"'{name}'" for name in get_args(expected))
            raise ConfigError(f"{where}: '{key}' must be one of {names}, not {value!r}")
        return value
    forms = {float: (int, float), Path: (str,)}.get(expected, (expected,))
    if not isinstance(value, forms) or (isinstance(value, bool) and expected is not bool):
        raise ConfigError(f"{where}: '{key}' must be of type {expected.__name__}, not {value!r}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = int(key in COUNTS), 1 if key in SHARES else math.inf
        if not (math.isfinite(value) and low <= value <= high):
            limits = f"at least {low}" + (" and at most 1" if high == 1 else "")
            raise ConfigError(f"{where}: '{key}' must be {limits}, not {value!r}")
    return expected(value)
