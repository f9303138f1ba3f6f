"""Cryptomatte: numbers of names, ranks of pixels, and what files say of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from na_core.cryptomatte import LEVELS, identifier, metadata, murmur3, ranked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 0x248BFA47),
        ("hello, world", 0x149BBB7F),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_hashes_are_those_of_the_reference_implementation(text: str, expected: int) -> None:
    assert murmur3(text.encode()) == expected


@given(st.text(max_size=40))
def test_a_names_number_is_a_finite_float_that_keeps_its_bits(name: str) -> None:
    value = np.array([identifier(name)], np.uint32).view(np.float32)
    assert np.isfinite(value).all()
    assert np.abs(value[0]) >= np.finfo(np.float32).tiny
    assert value.view(np.uint32)[0] == identifier(name)


@given(st.integers(0, 9), st.integers(0, 1000))
def test_ranks_hold_what_a_pixel_shows_most_of(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    names = [f"object {number}" for number in range(count)]
    shares = {name: random.random((3, 4)) * (random.random((3, 4)) < 0.6) for name in names}
    passes = ranked(shares, (3, 4))
    assert passes.shape == (LEVELS, 3, 4, 4)
    numbers = np.array([identifier(name) for name in names], np.uint32).view(np.float32)
    for row in range(3):
        for column in range(4):
            pairs = passes[:, row, column].reshape(-1, 2)
            expected = sorted((shares[name][row, column] for name in names), reverse=True)
            expected = (expected + [0.0] * 6)[:6]
            np.testing.assert_allclose(pairs[:, 1], expected, rtol=1e-6)
            for number, share in pairs:
                if share > 0:
                    (place,) = np.flatnonzero(numbers == number)
                    np.testing.assert_allclose(shares[names[place]][row, column], share, rtol=1e-6)
                else:
                    assert number == 0


def test_a_files_header_names_the_objects() -> None:
    found = metadata("ViewLayer", ["Cup", "Jar", "Cup"])
    (key,) = {name.rpartition("/")[0] for name in found}
    assert key.startswith("cryptomatte/")
    assert len(key) == len("cryptomatte/") + 7
    assert found[f"{key}/name"] == "ViewLayer.CryptoObject"
    assert found[f"{key}/hash"] == "MurmurHash3_32"
    assert json.loads(found[f"{key}/manifest"]) == {n: f"{identifier(n):08x}" for n in ("Cup", "Jar")}
