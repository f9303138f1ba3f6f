"""What the names of samplings mean: a checkpoint says it, for what is right for one is wrong for another."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from na_core.scene import SAMPLING_PRESETS, Sampling

Presets = Mapping[str, tuple[int, float]]
"""Steps and guidance scale by name."""

PAPER_PRESETS: Presets = {"draft": (0, 1.0), "standard": (50, 2.0), "best": (100, 2.0)}
"""Of ``paper``, whose decoder begins with noise: 50 steps of DDIM and guidance 2 (paper, appendix). A draft
is the proxy."""


REFINER_PRESETS: Presets = {"draft": (0, 1.0), "standard": (8, 5.0), "best": (20, 5.0)}
"""Of refiners, which begin with the proxy and little noise."""


def sampling_presets(config: Any) -> Presets:
    """Return the samplings of a checkpoint: its own, else those of its kind.

    Args:
        config: of the pipeline: ``sampling_presets`` (None, or steps and guidance by name) and ``preset``.
    """
    kind = PAPER_PRESETS if config.preset == "paper" else SAMPLING_PRESETS
    own = config.sampling_presets or {}
    return dict(kind) | {name: (int(steps), float(guidance)) for name, (steps, guidance) in own.items()}


def resolved(sampling: Sampling, presets: Presets) -> Sampling:
    """Return a sampling with the steps and guidance that its preset means for a checkpoint.

    "custom" means its own, and so does one whose numbers are not the preset's: they were chosen.
    """
    numbers = sampling.steps, sampling.guidance
    if sampling.preset not in presets or SAMPLING_PRESETS.get(sampling.preset) != numbers:
        return sampling
    steps, guidance = presets[sampling.preset]
    return replace(sampling, steps=steps, guidance=guidance)
