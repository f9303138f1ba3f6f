"""Order: what a data set is made of, checked before anything is rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from na_core.data.labels import CLIP_KINDS, CYCLE_KINDS

from .artist_file.checks import Library
from .families import FAMILY_NAMES
from .streams import SPLITS

EACH = "each"
"""The clip of an order whose scenes are :data:`na_core.data.labels.CYCLE_KINDS` in turn."""

MINIMUM_OBJECTS, MAXIMUM_OBJECTS = 2, 8


@dataclass(frozen=True)
class Order:
    """What the scenes of a data set have in common.

    Attributes:
        out: the data set's folder.
        split: train, validation or test: no two have an object in common, unless it comes from a .blend.
        clip: what the frames of a scene are, one of :data:`na_core.data.labels.CLIP_KINDS` or "each"; None
            for "mixed" in the split train and "each" in the others.
        frames: pictures of each scene.
        width, height: of the pictures in pixels.
        samples: Cycles samples per pixel.
        quality: of the pictures' JPEG compression, 1 to 100; colours are kept at full resolution.
        objects: in each scene; None for 2 to 8.
        families: of objects, by name; None for all.
        library: of an artist's objects, in place of the families.
        depth: whether depth pictures are kept.
        plates: whether the stage is rendered without its objects, too.
        without: objects of each frame without which its picture is rendered once more.
        lenses: whether each frame is seen through a lens of its own: a network that is to tell focal lengths
            must not learn them by heart for each scene.
        unusual: share of those lenses that look down from anywhere and from near, in [0, 1].

    Raises:
        ValueError: a number makes no sense, or there is no such split, clip or family; the text names it.
    """

    out: Path
    split: str = "train"
    clip: str | None = None
    frames: int = 8
    width: int = 256
    height: int = 256
    samples: int = 8
    quality: int = 92
    objects: int | None = None
    families: tuple[str, ...] | None = None
    library: Library | None = None
    depth: bool = True
    plates: bool = True
    without: int = 1
    lenses: bool = False
    unusual: float = 0.0

    def __post_init__(self) -> None:
        for name in ("frames", "samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if self.without < 0:
            raise ValueError(f"without: expected 0 or more, got {self.without}")
        if not 0 <= self.unusual <= 1:
            raise ValueError(f"unusual: expected 0 to 1, got {self.unusual}")
        if min(self.width, self.height) < 8:
            raise ValueError(f"size: expected 8 or more pixels, got {self.width} x {self.height}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality: expected 1 to 100, got {self.quality}")
        if self.objects is not None and not 1 <= self.objects <= 254:
            raise ValueError(f"objects: expected 1 to 254, got {self.objects}")
        _one_of("split", self.split, SPLITS)
        for family in self.families or ():
            _one_of("families", family, FAMILY_NAMES)
        if self.clip is not None:
            _one_of("clip", self.clip, (*CLIP_KINDS, EACH))
        if self.clip == "duplicate" and (self.objects or 0) > 127:
            raise ValueError(f"objects: expected 1 to 127 where each has a copy, got {self.objects}")

    def clip_of(self, seed: int) -> str:
        """Return what the frames of the scene with this seed are, one of ``CLIP_KINDS``."""
        clip = self.clip or ("mixed" if self.split == "train" else EACH)
        return CYCLE_KINDS[seed % len(CYCLE_KINDS)] if clip == EACH else clip


def _one_of(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
