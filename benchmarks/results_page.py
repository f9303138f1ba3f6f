"""Writes ``docs/results.md`` from what ``neural-assets evaluate`` measured: goals, suites, ablation.

    python benchmarks/results_page.py out/evaluation/results.json --ablation out/ablation/results.json
    python benchmarks/results_page.py

The first takes new figures into ``docs/results.json``, the only place where they are kept; the sheets of some
suites, which stand beside results.json, become the page's pictures. Both write the page, and the marked
tables of README and docs (figure_blocks.py), from the figures that are kept.

What stands below the line ``<!-- notes -->`` of the page is written by hand and stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figure_blocks import COPY, GUIDED, PROXY, Suites, quality, suites_table, write_pages
from pictures import save_for_docs
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs" / "results.md", ROOT / "docs" / "results.json"
EMBEDDED = ROOT / "na_core" / "checkpoints"
IMAGES = PAGE.parent / "images"
NOTES = "<!-- notes -->"

SHEETS = ("video", "translate", "rotate", "remove", "camera")
"""Suites whose sheets are shown."""

PAPER = "mini-paper"

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """What a decoder should reach.

    Attributes:
        text: what it is. target: in words.
        figures: what it measures, by name, of results.
        reached: whether one of these figures is good enough.
        form: how a figure is written.
    """

    text: str
    target: str
    figures: Callable[[Results], Mapping[str, float]]
    reached: Callable[[float], bool]
    form: str = "+.2f"


def margin(other: str, *suites: str) -> Callable[[Results], Mapping[str, float]]:
    """Return what ``guided`` has over another method in object PSNR, in dB, where both are measured."""

    def figures(results: Results) -> Mapping[str, float]:
        measured: Suites = results["suites"]
        return {
            suite: quality(measured[suite][GUIDED]) - quality(measured[suite][other])
            for suite in suites or measured
            if {GUIDED, other} <= measured.get(suite, {}).keys() and quality(measured[suite][other]) > 0
        }

    return figures


def own(metric: str, *suites: str) -> Callable[[Results], Mapping[str, float]]:
    """Return a metric of ``guided`` in suites."""

    def figures(results: Results) -> Mapping[str, float]:
        measured: Suites = results["suites"]
        return {
            suite: measured[suite][GUIDED][metric]
            for suite in suites or measured
            if metric in measured.get(suite, {}).get(GUIDED, {})
        }

    return figures


def embedded_megabytes() -> float:
    """Return the size of all embedded weights in MB."""
    return sum(file.stat().st_size for file in EMBEDDED.rglob("*.safetensors")) / 1e6


def weights(results: Results) -> Mapping[str, float]:
    """Return the size of the embedded weights when the figures were taken, in MB."""
    return {"all": results["embedded_mb"]} if "embedded_mb" in results else {}


EDITS = (
    *("video", "translate", "rotate", "scale", "add", "camera", "background", "transfer"),
    *("duplicate", "orbit"),
)

GOALS: Sequence[Goal] = (
    Goal("over `paper`, object PSNR", "+5.2 dB", margin(PAPER, "video"), lambda x: x >= 5.2),
    Goal("over `paper`, every suite", "better", margin(PAPER), lambda x: x > 0),
    Goal("over the proxy, object PSNR", "+3 dB", margin(PROXY, "rotate", "translate"), lambda x: x >= 3),
    Goal("over copying the source, object PSNR", "+6 dB", margin(COPY, "video"), lambda x: x >= 6),
    Goal(
        "what should not change, PSNR",
        "30 dB",
        own("unchanged_psnr", "translate", "rotate", "remove"),
        lambda x: x >= 30,
        ".1f",
    ),
    Goal("half turns facing the right way", "95 %", own("right_way", "turn180"), lambda x: x >= 0.95, ".0%"),
    Goal("warp error over the truth's own", "1.25", own("warp_ratio", "video"), lambda x: x <= 1.25, ".2f"),
    Goal("sharpness", "0.8 to 1.2", own("sharpness", *EDITS), lambda x: 0.8 <= x <= 1.2, ".2f"),
    Goal("embedded weights", "60 MB", weights, lambda x: x <= 60, ".1f"),
)


def goals_table(results: Results) -> list[str]:
    """Return the goals, what was measured and whether it is enough, as a table's lines."""
    lines = ["| goal for `guided` | target | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        found = goal.figures(results)
        if not found:
            continue
        several = len(found) > 1
        said = ", ".join(f"{n if several else ''} {format(v, goal.form)}".strip() for n, v in found.items())
        missed = [name for name, value in found.items() if not goal.reached(value)]
        verdict = "reached" if not missed else "**missed**"
        if missed and len(missed) < len(found):
            verdict = f"**missed** on {', '.join(missed)}"
        lines.append(f"| {goal.text} | {goal.target} | {said} | {verdict} |")
    return lines


def metric_rows(measured: Suites, methods: Sequence[str]) -> list[str]:
    """Return two rows more for :func:`suites_table`: warp ratio of ``video``, right way of ``turn180``."""
    rows = []
    for suite, metric, title, form in (
        ("video", "warp_ratio", "video, warp error over the truth's", ".2f"),
        ("turn180", "right_way", "turn180, facing the right way", ".0%"),
    ):
        scores = [measured.get(suite, {}).get(method, {}).get(metric) for method in methods]
        if any(score is not None for score in scores):
            cells = ["" if score is None else format(score, form) for score in scores]
            rows.append(f"| {title} | {' | '.join(cells)} |")
    return rows


LAYERS: Mapping[str, tuple[str, str]] = {
    "outline_iou": ("outline, intersection over union", ".3f"),
    "outline_iou_worst_tenth": ("the same, worst tenth", ".3f"),
    "boundary_f": ("outline within 2 pixels, F-measure", ".3f"),
    "alpha_error": ("alpha, error along the outline", ".3f"),
    "depth_error": ("depth, relative error", ".1%"),
    "plate_psnr": ("plate under objects, PSNR in dB", ".2f"),
    "plate_shadow_psnr": ("plate in their shadows, PSNR in dB", ".2f"),
    "shadow_error": ("shadow, error of its logarithm", ".3f"),
}
"""Metrics of the suite ``layers`` that are shown: title and format."""


def layers_table(measured: Suites) -> list[str]:
    """Return what photos are taken apart into, by method, as a table's lines, if it was measured."""
    scores = {m: found for m, found in measured.get("layers", {}).items() if m in (PROXY, PAPER, GUIDED)}
    lines = [f"| layer | {' | '.join(f'`{m}`' for m in scores)} |", "|---" * (len(scores) + 1) + "|"]
    for metric, (title, form) in LAYERS.items():
        if any(metric in found for found in scores.values()):
            cells = [format(found[metric], form) if metric in found else "" for found in scores.values()]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines if scores else []


def copy_sheets(sheets: Path) -> None:
    """Copy the sheets in a folder to the page's pictures, smaller."""
    for suite in SHEETS:
        file = sheets / f"{suite}.png"
        if file.exists():
            with Image.open(file) as sheet:
                save_for_docs(sheet, IMAGES / f"results-{suite}.webp")


def sheet_lines() -> list[str]:
    """Return the page's lines about the sheets that are there."""
    there = [suite for suite in SHEETS if (IMAGES / f"results-{suite}.webp").exists()]
    return [f"`{suite}`:\n\n![{suite}](images/results-{suite}.webp)" for suite in there]


def page(results: Results) -> str:
    """Return the page above its notes."""
    measured, settings = results["suites"], results["settings"]
    methods = [m for m in (COPY, PROXY, PAPER, GUIDED) if m in measured["video"]]
    seeds = ", ".join(map(str, range(settings["seeds"])))
    samplings = "; ".join(
        f"`{name}`: {steps} step{'s' * (steps != 1)}, guidance {guidance:g}"
        for name, (steps, guidance) in settings["samplings"].items()
    )
    parts = [
        "# Results",
        f"On the embedded bench, preset {settings['preset']} ({samplings}), seeds {seeds}; "
        "all figures: [results.json](results.json).",
        "\n".join(goals_table(results)),
        "## Object PSNR in dB (sharpness)",
        "\n".join(suites_table(measured, methods) + metric_rows(measured, methods)),
    ]
    layers = layers_table(measured)
    if layers:
        parts += ["## Layers, given true boxes", "\n".join(layers)]
    ablation: Suites = results.get("ablation", {})
    if ablation:
        runs = [m for m in ablation["video"] if m.startswith("ablation-")]
        rows = suites_table(ablation, runs) + metric_rows(ablation, runs)
        parts += ["## Ablation", "\n".join(rows)]
    pictures = sheet_lines()
    if pictures:
        shown = "Source, target, and each method's picture with its error, three times as bright."
        parts += ["## Sheets", shown, *pictures]
    return "\n\n".join(parts) + "\n\n"


def take(results: Path, ablation: Path | None) -> None:
    """Keep new figures in :data:`FIGURES`, and their sheets.

    An ablation stays until there is another, and so do the figures of a checkpoint that was not measured now.
    """
    kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    found = json.loads(results.read_text(encoding="utf-8"))
    for suite, methods in kept.get("suites", {}).items():
        found["suites"][suite] = methods | found["suites"].get(suite, {})
    found["embedded_mb"] = round(embedded_megabytes(), 1)
    if ablation is not None:
        found["ablation"] = json.loads(ablation.read_text(encoding="utf-8"))["suites"]
    elif "ablation" in kept:
        found["ablation"] = kept["ablation"]
    FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    copy_sheets(results.parent / "sheets")


def written() -> str:
    """Return the whole page, from the figures that are kept and from its notes."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    notes = before.partition(NOTES)[2] or "\n"
    return page(json.loads(FIGURES.read_text(encoding="utf-8"))) + NOTES + notes


def main() -> None:
    """Read the arguments and write the page and the tables elsewhere."""
    parser = argparse.ArgumentParser(description="Write docs/results.md and the tables of README and docs.")
    parser.add_argument("results", type=Path, nargs="?", help="results.json of a new evaluation")
    parser.add_argument("--ablation", type=Path, help="results.json of the ablation's checkpoints")
    options = parser.parse_args()
    if options.results is not None:
        take(options.results, options.ablation)
    PAGE.write_text(written(), encoding="utf-8")
    write_pages()


if __name__ == "__main__":
    main()
