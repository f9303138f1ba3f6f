"""Tables of measured figures in README and docs, written from the files that hold them.

A table stands between ``<!-- results:begin NAME -->`` and ``<!-- results:end -->``; :data:`TABLES` says what
NAME shows. ``python benchmarks/results_page.py`` writes them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "composing.md", ROOT / "docs" / "performance.md")

BLOCK = re.compile(r"(<!-- results:begin (\S+) -->\n).*?(<!-- results:end -->)", re.DOTALL)

COPY, PROXY, GUIDED = "copy", "proxy", "mini-guided"

Suites = Mapping[str, Mapping[str, Mapping[str, float]]]


def read(name: str) -> Any:
    """Return what a JSON file of the repository holds."""
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def quality(scores: Mapping[str, float]) -> float:
    """Return object PSNR; where no object is left, that of what it uncovers; 0 without either."""
    return scores.get("object_psnr", scores.get("vacated_psnr", 0.0))


def suites_table(measured: Suites, methods: Sequence[str], titles: Sequence[str] | None = None) -> list[str]:
    """Return object PSNR and sharpness of every suite and method as a table's lines.

    Args:
        measured: the suites.
        methods: the columns.
        titles: of the columns; None for the methods' names.
    """
    heads = [f"`{method}`" for method in methods] if titles is None else titles
    lines = [f"| suite | {' | '.join(heads)} |", "|---" * (len(methods) + 1) + "|"]
    for suite, scores in measured.items():
        if suite in ("vae", "reconstruct") or not any(quality(scores.get(m, {})) for m in methods):
            continue
        title = suite if any("object_psnr" in scores.get(m, {}) for m in methods) else f"{suite} (vacated)"
        lines.append(f"| {title} | {' | '.join(_cell(scores.get(m, {})) for m in methods)} |")
    return lines


def _cell(scores: Mapping[str, float]) -> str:
    if not quality(scores):
        return ""
    sharp = scores.get("sharpness")
    return f"{quality(scores):.2f}" + (f" ({sharp:.2f})" if sharp is not None else "")


def suites() -> list[str]:
    """Return object PSNR and sharpness of ``mini`` and the references in every suite of edits."""
    titles = {COPY: "copy", PROXY: "proxy", GUIDED: "`mini`"}
    return suites_table(read("docs/results.json")["suites"], list(titles), list(titles.values()))


def speed() -> list[str]:
    """Return what a frame takes, beside a renderer that everybody knows."""
    found = read("benchmarks/results.json")
    held = [value for name, value in found.items() if "detection" in name and name.endswith("_ms")]
    rows = {
        "a frame, 256 x 256, 6 assets, scene to pixels": f"{found['frame_seconds']:.2f} s",
        "of that, add-on, message and transport": f"{100 * found['bridge_share']:.0f} %",
        "Cycles, 64 samples and denoiser, six meshes, same run": (
            f"{found['cycles_seconds']:.1f} s, {found['cycles_ratio']:.1f} times as long"
        ),
        "worker's peak memory, pictures up to 1024 x 576": f"{found['worker_peak_mib']} MiB",
        "1,000 boxes x 100 frames projected, against a loop over `world_to_camera_view`": (
            f"{found['projection_ratio']:.0f} times as fast"
        ),
        "the objects of one photo, from the button to assets": f"{found['detection_seconds']:.2f} s",
        "the same with a photo of 12 megapixels": f"{found['large_detection_seconds']:.2f} s",
        "in these, the main thread is never held longer than": f"{max(held):.0f} ms",
    }
    return ["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows.items())]


def frame_seconds() -> list[str]:
    """Return the seconds of a frame for sizes and numbers of assets."""
    table = read("benchmarks/results.json")["frame_table"]
    counts = sorted(map(int, next(iter(table.values()))))
    lines = [
        f"| picture | {counts[0]} asset | {' | '.join(map(str, counts[1:]))} |",
        "|---" * (len(counts) + 1) + "|",
    ]
    for size in sorted(table, key=lambda size: int(size.partition("x")[0])):
        cells = [f"{table[size][str(count)]:.2f}" for count in counts]
        lines.append(f"| {size.replace('x', ' x ')} | {' | '.join(cells)} |")
    return lines


def sizes() -> list[str]:
    """Return the seconds of first and next frames by size, before layers and now."""
    found = read("benchmarks/results.json")
    before, now = found["sizes_before"]["seconds"], found["sizes"]["seconds"]
    heads = ("picture", "first frame, before", "now", "next frame, before", "now", "of that, composing")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for size in sorted(now, key=lambda size: int(size.partition("x")[0])):
        seconds = now[size]
        first, following = (
            f"{each[0][key]:.2f} s | {each[1][key]:.2f} s"
            for key, each in ((key, (before[size], seconds)) for key in ("first", "next"))
        )
        composing = f"{seconds['composing']:.2f} s"
        lines.append(f"| {size.replace('x', ' x ')} | {first} | {following} | {composing} |")
    return lines


def likeness() -> list[str]:
    """Return the worker's memory, and how alike sizes look, before layers and now."""
    found = read("benchmarks/results.json")
    before, now = found["sizes_before"], found["sizes"]
    rows = {
        "peak memory, up to 1920 x 1080": ("worker_peak_mib", "{:.0f} MiB"),
        "the two sizes that are least alike, `mini`": ("mini_db", "{:.1f} dB"),
        "the same as proxies": ("proxy_db", "{:.1f} dB"),
        "their outlines' intersection over union": ("outline_iou", "{:.3f}"),
    }
    lines = ["| what | before | now |", "|---|---|---|"]
    for what, (key, form) in rows.items():
        old = form.format(before[key]) if key in before else ""
        lines.append(f"| {what} | {old} | {form.format(now[key])} |")
    return lines


