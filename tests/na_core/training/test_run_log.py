"""The log: lines that a killed run wrote past its last state go, TensorBoard shows the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from na_core.training.run_log import LOG_FILE, RunLog, read_log


def test_lines_past_the_state_and_cut_off_ones_go(tmp_path: Path) -> None:
    log = RunLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.add({"step": step, "loss": 1 / step})
    log.close()
    with (tmp_path / LOG_FILE).open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3]
    RunLog(tmp_path, 2).close()
    assert (tmp_path / LOG_FILE).read_text() == '{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n'
    RunLog(tmp_path, 0).close()
    assert read_log(tmp_path) == []


def test_tensorboard_shows_numbers_and_pictures(tmp_path: Path) -> None:
    log = RunLog(tmp_path, 0)
    log.add({"step": 3, "loss": 0.5, "learning_rate": {"unet": 0.25}, "validation": {"copy": {"psnr": 20}}})
    log.add_picture("samples", np.zeros((4, 6, 3), np.uint8), 3)
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert found == {
        "loss": [(3, 0.5)],
        "learning_rate/unet": [(3, 0.25)],
        "validation/copy/psnr": [(3, 20.0)],
    }
    picture = events.Images("samples")[0]
    assert (picture.step, picture.width, picture.height) == (3, 6, 4)
