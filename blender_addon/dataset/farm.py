"""Farm: many scenes over several processes, resumable, with a progress bar."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .artist_file.checks import check
from .artist_file.collect import collect
from .folders import scene_folder, sweep
from .order import Order

SCENES_PER_PROCESS = 50
"""A worker process is replaced after so many scenes, since Blender's memory grows slowly."""

ATTEMPTS = 3
"""How often a broken pool (a worker that crashed or was killed) is started again without any progress."""

PARENT_CHECK_SECONDS = 0.5
"""How often a worker process looks whether the process that started it is still there."""

Tell = Callable[[int, int, float], None]
"""Called with the finished scenes, all scenes, and scenes per hour."""


def render(
    order: Order,
    *,
    scenes: int,
    seed: int = 0,
    jobs: int | None = None,
    blend: str | Path | None = None,
    tell: Tell | None = None,
    warn: Callable[[str], None] | None = None,
) -> int:
    """Render scenes ``seed`` ... ``seed + scenes - 1`` of an order into ``out/<split>/<seed>/``.

    Scenes that are there already are skipped, so a run that was stopped goes on where it was. With ``jobs=1``
    everything happens in this process, whose Blender file is replaced.

    Args:
        order: what the scenes have in common.
        scenes: how many.
        seed: of the first scene.
        jobs: worker processes, each on one core; by default one per core.
        blend: a .blend whose meshes are the objects, in place of the families.
        tell: told of every finished scene; by default a progress bar on standard error.
        warn: told what the artist should know of the .blend; by default printed on standard error.

    Returns:
        How many scenes were rendered now.

    Raises:
        ValueError: a number makes no sense, or the .blend gives no objects; the text names it.
        OSError: a file cannot be written.
        RuntimeError: workers crash again and again.
    """
    cores = _cores()
    jobs = cores if jobs is None else jobs
    for name, value in {"scenes": scenes, "jobs": jobs}.items():
        if value < 1:
            raise ValueError(f"{name}: expected 1 or more, got {value}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    if blend is not None:
        check(blend)
    (order.out / order.split).mkdir(parents=True, exist_ok=True)
    sweep(order.out)
    missing = [s for s in range(seed, seed + scenes) if not scene_folder(order, s).exists()]
    done, start = 0, time.monotonic()
    with ExitStack() as stack:
        stack.callback(sweep, order.out)  # a stopped run's processes may have lived on for a moment
        if blend is not None and missing:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="neural-assets-"))
            library = collect(blend, Path(scratch) / "objects.blend")
            for warning in library.warnings:
                (warn or _warn)(f"{blend}: {warning}")
            order = replace(order, library=library)
        told = tell or stack.enter_context(_bar(scenes, scenes - len(missing)))
        jobs = min(jobs, max(1, len(missing)))
        results = _one_by_one(order, missing) if jobs == 1 else _pooled(order, missing, jobs)
        for counted, fresh in enumerate(results, 1):
            done += fresh
            speed = counted / max(time.monotonic() - start, 1e-3) * 3600
            told(scenes - len(missing) + counted, scenes, speed)
    return done


def tell_in_json(done: int, total: int, scenes_per_hour: float) -> None:
    """Print a finished scene as a line of JSON on standard output."""
    event = {"event": "scene", "done": done, "total": total, "scenes_per_hour": round(scenes_per_hour, 1)}
    print(json.dumps(event), flush=True)


def warn_in_json(message: str) -> None:
    """Print a warning as a line of JSON on standard output."""
    print(json.dumps({"event": "warning", "message": message}), flush=True)


def _warn(message: str) -> None:
    print(message, file=sys.stderr)


class _bar:
    """A progress bar on standard error, as something to tell."""

    def __init__(self, total: int, initial: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, initial=initial, unit="scene", file=sys.stderr)

    def __enter__(self) -> Tell:
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _tell(self, done: int, total: int, scenes_per_hour: float) -> None:
        self._bar.set_postfix_str(f"{scenes_per_hour:.0f} scenes/hour", refresh=False)
        self._bar.update()


def _scene(order: Order, seed: int) -> bool:
    from .generate import generate

    return generate(order, seed)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_by_one(order: Order, seeds: Sequence[int]) -> Iterator[bool]:
    for seed in seeds:
        yield _scene(order, seed)


def _end_with(parent: int) -> None:
    """Start a thread that ends this process when its parent is gone: a killed run leaves no worker behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _pooled(order: Order, seeds: Sequence[int], jobs: int) -> Iterator[bool]:
    unfinished, failures = dict.fromkeys(seeds), 0
    context = multiprocessing.get_context("spawn")  # Blender does not survive a fork
    while unfinished:
        before = len(unfinished)
        try:
            with ProcessPoolExecutor(
                jobs, context, _end_with, (os.getpid(),), max_tasks_per_child=SCENES_PER_PROCESS
            ) as pool:
                waiting: dict[Future[bool], int] = {}
                queue = iter(list(unfinished))
                while True:
                    while len(waiting) < jobs * 2 and (seed := next(queue, None)) is not None:
                        waiting[pool.submit(_scene, order, seed)] = seed
                    if not waiting:
                        break
                    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        fresh = future.result()
                        del unfinished[waiting.pop(future)]
                        yield fresh
        except BrokenProcessPool as error:
            failures = failures + 1 if len(unfinished) == before else 1
            if failures >= ATTEMPTS:
                raise RuntimeError(
                    f"a worker stopped {failures} times without finishing a scene (out of memory?); "
                    f"the next scene is seed {next(iter(unfinished))}: try fewer --jobs"
                ) from error
            sweep(order.out)
