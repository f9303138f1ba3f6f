"""Frames and photos in, pictures out: reproducible, of any size, in any company."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.proxy import proxy_picture
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline, RenderCancelled, to_bytes
from na_core.scene import Asset, Frame, Photo, Sampling

if TYPE_CHECKING:
    from tests.na_core.model.conftest import Studio

Make = Callable[..., NeuralAssetsPipeline]
Image = NDArray[np.uint8]


def sampling(
    steps: int = 2, seed: int = 0, size: tuple[int, int] = (64, 64), guidance: float = 1.0
) -> Sampling:
    return Sampling(steps, guidance, seed, "custom", *size)


def difference(first: Image, second: Image) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def proxy_of(studio: Studio, frame: Frame) -> Image:
    return to_bytes(proxy_picture(frame, studio.pictures, 64, 64).picture)


@pytest.fixture(params=["guided", "paper"])
def pipeline(request: pytest.FixtureRequest) -> NeuralAssetsPipeline:
    found: NeuralAssetsPipeline = request.getfixturevalue(request.param)
    return found


class TestReproducible:
    def test_a_saved_pipeline_gives_identical_pictures(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame, tmp_path: Path
    ) -> None:
        pipeline.save_pretrained(tmp_path, safe_serialization=True)
        loaded = NeuralAssetsPipeline.from_pretrained(tmp_path, local_files_only=True)
        before, after = (p([moved_frame], studio.photos, sampling()).images for p in (pipeline, loaded))
        np.testing.assert_array_equal(before, after)
        assert dict(loaded.config)["preset"] == pipeline.config.preset

    def test_switches_and_the_residuals_scale_are_saved(self, tiny: Make, tmp_path: Path) -> None:
        pipeline = tiny()
        pipeline.register_to_config(residual_scale=0.37, detail_transfer=False)
        pipeline.save_pretrained(tmp_path)
        config = NeuralAssetsPipeline.from_pretrained(tmp_path, local_files_only=True).config
        assert config.residual_scale == 0.37
        assert config.detail_transfer is False

    def test_the_seed_decides(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        first, again, other = (
            pipeline([moved_frame], studio.photos, sampling(seed=seed)).images for seed in (5, 5, 6)
        )
        np.testing.assert_array_equal(first, again)
        assert difference(first, other) > 2

    def test_the_cache_changes_nothing(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        guided.clear_cache()
        cold = guided([moved_frame], studio.photos, sampling()).images
        warm = guided([moved_frame], studio.photos, sampling()).images
        np.testing.assert_array_equal(cold, warm)

    def test_what_else_is_in_the_batch_does_not_matter(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        frames = [moved_frame, studio.frame({1: None}), studio.frame({0: None, 1: None}), studio.frame()]
        together = pipeline(frames, studio.photos, sampling(), batch_size=4).images
        alone = pipeline(frames, studio.photos, sampling(), batch_size=1).images
        assert together.shape == (4, 64, 64, 3)
        assert difference(together, alone) <= 1

    def test_every_input_counts(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        """Appearance and pose reach the picture through the tokens alone."""

        def predicted(frame: Frame, photos: dict[str, Image]) -> torch.Tensor:
            from na_core.model.conditioning import conditions

            pictures = {k: v.astype(np.float32) / 255 for k, v in photos.items()}
            guided = pipeline.config.preset == "guided"
            c = conditions(frame, pictures, 64, 64, factor=8, guided=guided)
            pipeline.clear_cache()
            return pipeline.batch([frame], [c], pictures).tokens

        base = predicted(moved_frame, studio.photos)
        turned = replace(
            moved_frame,
            assets=(
                replace(moved_frame.assets[0], box=studio.assets[1].source_box),
                moved_frame.assets[1],
            ),
        )
        assert not torch.allclose(base, predicted(turned, studio.photos))
        inverted = {name: 255 - photo for name, photo in studio.photos.items()}
        assert not torch.allclose(base, predicted(moved_frame, inverted))
        pipeline.clear_cache()


class TestProxy:
    def test_no_steps_give_the_proxy(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        image = pipeline([moved_frame], studio.photos, sampling(0)).images[0]
        np.testing.assert_array_equal(image, proxy_of(studio, moved_frame))

    def test_one_step_of_an_untrained_guided_pipeline_gives_the_proxy(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        image = tiny(trained=False)([moved_frame], studio.photos, sampling(1)).images[0]
        assert difference(image, proxy_of(studio, moved_frame)) <= 1

    def test_in_bfloat16_as_well(self, tiny: Make, studio: Studio, moved_frame: Frame) -> None:
        pipeline = tiny(trained=False).to(torch.bfloat16)
        image = pipeline([moved_frame], studio.photos, sampling(1)).images[0]
        assert difference(image, proxy_of(studio, moved_frame)) <= 1

    def test_an_unmoved_frame_is_its_photo(self, guided: NeuralAssetsPipeline, studio: Studio) -> None:
        image = guided([studio.frame()], studio.photos, sampling(0)).images[0]
        np.testing.assert_array_equal(image, studio.photo)


class TestSizes:
    @pytest.mark.parametrize("size", [(100, 75), (64, 48), (33, 17), (8, 8), (1, 1)])
    def test_any_size_is_rendered_and_cropped(
        self, size: tuple[int, int], guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        images = guided([moved_frame], studio.photos, sampling(1, size=size)).images
        assert images.shape == (1, size[1], size[0], 3)
        assert images.dtype == np.uint8

    def test_paper_renders_any_size(
        self, paper: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        assert paper([moved_frame], studio.photos, sampling(1, size=(50, 70))).images.shape == (1, 70, 50, 3)

    def test_what_has_not_moved_keeps_the_photo_s_pixels(self, tiny: Make, studio: Studio) -> None:
        frame = studio.frame({0: None})
        keeping, free = tiny("guided"), tiny("guided")
        free.register_to_config(keep_unmoved=False)
        sampling = Sampling(steps=1, preset="custom", width=64, height=64)
        kept = keeping([frame], studio.photos, sampling).images[0]
        loose = free([frame], studio.photos, sampling).images[0]
        other = proxy_picture(frame, studio.pictures, 64, 64).boxes.index == 0
        assert other.sum() > 20
        np.testing.assert_array_equal(kept[other], studio.photo[other])
        assert (loose[other] != studio.photo[other]).any()
        assert (kept != studio.photo).any()

    def test_trust_in_the_proxy_withholds_its_share_of_the_correction(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        sampling = Sampling(steps=1, preset="custom", width=64, height=64)
        proxy = proxy_picture(moved_frame, studio.pictures, 64, 64)
        corrections = []
        for trust in (0.0, 0.5):
            pipeline = tiny("guided")
            pipeline.register_to_config(keep_unmoved=False, proxy_trust=trust, residual_scale=0.3)
            picture = pipeline([moved_frame], studio.photos, sampling).images[0].astype(np.float32) / 255
            corrections.append(picture - proxy.picture)
        full, half = corrections
        inner = ((proxy.picture > 0.3) & (proxy.picture < 0.7) & (np.abs(full) < 0.25)).all(axis=-1)
        seen, guessed = inner & proxy.validity, inner & ~proxy.validity
        assert seen.sum() > 20 and guessed.sum() > 20
        np.testing.assert_allclose(half[seen], full[seen] / 2, atol=1.5 / 255)
        np.testing.assert_allclose(half[guessed], full[guessed], atol=1.5 / 255)

    def test_padding_leaves_an_unmoved_photo_as_it_is(
        self, guided: NeuralAssetsPipeline, make_studio: Callable[..., Studio]
    ) -> None:
        room = make_studio([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8))], width=100, height=75)
        image = guided([room.frame()], room.photos, sampling(0, size=(100, 75))).images[0]
        np.testing.assert_array_equal(image, room.photo)

    def test_the_photo_may_have_another_shape(
        self, guided: NeuralAssetsPipeline, make_studio: Callable[..., Studio]
    ) -> None:
        room = make_studio([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8))], width=90, height=40)
        assert guided([room.frame()], room.photos, sampling(1)).images.shape == (1, 64, 64, 3)

    @pytest.mark.parametrize("size", [(100, 100), (8000, 6250), (3, 900)])
    def test_photos_from_a_thumbnail_to_fifty_megapixels(
        self, size: tuple[int, int], guided: NeuralAssetsPipeline, make_studio: Callable[..., Studio]
    ) -> None:
        room = make_studio([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8))], width=size[0], height=size[1])
        moved = room.frame({0: box_matrix((0.3, 4, 0.4), (0.7, 0.5, 0.8))})
        assert guided([moved], room.photos, sampling(1)).images.shape == (1, 64, 64, 3)

    def test_a_large_photo_is_fitted_to_the_picture(
        self, guided: NeuralAssetsPipeline, make_studio: Callable[..., Studio]
    ) -> None:
        room = make_studio([box_matrix((0, 4, 0.4), (0.7, 0.5, 0.8))], width=256, height=256)
        image = guided([room.frame()], room.photos, sampling(0)).images[0]
        small = PIL.Image.fromarray(room.photo).resize((64, 64), PIL.Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(image, np.asarray(small))


class TestContents:
    def test_no_assets(self, pipeline: NeuralAssetsPipeline, studio: Studio) -> None:
        empty = studio.frame({0: None, 1: None})
        assert pipeline([empty], studio.photos, sampling()).images.shape == (1, 64, 64, 3)

    def test_no_frames(self, guided: NeuralAssetsPipeline, studio: Studio) -> None:
        assert len(guided([], studio.photos, sampling()).images) == 0

    def test_a_removed_asset_leaves_the_background(
        self, guided: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        with_it, without = (
            guided([frame], studio.photos, sampling(0)).images[0]
            for frame in (studio.frame(), studio.frame({1: None}))
        )
        x0, y0, x1, y1 = (round(v * 64) for v in studio.assets[1].source_box_2d)
        inside = np.zeros((64, 64), bool)
        inside[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = True
        assert difference(with_it[~inside], without[~inside]) == 0
        assert difference(with_it[inside], without[inside]) > 10

    def test_an_asset_from_a_second_photo(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, make_studio: Callable[..., Studio]
    ) -> None:
        other = make_studio([box_matrix((0.2, 3.5, 0.4), (0.6, 0.5, 0.8))], width=80, height=60, seed=9)
        guest: Asset = other.assets[0]
        frame = studio.frame({2: box_matrix((0, 4, 0.4), (0.6, 0.5, 0.8))}, assets=[*studio.assets, guest])
        photos = studio.photos | other.photos
        both = pipeline([frame], photos, sampling()).images
        assert both.shape == (1, 64, 64, 3)
        assert difference(both[0], pipeline([studio.frame()], studio.photos, sampling()).images[0]) > 0

    def test_only_assets_of_a_second_photo(
        self, guided: NeuralAssetsPipeline, studio: Studio, make_studio: Callable[..., Studio]
    ) -> None:
        other = make_studio([box_matrix((0.2, 3.5, 0.4), (0.6, 0.5, 0.8))], seed=9)
        frame = studio.frame(assets=other.assets)
        photos = studio.photos | other.photos
        images = guided([frame, studio.frame()], photos, sampling(), batch_size=2).images
        alone = guided([frame], photos, sampling()).images
        assert difference(images[0], alone[0]) <= 1

    @pytest.mark.parametrize("count", [0, 1, 24, 40])
    def test_any_number_of_assets(self, count: int, pipeline: NeuralAssetsPipeline, studio: Studio) -> None:
        many = [studio.assets[i % 2] for i in range(count)]
        places = {i: box_matrix((-1 + i % 6 * 0.4, 4 + i // 6, 0.4), (0.3, 0.3, 0.8)) for i in range(count)}
        images = pipeline([studio.frame(places, assets=many)], studio.photos, sampling()).images
        assert images.shape == (1, 64, 64, 3)

    @pytest.mark.parametrize(
        "box",
        {
            "touching": box_matrix((0.05, 4.1, 0.4), (0.7, 0.5, 0.8)),
            "hidden behind the other": box_matrix((1.2, 7.5, 0.2), (0.3, 0.3, 0.3)),
            "cut by the frame": box_matrix((-2.0, 4.0, 0.4), (0.7, 0.5, 0.8)),
            "beside the picture": box_matrix((-9.0, 4.0, 0.4), (0.7, 0.5, 0.8)),
            "tiny": box_matrix((0, 4.0, 0.001), (0.002, 0.002, 0.002)),
            "flat": box_matrix((0, 4.0, 0.0), (0.7, 0.5, 1e-9)),
            "filling the picture": box_matrix((0, 1.2, 1.4), (1.8, 0.6, 2.8)),
            "around the camera": box_matrix((0, 0, 1.5), (3, 3, 3)),
            "behind the camera": box_matrix((0, -4.0, 0.4), (0.7, 0.5, 0.8)),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_assets_wherever_they_are(
        self, box: tuple[str, np.ndarray], pipeline: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        images = pipeline([studio.frame({0: box[1]})], studio.photos, sampling()).images
        assert images.shape == (1, 64, 64, 3)

    def test_duplicates_of_an_asset(self, pipeline: NeuralAssetsPipeline, studio: Studio) -> None:
        many = [studio.assets[0]] * 6
        places = {i: box_matrix((-1 + i * 0.4, 4 + i, 0.4), (0.7, 0.5, 0.8)) for i in range(6)}
        images = pipeline([studio.frame(places, assets=many)], studio.photos, sampling()).images
        assert images.shape == (1, 64, 64, 3)

    def test_a_missing_photo_is_named(self, guided: NeuralAssetsPipeline, studio: Studio) -> None:
        with pytest.raises(KeyError, match=studio.name.sha256):
            guided([studio.frame()], {}, sampling())
        stranger = replace(studio.assets[0], photo=Photo("f" * 64))
        with pytest.raises(KeyError, match="f" * 64):
            guided([studio.frame(assets=[stranger])], studio.photos, sampling())


class TestGuidance:
    def test_guidance_one_runs_the_conditional_branch_alone(
        self,
        pipeline: NeuralAssetsPipeline,
        studio: Studio,
        moved_frame: Frame,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        calls = []
        predict = pipeline.predict
        monkeypatch.setattr(pipeline, "predict", lambda *a: calls.append(1) or predict(*a))
        one = pipeline([moved_frame], studio.photos, sampling(3)).images
        assert len(calls) == 3
        two = pipeline([moved_frame], studio.photos, sampling(3, guidance=2.0)).images
        assert len(calls) == 9
        assert difference(one, two) > 0

    def test_guidance_zero_is_the_unconditional_branch(
        self, paper: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        """Without any condition two frames are one picture; ``paper`` has no other way in."""
        frames = [moved_frame, studio.frame()]
        images = paper(frames, studio.photos, sampling(guidance=0.0)).images
        assert difference(images[0], images[1]) == 0


class TestCallback:
    def test_steps_are_counted_over_all_batches(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        seen: list[tuple[int, int]] = []
        frames = [moved_frame, studio.frame(), moved_frame]
        guided(frames, studio.photos, sampling(3), lambda s, n, _: seen.append((s, n)), batch_size=2)
        assert seen == [(i, 6) for i in range(1, 7)]

    def test_no_steps_count_as_one(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        seen: list[tuple[int, int]] = []
        guided([moved_frame] * 2, studio.photos, sampling(0), lambda s, n, _: seen.append((s, n)))
        assert seen == [(1, 2), (2, 2)]

    @pytest.mark.parametrize("steps", [0, 2])
    def test_a_preview_is_a_picture_of_the_right_size(
        self, steps: int, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        previews: list[Image] = []
        out = guided(
            [moved_frame],
            studio.photos,
            sampling(steps, size=(50, 40)),
            lambda s, n, preview: previews.append(preview()),
        )
        assert all(p.shape == (40, 50, 3) and p.dtype == np.uint8 for p in previews)
        np.testing.assert_array_equal(previews[-1], out.images[0])

    def test_cancelling_ends_at_once(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        seen: list[int] = []

        def cancel(step: int, total: int, preview: object) -> None:
            seen.append(step)
            if step == 2:
                raise RenderCancelled

        with pytest.raises(RenderCancelled):
            guided([moved_frame], studio.photos, sampling(8), cancel)
        assert seen == [1, 2]


class TestPrecision:
    @pytest.mark.parametrize("preset", ["guided", "paper"])
    def test_bfloat16_runs_on_the_cpu(
        self, preset: str, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        exact = tiny(preset)([moved_frame], studio.photos, sampling()).images
        rough = tiny(preset).to(torch.bfloat16)([moved_frame], studio.photos, sampling(guidance=1)).images
        assert rough.shape == exact.shape
        assert np.abs(exact.astype(int) - rough.astype(int)).mean() < 4

    def test_guidance_runs_in_bfloat16(self, tiny: Make, studio: Studio, moved_frame: Frame) -> None:
        pipeline = tiny().to(torch.bfloat16)
        images = pipeline([moved_frame], studio.photos, sampling(guidance=2.0)).images
        assert images.shape == (1, 64, 64, 3)

    def test_changing_the_precision_forgets_cached_features(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        pipeline = tiny()
        pipeline([moved_frame], studio.photos, sampling())
        pipeline.to(torch.bfloat16)
        assert pipeline([moved_frame], studio.photos, sampling()).images.shape == (1, 64, 64, 3)


@pytest.fixture(scope="module")
def relieved(tiny: Make) -> NeuralAssetsPipeline:
    return tiny(relief=True)


class TestRelief:
    def test_the_proxy_of_a_frame_in_which_nothing_moved_is_the_photo(
        self, relieved: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        (picture,) = relieved([studio.frame()], studio.photos, sampling(steps=0)).images
        np.testing.assert_array_equal(picture, studio.photo)

    def test_it_is_saved_and_loaded(
        self, relieved: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame, tmp_path: Path
    ) -> None:
        relieved.save_pretrained(tmp_path, safe_serialization=True)
        loaded = load_checkpoint(tmp_path)
        before, after = (p([moved_frame], studio.photos, sampling()).images for p in (relieved, loaded))
        np.testing.assert_array_equal(before, after)
        boxes = proxy_of(studio, moved_frame)
        assert difference(loaded([moved_frame], studio.photos, sampling(steps=0)).images[0], boxes) > 2

    def test_a_photo_is_looked_at_once(
        self, relieved: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        assert relieved.relief is not None
        relieved.clear_cache()
        calls: list[None] = []
        handle = relieved.relief.register_forward_hook(lambda *_: calls.append(None))
        for frame in (studio.frame(), moved_frame, studio.frame()):
            relieved([frame], studio.photos, sampling())
        handle.remove()
        assert len(calls) == 1

    def test_a_removed_objects_place_is_filled(self, relieved: NeuralAssetsPipeline, studio: Studio) -> None:
        (picture,) = relieved([studio.frame({0: None})], studio.photos, sampling(steps=0)).images
        assert difference(picture, studio.photo) > 2

    def test_the_paper_has_none(self, tiny: Make) -> None:
        assert tiny("paper", relief=True).relief is None
