"""The sheets: what is in which cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from na_core.evaluation.sheet import CELL, HEADER, Row, error_map, write_sheet
from na_core.scene import Picture


def plain(level: int) -> Picture:
    return np.full((32, 32, 3), level, np.uint8)


def test_given_pictures_then_the_truth_then_each_method_with_its_error(tmp_path: Path) -> None:
    with_donor = Row("a/1", {"source": plain(10), "donor": plain(20)}, plain(100), {"m": plain(110)})
    without = Row("b/2", {"source": plain(30)}, plain(100), {"m": plain(90)})
    file = write_sheet([with_donor, without], tmp_path / "sheets" / "add.png")
    sheet = np.asarray(Image.open(file))
    width, height = CELL + 2, CELL + HEADER + 2
    assert sheet.shape == (2 * height, 5 * width, 3)
    levels = sheet[HEADER + 50 :: height, width // 2 :: width, 0]
    assert levels.tolist() == [[10, 20, 100, 110, 30], [30, 24, 100, 90, 30]]


def test_psnr_is_written_above_methods(tmp_path: Path) -> None:
    def header(level: int) -> bytes:
        row = Row("a/1", {}, plain(100), {"m": plain(level)})
        sheet = np.asarray(Image.open(write_sheet([row], tmp_path / f"{level}.png")))
        return sheet[:HEADER, CELL + 2 : 2 * CELL].tobytes()

    assert header(110) == header(90) != header(120)


def test_errors_are_absolute_and_brightened() -> None:
    truth = plain(100)
    assert (error_map(plain(110), truth) == 30).all()
    assert (error_map(plain(90), truth) == 30).all()
    assert (error_map(plain(255), truth) == 255).all()
