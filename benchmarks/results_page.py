"""Writes ``docs/results.md`` from what ``neural-assets evaluate`` measured: goals, suites, ablation.

    python benchmarks/results_page.py out/evaluation/results.json --ablation out/ablation/results.json

The sheets of some suites, which stand beside results.json, become the page's pictures.

What stands below the line ``<!-- notes -->`` of the page is written by hand and stays.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs" / "results.md", ROOT / "docs" / "results.json"
EMBEDDED = ROOT / "na_core" / "checkpoints"
IMAGES = PAGE.parent / "images"
NOTES = "<!-- notes -->"

SHEETS = ("video", "translate", "rotate", "remove", "camera")
"""Suites whose sheets are shown."""

SHEET_WIDTH = 1400
"""Of the pictures in pixels."""

GUIDED, PAPER, PROXY, COPY = "mini-guided", "mini-paper", "proxy", "copy"

Suites = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Goal:
    """What a decoder should reach.

    Attributes:
        text: what it is. target: in words.
        figures: what it measures, by name, of the suites.
        reached: whether one of these figures is good enough.
        form: how a figure is written.
    """

    text: str
    target: str
    figures: Callable[[Suites], Mapping[str, float]]
    reached: Callable[[float], bool]
    form: str = "+.2f"


def margin(other: str, *suites: str) -> Callable[[Suites], Mapping[str, float]]:
    """Return what ``guided`` has over another method in object PSNR, in dB, where both are measured."""

    def figures(measured: Suites) -> Mapping[str, float]:
        return {
            suite: quality(measured[suite][GUIDED]) - quality(measured[suite][other])
            for suite in suites or measured
            if {GUIDED, other} <= measured.get(suite, {}).keys() and quality(measured[suite][other]) > 0
        }

    return figures


def quality(scores: Mapping[str, float]) -> float:
    """Return object PSNR; where no object is left, that of what it uncovers; 0 without either."""
    return scores.get("object_psnr", scores.get("vacated_psnr", 0.0))


def own(metric: str, *suites: str) -> Callable[[Suites], Mapping[str, float]]:
    """Return a metric of ``guided`` in suites."""
    return lambda measured: {
        suite: measured[suite][GUIDED][metric]
        for suite in suites or measured
        if metric in measured.get(suite, {}).get(GUIDED, {})
    }


def weights(measured: Suites) -> Mapping[str, float]:
    """Return the size of all embedded weights in MB."""
    return {"all": sum(file.stat().st_size for file in EMBEDDED.rglob("*.safetensors")) / 1e6}


EDITS = ("video", "translate", "rotate", "scale", "add", "camera", "background", "transfer")

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
    Goal("embedded weights", "40 MB", weights, lambda x: x <= 40, ".1f"),
)


def goals_table(measured: Suites) -> list[str]:
    """Return the goals, what was measured and whether it is enough, as a table's lines."""
    lines = ["| goal for `guided` | target | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        found = goal.figures(measured)
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


def suites_table(measured: Suites, methods: Sequence[str]) -> list[str]:
    """Return object PSNR and sharpness of every suite and method as a table's lines."""
    lines = [f"| suite | {' | '.join(f'`{m}`' for m in methods)} |", "|---" * (len(methods) + 1) + "|"]
    for suite, of in measured.items():
        if suite in ("vae", "reconstruct") or not any(quality(of.get(m, {})) for m in methods):
            continue
        title = suite if any("object_psnr" in of.get(m, {}) for m in methods) else f"{suite} (vacated)"
        lines.append(f"| {title} | {' | '.join(_cell(of.get(m, {})) for m in methods)} |")
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


def _cell(scores: Mapping[str, float]) -> str:
    if not quality(scores):
        return ""
    sharp = scores.get("sharpness")
    return f"{quality(scores):.2f}" + (f" ({sharp:.2f})" if sharp is not None else "")


def copy_sheets(sheets: Path) -> list[str]:
    """Copy the sheets in a folder to the page's pictures, smaller; return the page's lines about them."""
    lines = []
    for suite in SHEETS:
        file = sheets / f"{suite}.png"
        if not file.exists():
            continue
        with Image.open(file) as sheet:
            size = (SHEET_WIDTH, round(sheet.height * SHEET_WIDTH / sheet.width))
            IMAGES.mkdir(exist_ok=True)
            sheet.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(
                IMAGES / f"results-{suite}.jpg", quality=82
            )
        lines.append(f"`{suite}`:\n\n![{suite}](images/results-{suite}.jpg)")
    return lines


def page(
    results: Mapping[str, Any], ablation: Mapping[str, Any] | None, pictures: Sequence[str] = ()
) -> str:
    """Return the page above its notes."""
    measured, settings = results["suites"], results["settings"]
    methods = [m for m in (COPY, PROXY, PAPER, GUIDED) if m in measured["video"]]
    seeds = ", ".join(map(str, range(settings["seeds"])))
    parts = [
        "# Results",
        f"On the embedded bench (54 held-out scenes), preset {settings['preset']} ({settings['steps']} step, "
        f"guidance {settings['guidance']:g}), seeds {seeds}; all figures: [results.json](results.json).",
        "\n".join(goals_table(measured)),
        "## Object PSNR in dB (sharpness)",
        "\n".join(suites_table(measured, methods) + metric_rows(measured, methods)),
    ]
    if ablation is not None:
        runs = [m for m in ablation["suites"]["video"] if m.startswith("ablation-")]
        rows = suites_table(ablation["suites"], runs) + metric_rows(ablation["suites"], runs)
        parts += ["## Ablation", "\n".join(rows)]
    if pictures:
        shown = "Source, target, and each method's picture with its error, three times as bright."
        parts += ["## Sheets", shown, *pictures]
    return "\n\n".join(parts) + "\n\n"


def main() -> None:
    """Read the arguments and write the page."""
    parser = argparse.ArgumentParser(description="Write docs/results.md and docs/results.json.")
    parser.add_argument("results", type=Path, help="results.json of an evaluation")
    parser.add_argument("--ablation", type=Path, help="results.json of the ablation's checkpoints")
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8"))
    ablation = options.ablation and json.loads(options.ablation.read_text(encoding="utf-8"))
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    notes = before.partition(NOTES)[2] or "\n"
    pictures = copy_sheets(options.results.parent / "sheets")
    PAGE.write_text(page(results, ablation, pictures) + NOTES + notes, encoding="utf-8")
    shutil.copyfile(options.results, FIGURES)


if __name__ == "__main__":
    main()
