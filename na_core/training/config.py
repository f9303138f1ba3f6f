"""What a training configuration says; ``docs/training.md`` has every key, made from these dataclasses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StrictBool, Tag, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from na_core.training.config_reader import mistake, read_toml
from na_core.training.errors import ConfigError
from na_core.training.tables import (
    BY_KEYS,
    STRICT,
    AugmentationConfig,
    ConditionsConfig,
    Count,
    DecoderConfig,
    DetectorConfig,
    Number,
    Optimisation,
    PhotoNetworkConfig,
    RefinerConfig,
    Taken,
    TakenPart,
    VaeConfig,
    ValidationConfig,
)

TASKS = ("vae", "photo_network", "detector", "refiner", "decoder")
"""Tables of what can be trained, in the order in which a run trains them."""


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """A whole run.

    Attributes:
        seed: seed of every random number.
        scenes: data to train on: a split's folder, a shard or a folder of shards.
        output: folder of the run.
        preset: preset of the model; a run that trains a detector or its second look alone has none.
        size: size of a model with random weights ("tiny" is for tests). Give this or ``initial``.
        initial: folder or embedded name of the checkpoint to start from.
        processes: number of processes that train together; 0 is one for each GPU, or one on the CPU.
        threads: torch's threads on the CPU, in each process; 0 leaves it to torch.
        mixed_precision: precision of the computation; "auto" is bf16 where the device has it.
        compile: whether torch.compile is used: minutes at the start, then faster steps.
        save_every: steps between saved states and checkpoints.
        keep_states: number of saved states that are kept, the newest; 0 keeps all.
        log_every: steps between lines of the log.
        validation: how the decoder is measured; None does not measure it.
        vae: how the VAE is trained, or where it is taken from; None leaves the checkpoint's.
        encoder: where the decoder's encoder is taken from; it keeps its weights then. None trains it.
        photo_network: how the photo network is trained, or where it is taken from; None leaves the
            checkpoint's, or goes without.
        detector: how the embedded detector is trained.
        refiner: how its second look is trained.
        decoder: how encoder, tokenizer and UNet are trained.
        conditions: what the decoder sees; None is what ``guided`` always sees, or the checkpoint's.
        augmentation: how the decoder's pairs are changed.
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
    compile: StrictBool = False
    save_every: Count = 500
    keep_states: Number = 2
    log_every: Count = 25
    validation: ValidationConfig | None = None
    vae: Annotated[Annotated[VaeConfig, Tag("trained")] | TakenPart, BY_KEYS] | None = None
    encoder: Taken | None = None
    photo_network: Annotated[Annotated[PhotoNetworkConfig, Tag("trained")] | TakenPart, BY_KEYS] | None = None
    detector: DetectorConfig | None = None
    refiner: RefinerConfig | None = None
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
    try:
        config = TypeAdapter(TrainingConfig).validate_python(read_toml(file))
    except ValidationError as error:
        raise ConfigError(f"{file}: {mistake(error)}") from error
    for contradiction in _contradictions(config):
        raise ConfigError(f"{file}: {contradiction}")
    return config


_DECODERS = ("preset", "size", "initial", "validation", "vae", "encoder", "photo_network", "conditions")
"""Keys that mean nothing to detectors."""


def _contradictions(config: TrainingConfig) -> Iterator[str]:
    """Yield what is wrong with keys that are well-formed alone and contradict each other."""
    trained, decoder, conditions = config.trained, config.decoder, config.conditions
    if not trained:
        yield "nothing to train: give tables [vae], [photo_network], [detector], [refiner] or [decoder]"
    for name, table in trained.items():
        for group in table.group_rates:
            if group not in table.groups:
                known = ", ".join(f"'{name}'" for name in table.groups) or "none"
                yield f"{name}: group_rates: unknown key '{group}'; there are: {known}"
    if trained.keys() <= {"detector", "refiner"}:
        tables = " and ".join(f"[{name}]" for name in trained)
        for key in (
            "preset",
            "size",
            "initial",
            "validation",
            "vae",
            "encoder",
            "photo_network",
            "conditions",
        ):
            if getattr(config, key) is not None:
                yield f"'{key}' does not go with {tables} alone"
        return
    if config.preset is None:
        yield "missing key 'preset'"
    if (config.size is None) == (config.initial is None):
        yield "give one of 'size' (random weights) and 'initial' (a checkpoint)"
    if config.photo_network is not None and config.preset == "paper":
        yield "photo_network: the preset 'paper' has none"
    pixels = decoder is not None and decoder.start == "pixels"
    if pixels and (config.vae is not None or config.preset == "paper" or config.size == "sd21"):
        yield "decoder: 'start' = \"pixels\" is for preset 'guided' of size 'mini' or 'tiny', without [vae]"
    if pixels and config.encoder is None:
        yield 'decoder: \'start\' = "pixels" needs an encoder that has learnt: [encoder] from = "mini"'
    if config.encoder is not None and not pixels:
        yield "encoder: it learns with a decoder of latents; leave out [encoder]"
    if config.size is not None and config.vae is None and decoder is not None and not pixels:
        yield "missing table 'vae': train one, or take one with: [vae] from = 'FOLDER'"
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
