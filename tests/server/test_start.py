"""How the worker starts, and what it says when it cannot."""

import json
import os
import shutil
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from server.failures import Failure

ROOT = Path(__file__).resolve().parents[2]
REAL = [sys.executable, "-m", "server", "worker"]
SCRIPTED = [sys.executable, str(Path(__file__).with_name("scripted_worker.py"))]


def test_the_ready_line_is_the_only_line_on_stdout_and_says_how_to_reach_the_worker(start):
    worker = start()
    assert worker.ready == {
        "event": "ready",
        "port": worker.port,
        "pid": worker.process.pid,
        "protocol": 1,
        "version": "0.1.0",
        "device": "cpu",
        "checkpoint": "scripted",
    }
    worker.stop()


def test_a_real_checkpoint_is_named_by_its_folder(worker):
    assert worker.ready["event"] == "ready"
    assert worker.ready["checkpoint"] == "tiny"
    assert worker.ready["device"] == "cpu"


def test_without_a_token_it_refuses_to_start(fail_to_start):
    status, error, _ = fail_to_start(SCRIPTED, NEURAL_ASSETS_TOKEN="")
    assert status == 1
    assert error["code"] == "token_missing"
    assert "NEURAL_ASSETS_TOKEN" in error["message"]


def test_a_token_with_a_space_is_refused(fail_to_start):
    _, error, _ = fail_to_start(SCRIPTED, NEURAL_ASSETS_TOKEN="two words")
    assert error["code"] == "token_missing"


def test_a_taken_port_is_named(fail_to_start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, error, _ = fail_to_start([*SCRIPTED, str(port)])
    assert (status, error["code"]) == (1, "port_in_use")
    assert str(port) in error["message"]


def test_a_number_that_is_no_port_is_named(fail_to_start):
    _, error, _ = fail_to_start([*SCRIPTED, "123456"])
    assert error["code"] == "port_refused"


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda folder: shutil.rmtree(folder), "checkpoint_missing"),
        (lambda folder: (folder / "model_index.json").unlink(), "checkpoint_missing"),
        (lambda folder: truncate(folder / "unet/diffusion_pytorch_model.safetensors"), "checkpoint_corrupt"),
        (lambda folder: pickle_instead(folder / "unet"), "checkpoint_corrupt"),
        (lambda folder: (folder / "vae/config.json").write_text("{"), "checkpoint_corrupt"),
    ],
    ids=["no folder", "no index", "truncated weights", "pickled weights", "broken settings"],
)
def test_a_checkpoint_that_cannot_be_used_is_explained(tiny_checkpoint, tmp_path, break_it, code):
    from server.inference import PipelineRenderer

    folder = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, folder)
    break_it(folder)
    with pytest.raises(Failure) as caught:
        PipelineRenderer.load(str(folder), "cpu")
    assert caught.value.code == code
    assert str(folder) in caught.value.message


def test_a_checkpoint_that_cannot_be_used_ends_the_worker_with_one_line(
    tiny_checkpoint, tmp_path, fail_to_start
):
    folder = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, folder)
    truncate(folder / "unet/diffusion_pytorch_model.safetensors")
    status, error, stderr = fail_to_start([*REAL, "--checkpoint", str(folder)])
    assert (status, error["code"]) == (1, "checkpoint_corrupt")
    assert "Traceback" not in stderr


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def pickle_instead(folder):
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_named(device):
    pytest.importorskip("torch")
    from server.inference import choose_device

    with pytest.raises(Failure) as caught:
        choose_device(device)
    assert caught.value.code == "device_unavailable"
    assert device.partition(":")[0] in caught.value.message


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python that can import this project and nothing that it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "neural_assets.pth").write_text(f"{ROOT}\n")
    return folder / "bin/python"


@pytest.mark.skipif(os.name != "posix", reason="the layout of a POSIX virtual environment")
def test_a_python_without_torch_gets_the_command_that_installs_it(bare_python, fail_to_start):
    status, error, stderr = fail_to_start([bare_python, "-m", "server", "worker"], PYTHONPATH="")
    assert (status, error["code"]) == (1, "torch_missing")
    assert error["message"] == (
        f"The worker's Python at {bare_python} has no torch. "
        f"Install it with: {bare_python} -m pip install 'neural-assets[worker]'"
    )
    assert "Traceback" not in stderr


@pytest.mark.skipif(os.name != "posix", reason="the layout of a POSIX virtual environment")
def test_other_commands_of_a_python_without_torch_say_the_same(bare_python):
    command = [bare_python, "-m", "server", "render", "frames.json", "--out", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'neural-assets[worker]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("blocked", ["bpy", "torch"])
def test_importing_the_worker_needs_neither_blender_nor_torch(blocked):
    code = (
        f"import sys; sys.modules[{blocked!r}] = None\n"
        "import server, server.cli, server.commands, server.worker, server.app, server.offline\n"
        "import server.inference\n"
        "import json; print(json.dumps([name in sys.modules for name in ('diffusers', 'na_core.model')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, False]
