"""A refiner of the user's, through F12 and the real worker."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("settings")

WRITE = """
import sys
from pathlib import Path
import na_core
sys.path.insert(0, str(Path(na_core.__file__).parents[1]))
from tests.na_core.model.refiners.tiny_pipelines import write_pipeline
print(write_pipeline("StableDiffusionPipeline", Path(sys.argv[1])))
"""
"""Where the worker's Python has na_core from a checkout, its tests lie beside it."""


@pytest.fixture(scope="session")
def refiner(worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny image model, as diffusers saves it."""
    folder = tmp_path_factory.mktemp("refiner")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [worker_python, "-c", WRITE, str(folder)]
    # Away from the tests' own folder, whose na_core may be data alone.
    done = subprocess.run(command, check=True, env=environment, cwd=folder, capture_output=True, text=True)
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture
def moved(table: bpy.types.Scene) -> bpy.types.Scene:
    """A scene whose cup has moved, rendered in a few steps."""
    table.objects["Cup"].location.x += 0.1
    settings = table.neural_assets
    settings.preset, settings.steps, settings.guidance = "custom", 2, 1.0
    settings.refiner_prompt, settings.refiner_strength, settings.refiner_reach = "a", 0.5, 1.0
    return table


def test_f12_shows_what_a_refiner_made(api, moved, refiner, monkeypatch, tmp_path) -> None:
    plain = api.render_frame(scene=moved)
    monkeypatch.setenv("NEURAL_ASSETS_REFINER", str(refiner))
    moved.render.filepath = str(tmp_path / "refined.png")
    moved.render.image_settings.color_mode = "RGB"
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    made = np.asarray(Image.open(tmp_path / "refined.png"))
    assert (made != plain).any()
    np.testing.assert_array_equal(made, api.render_frame(scene=moved))
    assert api.worker_capabilities()["models"]["refiner"] == "licence not stated"
    moved.neural_assets.refiner_reach = 0.0
    assert (api.render_frame(scene=moved) != made).any()


def test_where_nothing_has_moved_nothing_is_refined(api, moved, refiner, monkeypatch) -> None:
    moved.objects["Cup"].location.x -= 0.1
    plain = api.render_frame(scene=moved)
    monkeypatch.setenv("NEURAL_ASSETS_REFINER", str(refiner))
    np.testing.assert_array_equal(api.render_frame(scene=moved), plain)


def test_what_a_refiner_is_told_travels_with_the_frame(moved, part) -> None:
    moved.view_layers[0].update()
    job, _ = part("scene.frame").job_message(moved.view_layers[0].depsgraph, 96, 64)
    told = job.sampling
    assert (told.prompt, told.strength, told.reach) == ("a", 0.5, 1.0)


def test_a_folder_that_is_not_there_is_named(api, moved, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NEURAL_ASSETS_REFINER", str(tmp_path / "none"))
    with pytest.raises(api.UserError, match=r"refiner's folder .* does not exist"):
        api.render_frame(scene=moved)


def test_a_folder_that_holds_no_pipeline_is_told(api, moved, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NEURAL_ASSETS_REFINER", str(tmp_path))
    with pytest.raises(api.UserError, match="no folder of a diffusers pipeline"):
        api.render_frame(scene=moved)
