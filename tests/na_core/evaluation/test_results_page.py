"""The page of results says which goals are reached, and which are not."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def results_page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("results_page")


@pytest.fixture
def figure_blocks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("figure_blocks")


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
    settings = {"preset": "standard", "samplings": {"mini-guided": [1, 1.0]}, "seeds": 3}
    return {"suites": suites, "settings": settings, "notices": {}}


def test_every_goal_has_its_figures_and_its_verdict(
    results_page: ModuleType, results: dict[str, Any]
) -> None:
    lines = results_page.goals_table(results)
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
    assert "embedded weights" not in said
    assert "| 36.4 | reached |" in results_page.goals_table(results | {"embedded_mb": 36.4})[-1]


def test_layers_have_a_table_where_they_were_measured(
    results_page: ModuleType, results: dict[str, Any]
) -> None:
    assert "## Layers" not in results_page.page(results)
    results["suites"]["layers"] = {
        "proxy": {"outline_iou": 0.5, "depth_error": 0.03},
        "mini": {"outline_iou": 0.9},
        "mini-guided": {"outline_iou": 0.87654, "depth_error": 0.0123, "plate_psnr": 25.0},
    }
    assert results_page.layers_table(results["suites"]) == [
        "| layer | `proxy` | `mini-guided` |",
        "|---|---|---|",
        "| outline, intersection over union | 0.500 | 0.877 |",
        "| depth, relative error | 3.0% | 1.2% |",
        "| plate under objects, PSNR in dB |  | 25.00 |",
    ]
    assert "## Layers, given true boxes" in results_page.page(results)
    assert not any("layers" in line for line in results_page.goals_table(results))


def test_the_page_keeps_its_notes(
    results_page: ModuleType,
    results: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, figures = tmp_path / "results.md", tmp_path / "results.json"
    monkeypatch.setattr(results_page, "PAGE", page)
    monkeypatch.setattr(results_page, "FIGURES", figures)
    monkeypatch.setattr(results_page, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(results_page, "write_pages", lambda: None)
    ablation = {"suites": {"video": {"ablation-whole": {"object_psnr": 12.5, "sharpness": 0.5}}}}
    (tmp_path / "ablation.json").write_text(json.dumps(ablation))
    (tmp_path / "sheets").mkdir()
    Image.new("RGB", (2800, 100)).save(tmp_path / "sheets" / "video.png")
    page.write_text(f"# Old\n\n{results_page.NOTES}\n\nWhy it is so.\n")
    (tmp_path / "measured.json").write_text(json.dumps(results))
    options = [str(tmp_path / "measured.json"), "--ablation", str(tmp_path / "ablation.json")]
    monkeypatch.setattr(sys, "argv", ["results_page.py", *options])
    results_page.main()
    text = page.read_text()
    assert "Old" not in text
    assert text.endswith("Why it is so.\n")
    assert "seeds 0, 1, 2" in text
    assert "| remove (vacated) |  | 21.00 | 22.00 | 21.50 |" in text
    assert "| video, warp error over the truth's |  |  |  | 1.20 |" in text
    assert "| video | 12.50 (0.50) |" in text
    kept = json.loads(figures.read_text())
    assert kept == results | {"ablation": ablation["suites"], "embedded_mb": kept["embedded_mb"]}
    assert "![video](images/results-video.webp)" in text
    assert "results-rotate" not in text  # that sheet was not made
    with Image.open(tmp_path / "images" / "results-video.webp") as picture:
        assert picture.size == (1280, 46)
    for again in ([], options[:1]):  # the page alone; and new figures, beside which the ablation stays
        monkeypatch.setattr(sys, "argv", ["results_page.py", *again])
        results_page.main()
        assert page.read_text() == text


class TestCommittedFigures:
    def test_the_page_of_results_is_up_to_date(self, results_page: ModuleType) -> None:
        assert results_page.PAGE.read_text(encoding="utf-8") == results_page.written()

    def test_the_tables_of_readme_and_docs_are_up_to_date(self, figure_blocks: ModuleType) -> None:
        found = []
        for page in figure_blocks.PAGES:
            text = page.read_text(encoding="utf-8")
            assert figure_blocks.filled(text) == text, f"{page}: run python benchmarks/results_page.py"
            found += [match[1] for match in figure_blocks.BLOCK.findall(text)]
        assert sorted(found) == sorted(figure_blocks.TABLES)

    def test_a_stale_table_is_written_anew_and_the_rest_stays(self, figure_blocks: ModuleType) -> None:
        text = "before\n<!-- results:begin steps -->\nold\n<!-- results:end -->\nafter\n"
        new = figure_blocks.filled(text)
        assert new.startswith("before\n<!-- results:begin steps -->\n| steps | guidance |")
        assert new.endswith("|\n<!-- results:end -->\nafter\n")
        assert "old" not in new

    def test_pictures_that_pages_show_are_there(self) -> None:
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
            for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
                assert (page.parent / name).is_file(), f"{page.name}: {name}"
