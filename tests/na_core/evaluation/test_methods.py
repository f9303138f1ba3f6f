"""The references that need no network, and rendering each pair once."""

from __future__ import annotations

import numpy as np
import pytest

from na_core.data.scenes import Scene
from na_core.evaluation.methods import Copy, ProxyOnly, RenderRequest, SceneRenderer, method_name
from na_core.evaluation.metrics import psnr
from na_core.evaluation.suite_pairs import PAIR_SUITES, suite_pairs
from na_core.scene import Picture


class Counting:
    """A method that notes what it is asked for."""

    name = identity = "counting"

    def __init__(self, sampled: bool) -> None:
        self.sampled = sampled
        self.seeds: list[int] = []

    def render(self, request: RenderRequest, seed: int) -> Picture:
        self.seeds.append(seed)
        return request.source


@pytest.mark.parametrize("suite", [suite for suite in PAIR_SUITES if suite != "video"])
def test_the_copy_is_the_source_even_where_the_background_is_anothers(suite: str, edits: Scene) -> None:
    renderer, pair = SceneRenderer(edits), suite_pairs(suite, edits)[0]
    np.testing.assert_array_equal(renderer.render(Copy(), 0, pair), edits.picture(pair.source))


@pytest.mark.parametrize("suite", [suite for suite in PAIR_SUITES if suite not in ("video", "reconstruct")])
def test_the_proxy_knows_more_than_the_copy(suite: str, edits: Scene) -> None:
    renderer, pair = SceneRenderer(edits), suite_pairs(suite, edits)[0]
    truth = edits.picture(pair.target)
    copy, proxy = (psnr(renderer.render(method, 0, pair), truth) for method in (Copy(), ProxyOnly()))
    assert copy + 2 < proxy


def test_the_proxy_of_an_unmoved_frame_is_the_photo(edits: Scene) -> None:
    pair = suite_pairs("reconstruct", edits)[0]
    np.testing.assert_array_equal(SceneRenderer(edits).render(ProxyOnly(), 0, pair), edits.picture(0))


def test_a_pair_is_rendered_once_for_all_suites(edits: Scene) -> None:
    renderer, method = SceneRenderer(edits), Counting(sampled=True)
    for suite in ("rotate", "turn180", "rotate"):
        for pair in suite_pairs(suite, edits):
            renderer.render(method, 3, pair)
    assert method.seeds == [3, 3]


@pytest.mark.parametrize(("sampled", "seeds"), [(True, [0, 1, 2]), (False, [0])])
def test_only_a_method_that_samples_is_rendered_with_every_seed(
    sampled: bool, seeds: list[int], edits: Scene
) -> None:
    renderer, method = SceneRenderer(edits), Counting(sampled)
    for seed in range(3):
        renderer.render(method, seed, suite_pairs("scale", edits)[0])
    assert method.seeds == seeds


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [("mini", "mini"), ("runs/better/checkpoint", "better"), ("models/small", "small")],
)
def test_a_runs_checkpoint_is_called_as_the_run(checkpoint: str, name: str) -> None:
    assert method_name(checkpoint) == name
