"""What was decoded, at the size of the output: nothing is shifted, and nothing gets brighter."""

from __future__ import annotations

import pytest
import torch

from na_core.model.working_size import at_output_size

SCALES = [0.4, 1.0, 2.5]
"""The decoder's pixels per pixel of the output."""

WIDTH, HEIGHT = 30, 20


def decoded_size(scale: float) -> tuple[int, int]:
    """Return the columns and rows of a decoder's picture that is somewhat larger than the output."""
    return round(WIDTH * scale) + 4, round(HEIGHT * scale) + 6


@pytest.mark.parametrize("scale", SCALES)
def test_a_constant_stays_a_constant(scale: float) -> None:
    columns, rows = decoded_size(scale)
    found = at_output_size(torch.full((2, 3, rows, columns), 0.7), scale, WIDTH, HEIGHT)
    assert found.shape == (2, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(found, torch.full_like(found, 0.7))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("axis", [2, 3])
def test_a_ramp_stays_a_ramp_inside(axis: int, scale: float) -> None:
    columns, rows = decoded_size(scale)
    length, size = ((rows, HEIGHT), (columns, WIDTH))[axis - 2]
    ramp = (torch.arange(length) + 0.5).view(-1, 1) if axis == 2 else torch.arange(length) + 0.5
    found = at_output_size(ramp.expand(1, 1, rows, columns), scale, WIDTH, HEIGHT)
    expected = (torch.arange(size) + 0.5) * scale
    inside = slice(4, -4)
    line = found.mean(dim=5 - axis).flatten()
    # Bicubic interpolation bends a ramp by up to a twentieth of a pixel.
    torch.testing.assert_close(line[inside], expected[inside], atol=0.06, rtol=0)


def test_at_the_same_scale_it_is_cropped_and_no_more() -> None:
    decoded = torch.rand(1, 3, 32, 48)
    assert torch.equal(at_output_size(decoded, 1.0, WIDTH, HEIGHT), decoded[..., :HEIGHT, :WIDTH])


def test_a_smaller_picture_takes_the_mean_of_what_a_pixel_covers() -> None:
    """Not one in so many: stripes that are finer than its pixels become grey."""
    stripes = (torch.arange(90) % 2).float().expand(1, 1, 60, 90)
    found = at_output_size(stripes, 3.0, 30, 20)
    assert (found - 0.5).abs().max() < 0.2


def test_a_larger_picture_has_no_steps() -> None:
    edge = (torch.arange(16) >= 8).float().expand(1, 1, 16, 16)
    line = at_output_size(edge, 0.25, 64, 64)[0, 0, 32]
    assert line.diff().abs().max() < 0.35
    assert line.min() > -0.15
    assert line.max() < 1.15
    assert line[32] > 0.5 > line[31]
