"""All benchmarks, each in a process of its own: ``make bench``. Results: results.json beside this file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from na_core.threads import wait_passively

BENCHMARKS = ("projection.py", "take_apart.py", "sizes.py", "compose.py", "frame.py", "detection.py")


def main() -> int:
    """Run every benchmark; return the number that failed."""
    folder = Path(__file__).parent
    wait_passively()  # as in every command of ours
    runs = [subprocess.run([sys.executable, folder / name], check=False) for name in BENCHMARKS]
    return sum(run.returncode != 0 for run in runs)


if __name__ == "__main__":
    sys.exit(main())
