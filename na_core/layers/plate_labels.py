"""Which of several pictures each pixel of a hole is copied from, so that seams are seen least.

The choice has the least sum of what it costs to take a pixel from a picture and, between neighbours from
different pictures, of how much these differ there (Kwatra et al., "Graphcut Textures", 2003; Pritch et al.,
"Shift-Map Image Editing", 2009). It is found about by min-sum belief propagation, from coarse to fine.
"""

import torch
from torch import Tensor

from na_core.cancellation import poll

SEAM = 0.01
"""What it costs two neighbours to be from different pictures though these are the same there."""

LARGEST_SEAM = 0.6
"""What it costs at most."""


def chosen(colours: Tensor, costs: Tensor, hole: Tensor, choices: Tensor, iterations: int) -> Tensor:
    """Return the picture (N,) that each pixel of a hole is copied from.

    Args:
        colours: (K, h, w, 3) in [0, 1], the pictures.
        costs: (K, h, w), of taking a pixel from each.
        hole: (h, w) bool, N pixels of it.
        choices: (N, L) int64, pictures that each pixel chooses from; may repeat.
        iterations: of propagation.
    """
    height, width = hole.shape
    number = torch.full((height, width), -1, dtype=torch.int64)
    at = hole.flatten().nonzero()[:, 0]
    number.view(-1)[at] = torch.arange(len(at))
    pairs = []
    for near, far in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        both = (near >= 0) & (far >= 0)
        pairs.append(torch.stack([near[both], far[both]]))
    one, two = torch.cat(pairs, dim=1)
    table = colours.flatten(1, 2)
    own = costs.flatten(1)[choices, at[:, None]]
    between = _seams(table, choices[one], choices[two], at[one], at[two])
    belief = own.clone()
    to_two = torch.zeros((len(one), choices.shape[1]))
    to_one = torch.zeros_like(to_two)
    for _ in range(iterations):
        poll()
        new_two = ((belief[one] - to_one)[:, :, None] + between).amin(dim=1)
        new_one = ((belief[two] - to_two)[:, None, :] + between).amin(dim=2)
        to_two = to_two.lerp(new_two - new_two.amin(dim=1, keepdim=True), 0.7)
        to_one = to_one.lerp(new_one - new_one.amin(dim=1, keepdim=True), 0.7)
        belief = own.index_add(0, two, to_two).index_add_(0, one, to_one)
    return choices.gather(1, belief.argmin(dim=1, keepdim=True))[:, 0]


def _seams(table: Tensor, first: Tensor, second: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """Return what it costs (E, L, L) pairs of pixels (E,) to be from ``first`` and ``second`` (E, L)."""
    total = torch.full((len(one), first.shape[1], second.shape[1]), SEAM)
    total *= first[:, :, None] != second[:, None, :]
    for at in (one, two):
        mine, theirs = table[first, at[:, None]], table[second, at[:, None]]
        for channel in range(3):
            total += (mine[:, :, None, channel] - theirs[:, None, :, channel]).abs_().mul_(1 / 3)
    return total.clamp_max_(LARGEST_SEAM)
