"""The pairs that a scene can be trained on, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from na_core.data.pairs import Pair, crossed_pairs, edit_pairs, video_pairs
from na_core.data.scenes import Scene


@dataclass(frozen=True)
class PairLists:
    """The usable pairs of a scene, by kind.

    Attributes:
        film: two frames of a stage, in both orders (paper, section 2).
        edits: controlled edits.
        crossed: objects of one stage before the background of another.
    """

    film: tuple[Pair, ...]
    edits: tuple[Pair, ...]
    crossed: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.film) + len(self.edits) + len(self.crossed)


@dataclass(frozen=True)
class DrawnPair:
    """A pair, and the number of its scene."""

    scene: int
    pair: Pair


def pair_lists(scene: Scene) -> PairLists:
    """List a scene's usable pairs."""
    return PairLists(tuple(video_pairs(scene)), tuple(edit_pairs(scene)), tuple(crossed_pairs(scene)))


def draw_pairs(
    lists: Sequence[PairLists],
    count: int,
    random: np.random.Generator,
    edit_share: float,
    crossed_share: float,
) -> list[DrawnPair]:
    """Draw pairs: a scene, then a kind, then a pair of that kind, each uniformly but for the kind.

    Args:
        lists: of each scene; scenes without pairs are never drawn.
        count: how many.
        random: where the numbers come from.
        edit_share, crossed_share: of pairs that are edits, and crossed. The rest are two frames of a stage.
            Where a scene lacks a kind, the others take its share in proportion, or alike if they have none.

    Raises:
        ValueError: no scene has a pair.
    """
    usable = [number for number, found in enumerate(lists) if len(found)]
    if not usable:
        raise ValueError("no scene has a pair of pictures to train on")
    shares = np.array([1 - edit_share - crossed_share, edit_share, crossed_share])
    drawn = []
    for number in random.choice(usable, size=count):
        kinds = (lists[number].film, lists[number].edits, lists[number].crossed)
        there = np.array([len(kind) > 0 for kind in kinds])
        weights = np.where(there, shares, 0)
        weights = weights if weights.sum() > 0 else there.astype(float)
        kind = kinds[int(random.choice(3, p=weights / weights.sum()))]
        drawn.append(DrawnPair(int(number), kind[int(random.integers(len(kind)))]))
    return drawn
