"""Build the Blender extension: dist/neural_assets-<version>.zip.

The zip holds the add-on at its root, the manifest, the licence and one pure wheel with the part of na_core
that Blender's own Python imports: message, scene, cryptomatte and geometry (numpy and the standard library
only). Its own packager, which lies inside the bpy package, validates and builds it. The same sources give the
same bytes.

    python packaging/build_extension.py [--addon DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Of na_core. Nothing here may import torch.
WHEEL_SOURCES = ("__init__.py", "message.py", "scene.py", "cryptomatte.py", "geometry")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~")
# Archives carry dates. A fixed one makes the build reproducible; 1980 is the first year that zip knows.
TIMESTAMP = 315619200  # 1980-01-02 00:00 UTC

WHEEL_PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "na_core"
version = "{version}"
description = "Scene description and geometry of Neural Assets"
license = "GPL-3.0-or-later"
license-files = ["LICENSE"]
requires-python = ">=3.11"

[tool.setuptools]
packages = {packages}
"""


class BuildError(Exception):
    """The extension cannot be built; the text says why and what to change."""


def core_version() -> str:
    """Return ``na_core.__version__`` without importing it.

    Raises:
        BuildError: If na_core/__init__.py assigns no literal ``__version__``.
    """
    tree = ast.parse((ROOT / "na_core/__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__version__" for target in node.targets
        ):
            return str(ast.literal_eval(node.value))
    raise BuildError('na_core/__init__.py has no line __version__ = "…"')


def check_manifest(manifest: Path) -> tuple[str, str]:
    """Return (id, version) of the manifest after checking it against na_core.

    Raises:
        BuildError: If its version or the name of its wheel does not fit ``na_core.__version__``.
    """
    data = tomllib.loads(manifest.read_text(encoding="utf-8"))
    version = core_version()
    if data["version"] != version:
        raise BuildError(f"{manifest.name} has version {data['version']}, na_core {version}: make them equal")
    expected = [f"./wheels/na_core-{version}-py3-none-any.whl"]
    if data.get("wheels") != expected:
        raise BuildError(f"{manifest.name}: wheels is {data.get('wheels')}, must be {expected}")
    return data["id"], version


def blender_packager() -> Path:
    """Return the path of blender_ext.py, Blender's packager, inside the installed bpy package.

    Raises:
        BuildError: If bpy is not installed or holds no packager.
    """
    spec = importlib.util.find_spec("bpy")  # finds it without importing Blender
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")):
            return path
    raise BuildError(f"no Blender packager for {sys.executable}: install the extra 'blender' (make does)")


def run(command: Sequence[str | Path], cwd: Path) -> None:
    """Run a command with a reproducible environment, showing its output only when it fails.

    Raises:
        BuildError: If it exits with anything but 0.
    """
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(TIMESTAMP), "TZ": "UTC"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(str(part) for part in command)}\n{done.stdout}")


def normalise(folder: Path) -> None:
    """Give all below ``folder`` one date and plain permissions, which end up in the archives."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (TIMESTAMP, TIMESTAMP))


def build_wheel(out: Path, version: str) -> None:
    """Write the pure wheel with na_core's scene and geometry into ``out``. Needs no network.

    Raises:
        BuildError: If na_core lacks one of the parts, or pip fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        package = project / "na_core"
        package.mkdir()
        for name in WHEEL_SOURCES:
            source = ROOT / "na_core" / name
            if source.is_dir():
                shutil.copytree(source, package / name, ignore=NOT_SHIPPED)
            elif source.is_file():
                shutil.copy(source, package / name)
            else:
                raise BuildError(f"na_core/{name} is missing: the add-on needs it")
        shutil.copy(ROOT / "LICENSE", project / "LICENSE")
        packages = sorted(
            ".".join(path.parent.relative_to(project).parts) for path in package.rglob("__init__.py")
        )
        (project / "pyproject.toml").write_text(
            WHEEL_PROJECT.format(version=version, packages=packages), encoding="utf-8"
        )
        normalise(project)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet"]
        run([*pip, "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", out, "."], cwd=project)


def copy_sorted(archive: Path, target: Path) -> None:
    """Copy a zip with its entries in order of name: Blender's packager takes the disk's order."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as sink:
        for entry in sorted(source.infolist(), key=lambda entry: entry.filename):
            sink.writestr(entry, source.read(entry), compresslevel=9)


def build(addon: Path, out: Path) -> Path:
    """Build the extension from the add-on's folder and return the path of its zip in ``out``.

    Raises:
        BuildError: If a part is missing, versions disagree, or Blender's packager refuses.
    """
    if not (addon / "__init__.py").is_file():
        raise BuildError(f"{addon} has no __init__.py: it is the root module of the extension")
    packager = blender_packager()
    identifier, version = check_manifest(ROOT / "blender_manifest.toml")
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary) / "stage"
        shutil.copytree(addon, stage, ignore=NOT_SHIPPED)
        for name in ("blender_manifest.toml", "LICENSE"):
            shutil.copy(ROOT / name, stage / name)
        build_wheel(stage / "wheels", version)
        normalise(stage)
        built = Path(temporary) / f"{identifier}-{version}.zip"
        ordered = Path(temporary) / "ordered.zip"
        run([sys.executable, packager, "validate", stage], cwd=stage)
        run([sys.executable, packager, "build", "--source-dir", stage, "--output-filepath", built], cwd=stage)
        copy_sorted(built, ordered)
        run([sys.executable, packager, "validate", ordered], cwd=stage)
        out.mkdir(parents=True, exist_ok=True)
        # Into place in one step, so that a reader never meets half a zip.
        partial = out / f".{built.name}.{os.getpid()}"
        shutil.copyfile(ordered, partial)
        return partial.replace(out / built.name)


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--addon", type=Path, default=ROOT / "blender_addon", help="the add-on's folder")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the zip goes")
    arguments = parser.parse_args()
    try:
        path = build(arguments.addon.resolve(), arguments.out.resolve())
    except BuildError as error:
        print(f"build_extension: {error}", file=sys.stderr)
        return 1
    print(f"{os.path.relpath(path)}  {path.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
