"""What no photo showed, and objects' edges, told by labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from na_core.data.scenes import Scene
from na_core.evaluation.learned import LearnedMetrics
from na_core.evaluation.metrics import MAX_PSNR
from na_core.evaluation.regions import EDGE, edges, holes
from na_core.evaluation.scoring import score
from na_core.evaluation.suite_pairs import PAIR_SUITES, suite_pairs

SUITES = tuple(suite for suite in PAIR_SUITES if suite != "video")


def test_a_photo_that_is_asked_back_has_no_holes(edits: Scene) -> None:
    (pair, *_) = suite_pairs("reconstruct", edits)
    unseen = holes(edits, pair)
    assert unseen is not None and not unseen.any()


def test_where_an_object_was_removed_the_ground_behind_it_is_a_hole(edits: Scene) -> None:
    (pair, *_) = suite_pairs("remove", edits)
    unseen, number = holes(edits, pair), pair.edit.object + 1
    assert unseen is not None
    was = edits.mask(pair.source) == number
    far = ~np.isfinite(edits.depth(pair.target))
    assert (unseen == (was & ~far))[2:-2, 2:-2].mean() > 0.99


def test_of_a_turned_object_its_other_side_is_a_hole_and_the_rest_is_not(edits: Scene) -> None:
    (pair, *_) = suite_pairs("turn180", edits)
    unseen, own = holes(edits, pair), edits.mask(pair.target) == pair.edit.object + 1
    assert unseen is not None
    assert unseen[own].mean() > 0.5
    assert unseen[edits.mask(pair.target) == 0].mean() < 0.1


def test_without_depths_there_is_no_telling(edits: Scene) -> None:
    (pair, *_) = suite_pairs("remove", edits)
    frames = tuple(replace(frame, depth=None) for frame in edits.labels.frames)
    assert holes(replace(edits, labels=replace(edits.labels, frames=frames)), pair) is None


@pytest.mark.parametrize("suite", SUITES)
def test_edges_are_near_outlines(suite: str, edits: Scene) -> None:
    (pair, *_) = suite_pairs(suite, edits)
    mask, near = edits.mask(pair.target), edges(edits, pair)
    for row, column in np.argwhere(near)[::17]:
        around = mask[max(row - EDGE, 0) : row + EDGE + 1, max(column - EDGE, 0) : column + EDGE + 1]
        assert len(np.unique(around)) > 1
    assert 0.005 < near.mean() < 0.5


def test_what_is_wrong_in_holes_alone_counts_there_alone(edits: Scene) -> None:
    (pair, *_) = suite_pairs("remove", edits)
    source, truth = edits.picture(pair.source), edits.picture(pair.target)
    unseen = holes(edits, pair)
    assert unseen is not None
    wrong = np.where(unseen[..., None], 255 - truth, truth)
    learned = LearnedMetrics(perceptual=lambda a, b: float((a != b).any(axis=2).sum()))
    scores = score("remove", edits, pair, wrong, source, truth, learned)
    assert scores["holes_psnr"] < 20
    assert scores["holes_perceptual"] == (wrong != truth).any(axis=2).sum()
    assert scores["unchanged_psnr"] == MAX_PSNR
    elsewhere = np.where(unseen[..., None], truth, 255 - truth)
    assert score("remove", edits, pair, elsewhere, source, truth, learned)["holes_psnr"] == MAX_PSNR
