"""The command: measure methods on suites and write ``results.json`` and ``sheet.png``.

Every measured scene is kept in ``measurements.jsonl``, so that a killed run goes on where it stopped. What
another version of the code, of a checkpoint or of a scene measured is measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import torch
from tqdm import tqdm

from na_core.data.labels import LABELS_FILE
from na_core.data.scenes import Scene
from na_core.data.scenes import scenes as read_scenes
from na_core.evaluation.methods import Checkpoint, Copy, Method, ProxyOnly
from na_core.evaluation.sheet import write_sheet
from na_core.evaluation.suites import Scores, mean_scores, measure_photographs, measure_vae, measure_video

SUITES = ("video", "vae")
"""Names that ``--suite`` takes, besides ``all``."""

SCENES = Path("data/test")
"""Where held-out scenes are looked for when nothing else is said."""


def main(
    checkpoints: Sequence[str | Path] = (),
    suites: Sequence[str] = ("all",),
    scenes: Path | None = None,
    limit: int | None = None,
    out: Path = Path("out/evaluation"),
    *,
    preset: str = "standard",
    seed: int = 0,
    device: str | None = None,
    pair_limit: int | None = None,
    sheet_rows: int = 8,
) -> Path:
    """Measure ``copy``, ``proxy`` and checkpoints, and write ``results.json``.

    The file holds ``{"suites": {SUITE: {METHOD: {METRIC: number, "scenes": n}}}}``. A metric is the mean over
    scenes of each scene's mean over its pairs; one that does not apply is absent.

    Args:
        checkpoints: folders, or names of embedded ones; a folder's name is its method's.
        suites: of :data:`SUITES`, or "all".
        scenes: folder of held-out scenes; None for :data:`SCENES`.
        limit: scenes at most, evenly spread over the folder.
        out: folder for the results.
        preset, seed: of the sampling.
        device: torch's name; None for a GPU where there is one.
        pair_limit: pairs of each scene at most, evenly spread; None for all usable ones.
        sheet_rows: pairs on the sheet at most.

    Returns:
        The path of ``results.json``.

    Raises:
        ValueError: an unknown suite, or two methods of one name.
        FileNotFoundError: there is no scene; the text says how to make some.
        CheckpointError: a checkpoint is missing or damaged.
        SceneError: an unknown preset, or malformed labels.
    """
    for name in suites:
        if name not in (*SUITES, "all"):
            raise ValueError(f"There is no suite '{name}'. Choose from {', '.join(SUITES)} or all.")
    chosen = [name for name in SUITES if name in suites or "all" in suites]
    folder = SCENES if scenes is None else Path(scenes)
    held_out = spread(list(read_scenes(folder)), limit)
    if not held_out:
        raise FileNotFoundError(
            f"{folder}: no complete scene. Make some with: "
            f"neural-assets dataset render --out {folder.parent} --split {folder.name} --scenes 40"
        )
    on = device or ("cuda" if torch.cuda.is_available() else "cpu")
    models = [Checkpoint(name, preset=preset, seed=seed, device=on) for name in checkpoints]
    methods: list[Method] = [Copy(), ProxyOnly(), *models]
    names = [method.name for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two methods are called '{name}'. Rename one of the checkpoints' folders.")
    out.mkdir(parents=True, exist_ok=True)
    record = Record(out / "measurements.jsonl")
    results: dict[str, dict[str, Scores]] = {}
    if "video" in chosen:
        detail = f"pairs {pair_limit}"
        results["video"] = {}
        for method in methods:
            title = f"video {method.name}"
            scored = [
                record.scores(title, method, scene, detail, partial(measure_video, method, scene, pair_limit))
                for scene in tqdm(held_out, desc=title, unit="scene")
            ]
            results["video"][method.name] = _summary(scored)
        write_sheet(methods, held_out, out / "sheet.png", sheet_rows)
    if "vae" in chosen:
        results["vae"] = {}
        for model in models:
            title = f"vae {model.name}"
            scored = [
                record.scores(title, model, scene, "", partial(measure_vae, model, scene))
                for scene in tqdm(held_out, desc=title, unit="scene")
            ]
            results["vae"][model.name] = _summary(scored) | measure_photographs(model)
    file = out / "results.json"
    unfinished = file.with_suffix(".partial")
    unfinished.write_text(json.dumps({"suites": results}, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(file)
    return file


def spread(scenes: Sequence[Scene], limit: int | None) -> list[Scene]:
    """Return the scenes, or ``limit`` evenly spread ones: always the same for the same folder."""
    if limit is None or len(scenes) <= limit:
        return list(scenes)
    return [scenes[i * len(scenes) // limit] for i in range(limit)]


def _summary(scored: Sequence[Scores]) -> Scores:
    """Average over scenes; ``pairs`` is a sum, ``scenes`` counts those that had something to measure."""
    found = [scores for scores in scored if scores]
    summary = mean_scores(found)
    if "pairs" in summary:
        summary["pairs"] = sum(int(scores["pairs"]) for scores in found)
    return summary | {"scenes": len(found)}


class Record:
    """Measured scenes on disk, one JSON line each."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Scores] = {}
        if file.is_file():
            if not file.read_bytes().endswith(b"\n"):  # a killed run's last line: the next starts its own
                with file.open("a", encoding="utf-8") as lines:
                    lines.write("\n")
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                self._known[entry["key"]] = entry["scores"]

    def scores(
        self, title: str, method: Method, scene: Scene, detail: str, measure: Callable[[], Scores]
    ) -> Scores:
        """Return what ``measure`` found for a scene, now or in an earlier run."""
        labels = hashlib.sha256((scene.folder / LABELS_FILE).read_bytes()).hexdigest()
        text = " ".join([title, method.identity, scene.folder.name, labels, detail, _code()])
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._known:
            self._known[key] = measure()
            entry = {"key": key, "title": title, "scene": scene.folder.name, "scores": self._known[key]}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        return self._known[key]


@cache
def _code() -> str:
    """Return a SHA-256 over this package's sources."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()
