"""The sheets beside the numbers: source, target, every method's picture and its error, for a few pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from na_core.data.contact_sheet import laid_out
from na_core.data.pairs import Pair
from na_core.data.scenes import Scene
from na_core.evaluation.metrics import psnr
from na_core.scene import Picture

CELL = 224
"""Pixels of the longer side of each picture on the sheet."""

HEADER = 16
"""Pixels of the line of text above each picture."""

ERROR_GAIN = 3
"""By how much the error maps are brightened."""

BACKGROUND = (24, 24, 24)


@dataclass(frozen=True)
class Row:
    """One pair on a sheet.

    Attributes:
        title: of the pair.
        given: pictures that the methods saw, by what they are: source, donor.
        truth: (H, W, 3), the target.
        results: each method's picture.
    """

    title: str
    given: Mapping[str, Picture]
    truth: Picture
    results: Mapping[str, Picture]


def pair_row(scene: Scene, pair: Pair, results: Mapping[str, Picture]) -> Row:
    """Return the row of a scene's pair with each method's picture; its donor shows what is new."""
    given = {"source": scene.picture(pair.source)}
    donor = pair.donor if pair.background == pair.source else pair.background
    if donor is not None:
        given["donor"] = scene.picture(donor)
    return Row(f"{scene.name}/{pair.target}", given, scene.picture(pair.target), results)


def write_sheet(rows: Sequence[Row], out: Path) -> Path:
    """Write a picture with a row for each pair, and return its path.

    It shows what was given, the truth, and each method's picture with its PSNR, beside its error. Rows that
    were not given a picture that others were have a gap in its column. There is at least one row.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row.given))
    strips = []
    for row in rows:
        cells = [cell(name if name in row.given else "", row.given.get(name), row.truth) for name in columns]
        cells.append(cell(f"target {row.title}", row.truth, row.truth))
        for name, picture in row.results.items():
            cells.append(cell(f"{name} {psnr(picture, row.truth):.1f} dB", picture, row.truth))
            cells.append(cell(f"{name} error x{ERROR_GAIN}", error_map(picture, row.truth), row.truth))
        strips.append(cells)
    out.parent.mkdir(parents=True, exist_ok=True)
    laid_out(strips).save(out)
    return out


def error_map(result: Picture, truth: Picture) -> Picture:
    """Return the absolute difference of two pictures (H, W, 3), brightened."""
    difference = np.abs(result.astype(np.int16) - truth.astype(np.int16)) * ERROR_GAIN
    return np.minimum(difference, 255).astype(np.uint8)


def cell(title: str, picture: Picture | None, truth: Picture) -> Image.Image:
    """Return a picture (H, W, 3) under its title; None for a gap of the truth's size."""
    image = Image.fromarray(truth if picture is None else picture)
    image = ImageOps.contain(image, (CELL, CELL))
    cell = Image.new("RGB", (image.width + 2, image.height + HEADER + 2), BACKGROUND)
    if picture is not None:
        cell.paste(image, (1, HEADER))
        ImageDraw.Draw(cell).text((3, 2), title, fill=(230, 230, 230))
    return cell
