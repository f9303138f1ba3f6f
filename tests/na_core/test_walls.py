"""The walls between the packages: who may import what.

Blender's Python has numpy and no torch, so what the add-on uses of ``na_core`` must do without; the worker
has no bpy, so ``na_core`` and ``server`` must.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BLOCK_AND_IMPORT = """
import importlib, importlib.abc, sys

blocked, modules = sys.argv[1].split(","), sys.argv[2].split(",")

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is on the other side of the wall", name=name)

sys.meta_path.insert(0, Wall())
for module in modules:
    importlib.import_module(module)
print(",".join(sorted({m.partition(".")[0] for m in sys.modules})))
"""

HEAVY = "torch,torchvision,diffusers,transformers,PIL,cv2,fastapi,uvicorn,pydantic,safetensors,tqdm"


def modules_of(package: str) -> list[str]:
    """Return every module of a package, found as files so that nothing has to be imported for it."""
    names = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


LIGHT = ["na_core", "na_core.message", "na_core.scene", *(m for m in modules_of("na_core/geometry"))]
WORKER_SIDE = [*modules_of("na_core"), *modules_of("server")]


def imported(modules: list[str], blocked: str) -> set[str]:
    """Import modules in a process of its own; return the top-level packages that are then loaded."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_AND_IMPORT, blocked, ",".join(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split()[-1].split(","))


def imports_in(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def import_statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports below a node, also inside functions, but for those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not is_for_types_only(child):
            yield from import_statements(child)


def import_graph(root: Path, packages: Sequence[str]) -> dict[str, set[str]]:
    """Return what each module of the packages imports of them. A package stands for its ``__init__.py``."""
    files: dict[str, Path] = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for module, path in files.items():
        inside = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        graph[module] = set[str]()
        for statement in import_statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.Import):
                graph[module] |= {alias.name for alias in statement.names if alias.name in files}
                continue
            above = inside[: len(inside) - statement.level + 1] if statement.level else []
            source = ".".join([*above, *([statement.module] if statement.module else [])])
            for alias in statement.names:
                named = f"{source}.{alias.name}"
                graph[module] |= {name for name in (named if named in files else source,) if name in files}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or not."""
    reached = {module: set(imports) for module, imports in graph.items()}
    for middle in graph:  # Warshall's closure
        for module in graph:
            if middle in reached[module]:
                reached[module] |= reached[middle]
    in_circles = [module for module in graph if module in reached[module]]
    groups = {tuple(sorted(m for m in in_circles if m in reached[n] and n in reached[m])) for n in in_circles}
    return [list(group) for group in sorted(groups)]


def test_no_module_imports_one_that_imports_it() -> None:
    graph = import_graph(ROOT, ("na_core", "server", "blender_addon"))
    assert "na_core.scene" in graph["server.app"]  # the graph is not empty
    assert cycles(graph) == []


def test_a_cycle_is_found_inside_functions_and_through_relative_imports(tmp_path: Path) -> None:
    sources = {
        "ring/__init__.py": "",
        "ring/one.py": "from .two import b",
        "ring/two.py": "def b():\n    from ring import three",
        "ring/three.py": "import ring.one",
        "ring/types_only.py": "import typing\nif typing.TYPE_CHECKING:\n    from ring import user",
        "ring/user.py": "from . import types_only",
    }
    (tmp_path / "ring").mkdir()
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    assert cycles(import_graph(tmp_path, ["ring"])) == [["ring.one", "ring.three", "ring.two"]]


TRAINING_BRINGS = {"scipy", "skimage", "torchmetrics", "tensorboard"}
"""Packages that the extra "train" installs and the extra "worker" does not."""


def test_the_worker_does_without_what_training_brings() -> None:
    """Nothing that a worker or an offline rendering may import names them, also not inside functions."""
    graph = import_graph(ROOT, ("na_core", "server"))
    reached, found = set(), {"server.worker", "server.offline", "server.steady", "server.detection"}
    while found - reached:
        reached |= found
        found = {name for module in reached for name in graph[module]}
    assert {"na_core.model.pipeline", "na_core.model.refiners.refiner"} <= reached
    for module in sorted(reached):
        path = ROOT.joinpath(*module.split("."))
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        needed = imports_in(source) & TRAINING_BRINGS
        assert not needed, f"{module} imports {', '.join(sorted(needed))}"


@pytest.mark.parametrize("module", LIGHT)
def test_scene_and_geometry_import_without_torch(module: str) -> None:
    loaded = imported([module], HEAVY + ",bpy")
    assert not loaded & {"torch", "bpy"}


@pytest.mark.parametrize("module", LIGHT)
def test_scene_and_geometry_use_numpy_and_the_standard_library_only(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert imports_in(source) <= {*sys.stdlib_module_names, "numpy", "na_core"}


def test_na_core_and_server_import_without_bpy() -> None:
    loaded = imported(WORKER_SIDE, "bpy,bmesh,mathutils,bpy_extras,blender_addon")
    assert "na_core" in loaded
    assert not loaded & {"bpy", "mathutils", "blender_addon"}


@pytest.mark.parametrize("module", WORKER_SIDE)
def test_na_core_and_server_name_neither_bpy_nor_the_add_on(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    forbidden = {"bpy", "bmesh", "mathutils", "bpy_extras", "blender_addon"}
    if module.startswith("na_core"):
        forbidden |= {"server", "fastapi", "uvicorn"}
    if source.exists():
        assert not imports_in(source) & forbidden


def test_the_add_on_names_nothing_of_the_other_side() -> None:
    other_side = {
        "torch",
        "torchvision",
        "diffusers",
        "transformers",
        "safetensors",
        "fastapi",
        "uvicorn",
        "server",
    }
    for path in sorted((ROOT / "blender_addon").rglob("*.py")):
        outside = imports_in(path) & other_side
        assert not outside, f"{path.relative_to(ROOT)} imports {', '.join(sorted(outside))}"
