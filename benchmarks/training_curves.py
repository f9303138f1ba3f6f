"""Object PSNR, or the loss of one task, against samples seen, from the logs of training runs, as one SVG.

    python benchmarks/training_curves.py runs/compare-* --out out/compare.svg
    python benchmarks/training_curves.py runs/mini-photo-network-cpu --loss photo_network --out out/loss.svg

The proxy's value on the same held-out pairs is the dashed line.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from na_core.training.run_log import LOG_FILE, read_log

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 200, 20, 50
COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b1fa2", "#b8860b", "#455a64")


@dataclass(frozen=True)
class Curve:
    """A line of the plot.

    Attributes:
        name: of the run.
        points: (samples seen, value), in their order.
        reference: the proxy's value, None if it was not measured.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    reference: float | None


def read_curve(run: Path, metric: str) -> Curve:
    """Return what validation measured during a run.

    Raises:
        ValueError: the run has no decoder's log, or nothing was validated.
    """
    folder = run / "decoder"
    if not (folder / LOG_FILE).is_file():
        raise ValueError(f"{run}: no {folder.name}/{LOG_FILE}; give the 'output' of a run")
    lines = [line for line in read_log(folder) if "validation" in line]
    points = [(line["samples"], line["validation"]["model"].get(metric)) for line in lines]
    kept = tuple((samples, value) for samples, value in points if value is not None)
    if not kept:
        raise ValueError(f"{run}: validation measured no {metric}; does the configuration have [validation]?")
    return Curve(run.name, kept, lines[-1]["validation"].get("proxy", {}).get(metric))


def read_loss(run: Path, task: str) -> Curve:
    """Read the loss of a run's task, each point the mean of ten lines of the log.

    Raises:
        ValueError: the run has no such task.
    """
    lines = [line for line in read_log(run / task) if "loss" in line]
    if not lines:
        raise ValueError(f"{run}: no {LOG_FILE} of the task '{task}'")
    parts = [lines[i : i + 10] for i in range(0, len(lines), 10)]
    points = tuple((part[-1]["samples"], sum(line["loss"] for line in part) / len(part)) for part in parts)
    return Curve(run.name, points, None)


def plot(
    curves: Sequence[Curve], label: str, across: str = "samples seen", ticks: Sequence[float] = ()
) -> str:
    """Return curves as an SVG picture.

    Args:
        curves: to draw.
        label: of their values.
        across: label of what they go over, which begins at 0 and is even; or
        ticks: values from the first to the last, which are then as far apart as their logarithms.
    """
    values = [value for curve in curves for _, value in curve.points]
    values += [curve.reference for curve in curves if curve.reference is not None]
    most = max(samples for curve in curves for samples, _ in curve.points)
    steps = _ticks(min(values), max(values))
    low, high = min(steps[0], *values), max(steps[-1], *values)

    def x(at: float) -> float:
        share = math.log(at / ticks[0]) / math.log(ticks[-1] / ticks[0]) if ticks else at / most
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / max(high - low, 1e-9) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for step in steps:
        parts.append(_line(LEFT, y(step), WIDTH - RIGHT, y(step), "#ddd"))
        parts.append(f'<text x="{LEFT - 6}" y="{y(step) + 4:.1f}" text-anchor="end">{step:g}</text>')
    for step in ticks or _ticks(0, most):
        parts.append(
            f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{step:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>')
    parts.append(f'<text x="8" y="14">{escape(label)}</text>')
    references = sorted({curve.reference for curve in curves if curve.reference is not None})
    for reference in references:
        parts.append(_line(LEFT, y(reference), WIDTH - RIGHT, y(reference), "#888", "6 4"))
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{y(reference) + 4:.1f}" fill="#888">proxy</text>')
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(samples):.1f},{y(value):.1f}" for samples, value in curve.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        name, at = escape(f"{curve.name}: {curve.points[-1][1]:.2f}"), TOP + 18 * number + 12
        parts.append(f'<text x="{WIDTH - RIGHT + 50}" y="{at}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(x0: float, y0: float, x1: float, y1: float, colour: str, dashes: str = "") -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers inside a range, about five."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)] or [low]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the runs and write the plot."""
    parser = argparse.ArgumentParser(description="Plot a validation metric of training runs.")
    parser.add_argument("runs", nargs="+", type=Path, help="outputs of `neural-assets train`")
    parser.add_argument("--metric", default="object_psnr", help="object_psnr, image_psnr or sharpness")
    parser.add_argument("--loss", metavar="TASK", help="the loss of a task in place of a metric")
    parser.add_argument("--out", type=Path, default=Path("out/training_curves.svg"))
    options = parser.parse_args(arguments)
    try:
        curves = [
            read_loss(run, options.loss) if options.loss else read_curve(run, options.metric)
            for run in options.runs
        ]
    except ValueError as error:
        sys.exit(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(plot(curves, options.loss or options.metric), encoding="utf-8")
    for curve in curves:
        samples, value = curve.points[-1]
        print(f"{curve.name}: {options.loss or options.metric} {value:.2f} after {samples} samples")


if __name__ == "__main__":
    main()
