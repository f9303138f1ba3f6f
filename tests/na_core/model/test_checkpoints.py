"""Checkpoints: a sentence says what is wrong with one and what to do, and no pickle is ever read."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from na_core.model.checkpoints import (
    COMPONENTS,
    EMBEDDED,
    CheckpointError,
    fingerprint,
    load_checkpoint,
    resolve_checkpoint,
)
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Frame, Sampling
from tests.na_core.studio import Studio


@pytest.fixture(scope="module")
def saved(tiny: Callable[..., NeuralAssetsPipeline], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    tiny().save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "small"))


def error_of(name: str | Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(name)
    assert str(name) in caught.value.message
    return caught.value


class TestLoading:
    def test_a_saved_pipeline_loads_and_renders(
        self, saved: Path, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        sampling = Sampling(2, 1.0, 0, "custom", 64, 64)
        loaded = load_checkpoint(saved)
        np.testing.assert_array_equal(
            loaded([moved_frame], studio.photos, sampling).images,
            guided([moved_frame], studio.photos, sampling).images,
        )

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_every_component_has_the_precision_asked_for(self, dtype: torch.dtype, saved: Path) -> None:
        loaded = load_checkpoint(saved, dtype=dtype)
        for name in ("encoder", "tokenizer3d", "vae", "unet"):
            assert {p.dtype for p in getattr(loaded, name).parameters()} == {dtype}, name
            assert not getattr(loaded, name).training

    def test_embedded_checkpoints_are_found_by_name(
        self, copied: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("na_core.model.checkpoints.EMBEDDED", copied.parent)
        assert resolve_checkpoint("small") == copied

    def test_embedded_checkpoints_lie_in_the_package(self) -> None:
        assert EMBEDDED.name == "checkpoints"
        assert EMBEDDED.parent.name == "na_core"


class TestErrors:
    def test_missing(self, tmp_path: Path) -> None:
        error = error_of(tmp_path / "nowhere")
        assert error.code == "checkpoint_missing"
        assert "Choose a folder" in error.message

    def test_not_a_checkpoint(self, tmp_path: Path) -> None:
        error = error_of(tmp_path)
        assert error.code == "checkpoint_missing"
        assert "model_index.json" in error.message
        assert "Choose the folder" in error.message

    def test_an_index_that_is_not_json(self, copied: Path) -> None:
        (copied / "model_index.json").write_text("{")
        error = error_of(copied)
        assert error.code == "checkpoint_corrupt"
        assert "Copy or download it again" in error.message

    @pytest.mark.parametrize("component", COMPONENTS)
    def test_a_missing_component_is_named(self, component: str, copied: Path) -> None:
        shutil.rmtree(copied / component)
        error = error_of(copied)
        assert error.code == "checkpoint_corrupt"
        assert f"'{component}'" in error.message
        assert "again" in error.message

    @pytest.mark.parametrize("component", ["encoder", "tokenizer3d", "vae", "unet"])
    def test_missing_weights_are_named(self, component: str, copied: Path) -> None:
        for file in (copied / component).glob("*.safetensors"):
            file.unlink()
        error = error_of(copied)
        assert error.code == "checkpoint_corrupt"
        assert f"weights of '{component}'" in error.message

    @pytest.mark.parametrize("component", ["encoder", "tokenizer3d", "vae", "unet"])
    @pytest.mark.parametrize("damage", ["cut short", "not safetensors"])
    def test_corrupt_weights(self, damage: str, component: str, copied: Path) -> None:
        file = next((copied / component).glob("*.safetensors"))
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if damage == "cut short" else b"nonsense" * 9)
        error = error_of(copied)
        assert error.code == "checkpoint_corrupt"
        assert "Copy or download it again" in error.message

    @pytest.mark.parametrize("component", ["encoder", "tokenizer3d", "vae", "unet"])
    def test_a_config_that_is_not_json(self, component: str, copied: Path) -> None:
        (copied / component / "config.json").write_text("{")
        assert error_of(copied).code == "checkpoint_corrupt"

    @pytest.mark.parametrize(
        "change",
        [
            {"unet": "diffusers"},
            {"unet": 3},
            {"vae": {"a": 1}},
            {"unet": ["diffusers", 7]},
            {"unet": ["diffusers", ["UNet2DConditionModel"]]},
            {"unet": [["diffusers"], "UNet2DConditionModel"]},
            {"_class_name": ["pipeline", "Mine"]},
            {"_class_name": None},
            {"slots": 10**30},
        ],
    )
    def test_an_odd_index(self, change: dict[str, object], copied: Path) -> None:
        index = copied / "model_index.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | change))
        assert error_of(copied).code == "checkpoint_corrupt"

    @pytest.mark.parametrize("file", ["model_index.json", "unet/config.json"])
    def test_a_config_that_is_nested_without_end(self, file: str, copied: Path) -> None:
        (copied / file).write_text('{"unet": ' + "[" * 100_000 + "]" * 100_000 + "}")
        assert error_of(copied).code == "checkpoint_corrupt"

    @pytest.mark.parametrize(
        ("file", "setting", "value"),
        [
            ("encoder/config.json", "num_hidden_layers", 10**6),
            ("encoder/config.json", "hidden_size", 10**9),
            ("unet/config.json", "layers_per_block", 10**6),
            ("unet/config.json", "layers_per_block", [1, 10**6]),
            ("unet/config.json", "block_out_channels", [32] * 10**4),
            ("tokenizer3d/config.json", "pose_hidden_size", 10**12),
        ],
    )
    def test_a_size_out_of_all_reason_is_named_and_nothing_is_built(
        self, file: str, setting: str, value: object, copied: Path
    ) -> None:
        config = copied / file
        config.write_text(json.dumps(json.loads(config.read_text()) | {setting: value}))
        with pytest.raises(CheckpointError, match=setting):
            resolve_checkpoint(copied)

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf])
    def test_weights_that_are_no_numbers(self, bad: float, copied: Path) -> None:
        file = next((copied / "unet").glob("*.safetensors"))
        weights = load_file(file)
        next(iter(weights.values())).view(-1)[0] = bad
        save_file(weights, file, {"format": "pt"})
        assert "'unet'" in error_of(copied).message

    def test_weights_of_another_shape(self, copied: Path, tiny: Callable[..., NeuralAssetsPipeline]) -> None:
        tiny("paper").unet.save_pretrained(copied / "other")
        weights = "diffusion_pytorch_model.safetensors"
        shutil.copy(copied / "other" / weights, copied / "unet" / weights)
        assert error_of(copied).code == "checkpoint_corrupt"


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., int], tuple[str]]:
        return _spring, (str(self.file),)


def _spring(file: str) -> int:
    return Path(file).write_text("sprung")


class TestPickles:
    @pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt", ".pkl"])
    def test_a_pickle_beside_the_weights_is_refused(self, suffix: str, copied: Path) -> None:
        (copied / "unet" / f"diffusion_pytorch_model{suffix}").write_bytes(b"")
        error = error_of(copied)
        assert error.code == "checkpoint_corrupt"
        assert "safetensors" in error.message

    def test_a_pickle_under_a_safe_name_is_not_run(self, copied: Path, tmp_path: Path) -> None:
        sprung = tmp_path / "sprung"
        file = next((copied / "unet").glob("*.safetensors"))
        file.write_bytes(pickle.dumps(Trap(sprung)))
        assert error_of(copied).code == "checkpoint_corrupt"
        assert not sprung.exists()

    def test_code_that_a_checkpoint_brings_is_not_run(self, copied: Path, tmp_path: Path) -> None:
        """diffusers can load a component's class from a .py file beside it; ours are named by na_core."""
        sprung = tmp_path / "sprung"
        index = copied / "model_index.json"
        index.write_text(index.read_text().replace('"na_core.model.tokenizer3d"', '"tokenizer3d"'))
        assert '"tokenizer3d",' in index.read_text()
        module = copied / "tokenizer3d" / "tokenizer3d.py"
        module.write_text(f"open({str(sprung)!r}, 'w').close()\nclass Tokenizer3D: pass\n")
        assert error_of(copied).code == "checkpoint_corrupt"
        assert not sprung.exists()


class TestFingerprint:
    def test_a_copy_has_the_same(self, saved: Path, copied: Path) -> None:
        assert fingerprint(saved) == fingerprint(copied) == fingerprint(saved)

    @pytest.mark.parametrize("file", ["model_index.json", "scheduler/scheduler_config.json"])
    def test_a_changed_setting_changes_it(self, file: str, saved: Path, copied: Path) -> None:
        (copied / file).write_text((copied / file).read_text() + " ")
        assert fingerprint(copied) != fingerprint(saved)

    def test_one_changed_bit_changes_it(self, saved: Path, copied: Path) -> None:
        file = next((copied / "vae").glob("*.safetensors"))
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        assert fingerprint(copied) != fingerprint(saved)

    def test_notes_do_not(self, saved: Path, copied: Path) -> None:
        (copied / "README.md").write_text("notes")
        assert fingerprint(copied) == fingerprint(saved)
