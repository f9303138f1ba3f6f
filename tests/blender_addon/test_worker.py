"""The worker's process and the conversation with it: start, cancel, loss, silence, end."""

from __future__ import annotations

import os
import signal
import stat
import sys

import pytest

pytestmark = pytest.mark.usefixtures("settings")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def long_job(part, table):
    """A frame that takes many steps."""
    table.neural_assets.preset, table.neural_assets.steps = "custom", 1000
    return job_of(part, table)


def job_of(part, scene):
    scene.update_tag()
    scene.view_layers[0].update()
    return part("scene.frame").job_message(scene.view_layers[0].depsgraph, 96, 64)


def render(part, job, **observer):
    picture = part("render.picture")
    more = {name: observer.pop(name) for name in ("what", "silence_seconds") if name in observer}
    return picture.render_picture(
        *job, part("preferences").worker_settings(), picture.Observer(**observer), **more
    )


def pid_of(part):
    return part("worker.supervisor").status().address.pid


def test_cancel_stops_at_once_and_keeps_the_worker(api, part, long_job, table):
    seen = []
    with pytest.raises(api.RenderCancelled):
        render(part, long_job, on_progress=seen.append, should_stop=lambda: bool(seen))
    assert len(seen) < 20
    pid = pid_of(part)
    table.neural_assets.preset = "standard"
    render(part, job_of(part, table))  # not stuck behind the cancelled frame
    assert pid_of(part) == pid


def test_a_worker_killed_in_a_frame_is_replaced_once(part, table):
    table.neural_assets.preset, table.neural_assets.steps, table.neural_assets.seed = "custom", 30, 4711
    job = job_of(part, table)
    render(part, job_of(part, table))
    table.neural_assets.seed = 4712
    job = job_of(part, table)
    killed = []

    def kill_once(_):
        if not killed:
            killed.append(pid_of(part))
            os.kill(killed[0], signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    texts = []
    picture, _ = render(part, job, on_progress=kill_once, on_status=texts.append)
    assert picture.pixels.shape == (64, 96, 3)
    assert "Restarting the worker" in texts
    assert pid_of(part) != killed[0]


@POSIX
def test_a_worker_killed_twice_is_an_error(api, part, long_job):
    killed = []

    def kill(_):
        if pid_of(part) not in killed:
            killed.append(pid_of(part))
            os.kill(killed[-1], signal.SIGKILL)

    with pytest.raises(
        api.UserError, match=r"The worker ended in the middle of frame 12, twice \(exit code -9\)\."
    ):
        render(part, long_job, on_progress=kill, what="frame 12")
    assert len(killed) == 2
    assert part("worker.supervisor").status().state == "STOPPED"


def test_cancel_while_the_worker_starts(api, part, long_job):
    supervisor = part("worker.supervisor")
    supervisor.stop()
    polls = []
    with pytest.raises(api.RenderCancelled):
        render(part, long_job, should_stop=lambda: polls.append(1) or len(polls) > 2)
    assert supervisor.status().state in ("STARTING", "READY")


def test_no_thread_outlives_a_frame(part, long_job, api):
    import threading

    seen = []
    with pytest.raises(api.RenderCancelled):
        render(part, long_job, on_progress=seen.append, should_stop=lambda: bool(seen))
    assert not [thread for thread in threading.enumerate() if thread.name == "neural-assets-render"]


@POSIX
def test_a_worker_killed_between_frames_is_replaced(part, table):
    table.neural_assets.preset = "draft"
    job = job_of(part, table)
    render(part, job)
    pid = pid_of(part)
    os.kill(pid, signal.SIGKILL)
    part("worker.supervisor")._current._process.wait()
    render(part, job)
    assert pid_of(part) != pid


@POSIX
def test_a_silent_worker_is_an_error(api, part, long_job):
    stopped = []

    def freeze(_):
        if not stopped:
            stopped.append(pid_of(part))
            os.kill(stopped[0], signal.SIGSTOP)

    with pytest.raises(
        api.UserError, match=r"stopped answering in frame 3: nothing came for 1 seconds.*render again"
    ):
        render(part, long_job, on_progress=freeze, what="frame 3", silence_seconds=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(stopped[0], 0)


def test_the_token_is_secret(part):
    part("api").start_worker()
    process = part("worker.supervisor")._current
    token = process.address.token
    assert len(token) >= 32
    assert token not in repr(part("worker.supervisor").status())
    assert token not in " ".join(process._process.args)


def test_a_wrong_token_is_refused(api, part):
    import dataclasses

    part("api").start_worker()
    address = part("worker.supervisor").status().address
    client = part("worker.client")
    assert client.request_json(address, "/v1/health")["protocol"] == 1
    with pytest.raises(api.UserError):
        client.request_json(dataclasses.replace(address, token="wrong"), "/v1/health")


def test_the_worker_ends_with_blender(part):
    """Its stdin is the leash: without a word to it, closing the pipe ends the process."""
    part("api").start_worker()
    process = part("worker.supervisor")._current
    process._process.stdin.close()
    assert process._process.wait(20) is not None
    part("worker.supervisor").stop()


def test_blenders_python_variables_stay_behind(part, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    part("worker.supervisor").stop()
    assert part("api").start_worker().state == "READY"


def test_other_settings_mean_another_worker(part, table, monkeypatch):
    part("api").start_worker()
    supervisor = part("worker.supervisor")
    first = supervisor._current
    monkeypatch.setenv("NEURAL_ASSETS_DEVICE", "auto")
    part("api").start_worker(wait=False)
    assert supervisor._current is not first
    assert not first.is_alive()


def test_old_logs_are_removed(part, tmp_path):
    child = part("worker.child")
    for number in range(30):
        (tmp_path / f"worker-{number}.log").write_text("old")
    child.new_log(tmp_path, "worker")
    assert len(list(tmp_path.glob("worker-*.log"))) == child.LOGS_KEPT


@POSIX
def test_nobody_else_reads_logs(part):
    status = part("worker.supervisor").status
    worker = part("preferences").worker_settings()
    part("worker.supervisor").ready(worker, part("storage").user_folder("logs"))
    assert stat.S_IMODE(status().log.stat().st_mode) == 0o600


@POSIX
@pytest.mark.parametrize("kills", [1, 2])
def test_a_worker_that_is_killed_while_it_loads_is_started_once_more(
    api, part, table, monkeypatch, tmp_path, worker_python, kills
):
    count = tmp_path / "count"
    count.write_text("0")
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nn=$(cat '{count}')\necho $((n + 1)) > '{count}'\n"
        f"[ $n -lt {kills} ] && kill -9 $$\nexec '{worker_python}' \"$@\"\n"
    )
    python.chmod(0o755)
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", str(python))
    table.neural_assets.preset = "draft"
    if kills == 1:
        render(part, job_of(part, table))
    else:
        with pytest.raises(api.UserError, match=r"ended before it was ready \(exit code -9\)"):
            render(part, job_of(part, table))
    assert count.read_text().strip() == "2"


def test_a_worker_imports_nothing_from_the_folder_that_it_runs_in(part):
    folder = part("storage").user_folder("logs")
    trap = folder / "json.py"
    trap.write_text("raise SystemExit('trapped')")
    try:
        part("worker.supervisor").stop()
        part("worker.supervisor").ready(part("preferences").worker_settings(), folder)
    finally:
        trap.unlink()
