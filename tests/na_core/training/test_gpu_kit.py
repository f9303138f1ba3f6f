"""The kit for a day with a GPU, run for real on the CPU: its steps, what it refuses, and how it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from na_core.data.picture_shards import pack_pictures
from na_core.data.scenes import scene_folders
from na_core.model.checkpoints import load_checkpoint
from na_core.model.presets import build_pipeline
from na_core.training.decoder import save_checkpoint
from tests.na_core.training.conftest import ROOT


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    for name in ("PYTHONPATH", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # a run sets them for its processes
    import gpu
    import gpu_kit
    import gpu_tree

    return gpu, gpu_kit, gpu_tree


@pytest.fixture(scope="module")
def shard(painted_scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shard = tmp_path_factory.mktemp("gpu") / "shard.tar"
    pack_pictures(scene_folders(painted_scenes), shard, 10**7)
    return shard


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "pixels"
    pipeline = build_pipeline("guided", "tiny", seed=3, pixels=True)
    pipeline.register_to_config(picture_size=64)
    save_checkpoint(pipeline, folder)
    return folder


def command(shard: Path, pixels: Path, out: Path, *more: str) -> list[str]:
    places = ["--shard", str(shard), "--from", str(pixels), "--out", str(out)]
    few = ["--scenes", "1", "--batch", "2", "--steps", "2", "--pairs", "1", "--rounds", "1"]
    return ["run", "--device", "cpu", "--minutes", "60", *places, *few, *more]


def said_by(gpu: ModuleType, arguments: list[str]) -> Any:
    with pytest.raises(SystemExit) as ended:
        gpu.main(arguments)
    return ended.value.code


@pytest.mark.slow
def test_it_trains_and_measures_and_goes_on(
    modules: tuple[ModuleType, ...], shard: Path, pixels: Path, tmp_path: Path
) -> None:
    out, arguments = tmp_path / "gpu", command(shard, pixels, tmp_path / "gpu")
    assert said_by(modules[0], arguments) == 0
    figures = json.loads((out / "figures.json").read_text())
    for size in ("256x256", "512x512", "1024x576"):
        found = figures["speed"][size]
        assert found["ratio"] == pytest.approx(found["frames_per_second"] / found["plain_frames_per_second"])
    assert figures["compose"]["scenes"] == figures["train"]["scenes"] == 1
    assert figures["compose"]["pairs"] > 0
    assert (figures["train"]["steps"], figures["train"]["samples"]) == (2, 4)
    assert figures["quality"].keys() == {"proxy", "before", "after"}
    assert figures["quality"]["after"]["object_psnr"] > 0
    learnt, began = (load_checkpoint(folder).unet.state_dict() for folder in (out / "run/checkpoint", pixels))
    assert any(not torch.equal(learnt[name], began[name]) for name in learnt)
    # Again: what failed is done anew, and what it does not need stays.
    (out / "quality.json").write_text('{"failed": "a power cut"}')
    before = {name: (out / f"{name}.json").stat().st_mtime_ns for name in ("speed", "compose", "train")}
    assert said_by(modules[0], arguments) == 0
    assert before == {name: (out / f"{name}.json").stat().st_mtime_ns for name in before}
    assert json.loads((out / "figures.json").read_text())["quality"].keys() == {"proxy", "before", "after"}
    said = said_by(modules[0], [*arguments, "--batch", "3"])
    assert said == f"{out} holds a run whose 'batch' is 2, not 3: give another --out, or set it back"


def test_a_step_that_fails_leaves_the_others_figures(
    modules: tuple[ModuleType, ...], pixels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, gpu_kit, _ = modules
    (tmp_path / "shard.tar").write_bytes(b"no tar at all")
    gpu_kit.write_json(tmp_path / "speed.json", {"256x256": {"ratio": 0.5}})
    monkeypatch.setattr(gpu_kit, "GRACE", 0.1)
    monkeypatch.setattr(gpu_kit, "ENDS", {"speed": 0.1, "compose": 1.0, "quality": 0.0})
    assert said_by(gpu, command(tmp_path / "shard.tar", pixels, tmp_path)) == 1
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["speed"] == {"256x256": {"ratio": 0.5}}
    assert figures["compose"]["failed"].startswith("ReadError")
    assert figures["quality"] == {"failed": "its minutes were over"}


def test_training_that_takes_too_long_is_interrupted(modules: tuple[ModuleType, ...]) -> None:
    import gpu_steps

    with pytest.raises(TimeoutError, match="its minutes were over"), gpu_steps.interrupted(time.time()):
        time.sleep(60)
    with gpu_steps.interrupted(time.time() + 60):
        pass


def test_what_it_needs_is_said_before_anything_starts(
    modules: tuple[ModuleType, ...],
    shard: Path,
    pixels: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu, out = modules[0], tmp_path / "gpu"
    said = said_by(gpu, command(tmp_path / "none.tar", pixels, out))
    assert said.startswith(f"There is no {tmp_path}/none.tar: make it with")
    said = said_by(gpu, command(shard, checkpoint, out))
    assert said.startswith(f"The checkpoint '{checkpoint}' has a VAE, and this trains decoders of pixels")
    assert "There is no checkpoint 'nothing'" in said_by(gpu, command(shard, Path("nothing"), out))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = said_by(gpu, command(shard, pixels, out, "--device", "cuda"))
    assert "sees no GPU with CUDA: install a torch built for CUDA, and a driver" in said
    monkeypatch.setitem(gpu.NEEDED, "surely_no_module", "some-package")
    assert "lacks some-package: " in said_by(gpu, command(shard, pixels, out))
    assert not out.exists()


def test_what_travels_is_told_and_what_need_not(
    modules: tuple[ModuleType, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_tree = modules[2]
    monkeypatch.setattr(gpu_tree, "LIMIT", 1000)
    for name, size in {"a.py": 500, "docs/images/a.png": 300, "tests/a.py": 200}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    shard = tmp_path / "shard.tar"
    assert gpu_tree.report(tmp_path, [shard])[0]  # it is not there
    shard.write_bytes(bytes(250))
    fits, text = gpu_tree.report(tmp_path, [shard])
    assert not fits
    assert "git sparse-checkout set --no-cone '/*' '!/docs/images/'\n" in text
    assert "pack less" not in text
    shard.write_bytes(bytes(600))
    assert "'!/docs/images/' '!/tests/'\n" in gpu_tree.report(tmp_path, [shard])[1]
    assert "pack less" in gpu_tree.report(tmp_path, [shard])[1]
