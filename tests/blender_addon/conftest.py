"""Tests of the add-on in a process with the real bpy, installed from the built zip where there is one.

``NEURAL_ASSETS_ZIP`` names the zip to install; without it a zip in dist/ that is newer than the sources is
taken, else the source tree is registered directly. The worker is real too: ``NEURAL_ASSETS_WORKER_PYTHON``
(this Python, if it has torch) runs it on a tiny random checkpoint.
"""

from __future__ import annotations

import glob
import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = "bl_ext.user_default.neural_assets"
MAKE_CHECKPOINT = (
    "import sys; from na_core.model.presets import build_pipeline; "
    "build_pipeline(preset='guided', size='tiny').save_pretrained(sys.argv[1])"
)
LONGEST = ("test_labels.py", "test_scenes.py", "test_worker.py", "test_clips.py", "test_artist_file.py")
"""The files that take longest. They begin first, so that processes which share the files end together."""
SETTINGS = ("NEURAL_ASSETS_WORKER_PYTHON", "NEURAL_ASSETS_CHECKPOINT", "NEURAL_ASSETS_DEVICE")


def _zip_to_install() -> Path | None:
    if named := os.environ.get("NEURAL_ASSETS_ZIP"):
        return Path(named).resolve()
    built = sorted(glob.glob(str(ROOT / "dist/neural_assets-*.zip")), key=os.path.getmtime)
    sources = [
        *ROOT.glob("blender_addon/**/*.py"),
        *ROOT.glob("na_core/geometry/*.py"),
        ROOT / "na_core/message.py",
        ROOT / "na_core/scene.py",
    ]
    if built and os.path.getmtime(built[-1]) > max(path.stat().st_mtime for path in sources):
        return Path(built[-1])
    return None


def _install(path: Path) -> ModuleType:
    """Install the extension from its zip, as a user does, and return its root module."""
    import addon_utils

    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=str(path), repo="user_default", enable_on_install=True)
    assert INSTALLED in bpy.context.preferences.addons
    return sys.modules[INSTALLED]


# Before the first import of bpy, which reads it once.
RESOURCES = tempfile.mkdtemp(prefix="neural-assets-blender-")
os.environ["BLENDER_USER_RESOURCES"] = RESOURCES
bpy = pytest.importorskip("bpy")
ZIP = _zip_to_install()
# Now, because test modules import na_core at their top: with a zip it has to be the one of the zip's wheel.
if ZIP is not None and "na_core" not in sys.modules:
    kept_path = list(sys.path)
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
    ADDON = _install(ZIP)
    core = importlib.import_module("na_core")
    # All of it, from the wheel, for good: another Blender on the same resources may remove the wheel's files.
    geometry = importlib.import_module("na_core.geometry")
    for found in pkgutil.iter_modules(geometry.__path__, "na_core.geometry."):
        importlib.import_module(found.name)
    # Parts that the zip leaves out (the data sets' readers and generator) stay within reach of their tests.
    sys.path.extend(entry for entry in kept_path if entry not in sys.path)
    core.__path__.append(str(ROOT / "na_core"))
elif ZIP is not None:
    ADDON = _install(ZIP)
else:
    sys.path.insert(0, str(ROOT))
    ADDON = importlib.import_module("blender_addon")
    ADDON.register()


def pytest_sessionfinish() -> None:
    """Leave nothing registered: with our engine still there, leaving crashes Blender 4.2 and hangs 4.5."""
    for scene in bpy.data.scenes:
        scene.render.engine = "BLENDER_WORKBENCH"
    if ZIP is not None:
        import addon_utils

        addon_utils.disable(INSTALLED)
    else:
        ADDON.unregister()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder; the longest come first."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.bpy)
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def addon() -> ModuleType:
    """The registered add-on: the installed extension, or the source tree."""
    return ADDON


@pytest.fixture(scope="session")
def part(addon: ModuleType) -> Callable[[str], ModuleType]:
    """A function that returns a module of the add-on: ``part("scene.exif")``."""
    return lambda name: importlib.import_module(f"{addon.__name__}.{name}")


@pytest.fixture(scope="session")
def api(part: Callable[[str], ModuleType]) -> ModuleType:
    """The scripting surface."""
    return part("api")


@pytest.fixture
def scene(addon: ModuleType) -> Iterator[bpy.types.Scene]:
    """The scene of a new, empty file."""
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    scene = bpy.context.scene
    yield scene
    for each in bpy.data.scenes:
        each.render.engine = "BLENDER_WORKBENCH"


@pytest.fixture(scope="session")
def worker_python() -> str:
    """The Python that runs the worker."""
    if named := os.environ.get("NEURAL_ASSETS_WORKER_PYTHON"):
        return named
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("server") is None:
        pytest.skip("no worker: set NEURAL_ASSETS_WORKER_PYTHON")
    return sys.executable


@pytest.fixture(scope="session")
def checkpoint(worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with random weights."""
    if named := os.environ.get("NEURAL_ASSETS_TEST_CHECKPOINT"):
        return Path(named)
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    # A stray PYTHONPATH of this process must not lead the worker's Python to the packages of this one.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([worker_python, "-c", MAKE_CHECKPOINT, str(folder)], check=True, env=environment)
    return folder


@pytest.fixture
def settings(worker_python: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the tiny checkpoint's worker; it is kept from test to test, as from frame to frame."""
    for name, value in zip(SETTINGS, (worker_python, str(checkpoint), "cpu"), strict=True):
        monkeypatch.setenv(name, value)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose no worker at all."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def make_photo(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that writes a photo of any size: a gradient, so that every turn of it differs."""
    import numpy as np
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")

    def make(width: int = 96, height: int = 64, name: str = "photo.png", **save: object) -> Path:
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1).astype(np.uint8)
        path = folder / f"{len(list(folder.iterdir()))}-{name}"
        Image.fromarray(pixels).save(path, **save)
        return path

    return make


@pytest.fixture
def table(scene: bpy.types.Scene, api: ModuleType, make_photo: Callable[..., Path]) -> bpy.types.Scene:
    """A scene with a photo and two assets, Cup and Jar; the photo's file is gone."""
    path = make_photo()
    api.import_photo(path, scene=scene)
    path.unlink()
    api.add_asset((0.15, 0.3, 0.4, 0.8), name="Cup", scene=scene)
    api.add_asset((0.6, 0.4, 0.8, 0.9), name="Jar", scene=scene)
    return scene
