"""Which decoder finishes frames is chosen from a list, by its folder."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def decoders(part):
    """The module, and afterwards the embedded decoder again."""
    module = part("decoders")
    yield module
    for entry in module.known_decoders():
        module.forget_decoder(entry.folder)
    module.choose_decoder()


@pytest.fixture
def settings(part):
    """What the worker would be started with."""
    return part("preferences").worker_settings


def write_index(folder: Path, kind: str) -> Path:
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    return folder


def test_at_first_it_is_the_embedded_one(decoders, settings) -> None:
    assert decoders.decoder_name() == "Embedded"
    assert decoders.known_decoders() == []
    assert (settings().checkpoint, settings().refiner) == ("", "")


def test_an_image_model_refines_and_a_checkpoint_decodes(decoders, settings, tmp_path) -> None:
    model = write_index(tmp_path / "sdxl", "StableDiffusionXLPipeline")
    trained = write_index(tmp_path / "mine", "NeuralAssetsPipeline")
    decoders.choose_decoder(str(model))
    assert (settings().checkpoint, settings().refiner) == ("", str(model))
    assert decoders.decoder_name() == "sdxl"
    decoders.choose_decoder(str(trained))
    assert (settings().checkpoint, settings().refiner) == (str(trained), "")
    assert [entry.name for entry in decoders.known_decoders()] == ["sdxl", "mine"]


def test_a_folder_is_listed_once(decoders, tmp_path) -> None:
    model = write_index(tmp_path / "sdxl", "StableDiffusionXLPipeline")
    for _ in range(2):
        assert bpy.ops.neural_assets.decoder_folder(directory=f"{model}/") == {"FINISHED"}
    assert [entry.folder for entry in decoders.known_decoders()] == [str(model)]


def test_another_folder_is_refused_and_the_choice_stays(api, decoders, settings, tmp_path) -> None:
    model = write_index(tmp_path / "sdxl", "StableDiffusionXLPipeline")
    api.choose_decoder(str(model))
    with pytest.raises(api.UserError, match=r"no folder of a decoder.*Choose the folder that holds"):
        api.choose_decoder(str(tmp_path))
    with pytest.raises(RuntimeError, match="no folder of a decoder"):
        bpy.ops.neural_assets.decoder_folder(directory=str(tmp_path))
    assert settings().refiner == str(model)


def test_a_decoder_that_is_forgotten_is_chosen_no_longer(decoders, settings, tmp_path) -> None:
    model = write_index(tmp_path / "sdxl", "StableDiffusionXLPipeline")
    decoders.choose_decoder(str(model))
    assert bpy.ops.neural_assets.forget_decoder(folder=str(model)) == {"FINISHED"}
    assert decoders.known_decoders() == []
    assert settings().refiner == ""
    assert model.is_dir()


def test_a_farm_says_which_it_is(decoders, monkeypatch, tmp_path) -> None:
    assert not decoders.decoder_is_given()
    monkeypatch.setenv("NEURAL_ASSETS_REFINER", str(tmp_path / "given"))
    assert decoders.decoder_is_given()
    assert decoders.decoder_name() == "given"
