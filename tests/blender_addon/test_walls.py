"""What may import what: no torch inside Blender, and nothing of the add-on writes where it must not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

FORBIDDEN = {"torch", "diffusers", "transformers", "PIL", "server", "requests"}
RESULTS = ("detection/result.py", "layers/result.py")
DATA_LAYER = ("scene/*.py", "detection/apply.py", "layers/images.py", *RESULTS)
DATA_LAYER_KNOWS = ("errors", "names", "scene")
WITHOUT_BPY = ("worker/*.py", "detection/question.py", "layers/question.py", *RESULTS)
ALLOWED_CORE = {"na_core", "na_core.scene", "na_core.geometry", "na_core.cryptomatte"}


@pytest.fixture(scope="module")
def sources(addon):
    folder = Path(addon.__file__).parent
    # The data set generator is a tool of its own: it runs in bpy, but is no part of the artist's add-on.
    return [path for path in folder.rglob("*.py") if "dataset" not in path.relative_to(folder).parts]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def test_no_torch_and_only_the_core_that_is_shipped(sources):
    for path in sources:
        for name in imports(path):
            assert name.partition(".")[0] not in FORBIDDEN, path
            assert name.partition(".")[0] != "blender_addon", f"{path}: import relatively"
            if name.startswith("na_core"):
                assert ".".join(name.split(".")[:2]) in ALLOWED_CORE, path


def layer(addon, patterns):
    folder = Path(addon.__file__).parent
    paths = [path for pattern in patterns for path in folder.glob(pattern)]
    assert len(paths) >= len(patterns)
    return paths


def test_the_data_layer_has_no_operators_and_knows_no_upper_layer(addon):
    for path in layer(addon, DATA_LAYER):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert node.module.partition(".")[0] in DATA_LAYER_KNOWS, path
            if isinstance(node, ast.Attribute):
                assert node.attr != "ops", path


def test_what_talks_to_the_worker_touches_no_bpy(addon):
    for path in layer(addon, WITHOUT_BPY):
        assert not {"bpy", "mathutils", "gpu"} & set(imports(path)), path


def test_the_addon_runs_with_torch_blocked(addon):
    if addon.__name__ != "blender_addon":
        pytest.skip("the installed extension runs in a Blender without torch anyway")
    code = (
        "import sys\n"
        "for name in ('torch', 'diffusers', 'transformers', 'server', 'PIL'): sys.modules[name] = None\n"
        "import os, bpy, blender_addon, na_core.scene, na_core.geometry.lifting\n"
        "from blender_addon import api\n"
        "blender_addon.register(); blender_addon.unregister()\n"
        "print('fine', flush=True); os._exit(0)\n"
    )
    root = Path(addon.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=120)
    assert "fine" in done.stdout, done.stderr


def test_torch_never_came_into_blender(addon, part):
    for module in ("api", "demo", "registration", "scene.frame", "render.final"):
        part(module)
    assert "torch" not in sys.modules


def test_na_core_comes_with_the_extension(addon):
    if addon.__name__ == "blender_addon":
        pytest.skip("run from source")
    import na_core.scene

    if Path(na_core.scene.__file__).is_relative_to(Path(__file__).parents[2]):
        pytest.skip("na_core is installed in this environment too")
    assert Path(na_core.scene.__file__).is_relative_to(bpy.utils.resource_path("USER")) or "extensions" in (
        na_core.scene.__file__
    )


def test_writes_only_below_the_users_folder(addon, part):
    folder = part("storage").user_folder("logs")
    assert folder.is_dir()
    if addon.__name__ != "blender_addon":
        assert ".user" in folder.parts
