"""Refiners: every family through a tiny pipeline of its kind, loaded from a folder as a user's would be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.detection.weights import WeightsError
from na_core.model.refiners import loading
from na_core.model.refiners.families import FAMILIES
from na_core.model.refiners.loading import load_refiner
from na_core.model.refiners.refiner import Refiner, Request
from tests.na_core.model.refiners.tiny_pipelines import KINDS


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    row, column = np.mgrid[:height, :width]
    return np.stack([row * 3 + 40, column * 2 + 60, 200 - row - column], axis=2).clip(0, 255).astype(np.uint8)


def hole(height: int = 48, width: int = 64) -> np.ndarray:
    need = np.zeros((height, width), np.float32)
    need[height // 3 : 2 * height // 3, width // 4 : width // 2] = 1
    return need


def nearness(height: int = 48, width: int = 64) -> np.ndarray:
    return np.tile(np.linspace(0.1, 1, height, dtype=np.float32)[:, None], (1, width))


def refine(refiner: Refiner, proxy: np.ndarray, need: np.ndarray, **settings: object) -> np.ndarray:
    noise = settings.pop("noise", None)
    on_step = settings.pop("on_step", None)
    request = Request(**{"steps": 2, "prompt": "a", **settings})
    return refiner.refine(proxy, need, nearness(*need.shape), request, noise, on_step)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryFamily:
    def test_only_what_is_needed_is_changed(self, refiners: dict[str, Refiner], kind: str) -> None:
        proxy, need = picture(), hole()
        found = refine(refiners[kind], proxy, need)
        assert found.shape == proxy.shape and found.dtype == np.uint8
        np.testing.assert_array_equal(found[need == 0], proxy[need == 0])
        assert (found[need > 0] != proxy[need > 0]).any()

    def test_the_same_request_gives_the_same_picture(self, refiners: dict[str, Refiner], kind: str) -> None:
        pictures = [refine(refiners[kind], picture(), hole(), seed=seed) for seed in (3, 3, 4)]
        np.testing.assert_array_equal(pictures[0], pictures[1])
        assert (pictures[0] != pictures[2]).any()

    def test_it_starts_from_the_noise_that_it_is_given(self, refiners: dict[str, Refiner], kind: str) -> None:
        refiner = refiners[kind]
        width, height = refiner.size_for(64, 48)
        shape = refiner.latent_shape(width, height)
        first, second = (torch.randn(shape, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
        pictures = [refine(refiner, picture(), hole(), noise=noise) for noise in (first, first, second)]
        np.testing.assert_array_equal(pictures[0], pictures[1])
        assert (pictures[0] != pictures[2]).any()

    def test_it_can_be_ended_at_every_step(self, refiners: dict[str, Refiner], kind: str) -> None:
        class Ended(Exception):
            pass

        told: list[tuple[int, int]] = []

        def stop(step: int, of: int) -> None:
            told.append((step, of))
            raise Ended

        with pytest.raises(Ended):
            refine(refiners[kind], picture(), hole(), steps=4, on_step=stop)
        assert told == [(1, 4)]

    def test_progress_counts_the_steps_of_all_tiles(self, refiners: dict[str, Refiner], kind: str) -> None:
        told: list[int] = []
        side = refiners[kind].native.side
        height, width = side // 2, side * 3 // 2
        need = np.ones((height, width), np.float32)
        refine(
            refiners[kind],
            picture(height, width),
            need,
            steps=3,
            on_step=lambda step, of: told.append((step, of)),
        )
        tiles = told[0][1] // 3
        assert tiles > 1
        assert told == [(step, 3 * tiles) for step in range(1, 3 * tiles + 1)]


def test_without_need_nothing_runs(refiners: dict[str, Refiner]) -> None:
    told: list[int] = []
    proxy = picture()
    found = refine(
        refiners["StableDiffusionPipeline"],
        proxy,
        np.zeros(proxy.shape[:2], np.float32),
        on_step=lambda step, of: told.append(step),
    )
    np.testing.assert_array_equal(found, proxy)
    assert told == []


@pytest.mark.parametrize(("height", "width"), [(16, 24), (47, 61), (130, 70), (64, 64)])
def test_every_size_comes_back(refiners: dict[str, Refiner], height: int, width: int) -> None:
    need = np.ones((height, width), np.float32)
    found = refine(refiners["StableDiffusionPipeline"], picture(height, width), need, steps=1)
    assert found.shape == (height, width, 3)


def test_colours_stay_the_proxys(refiners: dict[str, Refiner]) -> None:
    """Random weights know no colours at all: the means over a region are the proxy's all the same."""
    proxy = np.full((96, 96, 3), (200, 120, 60), np.uint8)
    found = refine(refiners["StableDiffusionPipeline"], proxy, np.ones((96, 96), np.float32), strength=1.0)
    assert np.abs(found.astype(float) - proxy).max() > 2
    np.testing.assert_allclose(found[24:72, 24:72].mean(axis=(0, 1)), (200, 120, 60), atol=6)


