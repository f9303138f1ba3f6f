"""Measuring a pipeline on held-out pairs while it trains, with the bench's own metrics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from na_core.data.pairs import Pair, edit_pairs, video_pairs
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.learned import LearnedMetrics
from na_core.evaluation.methods import Copy, Method, ProxyOnly, Rendered, SceneRenderer
from na_core.evaluation.scores import Scores, mean_scores
from na_core.evaluation.scoring import score
from na_core.evaluation.sheet import pair_row, write_sheet
from na_core.evaluation.suite_pairs import spread
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Picture, Sampling
from na_core.training.atomic_folder import disk_errors
from na_core.training.errors import TrainingError
from na_core.training.run_log import RunLog
from na_core.training.tables import ValidationConfig

REPORTED = ("object_psnr", "image_psnr", "sharpness")
"""Metrics of the bench that the log holds."""


class Validation:
    """Held-out pairs, and what copying and the proxy score on them. Sample grids go to the folder ``sheets``.

    Raises:
        TrainingError: no scene has a pair.
    """

    def __init__(self, config: ValidationConfig, pipeline: NeuralAssetsPipeline, sheets: Path) -> None:
        self._pairs = held_out_pairs(list(scenes(config.scenes)), config.pairs)
        if not self._pairs:
            raise TrainingError(f"{config.scenes}: no scene has a pair to validate on")
        self._config, self._pipeline, self._sheets = config, pipeline, sheets
        self._references = {method.name: self._render(method) for method in (Copy(), ProxyOnly())}

    def __call__(self, step: int, log: RunLog) -> Mapping[str, Any]:
        """Measure the pipeline at a step, and draw a sample grid into its log.

        Returns:
            ``{"validation": {"model" | "copy" | "proxy": {metric: value}}}``.
        """
        modules = (self._pipeline.unet, self._pipeline.encoder, self._pipeline.tokenizer3d)
        training = [module.training for module in modules]
        for module in modules:
            module.eval()
        self._pipeline.clear_cache()  # it is keyed by content, and the weights are others now
        with torch.random.fork_rng():
            model = self._render(Rendered("model", f"step {step}", self._pipeline, Sampling()))
        self._pipeline.clear_cache()
        for module, mode in zip(modules, training, strict=True):
            module.train(mode)
        if self._config.sheet_pairs:
            log.add_picture("samples", self._sheet(model, step), step)
        results = {"model": model, **self._references}
        return {"validation": {name: self._scores(pictures) for name, pictures in results.items()}}

    def _render(self, method: Method) -> list[Picture]:
        return [SceneRenderer(scene).render(method, 0, pair) for scene, pair in self._pairs]

    def _scores(self, results: Sequence[Picture]) -> Scores:
        found = []
        for (scene, pair), result in zip(self._pairs, results, strict=True):
            source, truth = (scene.picture(number) for number in (pair.source, pair.target))
            suite = "video" if pair.edit is None else pair.edit.kind
            found.append(score(suite, scene, pair, result, source, truth, LearnedMetrics()))
        means = mean_scores(found)
        return {name: means[name] for name in REPORTED if name in means}

    def _sheet(self, model: Sequence[Picture], step: int) -> NDArray[np.uint8]:
        rows = []
        for number, (scene, pair) in enumerate(self._pairs[: self._config.sheet_pairs]):
            results = {"proxy": self._references["proxy"][number], "model": model[number]}
            rows.append(pair_row(scene, pair, results))
        with disk_errors(self._sheets):
            file = write_sheet(rows, self._sheets / f"step-{step:08}.png")
        with Image.open(file) as sheet:
            return np.asarray(sheet.convert("RGB"))


def held_out_pairs(found: Sequence[Scene], count: int) -> list[tuple[Scene, Pair]]:
    """Return so many pairs, always the same: evenly spread over the scenes, then over each one's pairs."""
    usable = [(scene, pairs) for scene in found if (pairs := [*edit_pairs(scene), *video_pairs(scene)])]
    chosen = spread(usable, count)
    held: list[tuple[Scene, Pair]] = []
    for number, (scene, pairs) in enumerate(chosen):
        first = number % len(pairs)  # another place in the list of each scene: other kinds of pairs
        each = spread([*pairs[first:], *pairs[:first]], -(-count // len(chosen)))
        held += [(scene, pair) for pair in each]
    return spread(held, count)
