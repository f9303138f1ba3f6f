"""Weights between those of two networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from na_core.detection.refiner import BoxRefiner
from na_core.training.averaged_weights import average_weights


def saved(folder: Path, seed: int, hidden: int = 16) -> BoxRefiner:
    torch.manual_seed(seed)
    network = BoxRefiner(width=8, hidden=hidden)
    network.save_pretrained(folder)
    return network


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_every_weight_lies_between(tmp_path: Path, share: float) -> None:
    before, after = saved(tmp_path / "before", 0), saved(tmp_path / "after", 1)
    average_weights(tmp_path / "before", tmp_path / "after", share, tmp_path / "between")
    between = BoxRefiner.from_pretrained(tmp_path / "between").state_dict()
    for name, old in before.state_dict().items():
        torch.testing.assert_close(between[name], (1 - share) * old + share * after.state_dict()[name])


def test_different_networks_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "before", 0)
    saved(tmp_path / "after", 1, hidden=24)
    with pytest.raises(ValueError, match="different architectures"):
        average_weights(tmp_path / "before", tmp_path / "after", 0.5, tmp_path / "between")
