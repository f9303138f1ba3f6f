"""Random numbers that are a pure function of where in a run they are drawn: no state has to be saved."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class DrawKey:
    """Where in a run random numbers are drawn, which decides what they are.

    Attributes:
        seed: of the run.
        step: of the optimizer, from 0.
        process: of several that share a step.
        part: of a process's share of a step.
    """

    seed: int
    step: int
    process: int = 0
    part: int = 0


def generator(key: DrawKey) -> np.random.Generator:
    """Return the generator of a key; every key has its own."""
    return np.random.default_rng((key.seed, key.step, key.process, key.part))


def seed_torch(key: DrawKey) -> None:
    """Seed torch's default generators, of every device, for a key; independent of :func:`generator`'s."""
    words = np.random.SeedSequence((key.seed, key.step, key.process, key.part, 1)).generate_state(2)
    torch.manual_seed(int(words[0]) << 31 ^ int(words[1]))
