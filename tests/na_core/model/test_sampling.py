"""What a sampling's name means is the checkpoint's to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from na_core.model.checkpoints import load_checkpoint
from na_core.model.presets import build_pipeline
from na_core.model.sampling import PAPER_PRESETS, resolved
from na_core.scene import SAMPLING_PRESETS, Frame, Sampling
from tests.na_core.studio import Studio


def test_the_papers_decoder_takes_its_own_steps_and_guidance() -> None:
    assert build_pipeline("paper", "tiny").samplings["standard"] == (50, 2.0)
    assert build_pipeline("guided", "tiny").samplings == SAMPLING_PRESETS


def test_a_checkpoint_that_says_its_own_keeps_them(tmp_path: Path) -> None:
    pipeline = build_pipeline("guided", "tiny")
    pipeline.register_to_config(sampling_presets={"best": (4, 1.5)})
    pipeline.save_pretrained(tmp_path)
    assert load_checkpoint(tmp_path).samplings == {**SAMPLING_PRESETS, "best": (4, 1.5)}


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling.from_preset("standard"), (50, 2.0)),
        (Sampling.from_preset("best"), (100, 2.0)),
        (Sampling(steps=1, guidance=1.0, preset="custom"), (1, 1.0)),
        (Sampling(steps=7), (7, 1.0)),  # chosen by somebody, whatever the name
    ],
)
def test_names_are_resolved_and_numbers_that_were_chosen_stay(
    sampling: Sampling, expected: tuple[int, float]
) -> None:
    found = resolved(sampling, PAPER_PRESETS)
    assert (found.steps, found.guidance) == expected


@pytest.mark.parametrize(("preset", "steps"), [("standard", 50), ("draft", 1)])
def test_a_frame_takes_as_many_steps(preset: str, steps: int, studio: Studio, moved_frame: Frame) -> None:
    told = []
    sampling = Sampling.from_preset(preset, width=64, height=48)
    build_pipeline("paper", "tiny")(
        [moved_frame], studio.photos, sampling, callback=lambda step, of, preview: told.append((step, of))
    )
    assert told == [(step, steps) for step in range(1, steps + 1)]
