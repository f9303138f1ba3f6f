"""The page has every key, as the dataclasses have it."""

from __future__ import annotations

import pytest

from na_core.training.config_page import key_tables, updated
from tests.na_core.training.conftest import ROOT


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert page == updated(page), "run: python -m na_core.training.config_page docs/training.md"


@pytest.mark.parametrize(
    "row",
    [
        "| **`seed`** | 0 or more | | seed of every random number. |",
        '| `start` | `"noise"`, `"residual"`, `"uncertainty"`, `"pixels"` | `"noise"` | what is diffused, '
        'see "How the decoder starts". |',
        "| `ema_decay` | 0 to 1 | 0.995 | decay of the averaged weights; 0 averages none. |",
        "| **`crop`** | 1 or more | | side of a crop in pixels. |",
    ],
)
def test_a_row_is_what_the_field_says(row: str) -> None:
    assert row in key_tables().splitlines()


def test_tables_are_in_the_order_of_the_configuration() -> None:
    titles = [line for line in key_tables().splitlines() if line.startswith("###")]
    assert titles[:2] == ["### Before the first table", "### Each table that trains"]
    assert [title.strip("#` []") for title in titles[2:]] == [
        *("validation", "vae", "encoder", "photo_network", "detector", "refiner", "decoder"),
        *("conditions", "augmentation"),
    ]


def test_a_page_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines <!-- keys: begin -->"):
        updated("# Training\n")
