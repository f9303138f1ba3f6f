"""Guessed colours of what is behind objects, drawn towards those that the photo shows of its background.

A network that learnt from other pictures guesses colours that no photo like this has, mostly greys. What is
behind objects looks like what is beside them: each guess becomes, for the most part, the mean of colours of
the visible background, weighted by how like the guess and how near they are (a joint bilateral filter;
Tomasi and Manduchi, 1998).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.cancellation import poll

SIDE = 256
"""Longer side in pixels at which colours are compared: guesses are smooth."""

SAMPLES = 512
"""Pixels of the background that stand for its colours."""

FEWEST = 16
"""Visible pixels of a background, below which guesses stay as they are."""

ALIKE, NEAR = 0.15, 0.2
"""Standard deviations of the weight: over colours, and over distances in units of the longer side."""

SHARE = 0.75
"""Of the mean in the result."""

AT_ONCE = 1 << 14
"""Guesses that are compared with all samples together."""


def in_palette(guess: Tensor, picture: Tensor, visible: Tensor) -> Tensor:
    """Return guesses (3, h, w) that are nearer to the colours of a photo's visible background.

    Args:
        guess: (3, h, w) sRGB in [0, 1], colours of what is behind objects.
        picture: (3, h, w) sRGB in [0, 1], the photo.
        visible: (h, w) bool, where the photo shows its background; there guesses stay.
    """
    scale = min(1.0, SIDE / max(visible.shape))
    size = [max(1, round(side * scale)) for side in visible.shape]
    own, shown = (F.interpolate(of[None], size, mode="area")[0] for of in (guess, picture))
    clear = F.interpolate(visible[None, None].float(), size, mode="area")[0, 0] == 1
    background = clear.flatten().nonzero()[:, 0]
    if len(background) < FEWEST:
        return guess
    chosen = background[torch.linspace(0, len(background) - 1, SAMPLES, device=guess.device).long()]
    smooth = F.avg_pool2d(shown[None], 3, 1, 1, count_include_pad=False)[0]
    colours, places = smooth.flatten(1)[:, chosen].T.contiguous(), _places(chosen, size)
    change = torch.zeros_like(own)
    for some in (~clear).flatten().nonzero()[:, 0].split(AT_ONCE):
        poll()
        before = own.flatten(1)[:, some].T.contiguous()
        unlike, far = torch.cdist(before, colours) / ALIKE, torch.cdist(_places(some, size), places) / NEAR
        mean = (-(unlike.square() + far.square()) / 2).softmax(dim=1) @ colours
        change.flatten(1)[:, some] = SHARE * (mean - before).T
    change = F.interpolate(change[None], visible.shape, mode="bilinear", align_corners=False)[0]
    return guess + change * ~visible


def _places(pixels: Tensor, size: list[int]) -> Tensor:
    """Return where pixels of a picture (rows, columns) are, (P, 2), in units of its longer side."""
    return torch.stack([pixels % size[1], pixels // size[1]], dim=1).float() / max(size)
