"""What single tables of a training configuration say; :mod:`na_core.training.config` has the whole."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, StrictBool, Tag
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[int, Field(ge=0, strict=True)]
Start = Literal["noise", "residual", "uncertainty", "pixels"]

VALIDATION_SCENES = Path(__file__).resolve().parent.parent / "evaluation" / "scenes" / "validation.tar"
"""The held-out scenes that come with the package."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Optimisation:
    """How weights are optimised: keys of each table that trains.

    Attributes:
        steps: number of optimizer steps (AdamW).
        batch_size: samples per step (crops, photos or pairs), over all processes.
        learning_rate: rate after the warm-up.
        warmup_steps: steps of linear warm-up.
        schedule: what follows the warm-up: a cosine to zero, or a constant rate (the paper's).
        clip_norm: largest norm of the gradient; 0 does not clip.
        ema_decay: decay of the averaged weights; 0 averages none.
        accumulation: parts in which a process computes its share of a step, to save memory.
        weight_decay: AdamW's weight decay.
        group_rates: table of learning rates for single groups of weights, in place of ``learning_rate``.
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


@dataclass(frozen=True, config=STRICT)
class Taken:
    """A part of an existing checkpoint in place of training one.

    Attributes:
        origin: an embedded checkpoint's name, a checkpoint's folder, or the part's own folder.
    """

    origin: str = Field(alias="from")


def _kind_of_part(table: object) -> str:
    taken = isinstance(table, Taken) or (isinstance(table, Mapping) and "from" in table)
    return "taken" if taken else "trained"


TakenPart = Annotated[Taken, Tag("taken")]
BY_KEYS = Discriminator(_kind_of_part)
"""A part is taken where its table says "from", and trained elsewhere."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class VaeConfig(Optimisation):
    """How the VAE is trained.

    Attributes:
        crop: side of a crop in pixels.
        latent_noise: noise on the latents, relative to their spread; it makes the VAE forgive the UNet.
    """

    crop: Count
    latent_noise: Amount
    ema_decay: Share = 0.995
    weight_decay: Amount = 0.0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PhotoNetworkConfig(Optimisation):
    """How the photo network is trained; see "The photo network". Without this table the checkpoint's network
    stays; a model with random weights has none then, and its objects fill their boxes. Its groups of weights
    are "backbone" and "heads".

    Attributes:
        backbone: weights of a new network's backbone: ImageNet's, or random ones.
        frozen_blocks: blocks of the backbone, from the first, that keep their weights; 0 trains them all.
        working_size: longer side in pixels at which a new network will see photos; left out, the model's own.
            Cut-outs show it objects as large as up to ``1 / smallest_crop`` times the pictures' size would.
        jitter_boxes: probability of a box to be as wrong as a detector's (size 10 %, yaw 5°, centre 3 %).
        drop_boxes: probability of a box to be missing; its object is background then.
        forget_rectangles: probability of a 2D box to be unknown.
        mirror: probability of a photo to be mirrored left to right.
        recolour: probability of a photo to have its colour channels exchanged.
        degrade: probability of a photo to be blurred, noisy and compressed.
        smallest_crop: side of the smallest part that is cut out of a photo, as a share; 1 leaves it whole.
    """

    groups: ClassVar[tuple[str, ...]] = ("backbone", "heads")

    backbone: Literal["imagenet", "random"] = "imagenet"
    frozen_blocks: Annotated[int, Field(ge=0, le=16, strict=True)] = 5
    working_size: Count | None = None
    jitter_boxes: Share = 0.3
    drop_boxes: Share = 0.03
    forget_rectangles: Share = 0.1
    mirror: Share = 0.5
    recolour: Share = 0.5
    degrade: Share = 0.5
    smallest_crop: Share = 0.5


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DetectorConfig(Optimisation):
    """How the embedded detector is trained. A run that trains nothing else has no ``preset`` and no ``size``.
    Its groups of weights are "backbone" and "heads".

    Attributes:
        size: size of a new network ("tiny" is for tests).
        initial: folder of a detector to start from in its place.
        backbone: weights of a new network's backbone: ImageNet's, or random ones.
        frozen_blocks: blocks of the backbone, from the first, that keep their weights; 0 trains them all.
        side: side in pixels to which pictures are reduced; smaller ones teach faster at first.
        tell_focal: probability of a photo's focal length to be told.
        empty: probability of a photo without objects, where scenes have plates.
        trim: probability of a batch of photos that are not square.
        degrade: probability of a photo to be blurred, noisy and compressed.
        mirror: probability of a photo to be mirrored left to right.
        recolour: probability of a photo to have its colour channels exchanged.
        turn: largest angle in radians by which the camera is turned beyond what its photo shows.
        zoom: largest factor by which its focal length grows; it is turned to anywhere in its photo then.
    """

    groups: ClassVar[tuple[str, ...]] = ("backbone", "heads")

    size: Literal["tiny", "mini"] = "mini"
    initial: Path | None = None
    backbone: Literal["imagenet", "random"] = "imagenet"
    frozen_blocks: Annotated[int, Field(ge=0, le=16, strict=True)] = 11
    side: Count = 256
    tell_focal: Share = 0.35
    empty: Share = 0.06
    trim: Share = 0.25
    degrade: Share = 0.5
    mirror: Share = 0.5
    recolour: Share = 0.8
    turn: Amount = 0.1
    zoom: Annotated[float, Field(ge=1, allow_inf_nan=False, strict=True)] = 1.5
    clip_norm: Amount = 10.0
    ema_decay: Share = 0.998
    weight_decay: Amount = 0.05


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RefinerConfig(Optimisation):
    """How the detector's second look is trained, on what the detector sees at the first. It should not have
    been trained on the same scenes: it is surer of those than of others. A run that trains nothing else has
    no ``preset`` and no ``size``. Its groups of weights are "backbone" and "heads".

    Attributes:
        size: size of a new network ("tiny" is for tests); its backbone begins as the detector's.
        initial: folder of a network to start from in its place; what it sees is looked at again, too.
        detector: folder of the detector whose first looks are looked at again; left out, the embedded one.
        frozen_blocks: blocks of the backbone, from the first, that keep their weights; 0 trains them all.
        tell_focal: share of photos of whose camera the focal length alone is told.
        tell_camera: share of photos of whose camera all is told.
        wrong_rectangle: standard deviation of given 2D boxes' edges, as a share of their sides.
        shift: largest shift of what is cut out, as a share of its side.
        resize: largest factor by which it is larger or smaller.
        cover: probability of an object to have another put in front of it.
        mirror: probability of an object to be mirrored left to right.
        recolour: probability of an object to have its colour channels exchanged.
        degrade: probability of an object to be blurred, noisy and compressed.
    """

    groups: ClassVar[tuple[str, ...]] = ("backbone", "heads")

    size: Literal["tiny", "mini"] = "mini"
    initial: Path | None = None
    detector: Path | None = None
    frozen_blocks: Annotated[int, Field(ge=0, le=16, strict=True)] = 5
    tell_focal: Share = 0.33
    tell_camera: Share = 0.33
    wrong_rectangle: Share = 0.02
    shift: Share = 0.05
    resize: Annotated[float, Field(ge=1, allow_inf_nan=False, strict=True)] = 1.15
    cover: Share = 0.4
    mirror: Share = 0.5
    recolour: Share = 0.5
    degrade: Share = 0.3
    clip_norm: Amount = 10.0
    ema_decay: Share = 0.998
    weight_decay: Amount = 0.05


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DecoderConfig(Optimisation):
    """How the decoder is trained. Its groups of weights are "unet", "encoder" and "tokens" (the tokenizer,
    whose weights do not decay).

    Attributes:
        start: what is diffused, see "How the decoder starts".
        null_probability: probability of a pair to have no boxes and poses, for guidance.
        first_step_share: share of pairs at the last timestep, where every few-step sampler begins.
        edit_share: share of pairs that are controlled edits.
        crossed_share: share of pairs whose objects and background were taken under different light.
        smooth_plates: whether plates are smooth in training, though the checkpoint renders with texture: of
            what is made up the decoder would only learn to blur it, and photos are taken apart in less time.
        crop: for "pixels", side in pixels of the part of a pair that is learnt, drawn anew each time; 0 is
            the whole.
        mirror: for "pixels", share of pairs that are mirrored left to right.
        recolour: for "pixels", share of pairs whose colour channels change places.
        noisy_share: for "pixels", share of pairs whose proxy is noisy.
        features: for "pixels", whether structure, and a backbone that has seen ImageNet, say, too, how wrong
            pictures are.
    """

    groups: ClassVar[tuple[str, ...]] = ("unet", "encoder", "tokens")

    start: Start = "noise"
    null_probability: Share
    first_step_share: Share = 0.0
    edit_share: Share = 0.3
    crossed_share: Share = 0.2
    smooth_plates: StrictBool = False
    crop: Number = 0
    mirror: Share = 0.5
    recolour: Share = 0.5
    noisy_share: Share = 0.25
    features: StrictBool = True


