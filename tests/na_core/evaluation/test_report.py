"""The results for people."""

from __future__ import annotations

import json
from pathlib import Path

from na_core.evaluation.report import COLUMNS, Settings, markdown, write_results

SETTINGS = Settings("custom", {"mini": (4, 1.5)}, 3)

RESULTS = {
    "remove": {
        "copy": {"image_psnr": 20.123, "image_sharpness": 1.0, "scenes": 2},
        "mini": {"image_psnr": 22.0, "image_sharpness": 0.5, "vacated_psnr": 9.876, "scenes": 2},
    },
    "video": {},
}


def test_methods_are_rows_and_metrics_columns() -> None:
    lines = markdown(RESULTS, SETTINGS, {}).splitlines()
    start = lines.index("## remove")
    assert lines[start + 2 :] == [
        "| method | image PSNR | image sharpness | vacated PSNR | scenes |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| copy | 20.12 | 1.00 |  | 2 |",
        "| mini | 22.00 | 0.50 | 9.88 | 2 |",
    ]


def test_sampling_and_notices_are_told() -> None:
    text = markdown(RESULTS, SETTINGS, {"fid": "fid is not reported: few pictures."})
    assert "Preset custom, seeds 0, 1, 2. `mini`: steps 4, guidance 1.5." in text
    assert "fid is not reported: few pictures." in text


def test_layers_are_a_table_too() -> None:
    layers = {"proxy": {"outline_iou": 0.61234, "depth_error": 0.0321, "shadow_error": 0.2, "objects": 42}}
    lines = markdown({"layers": layers}, SETTINGS, {}).splitlines()
    start = lines.index("## layers")
    assert lines[start + 2] == "| method | outline IoU | depth error | shadow error | objects |"
    assert lines[start + 4] == "| proxy | 0.612 | 3.2% | 0.200 | 42 |"


def test_a_suite_without_scenes_has_no_table() -> None:
    assert "## video" not in markdown(RESULTS, SETTINGS, {})


def test_every_psnr_has_its_sharpness_beside_it() -> None:
    order = list(COLUMNS)
    assert order.index("image_psnr") < order.index("image_sharpness") < order.index("object_psnr")
    assert order.index("object_psnr") < order.index("sharpness")


def test_the_file_for_programs(tmp_path: Path) -> None:
    file = write_results(tmp_path, RESULTS, SETTINGS, {"fid": "why"})
    assert json.loads(file.read_text()) == {
        "suites": RESULTS,
        "settings": {"preset": "custom", "samplings": {"mini": [4, 1.5]}, "seeds": 3},
        "notices": {"fid": "why"},
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.md"]
