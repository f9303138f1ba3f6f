"""How torch uses the CPU: said before torch is loaded, and how many threads it takes."""

import os

SPINS = 2000
"""Rounds, some microseconds, that a thread of OpenMP waits awake for more work before it sleeps."""


def wait_passively() -> None:
    """Let the threads of OpenMP sleep while they wait, unless the environment says otherwise.

    By default they stay awake for long, and on a busy machine slow one another down: a frame takes three
    times as long there. Between two operations of a frame they stay awake all the same: waking them each time
    would make a frame on an idle machine take 1.5 times as long. It counts for this process, if torch has not
    been imported yet, and for those that it starts.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))


def use_threads(count: int | None) -> None:
    """Give torch so many CPU threads; None leaves it as many as it likes."""
    if count is None:
        return
    import torch

    torch.set_num_threads(max(1, count))
