"""Work that nobody wants any more ends soon, and leaves nothing half done behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from na_core.cancellation import cancelled_by, poll
from na_core.geometry.boxes import box_matrix
from na_core.model.presets import build_pipeline
from na_core.scene import Sampling
from tests.na_core.studio import build_studio


class Unwanted(Exception):
    """What the one who asks raises in these tests."""


class Asked:
    """Counts how often it is asked, and raises at one of these times."""

    def __init__(self, until: int = -1) -> None:
        self.count, self.until = 0, until

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.until:
            raise Unwanted


def test_nobody_is_asked_where_nobody_waits() -> None:
    poll()


def test_the_innermost_question_is_asked_and_none_after_its_context() -> None:
    outer, inner = Asked(), Asked()
    with cancelled_by(outer):
        poll()
        with cancelled_by(inner):
            poll()
            poll()
        poll()
    poll()
    assert (outer.count, inner.count) == (2, 2)


def test_what_a_question_raises_passes_through_and_is_not_asked_again() -> None:
    asked = Asked(until=1)
    with pytest.raises(Unwanted), cancelled_by(asked):
        poll()
    poll()
    assert asked.count == 1


def test_a_render_that_was_called_off_anywhere_can_be_asked_for_again() -> None:
    places = [box_matrix((-0.6, 4.0, 0.4), (0.7, 0.5, 0.8)), box_matrix((0.6, 4.4, 0.3), (0.6, 0.6, 0.6))]
    studio = build_studio(places)
    frame = studio.frame({0: box_matrix((-0.3, 4.2, 0.4), (0.7, 0.5, 0.8), yaw=1.4)})
    sampling = replace(Sampling(), width=64, height=64)

    def rendered(asked: Asked, pipeline: object = None) -> np.ndarray:
        used = pipeline or build_pipeline("guided", "tiny", photo_network=True, pixels=True)
        with cancelled_by(asked):
            return used([frame], studio.photos, sampling).images  # type: ignore[operator]

    whole = Asked()
    wanted = rendered(whole)
    assert whole.count > 50
    pipeline = build_pipeline("guided", "tiny", photo_network=True, pixels=True)
    for until in np.linspace(1, whole.count, 12).astype(int):
        pipeline.clear_cache()
        with pytest.raises(Unwanted):
            rendered(Asked(int(until)), pipeline)
        np.testing.assert_array_equal(rendered(Asked(), pipeline), wanted)
