"""What artists paint takes the place of what is found, as it is, at any size."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.layers.layers import Layers
from na_core.layers.matting import MIN_ALPHA, unmixed_colours
from na_core.layers.painted import Outlines, Painted, painted_of, repainted, shadow_logarithm
from na_core.layers.photo_network import DARKEST, PhotoNetwork
from na_core.layers.take_apart import FILLED_BOXES, TakingApart, take_apart
from na_core.scene import Frame, Photo
from na_core.tensors.views import SourceView, source_views
from tests.na_core.studio import Image, Studio, composed, proxy_of

LEAST = round(255 * MIN_ALPHA)


def disc(side: int, x: float, y: float, radius: float) -> Image:
    """Paint a soft disc; all in shares of the side."""
    down, across = (np.mgrid[:side, :side] + 0.5) / side
    inside = (radius - np.hypot(across - x, down - y)) * side / 3 + 0.5
    grey = np.rint(255 * inside.clip(0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def name_of(picture: Image) -> Photo:
    return Photo(sha256(picture.tobytes()).hexdigest())


def with_layers(
    studio: Studio, frame: Frame, **layers: Image | dict[int, Image]
) -> tuple[Frame, dict[str, Image]]:
    """Return a frame with painted layers of its background, and all pictures of it."""
    photos = dict(studio.photos)
    count = len(frame.background.hidden_boxes)
    changes: dict[str, object] = {}
    for kind, painted in layers.items():
        pictures = [painted] if isinstance(painted, np.ndarray) else list(painted.values())
        photos |= {name_of(picture).sha256: picture for picture in pictures}
        if isinstance(painted, np.ndarray):
            changes[kind] = name_of(painted)
        else:
            changes[kind] = tuple(name_of(painted[n]) if n in painted else None for n in range(count))
    return replace(frame, background=replace(frame.background, **changes)), photos  # type: ignore[arg-type]


def taken_apart(studio: Studio, how: TakingApart, painted: Painted) -> Layers:
    return take_apart(studio.views(), how, [painted])


class TestOutlines:
    def test_alpha_is_used_as_it_was_painted(self, studio: Studio, network: PhotoNetwork) -> None:
        outline = disc(64, 0.4, 0.6, 0.2)[..., 0]
        layers = taken_apart(studio, TakingApart(network, 64), Painted({0: outline}))
        own = layers.owner[0].numpy() == 0
        np.testing.assert_array_equal(own, outline >= LEAST)
        np.testing.assert_array_equal(layers.alpha[0].numpy()[own], outline[own])
        np.testing.assert_array_equal(layers.cover[0].numpy() == 0, own)
        assert (layers.surfaces.near[0].numpy()[own] > 0).all()

    def test_the_other_objects_stay_as_they_were_found(self, studio: Studio, network: PhotoNetwork) -> None:
        how = TakingApart(network, 64)
        before, after = (
            taken_apart(studio, how, painted)
            for painted in (Painted(), Painted({0: disc(64, 0.2, 0.6, 0.1)[..., 0]}))
        )
        own = after.owner == 0
        for name in ("owner", "alpha", "foreground"):
            one, other = getattr(before, name), getattr(after, name)
            assert torch.equal(one[~own & (before.owner == 1)], other[~own & (before.owner == 1)])
        assert (after.owner[~own] != 0).all()

    def test_without_a_network_it_cuts_boxes(self, studio: Studio) -> None:
        outline = disc(64, 0.3, 0.6, 0.15)[..., 0]
        layers = taken_apart(studio, FILLED_BOXES, Painted({0: outline}))
        own = layers.owner[0].numpy() == 0
        np.testing.assert_array_equal(own, outline >= 128)
        assert (layers.alpha[0].numpy()[own] == 255).all()
        assert (layers.surfaces.near[0].numpy()[own] > 0).all()

    def test_of_two_that_were_painted_the_one_that_covers_more_wins(self) -> None:
        nothing = np.full((4, 4), -1, np.int32)
        found = Outlines(nothing, nothing, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8))
        one, other = np.full((4, 4), 100, np.uint8), np.full((4, 4), 200, np.uint8)
        other[0] = 50
        made = repainted(found.foreground, found, {0: one, 1: other}, soft=True)
        assert (made.owner[0] == 0).all()
        assert (made.owner[1:] == 1).all()
        np.testing.assert_array_equal(made.alpha, np.maximum(one, other))

    def test_black_takes_the_object_out_of_the_picture(self, studio: Studio, network: PhotoNetwork) -> None:
        layers = taken_apart(studio, TakingApart(network, 64), Painted({0: np.zeros((64, 64), np.uint8)}))
        assert (layers.owner != 0).all()
        assert (layers.cover != 0).all()

    def test_an_unmoved_photo_is_still_itself(self, studio: Studio, network: PhotoNetwork) -> None:
        frame, photos = with_layers(studio, studio.frame(), outlines={0: disc(64, 0.35, 0.6, 0.2)})
        _, _, passes = composed(frame, photos, 64, 64, TakingApart(network, 64))
        shown = (255 * passes.proxy[0]).round().permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(shown, studio.photo)

    def test_colours_at_a_rim_are_without_what_is_behind(self) -> None:
        alpha = disc(64, 0.5, 0.5, 0.3)[..., 0]
        share = alpha[..., None] / 255
        picture = np.rint(share * (200, 40, 40) + (1 - share) * (30, 60, 220)).astype(np.uint8)
        rim = (alpha > 20) & (alpha < 250)
        unmixed = unmixed_colours(picture, alpha)
        assert np.abs(unmixed[rim].astype(int) - (200, 40, 40)).max() < 12
        np.testing.assert_array_equal(unmixed[~((alpha > 0) & (alpha < 255))], picture[alpha % 255 == 0])


class TestShadows:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 253))
    def test_light_is_multiplied_by_what_was_painted(self, level: int) -> None:
        factor = np.exp(shadow_logarithm(np.full((1, 1, 3), level, np.uint8), DARKEST))
        share = level / 255
        linear = share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        np.testing.assert_allclose(factor, max(linear, np.exp(DARKEST)), rtol=1e-4)

    def test_white_is_none(self) -> None:
        assert not shadow_logarithm(np.full((2, 2, 3), 255, np.uint8), DARKEST).any()

    @pytest.mark.parametrize("with_network", [False, True])
    def test_it_is_thrown_by_its_object_alone(
        self, studio: Studio, network: PhotoNetwork, with_network: bool
    ) -> None:
        image = np.full((64, 64, 3), 255, np.uint8)
        image[40:50, 10:30] = 128
        how = TakingApart(network, 64) if with_network else FILLED_BOXES
        layers = taken_apart(studio, how, Painted(shadows={1: image}))
        np.testing.assert_array_equal(layers.shadow_owner[0].numpy() == 1, image[..., 0] < 255)
        assert (layers.shadow[0, 40:50, 10:30] < -1).all()


class TestPlates:
    def test_where_an_object_was_the_painted_plate_shows(self, studio: Studio) -> None:
        plate = np.full((64, 64, 3), (10, 200, 30), np.uint8)
        gone = studio.frame({0: None, 1: None})
        frame, photos = with_layers(studio, gone, plate=plate)
        shown = proxy_of(frame, photos)
        was = take_apart(studio.views()).owner[0].numpy() >= 0
        np.testing.assert_array_equal(shown[was], plate[was])
        far = ~was & (np.abs(shown.astype(int) - studio.photo).max(axis=-1) == 0)
        assert far.sum() > 500  # elsewhere it is the photo

    def test_a_plate_of_another_size_is_stretched_over_the_photo(self, studio: Studio) -> None:
        small = np.zeros((16, 32, 3), np.uint8)
        small[:, 16:] = 255
        frame, photos = with_layers(studio, studio.frame(), plate=small)
        painted = painted_of(source_views(frame)[0], photos)
        assert painted.plate is not None
        assert painted.plate.shape == (64, 64, 3)
        assert painted.plate[:, :30].max() == 0
        assert painted.plate[:, 34:].min() == 255


def test_what_the_background_says_counts_else_the_asset(studio: Studio) -> None:
    one, other, shade = (disc(8, x, 0.5, 0.2) for x in (0.2, 0.4, 0.6))
    assets = [
        replace(studio.assets[0], outline=name_of(other), shadow_image=name_of(shade)),
        studio.assets[1],
    ]
    frame, _ = with_layers(studio, studio.frame(assets=assets), outlines={0: one})
    (view,) = source_views(frame)
    assert view.outlines == (name_of(one).sha256, None)
    assert view.shadow_images == (name_of(shade).sha256, None)
    assert [photo.sha256 for photo in frame.photos()] == [
        studio.name.sha256,
        name_of(one).sha256,
        name_of(other).sha256,
        name_of(shade).sha256,
    ]


def test_an_object_that_is_gone_leaves_along_its_painted_outline(studio: Studio) -> None:
    outline = disc(64, 0.3, 0.6, 0.1)
    frame, photos = with_layers(studio, studio.frame({0: None, 1: None}), outlines={0: outline})
    view = source_views(frame)[0]
    painted = painted_of(view, photos)
    np.testing.assert_array_equal(painted.outlines[0], outline[..., 0])
    assert 1 not in painted.outlines


def test_a_picture_that_is_missing_is_named(studio: Studio) -> None:
    view = SourceView(studio.name.sha256, studio.camera, (), (), plate="f" * 64)
    with pytest.raises(KeyError, match="ffff"):
        painted_of(view, studio.photos)
