"""What travels to a GPU: the tracked files and what goes with them, and which of them need not."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

LIMIT = 64 * 2**20
"""Bytes that may travel."""

SPARE = (
    "na_core/checkpoints/detector/",
    "na_core/checkpoints/refiner/",
    "docs/images/",
    "na_core/evaluation/scenes/validation.tar",
    "tests/",
)
"""Tracked files that a run never reads, the largest first: they are left out until all fits."""


def tracked(root: Path) -> dict[str, int]:
    """Return the bytes of the tracked files of a working tree that are there, by their paths."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
    files = (root / name for name in listed.stdout.split("\0") if name)
    return {str(file.relative_to(root)): file.stat().st_size for file in files if file.is_file()}


def size_of(place: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 if there is none."""
    if place.is_dir():
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return place.stat().st_size if place.is_file() else 0


def left_out(files: dict[str, int], room: int) -> list[str]:
    """Return what to leave out of tracked files, of :data:`SPARE`, until the rest fits into some bytes."""
    chosen: list[str] = []
    for spare in SPARE:
        if sum(files.values()) <= room:
            break
        if any(name.startswith(spare) for name in files):
            chosen.append(spare)
        files = {name: size for name, size in files.items() if not name.startswith(spare)}
    return chosen


def report(root: Path, carried: Sequence[Path]) -> tuple[bool, str]:
    """Tell what travels.

    Args:
        root: of the working tree.
        carried: files and folders that go with it.

    Returns:
        Whether it fits as it is; and a text of the sizes, of what need not travel, and how to leave that out.
    """
    files = tracked(root)
    sizes = {str(place): size_of(place) for place in carried}
    total = sum(files.values()) + sum(sizes.values())
    lines = ["| what | MB |", "|---|---|", f"| tracked files | {sum(files.values()) / 1e6:.1f} |"]
    lines += [f"| {name} | {size / 1e6:.1f} |" for name, size in sizes.items()]
    lines += [f"| together | {total / 1e6:.1f} |", f"| may travel | {LIMIT / 1e6:.1f} |"]
    if total <= LIMIT:
        return True, "\n".join(lines)
    chosen = left_out(files, LIMIT - sum(sizes.values()))
    spared = {spare: sum(size for name, size in files.items() if name.startswith(spare)) for spare in chosen}
    rest = total - sum(spared.values())
    lines += [f"| without {spare} | {-size / 1e6:.1f} |" for spare, size in spared.items()]
    patterns = " ".join(f"'!/{spare}'" for spare in chosen)
    lines += [
        f"| then | {rest / 1e6:.1f} |",
        "",
        "Leave these out of the working tree, and bring them back afterwards:",
        "",
        f"    git sparse-checkout set --no-cone '/*' {patterns}",
        "    git sparse-checkout disable",
    ]
    if rest > LIMIT:
        lines += ["", f"That is still {(rest - LIMIT) / 1e6:.1f} MB too much: pack less with --limit."]
    return False, "\n".join(lines)
