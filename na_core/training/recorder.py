"""What a task notes of its steps for the log: losses, and the time of their parts on a CPU or a GPU."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from na_core.training.errors import TrainingError
from na_core.training.task import TrainingTask
from na_core.training.training_state import Progress


class Stopwatch:
    """Adds up the seconds that named parts take on a device, without making the CPU wait for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Count what runs inside as ``part``."""
        if self._cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            yield
            end.record()
            self._events.append((part, start, end))
        else:
            began = time.perf_counter()
            yield
            self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """Return the seconds of each part since the last call, and begin anew. Waits for the GPU."""
        if self._cuda:
            torch.cuda.synchronize()
            for part, start, end in self._events:
                self._seconds[part] = self._seconds.get(part, 0.0) + start.elapsed_time(end) / 1000
            self._events.clear()
        taken, self._seconds = self._seconds, {}
        return taken


class Recorder:
    """Losses, gradient norms and times since the last line of the log."""

    def __init__(self, task: TrainingTask, progress: Progress) -> None:
        self.clock = Stopwatch(task.run.device)
        self.samples = progress.samples
        self._task = task
        self._settled = [*progress.pending]
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self.restart()

    def restart(self) -> None:
        """Begin to count time anew: what was just done is no part of a step."""
        self.clock.take()
        self._since, self._counted = time.monotonic(), self.samples

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Note a step, without waiting for its numbers."""
        self._waiting.append((loss, torch.as_tensor(norm, device=loss.device).detach().float()))
        self.samples += self._task.settings.batch_size

    def settle(self) -> None:
        """Wait for the numbers of all steps, averaged over processes.

        Raises:
            TrainingError: one of them is not finite.
        """
        if not self._waiting:
            return
        numbers = torch.stack([torch.stack(pair) for pair in self._waiting])
        numbers = self._task.run.accelerator.reduce(numbers, "mean").cpu()
        self._waiting.clear()
        if not torch.isfinite(numbers).all():
            raise TrainingError(
                f"{self._task.name}: the loss or its gradient is no longer finite. Go on from an earlier "
                f"saved state with a smaller learning rate, or without bf16"
            )
        self._settled += [(float(loss), float(norm)) for loss, norm in numbers]

    def progress(self, step: int) -> Progress:
        """Return how far the task is, for its saved state."""
        return Progress(step, self.samples, tuple(self._settled))

    def line(self, step: int, rates: Mapping[str, float]) -> dict[str, Any]:
        """Return the log's line of the steps since the last one, with their learning rates."""
        self.settle()
        seconds = time.monotonic() - self._since
        spent = self.clock.take()
        losses, norms = zip(*self._settled, strict=True)
        record = {
            "step": step,
            "samples": self.samples,
            "loss": math.fsum(losses) / len(losses),
            "gradient_norm": math.fsum(norms) / len(norms),
            "learning_rate": dict(rates),
            "samples_per_second": (self.samples - self._counted) / max(seconds, 1e-9),
            "data_share": spent.get("data", 0.0) / max(spent.get("step", 0.0), 1e-9),
            "seconds": seconds,
        }
        self._settled.clear()
        self._since, self._counted = time.monotonic(), self.samples
        return record
