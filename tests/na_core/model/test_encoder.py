"""What the encoder sees: photos with what does not count painted grey."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.model.encoder import (
    GREY,
    IMAGENET_MEAN,
    IMAGENET_STD,
    background_pictures,
    encode_features,
    greyed,
    object_pictures,
    union_mask,
)
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Frame
from na_core.tensors.views import source_views
from tests.na_core.studio import Studio, batch_of, build_studio

WIDTH, HEIGHT = 20, 10


def union(*rectangles: tuple[float, float, float, float]) -> Tensor:
    tensor = torch.tensor(rectangles, dtype=torch.float64).reshape(-1, 4)
    return union_mask(tensor, torch.ones(len(tensor), dtype=torch.bool), WIDTH, HEIGHT)


class TestRectangles:
    def test_edges_are_rounded_and_half_open(self) -> None:
        expected = torch.zeros((HEIGHT, WIDTH), dtype=torch.bool)
        expected[3:7, 2:10] = True
        # Columns 2.4 to 9.6, rows 2.6 to 7.4.
        assert torch.equal(union((0.12, 0.26, 0.48, 0.74)), expected)

    def test_a_label_on_pixel_edges_is_exact(self) -> None:
        found = union((3 / 20, 1 / 10, 7 / 20, 9 / 10))
        assert found[1:9, 3:7].all()
        assert found.sum() == 8 * 4

    def test_rectangles_together_are_their_union(self) -> None:
        assert union((0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 1.0, 1.0)).all()
        pair = (0.0, 0.0, 0.3, 0.3), (0.5, 0.5, 1.0, 1.0)
        assert torch.equal(union(*pair), union(pair[0]) | union(pair[1]))

    def test_no_rectangles_are_nothing(self) -> None:
        assert not union().any()

    def test_a_rectangle_that_does_not_count_is_not_there(self) -> None:
        pair = torch.tensor([[0.0, 0.0, 0.3, 0.3], [0.5, 0.5, 1.0, 1.0]], dtype=torch.float64)
        found = union_mask(pair, torch.tensor([True, False]), WIDTH, HEIGHT)
        assert torch.equal(found, union((0.0, 0.0, 0.3, 0.3)))

    def test_what_is_not_kept_is_grey_and_the_photo_stays_as_it_is(self) -> None:
        photo = torch.randint(0, 256, (HEIGHT, WIDTH, 3), dtype=torch.uint8)
        before, kept = photo.clone(), union((0.0, 0.0, 0.5, 0.5))
        found = greyed(photo, kept)
        assert torch.equal(found[:, kept], photo[kept].T.float() / 255)
        assert (found[:, ~kept] == GREY).all()
        assert torch.equal(photo, before)


class TestFrames:
    """Every photo of a frame, as the encoder sees it in training."""

    @pytest.fixture
    def guest(self) -> Studio:
        return build_studio([box_matrix((0.2, 3.5, 0.4), (0.6, 0.5, 0.8))], seed=9)

    @pytest.fixture
    def frame(self, studio: Studio, guest: Studio) -> Frame:
        """The left block, gone the right one, and one of another photo."""
        frame = studio.frame({1: None})
        return replace(frame, assets=(*frame.assets, *guest.frame().assets))

    @pytest.fixture
    def pictures(self, studio: Studio, guest: Studio) -> Tensor:
        return torch.from_numpy(np.stack([studio.photo, guest.photo]))

    def test_of_a_photo_only_its_own_assets_are_seen(
        self, frame: Frame, pictures: Tensor, studio: Studio, guest: Studio
    ) -> None:
        found = object_pictures(batch_of(frame), pictures)[0]
        for view, asset in enumerate((studio.assets[0], guest.assets[0])):
            kept = union_mask(torch.tensor([asset.source_box_2d]), torch.tensor([True]), 64, 64)
            torch.testing.assert_close(found[view], greyed(pictures[view], kept))

    def test_an_asset_that_is_not_shown_is_grey_even_within_another(self, studio: Studio) -> None:
        overlapping = replace(studio.assets[1], source_box_2d=studio.assets[0].source_box_2d)
        batch = batch_of(studio.frame(assets=[studio.assets[0], overlapping]))
        shown = replace(batch, shown=torch.tensor([[True, False]]))
        found = object_pictures(shown, torch.from_numpy(studio.photo)[None])[0, 0]
        assert (found == GREY).all()

    def test_of_the_background_all_hidden_boxes_bounds_are_grey(
        self, frame: Frame, pictures: Tensor, studio: Studio
    ) -> None:
        found = background_pictures(batch_of(frame), pictures)[0]
        bounds = torch.tensor([bounds_2d(studio.camera, a.source_box) for a in studio.assets])
        hidden = union_mask(bounds, torch.tensor([True, True]), 64, 64)
        torch.testing.assert_close(found, greyed(pictures[0], ~hidden))

    def test_rendering_and_training_encode_the_same_pictures(
        self,
        frame: Frame,
        pictures: Tensor,
        studio: Studio,
        guest: Studio,
        guided: NeuralAssetsPipeline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        encoded: list[Tensor] = []

        def encode(encoder: object, pictures: Tensor) -> Tensor:
            encoded.append(pictures)
            return encode_features(guided.encoder, pictures)

        monkeypatch.setattr("na_core.model.tokens.encode_features", encode)
        guided.clear_cache()
        batch = batch_of(frame)
        guided.tokens.of(source_views(frame), studio.photos | guest.photos, batch)
        expected = torch.cat([object_pictures(batch, pictures)[0], background_pictures(batch, pictures)])
        torch.testing.assert_close(torch.cat(encoded), expected)


class TestFeatures:
    def test_pictures_are_normalised_and_fitted_to_the_encoder(
        self, guided: NeuralAssetsPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Tensor] = []
        forward = guided.encoder.forward

        def look(pictures: Tensor) -> object:
            seen.append(pictures)
            return forward(pictures)

        monkeypatch.setattr(guided.encoder, "forward", look)
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        with torch.no_grad():
            features = encode_features(guided.encoder, (mean + 2 * std).expand(2, 3, 64, 48))
        side, patch = guided.encoder.config.image_size, guided.encoder.config.patch_size
        torch.testing.assert_close(seen[0], torch.full((2, 3, side, side), 2.0))
        assert features.shape == (2, side // patch, side // patch, guided.encoder.config.hidden_size)

    def test_a_cell_is_of_its_own_place(self, guided: NeuralAssetsPipeline) -> None:
        """Row by row, as the picture is, without the class token."""
        side, patch = guided.encoder.config.image_size, guided.encoder.config.patch_size
        pictures = torch.full((2, 3, side, side), 0.5)
        pictures[1, :, patch : 2 * patch, 2 * patch : 3 * patch] = 1
        with torch.no_grad():
            plain, spot = encode_features(guided.encoder, pictures)
        change = (spot - plain).norm(dim=-1)
        assert divmod(int(change.argmax()), side // patch) == (1, 2)