@dataclass(frozen=True, config=STRICT)
class ConditionsConfig:
    """What the decoder of a ``guided`` model with random weights sees. What is off is zero, in training as in
    rendering; the checkpoint remembers it.

    Attributes:
        box_map: whether it sees which box each ray hits, where and how far away.
        proxy: whether it sees the proxy picture and where that is real; if not, ``start`` must be "noise".
        source_pose: whether it sees the assets' source poses beside the target poses.
        anchored_noise: whether the initial noise sticks to boxes and backdrop, not to the screen.
        tokens: whether it sees tokens at all.
        passes: for "pixels", whether it sees the validity, the objects and the shadows of pixels.
        blend_mask: for "pixels", whether it has a mask for its residual.
        cells: appearance tokens along each side of an object's 2D box.
    """

    box_map: StrictBool = True
    proxy: StrictBool = True
    source_pose: StrictBool = True
    anchored_noise: StrictBool = True
    tokens: StrictBool = True
    passes: StrictBool = True
    blend_mask: StrictBool = True
    cells: Count = 2


@dataclass(frozen=True, config=STRICT)
class AugmentationConfig:
    """Probabilities with which the decoder's pairs are changed.

    Attributes:
        jitter_boxes: of a source box to be as wrong as a detector's, see [photo_network]; the target's moves
            along.
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


@dataclass(frozen=True, config=STRICT)
class ValidationConfig:
    """How the decoder is measured on held-out pairs as it trains.

    Attributes:
        every: steps between measurements.
        scenes: held-out scenes: a split's folder, a shard or a folder of shards.
        pairs: number of pairs, evenly spread over the scenes; edits come before films.
        sheet_pairs: number of them on the sample grid.
    """

    every: Count
    scenes: Path = VALIDATION_SCENES
    pairs: Count = 8
    sheet_pairs: Number = 4
