"""The unit of the residual: one number, or as large as the cell is unsure."""

from __future__ import annotations

import pytest
import torch

from na_core.model.box_channels import BOX_CHANNELS, COVERAGE, VALIDITY
from na_core.model.residual import MIN_VARIANCE_SHARE, fit_variance, residual_scale

STANDARD_DEVIATIONS = {(0.0, 1.0): 0.2, (0.0, 0.0): 0.5, (1.0, 1.0): 0.4, (1.0, 0.0): 1.5}
"""By a cell's coverage and validity."""


def cells(pairs: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Return channels (P, 11, 8, 8) of pure cells, and residuals (P, 4, 8, 8), as unsure as they say."""
    torch.manual_seed(0)
    maps = torch.randn(pairs, BOX_CHANNELS, 8, 8)
    maps[:, COVERAGE] = torch.randint(2, (pairs, 8, 8)).float()
    maps[:, VALIDITY] = torch.randint(2, (pairs, 8, 8)).float()
    deviation = torch.zeros(pairs, 8, 8)
    for (coverage, validity), value in STANDARD_DEVIATIONS.items():
        deviation[(maps[:, COVERAGE] == coverage) & (maps[:, VALIDITY] == validity)] = value
    return maps, torch.randn(pairs, 4, 8, 8) * deviation[:, None]


def test_one_number_for_all_cells() -> None:
    maps, _ = cells(2)
    assert residual_scale(maps, 0.7, None).expand(2, 1, 8, 8).unique().tolist() == pytest.approx([0.7])


def test_what_was_fitted_is_what_the_cells_are() -> None:
    maps, residual = cells()
    scale, variance = fit_variance(residual, maps)
    assert scale == pytest.approx(float(residual.square().mean().sqrt()), rel=1e-5)
    found = residual_scale(maps, scale, variance)[:, 0]
    for (coverage, validity), value in STANDARD_DEVIATIONS.items():
        chosen = (maps[:, COVERAGE] == coverage) & (maps[:, VALIDITY] == validity)
        assert float(found[chosen].mean()) == pytest.approx(value, rel=0.05)
    assert float((residual / found[:, None]).std()) == pytest.approx(1.0, abs=0.02)


def test_a_mixed_cell_has_the_variance_of_its_mixture() -> None:
    maps, residual = cells()
    scale, variance = fit_variance(residual, maps)
    mixed = torch.zeros(1, BOX_CHANNELS, 1, 1)
    mixed[:, VALIDITY] = 0.25
    expected = (0.25 * 0.2**2 + 0.75 * 0.5**2) ** 0.5
    assert float(residual_scale(mixed, scale, variance)) == pytest.approx(expected, rel=0.05)


def test_no_cell_is_surer_than_can_be() -> None:
    maps, _ = cells(2)
    assert float(residual_scale(maps, 2.0, [-1.0, 0.0, 0.0, 0.0]).min()) == pytest.approx(
        2 * MIN_VARIANCE_SHARE**0.5
    )


def test_data_without_some_kinds_of_cells_fits_still() -> None:
    maps, residual = cells()
    maps[:, COVERAGE], maps[:, VALIDITY] = 0, 1
    scale, variance = fit_variance(residual, maps)
    assert torch.isfinite(residual_scale(cells(2)[0], scale, variance)).all()
