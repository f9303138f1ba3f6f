"""Pairs are drawn by kind with the shares that are asked for, as a pure function of the place in the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from na_core.data.labels import Edit
from na_core.data.scenes import load_scene, scenes
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.training.pair_lists import DrawnPair, PairLists, draw_pairs, pair_lists
from na_core.training.randomness import Place, generator


@pytest.fixture
def lists(make_scene: Callable[..., Path], painted_scenes: Path, tmp_path: Path) -> list[PairLists]:
    """Return those of a scene of two stages with an edit, of two films, and of a scene of one frame."""
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    first, second = (box_matrix((x, 4, 0.4), (0.6, 0.6, 0.8)) for x in (-0.7, 0.7))
    placements = [[first, second], [second, first], [first, second], [second, first]]
    staged = make_scene(
        tmp_path / "staged",
        [camera] * 4,
        placements,
        64,
        64,
        stages=[0, 0, 1, 1],
        edits=[Edit("translate", 0, 1, None, 0)],
    )
    alone = make_scene(tmp_path / "alone", [camera], placements[:1], 64, 64)
    return [pair_lists(s) for s in (load_scene(staged), *scenes(painted_scenes), load_scene(alone))]


def kinds(drawn: list[DrawnPair], lists: list[PairLists]) -> Counter[str]:
    return Counter(
        next(kind for kind in ("film", "edits", "crossed") if d.pair in getattr(lists[d.scene], kind))
        for d in drawn
    )


def test_a_scene_of_every_kind(lists: list[PairLists]) -> None:
    assert len(lists[0].film) == 4
    assert len(lists[0].edits) == 1
    assert len(lists[0].crossed) == 8
    assert len(lists[3]) == 0


def test_shares_are_kept(lists: list[PairLists]) -> None:
    drawn = draw_pairs(lists[:1], 3000, np.random.default_rng(0), 0.3, 0.2)
    found = kinds(drawn, lists)
    assert found["edits"] == pytest.approx(900, abs=90)
    assert found["crossed"] == pytest.approx(600, abs=90)
    assert found["film"] == pytest.approx(1500, abs=90)


def test_both_orders_of_two_frames_come_alike(lists: list[PairLists]) -> None:
    drawn = draw_pairs(lists[1:2], 3000, np.random.default_rng(0), 0.3, 0.2)
    found = Counter((d.pair.source, d.pair.target) for d in drawn)
    assert len(found) == 6
    assert min(found.values()) > 400


def test_every_scene_and_pair_is_drawn_but_those_without_pairs_are_not(lists: list[PairLists]) -> None:
    drawn = draw_pairs(lists, 3000, np.random.default_rng(0), 0.3, 0.2)
    found = Counter(d.scene for d in drawn)
    assert found.keys() == {0, 1, 2}
    assert min(found.values()) > 900
    assert {d.pair for d in drawn if d.scene == 0} == {*lists[0].film, *lists[0].edits, *lists[0].crossed}


def test_a_kind_without_a_share_comes_where_a_scene_has_nothing_else(lists: list[PairLists]) -> None:
    only_edits = PairLists((), lists[0].edits, ())
    drawn = draw_pairs([only_edits, lists[0]], 200, np.random.default_rng(0), 0.0, 0.0)
    assert {d.scene for d in drawn} == {0, 1}
    assert kinds([d for d in drawn if d.scene == 1], [only_edits, lists[0]]).keys() == {"film"}


def test_no_pair_at_all(lists: list[PairLists]) -> None:
    with pytest.raises(ValueError, match="no scene has a pair"):
        draw_pairs(lists[3:], 1, np.random.default_rng(0), 0.3, 0.2)


def test_the_place_decides(lists: list[PairLists]) -> None:
    def draw(place: Place) -> list[DrawnPair]:
        return draw_pairs(lists, 8, generator(place), 0.3, 0.2)

    assert draw(Place(0, 5)) == draw(Place(0, 5))
    others = [Place(1, 5), Place(0, 6), Place(0, 5, process=1), Place(0, 5, part=1)]
    assert all(draw(place) != draw(Place(0, 5)) for place in others)
