"""Soft outlines say how much of each pixel is the object's, and what colour that is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from na_core.layers.matting import FULL_ALPHA, MIN_ALPHA, Mattes, mattes

HEIGHT, WIDTH = 160, 200
FINE = 8


def supersampled(draw: object) -> NDArray[np.float32]:
    """Return a shape's true alpha (H, W), drawn at a multiple of the size."""
    mask = np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint8)
    draw(mask)  # type: ignore[operator]
    return cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def disc(mask: NDArray[np.uint8]) -> None:
    cv2.circle(mask, (WIDTH * FINE // 2, HEIGHT * FINE // 2), 50 * FINE, 255, -1)


def ring(mask: NDArray[np.uint8]) -> None:
    """A disc with a hole, and a handle with one."""
    disc(mask)
    cv2.circle(mask, (WIDTH * FINE // 2, HEIGHT * FINE // 2), 15 * FINE, 0, -1)
    cv2.circle(mask, (WIDTH * FINE // 2 + 60 * FINE, HEIGHT * FINE // 2), 18 * FINE, 255, 5 * FINE)


def hairy(mask: NDArray[np.uint8]) -> None:
    """A disc with hairs 1.5 pixels thick and 7 long."""
    disc(mask)
    centre = np.array([WIDTH, HEIGHT]) * FINE / 2
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        way = np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple(int(v) for v in centre + way * r * FINE) for r in (48, 57)]
        cv2.line(mask, *ends, 255, FINE * 3 // 2)


def textures() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the colours of an object and of what is behind it, parts of photographs."""
    cat, grass = (
        data.chelsea()[60 : 60 + HEIGHT, 100 : 100 + WIDTH],
        data.astronaut()[:HEIGHT, 300 : 300 + WIDTH],
    )
    return cat.astype(np.float32), grass.astype(np.float32) * np.float32([0.3, 0.5, 1])


def over(
    alpha: NDArray[np.float32], front: NDArray[np.float32], back: NDArray[np.float32]
) -> NDArray[np.uint8]:
    return np.rint(alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.uint8)


def as_a_network_sees(alpha: NDArray[np.float32], times: float = 2.0) -> NDArray[np.float32]:
    """Return chances (1, h, w): smaller and smooth."""
    size = (round(WIDTH / times), round(HEIGHT / times))
    small = cv2.GaussianBlur(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), (0, 0), 1.2)
    return small[None].astype(np.float32)


def matted(picture: NDArray[np.uint8], chances: NDArray[np.float32]) -> Mattes:
    """Return the mattes of an object whose hard outline is the network's."""
    large = cv2.resize(chances[0], picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return mattes(picture, chances, np.where(large > 0.5, 0, -1).astype(np.int32))


@pytest.mark.parametrize(
    ("draw", "blur", "most"), [(disc, 0.0, 0.02), (disc, 2.0, 0.06), (ring, 0.0, 0.06), (hairy, 0.0, 0.08)]
)
def test_alpha_is_the_shapes(draw: object, blur: float, most: float) -> None:
    truth = supersampled(draw)
    truth = cv2.GaussianBlur(truth, (0, 0), blur) if blur else truth
    front, back = textures()
    found = matted(over(truth, front, back), as_a_network_sees(truth))
    near = cv2.dilate(((truth > 0.02) & (truth < 0.98)).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(found.alpha / 255 - truth)[near].mean() < most
    hard = np.abs((cv2.resize(as_a_network_sees(truth)[0], (WIDTH, HEIGHT)) > 0.5) - truth)[near].mean()
    assert np.abs(found.alpha / 255 - truth)[near].mean() < 0.7 * hard


def test_holes_stay_open_and_hairs_stay() -> None:
    front, back = textures()
    truth = supersampled(ring)
    found = matted(over(truth, front, back), as_a_network_sees(truth)).alpha / 255
    assert found[HEIGHT // 2, WIDTH // 2] == 0  # the disc's
    assert found[HEIGHT // 2, WIDTH // 2 + 60] < 0.5  # the handle's
    truth = supersampled(hairy)
    found = matted(over(truth, front, back), as_a_network_sees(truth)).alpha / 255
    tips = (truth > 0.7) & (np.hypot(*(np.indices(truth.shape) - np.array([80, 100])[:, None, None])) > 53)
    assert found[tips].mean() > 0.4


def test_nothing_of_the_old_background_travels_along() -> None:
    truth = cv2.GaussianBlur(supersampled(disc), (0, 0), 1.5)
    front, back = textures()
    found = matted(over(truth, front, back), as_a_network_sees(truth))
    new = np.full_like(front, (20, 230, 40))
    expected = over(truth, front, new).astype(float)
    near = (truth > 0.02) & (truth < 0.98)
    alpha = (found.alpha / 255).astype(np.float32)
    soft = over(alpha, found.foreground.astype(np.float32), new)
    hard = over((truth > 0.5).astype(np.float32), over(truth, front, back).astype(np.float32), new)
    error, before = (np.abs(each - expected)[near].mean() for each in (soft, hard))
    assert error < 12
    assert error < 0.5 * before


def test_colours_differ_from_the_photo_only_where_pixels_are_mixed() -> None:
    truth = supersampled(hairy)
    picture = over(truth, *textures())
    found = matted(picture, as_a_network_sees(truth))
    mixed = (found.alpha > 0) & (found.alpha < 255)
    assert mixed.any()
    np.testing.assert_array_equal(found.foreground[~mixed], picture[~mixed])
    np.testing.assert_array_equal(found.owner >= 0, found.alpha > 0)
    shares = found.alpha[found.alpha > 0] / 255
    assert shares.min() >= MIN_ALPHA - 1 / 255
    assert not ((shares > FULL_ALPHA + 1 / 255) & (shares < 1)).any()


def test_the_same_photo_gives_the_same_bytes() -> None:
    truth = supersampled(hairy)
    picture, chances = over(truth, *textures()), as_a_network_sees(truth)
    one, two = (matted(picture, chances) for _ in range(2))
    for name in ("owner", "alpha", "foreground"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (32, 32), (1500, 2000)], ids=str)
@pytest.mark.parametrize("kind", ["flat", "grey", "noise"])
def test_any_photo_has_an_outline_near_the_hard_one(size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    picture = np.full((*size, 3), 128, np.uint8)
    if kind != "flat":
        picture[:] = rng.integers(0, 256, (*size, 1 if kind == "grey" else 3), dtype=np.uint8)
    chances = np.full((2, 32, 32), 0.02, np.float32)
    chances[0, 8:24, 8:24], chances[1, 8:24, 24:30] = 0.95, 0.9
    owner = cv2.resize(
        np.where(chances[0] > 0.5, 0, np.where(chances[1] > 0.5, 1, -1)).astype(np.float32),
        size[::-1],
        interpolation=cv2.INTER_NEAREST,
    ).astype(np.int32)
    found = mattes(picture, chances, owner)
    assert found.alpha.shape == found.owner.shape == size
    if min(size) >= 32:
        hard = found.alpha >= 128
        assert ((owner >= 0) & hard).sum() > 0.75 * ((owner >= 0) | hard).sum()


def test_a_photo_beyond_the_working_size_keeps_its_own_edges() -> None:
    times = 12
    truth = cv2.GaussianBlur(supersampled(disc), (0, 0), 0.5)
    large = cv2.resize(truth, (WIDTH * times, HEIGHT * times), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    large = np.clip((large - 0.5) * 8 + 0.5, 0, 1).astype(np.float32)
    front, back = (
        np.full((*large.shape, 3), colour, np.float32) for colour in ((200, 60, 50), (40, 90, 160))
    )
    found = matted(over(large, front, back), as_a_network_sees(truth))
    near = cv2.dilate(((large > 0.02) & (large < 0.98)).astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(found.alpha / 255 - large)[near].mean() < 0.04
