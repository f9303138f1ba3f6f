"""Saved checkpoints: what is written, and what is not."""

from __future__ import annotations

from pathlib import Path

from na_core.model.checkpoints import load_checkpoint
from na_core.model.presets import build_pipeline
from na_core.training.decoder import save_checkpoint


def test_a_checkpoint_does_not_say_where_its_parts_were_loaded_from(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    save_checkpoint(build_pipeline("guided", "tiny"), origin)
    save_checkpoint(load_checkpoint(origin), tmp_path / "saved")
    texts = [file.read_text() for file in (tmp_path / "saved").rglob("*.json")]
    assert len(texts) > 4
    assert not any(str(tmp_path) in text for text in texts)
