"""The plot of runs' logs."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from na_core.training.run_log import LOG_FILE, RunLog
from tests.na_core.training.conftest import ROOT


@pytest.fixture(scope="module")
def training_curves() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "training_curves", ROOT / "benchmarks" / "training_curves.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def write_run(folder: Path, values: list[float]) -> Path:
    (folder / "decoder").mkdir(parents=True)
    log = RunLog(folder / "decoder", 0)
    for step, value in enumerate(values, start=1):
        log.add({"step": step, "samples": 16 * step, "loss": 1.0})
        scores = {"model": {"object_psnr": value}, "proxy": {"object_psnr": 18.0}}
        log.add({"step": step, "samples": 16 * step, "validation": scores})
    log.close()
    return folder


def test_a_line_for_each_run_and_one_for_the_proxy(training_curves: ModuleType, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, values) for name, values in (("a", [17, 18, 19]), ("b", [16, 20]))]
    out = tmp_path / "out" / "plot.svg"
    training_curves.main([*map(str, runs), "--out", str(out)])
    root = ElementTree.fromstring(out.read_text())
    space = "{http://www.w3.org/2000/svg}"
    lines = [line.attrib["points"].split() for line in root.iter(f"{space}polyline")]
    assert [len(points) for points in lines] == [3, 2]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights, reverse=True)  # more decibels are higher up
    texts = [text.text for text in root.iter(f"{space}text")]
    assert {"a: 19.00", "b: 20.00", "proxy"} <= set(texts)


def test_a_run_without_validation_is_named(training_curves: ModuleType, tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [])
    (run / "decoder" / LOG_FILE).write_text('{"step": 1, "samples": 16, "loss": 1.0}\n')
    with pytest.raises(SystemExit, match="a: validation measured no object_psnr"):
        training_curves.main([str(run)])
    with pytest.raises(SystemExit, match=r"nowhere: no decoder/log\.jsonl"):
        training_curves.main(["nowhere"])
