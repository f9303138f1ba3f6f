"""Farm: many scenes over several processes, resumable, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from .streams import SPLITS

SCENES_PER_PROCESS = 100
"""A worker process is replaced after so many scenes, since Blender's memory grows slowly."""

ATTEMPTS = 3
"""How often a broken pool (a worker that crashed or was killed) is started again without any progress."""


@dataclass(frozen=True)
class Order:
    """What every scene of a run has in common; see :func:`render`."""

    out: Path
    split: str
    frames: int
    width: int
    height: int
    samples: int
    threads: int
    objects: int | None = None


def _scene(order: Order, seed: int) -> bool:
    from .generate import generate

    return generate(
        order.out,
        order.split,
        seed,
        frames=order.frames,
        width=order.width,
        height=order.height,
        samples=order.samples,
        threads=order.threads,
        objects=order.objects,
    )


def render(
    out: str | Path,
    *,
    scenes: int,
    frames: int = 4,
    size: int | tuple[int, int] = 256,
    seed: int = 0,
    split: str = "train",
    jobs: int | None = None,
    samples: int = 6,
    objects: int | None = None,
    progress: bool = True,
) -> int:
    """Render scenes ``seed`` ... ``seed + scenes - 1`` of a split into ``out/<split>/<seed>/``.

    Scenes that are there already are skipped, so a run that was stopped goes on where it was. With ``jobs=1``
    everything happens in this process, whose Blender file is replaced.

    Args:
        out: the data set's folder.
        scenes: how many.
        frames: pictures of each scene.
        size: pixels, one number for a square or (width, height).
        seed: of the first scene.
        split: train, validation or test: no two have an object in common.
        jobs: worker processes, each with its share of the cores; by default one per core.
        samples: Cycles samples per pixel.
        objects: in each scene; by default 2 to 6.
        progress: whether a bar is shown on standard error.

    Returns:
        How many scenes were rendered now.

    Raises:
        ValueError: a number makes no sense, or there is no such split; the text names it.
        RuntimeError: workers crash again and again.
    """
    width, height = (size, size) if isinstance(size, int) else size
    cores = _cores()
    jobs = cores if jobs is None else jobs
    for name, value in {"scenes": scenes, "frames": frames, "jobs": jobs, "samples": samples}.items():
        if value < 1:
            raise ValueError(f"{name}: expected 1 or more, got {value}")
    if min(width, height) < 8:
        raise ValueError(f"size: expected 8 or more pixels, got {width} x {height}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    folder = Path(out) / split
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    missing = [s for s in range(seed, seed + scenes) if not (folder / f"{s:08d}").exists()]
    jobs = min(jobs, max(1, len(missing)))
    order = Order(Path(out), split, frames, width, height, samples, max(1, cores // jobs), objects)
    done, start = 0, time.monotonic()
    with _bar(scenes, scenes - len(missing), progress) as bar:
        results = _one_by_one(order, missing) if jobs == 1 else _pooled(order, missing, jobs)
        for counted, fresh in enumerate(results, 1):
            done += fresh
            bar.update()
            speed = counted / max(time.monotonic() - start, 1e-3) * 3600
            bar.set_postfix_str(f"{speed:.0f} scenes/hour", refresh=False)
    return done


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bar(total: int, initial: int, shown: bool):  # type: ignore[no-untyped-def]  # tqdm has no types
    from tqdm import tqdm

    return tqdm(total=total, initial=initial, unit="scene", file=sys.stderr, disable=not shown)


def _sweep(folder: Path) -> None:
    """Remove the half-written scenes of processes that are gone."""
    for partial in folder.glob(".*.partial"):
        process = int(partial.name.split(".")[-2])
        if not _alive(process):
            shutil.rmtree(partial, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _one_by_one(order: Order, seeds: list[int]) -> Iterator[bool]:
    for seed in seeds:
        yield _scene(order, seed)


def _pooled(order: Order, seeds: list[int], jobs: int) -> Iterator[bool]:
    left, failures = dict.fromkeys(seeds), 0
    context = multiprocessing.get_context("spawn")  # Blender does not survive a fork
    while left:
        before = len(left)
        try:
            with ProcessPoolExecutor(jobs, context, max_tasks_per_child=SCENES_PER_PROCESS) as pool:
                waiting: dict[Future[bool], int] = {}
                queue = iter(list(left))
                while True:
                    while len(waiting) < jobs * 2 and (seed := next(queue, None)) is not None:
                        waiting[pool.submit(_scene, order, seed)] = seed
                    if not waiting:
                        break
                    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        fresh = future.result()
                        del left[waiting.pop(future)]
                        yield fresh
        except BrokenProcessPool as error:
            failures = failures + 1 if len(left) == before else 1
            if failures >= ATTEMPTS:
                raise RuntimeError(
                    f"a worker stopped {failures} times without finishing a scene (out of memory?); "
                    f"the next scene is seed {next(iter(left))}: try fewer --jobs"
                ) from error
            _sweep(order.out / order.split)
