"""What a training configuration says; ``docs/training.md`` has every key, made from these dataclasses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from na_core.training.config_reader import Range, build, read_toml
from na_core.training.errors import ConfigError

Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0)]
Count = Annotated[int, Range(1)]
Number = Annotated[int, Range(0)]
Start = Literal["noise", "residual", "uncertainty"]

TASKS = ("vae", "relief", "detector", "decoder")
"""Tables of what can be trained, in the order in which a run trains them."""

VALIDATION_SCENES = Path(__file__).resolve().parent.parent / "evaluation" / "scenes" / "validation.tar"
"""The held-out scenes that come with the package."""


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights are optimised: keys of each table that trains.

    Attributes:
        steps: of the optimizer, AdamW.
        batch_size: samples (crops, photos or pairs) per step, over all processes.
        learning_rate: after the warm-up.
        warmup_steps: of linear warm-up.
        schedule: what follows the warm-up: a cosine to zero, or a constant rate (the paper's).
        clip_norm: of the gradient; 0 does not clip.
        ema_decay: of the averaged weights; 0 averages none.
        accumulation: parts that a process computes its share of a step in, to save memory.
        weight_decay: of AdamW.
        group_rates: learning rates of single groups of weights, in place of the common one.
    """

    groups: ClassVar[tuple[str, ...]] = ()

    steps: Count
    batch_size: Count
    learning_rate: Amount
    warmup_steps: Number
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: Amount = 1.0
    ema_decay: Share = 0.99
    accumulation: Count = 1
    weight_decay: Amount = 0.01
    group_rates: Mapping[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A part of an existing checkpoint in place of training one.

    Attributes:
        origin: a checkpoint's folder or embedded name, or the folder of the part.
    """

    origin: str


@dataclass(frozen=True, kw_only=True)
class VaeConfig(Optimisation):
    """How the VAE is trained.

    Attributes:
        crop: side of a crop in pixels.
        latent_noise: on the latents, relative to their spread: the VAE then forgives the UNet; 0 is fine.
    """

    crop: Count
    latent_noise: Amount
    ema_decay: Share = 0.995
    weight_decay: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class ReliefConfig(Optimisation):
    """How the relief network is trained; see :mod:`na_core.model.relief_network`.

    Attributes:
        jitter_boxes: probability of a box to be as wrong as a detector's (size 10 %, yaw 5°, centre 3 %).
        drop_boxes: of a box to be missing: its object is background then.
        forget_rectangles: of a 2D box to be unknown.
        mirror: of a photo to be mirrored left to right.
        recolour: of a photo to have its colour channels exchanged.
        smallest_crop: side of the smallest part that is cut out of a photo, as a share; 1 leaves it whole.
    """

    jitter_boxes: Share = 0.3
    drop_boxes: Share = 0.1
    forget_rectangles: Share = 0.1
    mirror: Share = 0.5
    recolour: Share = 0.5
    smallest_crop: Share = 0.5


@dataclass(frozen=True, kw_only=True)
class DetectorConfig(Optimisation):
    """How the embedded detector is trained; see :mod:`na_core.detection.network`.

    Attributes:
        size: of random weights; "tiny" is for tests.
        initial: the folder of a detector to start from in their stead.
        side: of the pictures in pixels, which are made so small; smaller ones teach faster at first.
        tell_focal: probability of a photo's focal length to be told.
        mirror: of a photo to be mirrored left to right.
        recolour: of a photo to have its colour channels exchanged.
        turn: radians by which the camera is turned about itself at most.
        zoom: factor by which its focal length grows at most.
    """

    size: Literal["tiny", "mini"] = "mini"
    initial: Path | None = None
    side: Count = 256
    tell_focal: Share = 0.5
    mirror: Share = 0.5
    recolour: Share = 0.5
    turn: Amount = 0.15
    zoom: Annotated[float, Range(1)] = 1.4
    clip_norm: Amount = 10.0
    ema_decay: Share = 0.998
    weight_decay: Amount = 0.05


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(Optimisation):
    """How the decoder is trained. Its groups of weights are "unet", "encoder" and "tokens".

    Attributes:
        start: what is diffused, see "How the decoder starts".
        null_probability: of a pair without boxes and poses, for guidance.
        first_step_share: of pairs at the last timestep, where every few-step sampler begins.
        edit_share: of pairs that are controlled edits.
        crossed_share: of pairs with objects of one stage before the background of another.
    """

    groups: ClassVar[tuple[str, ...]] = ("unet", "encoder", "tokens")

    start: Start = "noise"
    null_probability: Share
    first_step_share: Share = 0.0
    edit_share: Share = 0.3
    crossed_share: Share = 0.2


@dataclass(frozen=True)
class ConditionsConfig:
    """What the decoder of a ``guided`` model with random weights sees. What is off is zero.

    Attributes:
        box_map: which box each ray hits, where and how far away.
        proxy: the proxy picture and where it is real; without it, ``start`` must be "noise".
        source_pose: the assets' source poses beside the target poses.
        anchored_noise: the initial noise sticks to boxes and backdrop, not to the screen.
        cells: appearance tokens along each side of an object's 2D box.
    """

    box_map: bool = True
    proxy: bool = True
    source_pose: bool = True
    anchored_noise: bool = True
    cells: Count = 2


@dataclass(frozen=True)
class AugmentationConfig:
    """Probabilities with which the decoder's pairs are changed; see :mod:`na_core.model.batched.augment`.

    Attributes:
        jitter_boxes: of a source box to be as wrong as a detector's; the target's moves along.
        relabel_corners: of an asset whose front is near 45° to take the other label; 0.5 makes both alike.
        drop_objects: of an asset that the target does not show to be left out.
        mask_sources: of an object to be hidden in its photo and the proxy; its place stays known.
        drop_proxies: of a pair to have no proxy.
        blur_proxies: of a pair to have a proxy without detail.
    """

    jitter_boxes: Share = 0.0
    relabel_corners: Share = 0.0
    drop_objects: Share = 0.0
    mask_sources: Share = 0.0
    drop_proxies: Share = 0.0
    blur_proxies: Share = 0.0


@dataclass(frozen=True)
class ValidationConfig:
    """How the decoder is measured on held-out pairs as it trains.

    Attributes:
        every: steps between measurements.
        scenes: a split's folder, a shard or a folder of shards; by default those that come with the package.
        pairs: how many are measured, evenly spread over the scenes; edits come before films.
        sheet_pairs: how many of them are drawn on the sample grid.
    """

    every: Count
    scenes: Path = VALIDATION_SCENES
    pairs: Count = 8
    sheet_pairs: Number = 4


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run: its keys stand before the first table.

    Attributes:
        seed: of every random number.
        scenes: what to train on: a split's folder, a shard or a folder of shards.
        output: folder of the run.
        preset: of the model. Where a detector alone is trained, there is none.
        size: of a model with random weights ("tiny" is for tests); or
        initial: the folder of a checkpoint to start from. One of both.
        processes: that train together; 0 is one for each GPU, or one on the CPU.
        threads: of torch on the CPU, in each process; 0 leaves it to torch.
        mixed_precision: bf16, or where the device computes in it ("auto"); weights stay float32.
        compile: torch.compile of the networks: minutes at the start, then faster steps.
        save_every: steps between saved states and checkpoints.
        keep_states: how many saved states are kept, the newest; 0 keeps all.
        log_every: steps between lines of the log.
        validation: how to measure the decoder; None does not.
        vae: how to train the VAE, or where to take it from; None leaves the checkpoint's.
        relief: how to train the relief network, or where to take it from; None leaves the checkpoint's, or
            goes without.
        detector: how to train the embedded detector.
        decoder: how to train encoder, tokenizer and UNet.
        conditions: what the decoder sees; None is what ``guided`` always sees, or the checkpoint's.
        augmentation: of the decoder's pairs; none by default.
    """

    seed: Number
    scenes: Path
    output: Path
    preset: Literal["paper", "guided"] | None = None
    size: Literal["tiny", "mini", "sd21"] | None = None
    initial: Path | None = None
    processes: Number = 0
    threads: Number = 0
    mixed_precision: Literal["auto", "no", "bf16"] = "auto"
    compile: bool = False
    save_every: Count = 500
    keep_states: Number = 2
    log_every: Count = 25
    validation: ValidationConfig | None = None
    vae: VaeConfig | Taken | None = None
    relief: ReliefConfig | Taken | None = None
    detector: DetectorConfig | None = None
    decoder: DecoderConfig | None = None
    conditions: ConditionsConfig | None = None
    augmentation: AugmentationConfig = AugmentationConfig()

    @property
    def trained(self) -> dict[str, Optimisation]:
        """The tables of what is trained, by name, in the order of :data:`TASKS`."""
        tables = {name: getattr(self, name) for name in TASKS}
        return {name: table for name, table in tables.items() if isinstance(table, Optimisation)}


def load_config(file: Path) -> TrainingConfig:
    """Read a configuration, and what it extends.

    Raises:
        ConfigError: a file is missing, not TOML, or has an unknown, missing, ill-typed or contradictory
            key; the text names file and key.
    """
    config = build(TrainingConfig, read_toml(file), str(file))
    for contradiction in _contradictions(config):
        raise ConfigError(f"{file}: {contradiction}")
    return config


def _contradictions(config: TrainingConfig) -> Iterator[str]:
    """Yield what is wrong with keys that are well-formed alone and contradict each other."""
    trained, decoder, conditions = config.trained, config.decoder, config.conditions
    if not trained:
        yield "nothing to train: give tables [vae], [relief], [detector] or [decoder]"
    for name, table in trained.items():
        for group in table.group_rates:
            if group not in table.groups:
                known = ", ".join(f"'{name}'" for name in table.groups) or "none"
                yield f"{name}: group_rates: unknown key '{group}'; there are: {known}"
    if trained.keys() == {"detector"}:
        for key in ("preset", "size", "initial", "validation", "vae", "relief", "conditions"):
            if getattr(config, key) is not None:
                yield f"'{key}' does not go with [detector] alone"
        return
    if config.preset is None:
        yield "missing key 'preset'"
    if (config.size is None) == (config.initial is None):
        yield "give one of 'size' (random weights) and 'initial' (a checkpoint)"
    if config.relief is not None and config.preset == "paper":
        yield "relief: the preset 'paper' has none"
    if config.size is not None and config.vae is None:
        yield "missing table 'vae': train one, or take a checkpoint's with: [vae] from = 'mini'"
    if config.size == "sd21" and "vae" in trained:
        yield "vae: Stable Diffusion's VAE is not trained; take a checkpoint's: 'from'"
    if conditions is not None:
        if config.preset == "paper":
            yield "conditions: the preset 'paper' has its own"
        if config.initial is not None:
            yield "conditions: 'initial' has its own; they go with 'size' alone"
        if not conditions.proxy and decoder is not None and decoder.start != "noise":
            yield "conditions: without 'proxy', the decoder must 'start' from \"noise\""
    if decoder is not None:
        if config.preset == "paper" and decoder.start != "noise":
            yield "decoder: 'start' must be 'noise' for the preset 'paper'"
        if decoder.edit_share + decoder.crossed_share > 1:
            yield "decoder: 'edit_share' and 'crossed_share' are more than 1 together"
