"""The sheet beside the numbers: source, truth and every method's picture, for a few pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from na_core.data.contact_sheet import laid_out
from na_core.data.scenes import Scene
from na_core.evaluation.methods import Method
from na_core.evaluation.metrics import Picture, psnr
from na_core.evaluation.suites import scene_pairs

CELL = 224
"""Pixels of the longer side of each picture on the sheet."""

HEADER = 16
"""Pixels of the line of text above each picture."""


def write_sheet(methods: Sequence[Method], scenes: Sequence[Scene], out: Path, rows: int = 8) -> Path | None:
    """Write a picture with one row per pair, each of another scene, evenly spread over the scenes.

    Args:
        methods: one column each, after the source and the truth; PSNR is written above the picture.
        scenes: to choose from.
        out: the file to write.
        rows: pairs at most.

    Returns:
        ``out``, or None when there is nothing to show.
    """
    usable = [scene for scene in scenes if scene_pairs(scene, 1)]
    if not usable or rows < 1:
        return None
    count = min(rows, len(usable))
    strips = []
    for number in range(count):
        scene = usable[number * len(usable) // count]
        choices = scene_pairs(scene)
        pair = choices[number % len(choices)]
        source = next(iter(pair.photos.values()))
        cells = [(f"{scene.folder.name}/{pair.source}", source), (f"truth {pair.target}", pair.truth)]
        for method in methods:
            labels = scene.labels
            picture = method.render([pair.frame], pair.photos, labels.width, labels.height)[0]
            cells.append((f"{method.name} {psnr(picture, pair.truth):.1f} dB", picture))
        strips.append([_cell(title, picture) for title, picture in cells])
    sheet = laid_out(strips)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    return out


def _cell(title: str, picture: Picture) -> Image.Image:
    image = Image.fromarray(picture)
    factor = CELL / max(image.size)
    image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    cell = Image.new("RGB", (image.width + 2, image.height + HEADER + 2), (24, 24, 24))
    cell.paste(image, (1, HEADER))
    ImageDraw.Draw(cell).text((3, 2), title, fill=(230, 230, 230))
    return cell
