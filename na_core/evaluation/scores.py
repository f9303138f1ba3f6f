"""Scores: named numbers, and their means."""

from collections.abc import Iterable
from statistics import fmean, geometric_mean

Scores = dict[str, float]

RATIOS = frozenset({"image_sharpness", "sharpness", "warp_ratio"})
"""Metrics that say how many times too much: averaged geometrically.

Twice and half are equally wrong and make 1 together, where their arithmetic mean would be 1.25; and one noisy
crop among blurred ones cannot make a blurred method look sharp.
"""


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Return the mean of each metric over the scores that have it."""
    columns: dict[str, list[float]] = {}
    for each in scores:
        for name, value in each.items():
            columns.setdefault(name, []).append(value)
    return {
        name: geometric_mean(values) if name in RATIOS else fmean(values) for name, values in columns.items()
    }
