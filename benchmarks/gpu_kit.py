"""The steps of benchmarks/gpu.py as processes: their order, their share of the minutes, what they leave."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ENDS = {"speed": 0.1, "compose": 0.4, "train": 0.85, "quality": 1.0}
"""The steps in their order, and by which share of the minutes each has to be done: one that is done sooner
leaves its time to the next."""

OPEN = {"failed", "stopped"}
"""Keys of the figures of a step that is not done."""

GRACE = 5.0
"""Seconds that a step has after its end, to stop by itself."""

FREE = ("minutes", "out", "pairs", "rounds")
"""Settings that may change when a run goes on."""


@dataclass(frozen=True)
class Kit:
    """What a run is asked for.

    Attributes:
        shard: the packed scenes.
        out: folder for all that it writes.
        start: the checkpoint to go on from, a folder or an embedded name.
        device: "cuda" or "cpu".
        minutes: for all of its steps.
        scenes, batch, steps: of training, where they are not what the shard, the configuration and the
            minutes allow.
        pairs: of the bench, for quality.
        rounds: times that each size is measured, for speed; fewer where its minutes are over.
    """

    shard: Path
    out: Path
    start: str
    device: str = "cuda"
    minutes: float = 10.0
    scenes: int | None = None
    batch: int | None = None
    steps: int | None = None
    pairs: int = 24
    rounds: int = 30

    @property
    def checkpoint(self) -> Path:
        """Where training leaves its checkpoint."""
        return self.out / "run" / "checkpoint"

    def claim(self) -> str | None:
        """Make the folder, or return how what is there was asked for otherwise."""
        record = self.out / "kit.json"
        asked = {name: str(value) for name, value in asdict(self).items() if name not in FREE}
        if record.is_file():
            known = json.loads(record.read_text(encoding="utf-8"))
            for name, value in asked.items():
                if known.get(name) != value:
                    return (
                        f"{self.out} holds a run whose '{name}' is {known.get(name)}, not {value}: give "
                        "another --out, or set it back"
                    )
            return None
        write_json(record, asked)
        return None


def write_json(file: Path, value: Any) -> None:
    """Write a file, which appears when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)


def read_step(kit: Kit, name: str) -> dict[str, Any]:
    """Return what a step left; nothing if it has not run."""
    file = kit.out / f"{name}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def run_steps(kit: Kit) -> list[str]:
    """Run the steps that are not done, each until its end, and write their figures into `figures.json`.

    What follows a step that runs anew runs anew, for it builds on that; speed alone stands for itself.

    Returns:
        The names of those that failed; the others' figures are there all the same.
    """
    # CUDA wants fresh processes. Without it they may begin with what is imported already.
    context: Any = multiprocessing.get_context("spawn" if kit.device == "cuda" else "forkserver")
    if kit.device == "cpu":
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the process that forks begins without it
        context.set_forkserver_preload(["gpu_steps"])
        ready = context.Process(target=int)
        ready.start()
        ready.join()
    began, anew, failed = time.time(), False, []
    for name, end in ENDS.items():
        found = read_step(kit, name)
        if found and not OPEN & found.keys() and not anew:
            continue
        anew = anew or name != "speed"
        (kit.out / f"{name}.json").unlink(missing_ok=True)
        until = began + 60 * kit.minutes * end
        process = context.Process(target=step, args=(name, kit, until), name=name)
        process.start()
        process.join(max(0.0, until - time.time()) + GRACE)
        if process.is_alive():
            process.kill()  # what it wrote is whole: files and states appear when they are complete
            process.join()
            write_json(kit.out / f"{name}.json", {"failed": "its minutes were over"})
        elif process.exitcode and not read_step(kit, name):
            write_json(kit.out / f"{name}.json", {"failed": f"its process ended with {process.exitcode}"})
        if "failed" in read_step(kit, name):
            failed.append(name)
        write_json(kit.out / "figures.json", {each: read_step(kit, each) for each in ENDS})
    return failed


def step(name: str, kit: Kit, until: float) -> None:
    """Run a step in this process and write what it found, or why it failed.

    Args:
        name: of :data:`ENDS`, and of a function of gpu_steps.py.
        kit: what is asked for.
        until: when it has to be done, in seconds as :func:`time.time` counts them.
    """
    try:
        import gpu_steps

        found = getattr(gpu_steps, name)(kit, until)
    except Exception as error:
        traceback.print_exc()
        found = {"failed": f"{type(error).__name__}: {error}"}
    write_json(kit.out / f"{name}.json", found)


def figures_table(kit: Kit) -> str:
    """Return the figures of all steps as Markdown."""
    lines = []
    for name in ENDS:
        found = read_step(kit, name)
        lines += [f"## {name}", ""]
        for key, value in found.items():
            if isinstance(value, dict):
                values = ", ".join(f"{each} {_text(number)}" for each, number in value.items())
                lines.append(f"- {key}: {values}")
            else:
                lines.append(f"- {key}: {_text(value)}")
        lines.append("")
    lines.append(f"All of it is in {kit.out}; the checkpoint, if there is one, in {kit.checkpoint}.")
    return "\n".join(lines)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
