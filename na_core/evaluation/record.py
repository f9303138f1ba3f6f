"""The record of what is measured, on disk, so that a killed run goes on where it stopped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from na_core.data.labels import LABELS_FILE
from na_core.data.scenes import Scene
from na_core.evaluation.scores import Scores

Samples = Mapping[str, Sequence[float]]
"""Metrics of each object or frame of a scene, for statistics that are no means of scenes' means."""


@dataclass(frozen=True)
class Measurement:
    """What one method scored on one scene of one suite.

    Attributes:
        scores: means over the scene's pairs; empty where there was nothing to measure.
        features: (n, D) of the results and of the truths, for FID; None where it is not computed.
        samples: what objects or frames scored each, where a suite asks for that.
    """

    scores: Scores
    features: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    samples: Samples = field(default_factory=dict)


class Record:
    """Measurements in a folder: a line of JSON each in ``measurements.jsonl``, and files in ``features``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "measurements.jsonl"
        self._features = folder / "features"
        self._known: dict[str, tuple[Scores, Samples]] = {}
        if self._file.is_file():
            # A killed run's last line may be half a line: the next starts its own.
            if not self._file.read_bytes().endswith(b"\n"):
                with self._file.open("a", encoding="utf-8") as lines:
                    lines.write("\n")
            for line in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                self._known[entry["key"]] = entry["scores"], entry.get("samples", {})

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def add(self, key: str, measurement: Measurement, **about: str | int) -> None:
        """Keep a measurement; ``about`` tells a reader of the file what it is of."""
        if measurement.features is not None:
            self._features.mkdir(exist_ok=True)
            results, truths = measurement.features
            with self._features_file(key).open("wb") as file:
                np.savez(file, results=results, truths=truths)
        self._known[key] = measurement.scores, measurement.samples
        samples = {"samples": measurement.samples} if measurement.samples else {}
        entry = {"key": key, **about, "scores": measurement.scores, **samples}
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")

    def get(self, key: str) -> Measurement:
        """Return a measurement.

        Raises:
            KeyError: nothing is known of the key.
        """
        scores, samples = self._known[key]
        if not self._features_file(key).is_file():
            return Measurement(scores, samples=samples)
        with np.load(self._features_file(key)) as stored:
            return Measurement(scores, (stored["results"], stored["truths"]), samples)

    def _features_file(self, key: str) -> Path:
        return self._features / f"{key}.npz"


def key_of(*parts: object) -> str:
    """Return the key of a measurement: a SHA-256 over what it depends on, and over this package's sources."""
    return hashlib.sha256(json.dumps([*map(str, parts), code_digest()]).encode()).hexdigest()


def scene_digest(scene: Scene) -> str:
    """Return a SHA-256 over a scene's labels and pictures.

    Raises:
        OSError: one of its files cannot be read.
    """
    digest = hashlib.sha256(scene.storage.read(LABELS_FILE))
    for frame in scene.labels.frames:
        for name in (frame.picture, frame.mask, frame.depth, frame.plate):
            if name is not None:
                digest.update(hashlib.sha256(scene.storage.read(name)).digest())
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """Return a SHA-256 over the sources of ``na_core``."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()
