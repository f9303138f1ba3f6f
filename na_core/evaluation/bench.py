"""The bench: held-out scenes, and every method on every suite of them, scene by scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import pstdev

import numpy as np
from tqdm import tqdm

from na_core.data.labels import REQUESTED_KINDS
from na_core.data.pairs import Pair
from na_core.data.scenes import Scene
from na_core.evaluation import autoencoder, detection_suite, layers_suite
from na_core.evaluation.learned import FID_PICTURES, LearnedMetrics, frechet_distance
from na_core.evaluation.methods import Checkpoint, LayersMethod, Method, SceneRenderer
from na_core.evaluation.record import Measurement, Record, key_of, scene_digest
from na_core.evaluation.scores import Scores, mean_scores
from na_core.evaluation.scoring import score
from na_core.evaluation.sheet import Row, pair_row, write_sheet
from na_core.evaluation.suite_pairs import PAIR_SUITES, spread, suite_pairs


@dataclass(frozen=True)
class Job:
    """One method on one scene of one suite, with one seed; its measurement is recorded under ``key``."""

    suite: str
    method: Method
    scene: int
    seed: int
    key: str


class Bench:
    """Held-out scenes, of each suite ``limit`` at most, and what is measured on them and recorded."""

    def __init__(
        self, scenes: Sequence[Scene], limit: int | None, learned: LearnedMetrics, record: Record
    ) -> None:
        self._scenes = scenes
        self._limit = limit
        self._learned = learned
        self._record = record
        self._digests = [scene_digest(scene) for scene in scenes]
        self._pairs = {
            suite: {i: pairs for i, scene in enumerate(scenes) if (pairs := suite_pairs(suite, scene))}
            for suite in PAIR_SUITES
        }

    def chosen_scenes(self, suite: str) -> list[int]:
        """Return the scenes that a suite measures."""
        every = list(self._pairs.get(suite, range(len(self._scenes))))
        if suite not in self._pairs:  # scenes that came to the bench for suites of their own count only there
            usual = [i for i in every if self._scenes[i].labels.clip not in REQUESTED_KINDS]
            every = usual or every
        return spread(every, self._limit)

    def notices(self, suites: Sequence[str]) -> dict[str, str]:
        """Return why metrics are missing from some of the suites, by the metric's name."""
        notices = dict(self._learned.notices)
        few = [suite for suite in suites if suite in self._pairs and not self._has_fid(suite)]
        if "fid" not in notices and few:
            notices["fid"] = (
                f"fid is not reported for {', '.join(few)}: it needs at least {FID_PICTURES} pictures."
            )
        return notices

    def measure_pairs(
        self, suites: Sequence[str], methods: Sequence[Method], seeds: int, out: Path, sheet_rows: int
    ) -> dict[str, dict[str, Scores]]:
        """Measure methods on suites of pairs, scene by scene, and write the sheets of what is new.

        Returns:
            The summary of each method in each suite.
        """
        jobs = [
            self._job(suite, method, scene, seed)
            for suite in suites
            for scene, method in product(self.chosen_scenes(suite), methods)
            for seed in range(seeds if method.sampled else 1)
        ]
        missing = [job for job in jobs if job.key not in self._record]
        sheets = self._sheet_pairs(suites, missing, out, sheet_rows)
        rows: dict[str, list[Row]] = {suite: [] for suite in sheets}
        involved = sorted({job.scene for job in missing} | {i for found in sheets.values() for i in found})
        with tqdm(total=len(missing), desc="evaluate", unit="measurement") as bar:
            for number in involved:
                renderer = SceneRenderer(self._scenes[number])
                bar.set_postfix_str(renderer.scene.name)
                for job in (job for job in missing if job.scene == number):
                    measurement = self._measure(job, renderer)
                    self._record.add(
                        job.key,
                        measurement,
                        suite=job.suite,
                        method=job.method.name,
                        seed=job.seed,
                        scene=renderer.scene.name,
                    )
                    bar.update()
                for suite, pairs in sheets.items():
                    if number in pairs:
                        results = {m.name: renderer.render(m, 0, pairs[number]) for m in methods}
                        rows[suite].append(pair_row(renderer.scene, pairs[number], results))
        for suite, found in rows.items():
            write_sheet(found, _sheet_file(out, suite))
        return {suite: self._summaries([job for job in jobs if job.suite == suite]) for suite in suites}

    def measure_vae(self, models: Sequence[Checkpoint], out: Path, sheet_rows: int) -> dict[str, Scores]:
        """Measure checkpoints' autoencoders on scenes and photographs; return the summaries of those."""
        results = {}
        models = [model for model in models if model.pipeline.vae is not None]
        for model in models:
            jobs = [self._job("vae", model, scene, 0) for scene in self.chosen_scenes("vae")]
            for job in tqdm(jobs, desc=f"vae {model.name}", unit="scene"):
                if job.key not in self._record:
                    scene = SceneRenderer(self._scenes[job.scene])
                    found = Measurement({"image_psnr": autoencoder.mean_psnr(model.pipeline, scene.pictures)})
                    self._record.add(job.key, found, suite="vae", method=model.name, scene=scene.scene.name)
            photographs = map(autoencoder.photograph, autoencoder.PHOTOGRAPHS)
            photograph_psnr = autoencoder.mean_psnr(model.pipeline, photographs)
            results[model.name] = self._summaries(jobs)[model.name] | {"photograph_psnr": photograph_psnr}
        if models and sheet_rows > 0:
            rows = [
                Row(name, {}, picture, {m.name: autoencoder.reconstruct(m.pipeline, picture) for m in models})
                for name in autoencoder.PHOTOGRAPHS[:sheet_rows]
                for picture in [autoencoder.photograph(name)]
            ]
            write_sheet(rows, _sheet_file(out, "vae"))
        return results

    def measure_detection(self, out: Path, sheet_rows: int) -> dict[str, Scores]:
        """Measure the embedded detector and box fitting; it is quick, and nothing of it is kept."""
        chosen = [self._scenes[number] for number in self.chosen_scenes("detection")]
        return detection_suite.measure(chosen, _sheet_file(out, "detection"), sheet_rows)

    def measure_layers(
        self, methods: Sequence[LayersMethod], out: Path, sheet_rows: int
    ) -> dict[str, Scores]:
        """Measure what methods take the photos of scenes apart into; return each one's summary."""
        chosen = self.chosen_scenes("layers")
        jobs = {m: [self._job("layers", m, scene, 0) for scene in chosen] for m in methods}
        missing = [(m, job) for m in methods for job in jobs[m] if job.key not in self._record]
        for method, job in tqdm(missing, desc="layers", unit="measurement"):
            scene = self._scenes[job.scene]
            found = layers_suite.measure(scene, method.take_apart)
            self._record.add(job.key, found, suite="layers", method=method.name, scene=scene.name)
        file = _sheet_file(out, "layers")
        if chosen and sheet_rows > 0 and (missing or not file.is_file()):
            shown = [self._scenes[number] for number in spread(chosen, sheet_rows)]
            layers_suite.write_layers_sheet(shown, {m.name: m.take_apart for m in methods}, file)
        summaries = {
            m.name: layers_suite.summarise([self._record.get(job.key) for job in jobs[m]]) for m in methods
        }
        return {name: scores for name, scores in summaries.items() if scores}

    def _job(self, suite: str, method: Method, scene: int, seed: int) -> Job:
        parts = [suite, method.name, method.identity, seed, self._scenes[scene].name, self._digests[scene]]
        return Job(suite, method, scene, seed, key_of(*parts, self._learned.identity, self._has_fid(suite)))

    def _has_fid(self, suite: str) -> bool:
        if self._learned.inception is None or suite not in self._pairs:
            return False
        return sum(len(self._pairs[suite][i]) for i in self.chosen_scenes(suite)) >= FID_PICTURES

    def _measure(self, job: Job, renderer: SceneRenderer) -> Measurement:
        """Render a scene's pairs and average what they score."""
        pairs = self._pairs[job.suite][job.scene]
        results = [renderer.render(job.method, job.seed, pair) for pair in pairs]
        truths = [renderer.pictures[pair.target] for pair in pairs]
        scored = [
            score(
                job.suite, renderer.scene, pair, result, renderer.pictures[pair.source], truth, self._learned
            )
            for pair, result, truth in zip(pairs, results, truths, strict=True)
        ]
        scores = mean_scores(scored) | {"pairs": len(pairs)}
        if job.suite == "video" and renderer.film is not None:
            frames = [renderer.render(job.method, job.seed, pair) for pair in renderer.film.pairs]
            scores |= renderer.film.score(frames)
        features = None
        if self._learned.inception is not None and self._has_fid(job.suite):
            features = self._learned.inception(results), self._learned.inception(truths)
        return Measurement(scores, features)

    def _summaries(self, jobs: Sequence[Job]) -> dict[str, Scores]:
        """Return each method's means over scenes, then over seeds; ``pairs`` and ``scenes`` are counts."""
        by_run: dict[str, dict[int, list[Measurement]]] = {}
        for job in jobs:
            runs = by_run.setdefault(job.method.name, {})
            runs.setdefault(job.seed, []).append(self._record.get(job.key))
        return {
            name: _over_seeds([_over_scenes(run) for run in runs.values()]) for name, runs in by_run.items()
        }

    def _sheet_pairs(
        self, suites: Sequence[str], missing: Sequence[Job], out: Path, rows: int
    ) -> dict[str, dict[int, Pair]]:
        """Return which pair of which scene goes on the sheet of each suite whose sheet is to be written.

        Each is of another scene, evenly spread, and another pair of it.
        """
        stale = {job.suite for job in missing}
        chosen = {}
        for suite in suites:
            scenes = spread(self.chosen_scenes(suite), rows)
            if scenes and (suite in stale or not _sheet_file(out, suite).is_file()):
                pairs = self._pairs[suite]
                chosen[suite] = {i: pairs[i][n % len(pairs[i])] for n, i in enumerate(scenes)}
        return chosen


def _over_scenes(measurements: Sequence[Measurement]) -> Scores:
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


def _over_seeds(runs: Sequence[Scores]) -> Scores:
    """Average one method's summaries over seeds; of several, ``object_psnr_deviation`` says their spread."""
    summary = mean_scores(runs)
    if len(runs) > 1 and "object_psnr" in summary:
        summary["object_psnr_deviation"] = pstdev(run["object_psnr"] for run in runs)
    return summary


def _sheet_file(out: Path, suite: str) -> Path:
    return out / "sheets" / f"{suite}.png"
