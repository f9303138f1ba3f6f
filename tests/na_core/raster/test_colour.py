"""Colours: the standard's curve, there and back."""

from __future__ import annotations

import pytest
import torch

from na_core.raster.colour import linear_from_srgb, srgb_from_linear


def test_there_and_back() -> None:
    values = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("value", "light"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.21404), (0.02, 0.02 / 12.92)])
def test_values_of_the_standard(value: float, light: float) -> None:
    assert float(linear_from_srgb(torch.tensor(value))) == pytest.approx(light, abs=1e-5)
