"""From measurements of scenes to one row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import pstdev

import numpy as np

from na_core.evaluation.learned import frechet_distance
from na_core.evaluation.record import Measurement
from na_core.evaluation.scores import Scores, mean_scores


def over_scenes(measurements: Sequence[Measurement]) -> Scores:
    """Average over scenes; ``pairs`` is a sum, ``scenes`` counts those that had something to measure."""
    scored = [measurement.scores for measurement in measurements if measurement.scores]
    summary = mean_scores(scored)
    if "pairs" in summary:
        summary["pairs"] = sum(int(scores["pairs"]) for scores in scored)
    features = [measurement.features for measurement in measurements if measurement.features is not None]
    if features and len(features) == len(measurements):
        results, truths = (np.concatenate(each) for each in zip(*features, strict=True))
        summary["fid"] = frechet_distance(results, truths)
    return summary | {"scenes": len(scored)}


def over_seeds(runs: Sequence[Scores]) -> Scores:
    """Average one method's summaries over seeds; of several, ``object_psnr_deviation`` says their spread."""
    summary = mean_scores(runs)
    if len(runs) > 1 and "object_psnr" in summary:
        summary["object_psnr_deviation"] = pstdev(run["object_psnr"] for run in runs)
    return summary
