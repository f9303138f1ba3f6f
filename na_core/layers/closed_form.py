"""Closed-form matting: the alpha that is, in every little window, a linear function of the colours.

After Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (2008). Only what is in
doubt is solved for, by conjugate gradients; beside the photo's smoothness there is a guess for each pixel.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll

RADIUS = 1
"""Of the windows in pixels: they are three pixels wide."""

EPSILON = 1e-5
"""Variance of colours, in units of the full range, that is noise."""

ITERATIONS = 60
TOLERANCE = 2e-3
"""Of the conjugate gradients: at most so many steps, and fewer once all alphas are right to about this."""

TINY = 1e-9
"""What is added to a divisor that may be zero."""

WINDOW = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
REACH = [(down, across) for down in range(-2, 3) for across in range(-2, 3)]
"""Steps from a window's middle to its pixels; and from a pixel to those that share a window with it."""

BORDER = 2 * RADIUS
"""Pixels that are added around a picture, so that every pixel has its windows."""


def solve_alpha(
    picture: NDArray[np.uint8],
    trimap: NDArray[np.float32],
    guess: NDArray[np.float32],
    trust: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return alpha (H, W) in [0, 1] that is the trimap's where that is known.

    Args:
        picture: (H, W, 3) sRGB.
        trimap: (H, W), 0 and 1 where alpha is known, 0.5 where it is not.
        guess: (H, W), what alpha may be where it is unknown; also the solution's start.
        trust: (H, W), weight of the guess, compared with the sum of a window's squared errors.
    """
    around = ((BORDER, BORDER), (BORDER, BORDER))
    colours = np.pad(picture, (*around, (0, 0)), mode="reflect" if min(trimap.shape) > BORDER else "edge")
    unknown = np.pad(trimap == 0.5, around)
    places = np.flatnonzero(unknown)
    if not len(places):
        return trimap
    weights, neighbours = _laplacian(colours.astype(np.float64) / 255, unknown, places)
    known = np.pad(trimap, around, mode="edge").astype(np.float64).ravel()
    known[places] = 0

    inner = trimap == 0.5
    start, weight = (values[inner].astype(np.float64) for values in (guess, trust))
    right = weight * start - np.einsum("np,np->p", weights, known[neighbours])
    plane = np.zeros_like(known)

    def applied(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        plane[places] = alpha
        return np.einsum("np,np->p", weights, plane[neighbours]) + weight * alpha

    diagonal = weights[REACH.index((0, 0))] + weight + TINY
    solution = trimap.astype(np.float32)
    solution[inner] = _conjugate_gradients(applied, right, diagonal, start).clip(0, 1)
    return solution


def _conjugate_gradients(
    applied: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    right: NDArray[np.float64],
    diagonal: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve ``applied(x) = right`` for x (U,) from a start, preconditioned by the diagonal."""
    x = start.copy()
    rest = right - applied(x)
    scaled = rest / diagonal
    direction, size = scaled.copy(), rest @ scaled
    for _ in range(ITERATIONS):
        poll()
        if np.abs(scaled).max() < TOLERANCE:
            break
        image = applied(direction)
        step = size / (direction @ image + TINY**2)
        x += step * direction
        rest -= step * image
        scaled = rest / diagonal
        before, size = size, rest @ scaled
        direction = scaled + size / (before + TINY**2) * direction
    return x


def _laplacian(
    colours: NDArray[np.float64], unknown: NDArray[np.bool_], places: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rows of the matting Laplacian at U unknown pixels.

    Args:
        colours: (H, W, 3) in [0, 1].
        unknown: (H, W); none within :data:`BORDER` of the border.
        places: (U,), numbers of the unknown pixels.

    Returns:
        (25, U) weights and (25, U) numbers of the pixels that they are for.
    """
    height, width = unknown.shape
    middles = unknown.copy()
    for down, across in WINDOW:
        middles |= np.roll(unknown, (down, across), axis=(0, 1))
    windows = np.flatnonzero(middles)
    steps = np.array([down * width + across for down, across in WINDOW])
    shown = colours.reshape(-1, 3)[windows[:, None] + steps]  # (K, 9, 3)
    shown -= shown.mean(axis=1, keepdims=True)
    count = len(WINDOW)
    covariance = np.matmul(shown.transpose(0, 2, 1), shown) / count + EPSILON / count * np.eye(3)
    likeness = np.matmul(np.matmul(shown, np.linalg.inv(covariance)), shown.transpose(0, 2, 1))
    terms = np.ascontiguousarray((-(1 + likeness) / count).transpose(1, 2, 0))  # (9, 9, K)
    for pixel in range(count):
        terms[pixel, pixel] += 1

    number = np.full(height * width, -1, np.int64)
    number[places] = np.arange(len(places))
    weights = np.zeros((len(REACH), len(places)))
    for one, (down, across) in enumerate(WINDOW):
        rows = number[windows + steps[one]]
        own = rows >= 0  # of one window at most for each pixel
        rows = rows[own]
        for other, (below, beside) in enumerate(WINDOW):
            weights[REACH.index((below - down, beside - across)), rows] += terms[one, other, own]
    neighbours = np.stack([places + down * width + across for down, across in REACH])
    return weights, neighbours
