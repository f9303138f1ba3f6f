"""The page of results says which goals are reached, and which are not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def results_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results_page", ROOT / "benchmarks" / "results_page.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["results_page"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def results() -> dict[str, Any]:
    def scores(psnr: float, sharpness: float, **more: float) -> dict[str, float]:
        return {"object_psnr": psnr, "sharpness": sharpness} | more

    suites = {
        "video": {
            "copy": scores(15.0, 0.9),
            "proxy": scores(17.5, 0.7),
            "mini-paper": scores(15.5, 0.1),
            "mini-guided": scores(21.0, 1.1, warp_ratio=1.2),
        },
        "translate": {"proxy": scores(18.0, 0.5), "mini-guided": scores(21.5, 0.7, unchanged_psnr=40.0)},
        "rotate": {"proxy": scores(16.0, 0.6), "mini-guided": scores(18.0, 1.0, unchanged_psnr=29.0)},
        "remove": {
            "proxy": {"vacated_psnr": 21.0},
            "mini-paper": {"vacated_psnr": 22.0},
            "mini-guided": {"vacated_psnr": 21.5},
        },
        "vae": {"mini-guided": {"image_psnr": 36.0}},
    }
    settings = {"preset": "standard", "steps": 1, "guidance": 1.0, "seeds": 3}
    return {"suites": suites, "settings": settings, "notices": {}}


def test_every_goal_has_its_figures_and_its_verdict(
    results_page: ModuleType, results: dict[str, Any]
) -> None:
    lines = results_page.goals_table(results["suites"])
    said = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    assert said["over `paper`, object PSNR"].endswith("| +5.2 dB | +5.50 | reached |")
    assert "+5.50, remove -0.50 | **missed** on remove" in said["over `paper`, every suite"]
    assert "rotate +2.00, translate +3.50 | **missed** on rotate" in said["over the proxy, object PSNR"]
    assert "| +6.00 | reached |" in said["over copying the source, object PSNR"]
    assert "translate 40.0, rotate 29.0 | **missed** on rotate" in said["what should not change, PSNR"]
    assert "| 1.20 | reached |" in said["warp error over the truth's own"]
    assert "translate 0.70" in said["sharpness"]
    assert said["sharpness"].endswith("**missed** on translate |")
    assert "half turns facing the right way" not in said  # that was not measured


def test_the_page_keeps_its_notes(
    results_page: ModuleType,
    results: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import json

    page, figures = tmp_path / "results.md", tmp_path / "results.json"
    monkeypatch.setattr(results_page, "PAGE", page)
    monkeypatch.setattr(results_page, "FIGURES", figures)
    monkeypatch.setattr(results_page, "IMAGES", tmp_path / "images")
    (tmp_path / "sheets").mkdir()
    Image.new("RGB", (2800, 100)).save(tmp_path / "sheets" / "video.png")
    page.write_text(f"# Old\n\n{results_page.NOTES}\n\nWhy it is so.\n")
    (tmp_path / "measured.json").write_text(json.dumps(results))
    monkeypatch.setattr(sys, "argv", ["results_page.py", str(tmp_path / "measured.json")])
    results_page.main()
    text = page.read_text()
    assert "Old" not in text
    assert text.endswith("Why it is so.\n")
    assert "seeds 0, 1, 2" in text
    assert "| remove (vacated) |  | 21.00 | 22.00 | 21.50 |" in text
    assert "| video, warp error over the truth's |  |  |  | 1.20 |" in text
    assert json.loads(figures.read_text()) == results
    assert "![video](images/results-video.jpg)" in text
    assert "results-rotate" not in text  # that sheet was not made
    with Image.open(tmp_path / "images" / "results-video.jpg") as picture:
        assert picture.size == (1400, 50)
