"""The command: measure methods on suites and write ``results.json``, ``results.md`` and contact sheets.

Every measured scene is kept in ``measurements.jsonl``, so that a killed run goes on where it stopped. What
another version of the code, of a checkpoint or of a scene measured is measured again.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from na_core.data.scenes import Scene
from na_core.data.scenes import scenes as read_scenes
from na_core.evaluation.bench import Bench
from na_core.evaluation.learned import load_learned
from na_core.evaluation.methods import Checkpoint, Copy, Method, ProxyOnly
from na_core.evaluation.record import Record
from na_core.evaluation.report import Settings, write_results
from na_core.evaluation.suite_pairs import PAIR_SUITES
from na_core.evaluation.true_meshes import WithMeshes
from na_core.scene import Sampling

SUITES = (*PAIR_SUITES, "vae", "layers", "detection")
"""Names that ``--suite`` takes, besides ``all``."""

BENCH = Path(__file__).resolve().parent / "scenes" / "test.tar"
"""The held-out scenes that come with the package."""


class EvaluationError(ValueError):
    """What was asked for cannot be measured; the text says why and what to do."""


def main(
    checkpoints: Sequence[str | Path] = (),
    suites: Sequence[str] = ("all",),
    scenes: Path | None = None,
    limit: int | None = None,
    out: Path = Path("out/evaluation"),
    *,
    preset: str = "standard",
    steps: int | None = None,
    guidance: float | None = None,
    seeds: int = 1,
    device: str | None = None,
    sheet_rows: int = 8,
    meshes: Path | None = None,
) -> Path:
    """Measure ``copy``, ``proxy`` and checkpoints, and write ``results.json``.

    The file holds ``{"suites": {SUITE: {METHOD: {METRIC: number, "scenes": n, "pairs": n}}}, "settings":
    {...}, "notices": {METRIC: text}}``. A metric is the mean over scenes of each scene's mean over its
    pairs, and over seeds; one that does not apply is absent, and a suite that no scene has is empty. The
    suites ``layers`` and ``detection`` count objects and pictures of all scenes instead.

    Args:
        checkpoints: folders, or names of embedded ones; a folder's name, or that of its run, is its method's.
        suites: of :data:`SUITES`, or "all".
        scenes: folder or shard of held-out scenes; None for :data:`BENCH`.
        limit: scenes of each suite at most, evenly spread over those that it measures.
        out: folder for the results.
        preset: of the sampling: each checkpoint says what it means.
        steps, guidance: in the preset's stead, for all checkpoints.
        seeds: how many, from 0.
        device: torch's name; None for a GPU where there is one.
        sheet_rows: pairs on each sheet at most.
        meshes: what ``dataset meshes`` wrote of the scenes; each checkpoint is measured with them, too.

    Returns:
        The path of ``results.json``.

    Raises:
        EvaluationError: an unknown suite, no scenes, or two methods of one name.
        CheckpointError: a checkpoint is missing or damaged.
        SceneError: an unknown preset, steps or guidance out of range, or malformed labels.
        OSError: a scene's file cannot be read.
    """
    for name in suites:
        if name not in (*SUITES, "all"):
            raise EvaluationError(f"There is no suite '{name}'. Choose from {', '.join(SUITES)} or all.")
    chosen = [name for name in SUITES if name in suites or "all" in suites]
    held_out = _held_out(BENCH if scenes is None else Path(scenes))
    on = device or ("cuda" if torch.cuda.is_available() else "cpu")
    sampling = _sampling(preset, steps, guidance)
    models = [Checkpoint(name, sampling, on) for name in checkpoints]
    proxy = ProxyOnly()
    solid = [] if meshes is None else [WithMeshes(model, meshes) for model in models]
    methods: list[Method] = [Copy(), proxy, *models, *solid]
    names = [method.name for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"Two methods are called '{name}'. Rename one of the checkpoints' folders.")
    bench = Bench(held_out, limit, load_learned(on), Record(out))
    for notice in bench.notices(chosen).values():
        print(notice, file=sys.stderr)
    results = {
        **bench.measure_pairs([n for n in chosen if n in PAIR_SUITES], methods, seeds, out, sheet_rows),
        **({"vae": bench.measure_vae(models, out, sheet_rows)} if "vae" in chosen else {}),
        **({"layers": bench.measure_layers([proxy, *models], out, sheet_rows)} if "layers" in chosen else {}),
        **({"detection": bench.measure_detection(out, sheet_rows)} if "detection" in chosen else {}),
    }
    samplings = {model.name: (model.sampling.steps, model.sampling.guidance) for model in models}
    settings = Settings(sampling.preset, samplings, seeds)
    return write_results(out, results, settings, bench.notices(chosen))


def _held_out(place: Path) -> list[Scene]:
    """Return the scenes in a folder or shard.

    Raises:
        EvaluationError: there is none; the text says how to make some.
    """
    found = list(read_scenes(place)) if place.exists() else []
    if not found:
        missing = "the embedded scenes are missing" if place == BENCH else "no complete scene here"
        raise EvaluationError(
            f"{place}: {missing}. Make some with: neural-assets dataset render --out data --split test "
            f"--scenes 54, and pass --scenes data/test."
        )
    return found


def _sampling(preset: str, steps: int | None, guidance: float | None) -> Sampling:
    sampling = Sampling.from_preset(preset)
    if steps is None and guidance is None:
        return sampling
    steps = sampling.steps if steps is None else steps
    guidance = sampling.guidance if guidance is None else guidance
    return replace(sampling, preset="custom", steps=steps, guidance=guidance)
