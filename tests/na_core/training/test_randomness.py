"""Every key has random numbers of its own, always the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from na_core.training.randomness import DrawKey, generator, seed_torch


def numpys(key: DrawKey) -> list[float]:
    return generator(key).random(4).tolist()


def torchs(key: DrawKey) -> list[float]:
    seed_torch(key)
    return torch.rand(4).tolist()


@pytest.mark.parametrize("numbers", [numpys, torchs])
def test_a_key_decides_its_numbers(numbers: Callable[[DrawKey], list[float]]) -> None:
    key = DrawKey(0, 5)
    assert numbers(key) == numbers(key)
    others = [DrawKey(1, 5), DrawKey(0, 6), DrawKey(0, 5, process=1), DrawKey(0, 5, part=1)]
    assert all(numbers(other) != numbers(key) for other in others)