class TestRefusals:
    def test_no_folder_of_a_pipeline(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"no folder of a diffusers pipeline.*Choose the folder"):
            load_refiner(str(tmp_path))

    def test_a_pipeline_that_cannot_refine(self, tmp_path: Path) -> None:
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "AudioLDMPipeline"}))
        with pytest.raises(
            WeightsError, match=r"AudioLDMPipeline, which cannot refine frames. Choose one of"
        ):
            load_refiner(str(tmp_path))

    def test_a_package_is_missing(self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(WeightsError, match=r"needs the Python package ftfy.*pip install ftfy"):
            load_refiner(str(folders["WanVACEPipeline"]))

    def test_a_part_is_missing(self, folders: dict[str, Path], tmp_path: Path) -> None:
        copied = shutil.copytree(folders["StableDiffusionPipeline"], tmp_path / "copied")
        shutil.rmtree(copied / "vae")
        with pytest.raises(WeightsError, match="Download the folder anew"):
            load_refiner(str(copied))

    def test_weights_are_cut_short(self, folders: dict[str, Path], tmp_path: Path) -> None:
        copied = shutil.copytree(folders["StableDiffusionPipeline"], tmp_path / "copied")
        file = copied / "unet" / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(WeightsError, match=r"incomplete or damaged. Download it again"):
            load_refiner(str(copied))

    def test_code(self, folders: dict[str, Path], tmp_path: Path) -> None:
        copied = shutil.copytree(folders["StableDiffusionPipeline"], tmp_path / "copied")
        (copied / "unet" / "unet.py").write_text("raise SystemExit")
        with pytest.raises(WeightsError, match=r"unet.py' is code, which is never run"):
            load_refiner(str(copied))

    def test_an_index_that_is_nested_without_end(self, tmp_path: Path) -> None:
        (tmp_path / "model_index.json").write_text("[" * 100_000)
        with pytest.raises(WeightsError, match="no folder of a diffusers pipeline"):
            load_refiner(str(tmp_path))

    def test_pickles(self, folders: dict[str, Path], tmp_path: Path) -> None:
        copied = shutil.copytree(folders["StableDiffusionPipeline"], tmp_path / "copied")
        file = copied / "unet" / "diffusion_pytorch_model.safetensors"
        file.rename(file.with_suffix(".bin"))
        with pytest.raises(WeightsError, match=r"pickle.*Take the variant of the model with .safetensors"):
            load_refiner(str(copied))

    def test_too_large_for_the_memory(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loading, "_free_bytes", lambda device: 1000)
        with pytest.raises(WeightsError, match=r"GiB on cpu.*Choose a smaller model"):
            load_refiner(str(folders["StableDiffusionPipeline"]))


def test_every_family_is_a_class_of_diffusers() -> None:
    import diffusers

    for name, family in FAMILIES.items():
        assert hasattr(diffusers, name), name
        assert hasattr(diffusers, family.pipeline), family.pipeline
