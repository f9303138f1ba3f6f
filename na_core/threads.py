"""How torch uses the CPU: said before torch is loaded, and how many threads it takes."""

import os


def wait_passively() -> None:
    """Let the threads of OpenMP sleep while they wait, unless the environment says otherwise.

    By default they spin, and on a busy machine slow one another down: a frame takes 1.7 times as long. It
    counts for this process, if torch has not been imported yet, and for those that it starts.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(count: int | None) -> None:
    """Give torch so many CPU threads; None leaves it as many as it likes."""
    if count is None:
        return
    import torch

    torch.set_num_threads(max(1, count))
