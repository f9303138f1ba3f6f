"""Test the built extension in every supported Blender version, as far as this machine can.

Each version gets an environment of its own, .venv-bpy-<version>: bpy, numpy and the test tools, but neither
na_core nor the source tree, so that what is tested is what the zip installs. The tests run from a copy
outside the source tree; tests/blender_addon/conftest.py installs the zip that NEURAL_ASSETS_ZIP names.

    python packaging/test_matrix.py --zip ZIP --worker-python .venv/bin/python [VERSION ...]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST_LIMIT = 3600  # seconds; bpy 4.5 can hang at exit when an engine is left registered
TEST_TOOLS = ("pytest", "pytest-timeout", "hypothesis", "pillow")


@dataclass(frozen=True)
class Blender:
    """A Blender version, and the Python and numpy that its bpy wheel fits."""

    version: str
    python: str
    numpy: str


BLENDERS = (
    Blender("4.2.23", "3.11", "numpy==1.26.4"),
    Blender("4.5.15", "3.11", "numpy==1.26.4"),
    Blender("5.0.1", "3.11", "numpy==1.26.4"),
    Blender("5.2.3", "3.13", "numpy==2.5.5"),
)


@dataclass(frozen=True)
class Result:
    """The row of one version: counts of tests, or the reason why there are none."""

    blender: Blender
    outcome: str  # "passed", "failed" or "skipped"
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""


def python_candidates(version: str) -> Iterator[str]:
    """Yield commands that may be the Python of this minor version: ours, by name, and pyenv's."""
    yield sys.executable
    yield f"python{version}"
    try:
        listed = subprocess.run(
            ["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False
        ).stdout.split()
    except OSError:
        return
    for name in reversed(listed):
        if name.startswith(f"{version}."):
            prefix = subprocess.run(["pyenv", "prefix", name], capture_output=True, text=True, check=False)
            yield f"{prefix.stdout.strip()}/bin/python"


def find_python(version: str) -> str | None:
    """Return a command that runs this minor version and can make environments, or None."""
    question = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"
    for command in python_candidates(version):
        try:
            answer = subprocess.run([command, "-c", question], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return command
    return None


def tool_pins() -> list[str]:
    """Return the lines of constraints.txt for the test tools: the same ones for every version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.split("==")[0].lower() in TEST_TOOLS]


def environment_python(blender: Blender, python: str) -> Path:
    """Return the Python of this version's environment, after making it where it is missing or outdated.

    Raises:
        subprocess.CalledProcessError: If the environment or a package cannot be installed.
    """
    folder = ROOT / f".venv-bpy-{blender.version}"
    packages = [f"bpy=={blender.version}", blender.numpy, *tool_pins()]
    stamp = folder / f".stamp-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"
    if not stamp.exists():
        print(f"-- Blender {blender.version}: installing into {folder.name}", flush=True)
        if not (folder / "bin/python").exists():
            subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
        stamp.touch()
    return folder / "bin/python"


def copy_tests(target: Path) -> None:
    """Copy the add-on's tests, and what they read, to a folder outside the source tree."""
    ignore = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "tests/blender_addon", target / "tests/blender_addon", ignore=ignore)
    for folder in ("demo", "na_core/data", "na_core/evaluation/scenes"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignore)
    (target / "tests/na_core").mkdir()
    for name in ("pyproject.toml", "tests/na_core/lens.py", "tests/na_core/reference.py"):
        shutil.copy(ROOT / name, target / name)


def read_report(report: Path) -> tuple[int, int, int]:
    """Return the (passed, failed, skipped) counts of a JUnit report; zeros where pytest wrote none."""
    if not report.is_file():
        return 0, 0, 0
    suites = list(ElementTree.parse(report).iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def check_version(blender: Blender, zip_path: Path, worker_python: Path, extra: Sequence[str]) -> Result:
    """Run the add-on's tests in one Blender version; ``extra`` goes to pytest. A failure is in the result."""
    python = find_python(blender.python)
    if python is None:
        return Result(blender, "skipped", note=f"no Python {blender.python} with venv found on this machine")
    try:
        interpreter = environment_python(blender, python)
    except subprocess.CalledProcessError as error:
        return Result(blender, "failed", note=f"installation failed with status {error.returncode}")
    print(f"-- Blender {blender.version}: pytest", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"neural-assets-{blender.version}-") as temporary:
        place = Path(temporary)
        copy_tests(place)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {
            "PYTHONNOUSERSITE": "1",
            "BLENDER_USER_RESOURCES": str(place / "blender"),  # nothing of the user's own Blender
            "NEURAL_ASSETS_ZIP": str(zip_path),
            "NEURAL_ASSETS_WORKER_PYTHON": str(worker_python),
        }
        report = place / "report.xml"
        (place / "blender").mkdir()
        command = [str(interpreter), "-m", "pytest", "tests/blender_addon", f"--junitxml={report}", *extra]
        note = ""
        try:
            done = subprocess.run(command, cwd=place, env=environment, timeout=PYTEST_LIMIT, check=False)
            status = done.returncode
        except subprocess.TimeoutExpired:
            status, note = 1, f"stopped after {PYTEST_LIMIT} s (hung at exit?)"
        passed, failed, skipped = read_report(report)
    if status and not failed and not note:
        note = f"pytest ended with status {status}"  # a crash of Blender at exit, or a collection error
    outcome = "failed" if status or failed or not passed else "passed"
    if outcome == "failed" and not note and not passed and not failed:
        note = "no test ran"
    return Result(blender, outcome, passed, failed, skipped, time.monotonic() - start, note)


def print_table(results: Sequence[Result]) -> None:
    """Print one line per version."""
    print(f"\n{'Blender':<9}{'Python':<8}{'result':<9}{'passed':>7}{'failed':>7}{'skipped':>8}{'seconds':>9}")
    for row in results:
        print(
            f"{row.blender.version:<9}{row.blender.python:<8}{row.outcome:<9}{row.passed:>7}{row.failed:>7}"
            f"{row.skipped:>8}{row.seconds:>9.0f}  {row.note}".rstrip()
        )


def main() -> int:
    """Run the command line; returns 1 when any version failed, else 0."""
    parser = argparse.ArgumentParser(description="Test the extension in the supported Blenders.")
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="bpy version or its start: 4.2")
    parser.add_argument("--zip", type=Path, required=True, help="the built extension")
    parser.add_argument("--worker-python", type=Path, required=True, help="a Python that has the worker")
    parser.add_argument("--pytest-args", default=os.environ.get("PYTEST_ARGS", ""), help="for pytest")
    arguments = parser.parse_args()
    chosen = [
        blender
        for blender in BLENDERS
        if not arguments.versions or any(blender.version.startswith(start) for start in arguments.versions)
    ]
    if not chosen:
        parser.error(f"no such version; known: {', '.join(blender.version for blender in BLENDERS)}")
    if not arguments.zip.is_file():
        parser.error(f"{arguments.zip} does not exist: run `make extension`")
    # absolute(), not resolve(): an environment's python is a link that leads out of the environment.
    worker_python = arguments.worker_python.absolute()
    results = [
        check_version(blender, arguments.zip.resolve(), worker_python, arguments.pytest_args.split())
        for blender in chosen
    ]
    print_table(results)
    return int(any(row.outcome == "failed" for row in results))


if __name__ == "__main__":
    sys.exit(main())
