"""Frames through a refiner: the photo stays where it shows what the frame shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from na_core.model.pipeline import NeuralAssetsPipeline, RenderCancelled
from na_core.model.refiners.need import needed
from na_core.model.refiners.refiner import Refiner
from na_core.scene import Frame, Sampling
from tests.na_core.model.refiners.tiny_pipelines import KINDS
from tests.na_core.studio import Studio

SIZE = {"width": 64, "height": 64}


def sampling(**settings: object) -> Sampling:
    return Sampling(**{"steps": 2, "guidance": 1.0, "preset": "custom", **SIZE, **settings})


@pytest.fixture
def refined(
    tiny: Callable[..., NeuralAssetsPipeline], refiners: dict[str, Refiner]
) -> Iterator[Callable[[str], NeuralAssetsPipeline]]:
    """Return a pipeline with a refiner of a kind."""
    pipeline = tiny("guided")

    def with_refiner(kind: str) -> NeuralAssetsPipeline:
        pipeline.refiner = refiners[kind]
        return pipeline

    yield with_refiner
    pipeline.refiner = None


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_moved_is_refined_and_the_rest_stays_the_photo(
    kind: str, refined: Callable[[str], NeuralAssetsPipeline], studio: Studio, moved_frame: Frame
) -> None:
    pipeline = refined(kind)
    proxy, one, again = (
        pipeline([moved_frame], studio.photos, sampling(steps=steps)).images[0] for steps in (0, 2, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert 0.01 < (one != proxy).any(axis=2).mean() < 0.9


@pytest.mark.parametrize("reach", [0.0, 0.5, 1.0])
def test_an_unmoved_frame_is_the_photo(
    reach: float, refined: Callable[[str], NeuralAssetsPipeline], studio: Studio
) -> None:
    made = refined("StableDiffusionPipeline")([studio.frame()], studio.photos, sampling(reach=reach))
    np.testing.assert_array_equal(made.images[0], studio.photo)


def test_more_reach_changes_more(
    refined: Callable[[str], NeuralAssetsPipeline], studio: Studio, moved_frame: Frame
) -> None:
    pipeline = refined("StableDiffusionPipeline")
    proxy = pipeline([moved_frame], studio.photos, sampling(steps=0)).images[0]
    shares = [
        (pipeline([moved_frame], studio.photos, sampling(reach=reach)).images[0] != proxy).any(axis=2).mean()
        for reach in (0.0, 0.5, 1.0)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_a_named_sampling_means_what_suits_refiners(
    refined: Callable[[str], NeuralAssetsPipeline], studio: Studio, moved_frame: Frame
) -> None:
    told: list[tuple[int, int]] = []
    refined("StableDiffusionPipeline")(
        [moved_frame],
        studio.photos,
        replace(Sampling.from_preset("standard"), **SIZE),
        lambda step, of, preview: told.append((step, of)),
    )
    assert told[-1] == (8, 8)
    assert [step for step, _ in told] == sorted(step for step, _ in told)


def test_it_can_be_cancelled_at_a_step(
    refined: Callable[[str], NeuralAssetsPipeline], studio: Studio, moved_frame: Frame
) -> None:
    def cancel(*_: object) -> None:
        raise RenderCancelled

    with pytest.raises(RenderCancelled):
        refined("StableDiffusionPipeline")([moved_frame], studio.photos, sampling(), cancel)


class TestNeed:
    VALID = np.ones((20, 30), bool)
    NOT_STILL = np.zeros((20, 30), bool)
    NOTHING = np.full((20, 30), -1)
    UNSHADED = np.ones((20, 30, 3), np.float32)

    def test_what_no_photo_showed_is_needed_whole(self) -> None:
        validity = self.VALID.copy()
        validity[5:10, 5:15] = False
        need = needed(validity, self.NOT_STILL, self.NOTHING, self.UNSHADED, 0.0)
        assert (need[5:10, 5:15] == 1).all()
        assert need[18, 28] == 0

    def test_what_stands_still_is_never_touched(self) -> None:
        still = self.VALID.copy()
        still[:, 15:] = False
        index = np.where(np.arange(30) < 20, 0, -1)[None].repeat(20, axis=0)
        need = needed(~self.VALID, still, index, self.UNSHADED / 2, 1.0)
        assert (need[:, :15] == 0).all()
        assert (need[:, 17:] > 0).all()

    @pytest.mark.parametrize(("reach", "edge", "inside"), [(0.0, 0, 0), (0.25, 0.5, 0), (0.75, 1, 0.5)])
    def test_the_slider_takes_in_edges_and_then_all_that_moved(
        self, reach: float, edge: float, inside: float
    ) -> None:
        index = np.where(np.arange(30) < 15, 0, -1)[None].repeat(20, axis=0)
        need = needed(self.VALID, self.NOT_STILL, index, self.UNSHADED, reach)
        assert need[10, 14] == pytest.approx(edge, abs=0.2)
        assert need[10, 2] == pytest.approx(inside, abs=0.01)