def composing() -> list[str]:
    """Return the milliseconds of composing a frame, and one of a batch, before layers and now."""
    found = read("benchmarks/results.json")
    before, now = found["compose_before"], found["compose"]
    lines = ["| frames at once | before | now |", "|---|---|---|"]
    for case in sorted(now, key=lambda case: int(case.split("x")[1])):
        count, width, height = case.split("x")
        lines.append(f"| {count}, {width} x {height} | {before[case]:.0f} ms | {now[case]['cpu']:.0f} ms |")
    return lines


def steps() -> list[str]:
    """Return quality and time for steps and guidance; the proxy's last."""
    found = read("benchmarks/steps.json")
    lines = ["| steps | guidance | object PSNR, dB | sharpness | seconds |", "|---|---|---|---|---|"]
    for row in found:
        figures = f"{row['object_psnr']:.2f} | {row['sharpness']:.2f} | {row['seconds']:.2f}"
        lines.append(f"| {row['steps']} | {row['guidance']:g} | {figures} |")
    return [*lines, f"| proxy |  | {found[0]['proxy_psnr']:.2f} |  |  |"]


def photographs() -> list[str]:
    """Return what stays of photographs, unmoved and beyond an object that moves."""
    lines = ["| photograph | unmoved | untouched | share of the picture |", "|---|---|---|---|"]
    for name, row in read("benchmarks/photographs_results.json").items():
        share = f"{100 * row['untouched_share']:.0f} %"
        lines.append(f"| {name} | {row['unmoved']:g} | {row['untouched']:g} | {share} |")
    return lines


TABLES: Mapping[str, Callable[[], list[str]]] = {
    "suites": suites,
    "speed": speed,
    "frame-seconds": frame_seconds,
    "sizes": sizes,
    "likeness": likeness,
    "composing": composing,
    "steps": steps,
    "photographs": photographs,
}


def filled(text: str) -> str:
    """Return a page's text with every marked table written from its figures.

    Raises:
        KeyError: a block has a name that no table has.
    """
    return BLOCK.sub(lambda match: match[1] + "\n".join(TABLES[match[2]]()) + "\n" + match[3], text)


def write_pages() -> None:
    """Write the tables of all pages anew."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
