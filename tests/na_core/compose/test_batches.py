"""Frames of a batch, photos of several sizes and repetitions change no byte of what frames show."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from na_core.compose.compose import compose
from tests.na_core.stage import Shown, Stage, random_frame, shown, together

Seeds = st.integers(0, 2**32 - 1)
SIZE = (80, 64)


def assert_same_bytes(one: Shown, other: Shown) -> None:
    for field in dataclasses.fields(Shown):
        a, b = (getattr(each, field.name) for each in (one, other))
        np.testing.assert_array_equal(a, b, err_msg=field.name)


def assert_each_is_as_alone(stages: Sequence[Stage], slots: int | None = None) -> None:
    passes = together(stages).passes(*SIZE, slots)
    for row, stage in enumerate(stages):
        assert_same_bytes(shown(passes, row), stage.shown(0, *SIZE))


@settings(max_examples=5, deadline=None)
@given(seed=Seeds, rounded=st.booleans())
def test_a_frame_composed_twice_is_the_same(seed: int, rounded: bool) -> None:
    stage = random_frame(seed, rounded=rounded)
    layers, batch = stage.layers, stage.batch()
    assert_same_bytes(*(shown(compose(layers, batch, *SIZE)) for _ in range(2)))


@settings(max_examples=5, deadline=None)
@given(seeds=st.lists(Seeds, min_size=2, max_size=4, unique=True))
@example(seeds=[0, 102])  # two surfaces that are nearly as far
def test_a_frame_is_as_alone_in_a_batch(seeds: list[int]) -> None:
    assert_each_is_as_alone([random_frame(seed) for seed in seeds], slots=9)


@pytest.mark.parametrize("seed", [0, 7])
def test_rounded_objects_are_as_alone_in_a_batch(seed: int) -> None:
    stages = [random_frame(seed + number, rounded=True) for number in range(3)]
    stages = [dataclasses.replace(stage, rounded=seed) for stage in stages]
    assert_each_is_as_alone(stages)


@settings(max_examples=5, deadline=None)
@given(seed=Seeds, size=st.tuples(st.integers(8, 96), st.integers(8, 96)))
def test_photos_of_another_size_beside_it_change_nothing(seed: int, size: tuple[int, int]) -> None:
    assert_each_is_as_alone([random_frame(seed, SIZE), random_frame(seed + 1, size)])


@settings(max_examples=5, deadline=None)
@given(seed=Seeds, size=st.tuples(st.integers(8, 96), st.integers(8, 96)))
def test_a_still_frame_is_its_photo_among_photos_of_other_sizes(seed: int, size: tuple[int, int]) -> None:
    still = random_frame(seed, size, still=True)
    found = together([random_frame(seed + 1, SIZE, (40, 90)), still]).passes(*size)
    assert_same_bytes(shown(found, 1), still.shown())
    assert found.validity[1].all()


@settings(max_examples=5, deadline=None)
@given(seed=Seeds, size=st.tuples(st.integers(8, 96), st.integers(8, 96)))
def test_a_frame_of_photos_of_two_sizes_does_not_depend_on_the_stacks_size(
    seed: int, size: tuple[int, int]
) -> None:
    assert_each_is_as_alone([random_frame(seed, SIZE, size), random_frame(seed + 1, (100, 100))])


def test_strips_are_as_wide_as_in_their_own_photo_beside_a_larger_one() -> None:
    # Of a photo 250 pixels wide strips are 3 pixels wide, of one of 96 pixels one.
    assert_each_is_as_alone(
        [random_frame(seed, size) for seed, size in ((4, (250, 60)), (5, SIZE), (3, SIZE))]
    )


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_where_lists_do_not_pay_the_picture_is_the_same(
    seed: int, rounded: bool, request: pytest.FixtureRequest
) -> None:
    def stage() -> Stage:
        return random_frame(seed, (80, 64), (48, 56) if seed == 1 else None, rounded=rounded)

    listed = stage().shown()
    request.getfixturevalue("every_pixel")
    every = stage().shown()
    assert np.isfinite(every.picture).all()
    assert_same_bytes(listed, every)
