"""The generator in processes of its own: it replaces Blender's file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
collect_ignore_glob = [] if (ROOT / "blender_addon/dataset").is_dir() else ["test_*.py"]

# Of its own: a second Blender on this process's folder would clear the installed extension's wheels away.
RESOURCES = tempfile.mkdtemp(prefix="neural-assets-dataset-")

SMALL = {
    **{"scenes": 2, "frames": 3, "width": 48, "height": 48, "samples": 1, "jobs": 1, "objects": 2},
    **{"plates": False, "without": 0},
}
OF_THE_RUN = ("scenes", "seed", "jobs", "blend")

# Blender prints on the C library's standard output, so answers go to a copy of it.
RUN_ONE_AFTER_ANOTHER = """
import contextlib, io, json, os, sys, traceback
import bpy
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    code, *sys.argv[1:] = json.loads(line)
    said, problem = io.StringIO(), None
    bpy.ops.wm.read_factory_settings(use_empty=True)
    try:
        with contextlib.redirect_stdout(said):
            exec(code, {"__name__": "__main__"})
    except BaseException:
        problem = traceback.format_exc()
    print(json.dumps([said.getvalue(), problem]), file=answers, flush=True)
os._exit(0)
"""

RunPython = Callable[[str], str]
RenderScenes = Callable[..., int]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "BLENDER_USER_RESOURCES": RESOURCES}


class KeptBlender:
    """A Blender that runs one piece of code after another, each in an empty file: starting takes longest."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN_ONE_AFTER_ANOTHER],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *arguments: object) -> str:
        """Run code with arguments in ``sys.argv`` and return what it prints."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([code, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"Blender ended with exit code {self._process.wait()}"
        said, problem = json.loads(answer)
        assert problem is None, problem
        return said

    def stop(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="session")
def run_python() -> RunPython:
    """Return a function that runs code in a process of its own and returns what it prints."""

    def run(code: str) -> str:
        ended = "\nimport os, sys; sys.stdout.flush(); os._exit(0)"
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code) + ended],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render_scenes(run_python: RunPython) -> RenderScenes:
    """Return a function that renders small scenes of two objects and returns how many were new."""

    def render(out: Path, **settings: object) -> int:
        options = SMALL | settings
        run = {name: options.pop(name) for name in OF_THE_RUN if name in options}
        text = run_python(f"""
            from pathlib import Path
            from blender_addon.dataset import Order, render
            order = Order(Path({str(out)!r}), **{options!r})
            print("new", render(order, tell=lambda *_: None, **{run!r}))
        """)
        return int(text.rsplit("new ", 1)[1])

    return render


@pytest.fixture(scope="session")
def command_line() -> Callable[..., subprocess.Popen]:
    """Return a function that starts ``python -m blender_addon.dataset render`` with options."""

    def start(*options: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "blender_addon.dataset", "render", *map(str, options)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start
