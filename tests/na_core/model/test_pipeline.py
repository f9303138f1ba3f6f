"""Frames and photos in, pictures out: reproducible, of any size, in any company."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.layers.photo_network import CELL, SPLIT
from na_core.layers.take_apart import LOOKS, TakingApart
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline, RenderCancelled
from na_core.model.working_size import at_output_size
from na_core.scene import MAX_FOCAL, Asset, Box, Camera, Frame, Photo, Sampling
from na_core.tensors.views import source_views
from tests.na_core.reference import nearest_boxes
from tests.na_core.studio import (
    LEFT,
    RIGHT,
    Image,
    Studio,
    batch_of,
    build_studio,
    by_area,
    composed,
    passes_of,
    proxy_of,
    psnr,
    smooth_photo,
    studio_of,
)

Make = Callable[..., NeuralAssetsPipeline]
Mask = NDArray[np.bool_]


def sampling(
    steps: int = 2, seed: int = 0, size: tuple[int, int] = (64, 64), guidance: float = 1.0
) -> Sampling:
    return Sampling(steps, guidance, seed, "custom", *size)


def extreme_box(sides: tuple[float, float, float], at: float) -> Box:
    """Return a box of some sides in metres, so far away along each axis."""
    matrix = np.diag([*sides, 1.0])
    matrix[:3, 3] = at
    return Box(matrix)


EXTREMES = {
    "no box": ("box", extreme_box((0, 0, 0), 0.0)),
    "flat box": ("box", extreme_box((1, 1, 0), 1.0)),
    "thin source box": ("source box", extreme_box((1e-9, 1e3, 1e-9), 0.0)),
    "no source box": ("source box", extreme_box((0, 0, 0), 0.0)),
    "box beyond the stars": ("box", extreme_box((1e9, 1e9, 1e9), 1e9)),
    "source box beyond the stars": ("source box", extreme_box((1e9, 1e-9, 1e9), 1e9)),
    "shortest lens": ("camera", Camera(np.eye(4), 1 / MAX_FOCAL, 1 / MAX_FOCAL)),
    "longest lens": ("camera", Camera(np.eye(4), MAX_FOCAL, 1 / MAX_FOCAL, MAX_FOCAL, -MAX_FOCAL)),
    "shortest source lens": ("source camera", Camera(np.eye(4), 1 / MAX_FOCAL, MAX_FOCAL, -MAX_FOCAL)),
    "longest source lens": ("source camera", Camera(np.eye(4), MAX_FOCAL, MAX_FOCAL, 0.5, MAX_FOCAL)),
}
"""What of a frame to change, and a box or a camera at the edge of what the schema allows."""


class TestPaintedPlates:
    """What someone painted, no decoder touches."""

    @pytest.mark.parametrize("preset", ["guided", "paper"])
    def test_beside_the_objects_the_frame_shows_the_plate_to_the_bit(
        self, tiny: Make, studio: Studio, preset: str
    ) -> None:
        pipeline = tiny(preset)
        plate = smooth_photo(64, 64, seed=3)
        name = Photo("c" * 64)
        frame = studio.frame({0: None, 1: box_matrix((0.9, 4.8, 0.3), (0.6, 0.8, 0.6), yaw=2.0)})
        frame = replace(frame, background=replace(frame.background, plate=name))
        photos = studio.photos | {name.sha256: plate}
        draft, rendered = (
            pipeline([frame], photos, sampling(0)).images,
            pipeline([frame], photos, sampling()).images,
        )
        beside = shown(frame) < 0
        np.testing.assert_array_equal(rendered[0][beside], draft[0][beside])
        assert difference(rendered[0][~beside], draft[0][~beside]) > 0
        vacated = (shown(studio.frame()) == 0) & beside
        assert vacated.sum() > 50
        np.testing.assert_array_equal(rendered[0][vacated], plate[vacated])


def in_their_own_light(frame: Frame) -> Frame:
    """Return a frame whose assets keep the light of their photos."""
    return replace(frame, assets=tuple(replace(placed, match_light=0) for placed in frame.assets))


def difference(first: Image, second: Image) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max(initial=0))


def shown(frame: Frame, side: int = 64) -> NDArray[np.int64]:
    """Return which asset's box each pixel shows."""
    return nearest_boxes(frame.camera, [p.box.world_from_box for p in frame.assets], side, side).index


def widened(mask: Mask, pixels: int) -> Mask:
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def inner(mask: Mask, pixels: int = 2) -> Mask:
    """Return what lies so many pixels inside of a region's outline."""
    return ~widened(~mask, pixels)


def near(mask: Mask, pixels: int = 2) -> Mask:
    """Return what lies so many pixels beside a region's outline, on either side."""
    return widened(mask, pixels) & widened(~mask, pixels)


def around(asset: Asset, side: int = 64) -> Mask:
    """Return an asset's 2D box in its photo, and a strip around it."""
    x0, y0, x1, y1 = (round(v * side) for v in asset.source_box_2d)
    mask = np.zeros((side, side), bool)
    mask[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2] = True
    return mask


@pytest.fixture(params=["guided", "paper"])
def pipeline(request: pytest.FixtureRequest) -> NeuralAssetsPipeline:
    found: NeuralAssetsPipeline = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def relieved(tiny: Make) -> NeuralAssetsPipeline:
    return tiny(photo_network=True)


@pytest.fixture(scope="module")
def guest() -> Studio:
    """A block in a photo of another shape."""
    return build_studio([box_matrix((0.2, 3.5, 0.4), (0.6, 0.5, 0.8))], width=80, height=60, seed=9)


@pytest.fixture(scope="module")
def company(
    relieved: NeuralAssetsPipeline,
    studio: Studio,
    moved_frame: Frame,
    guest: Studio,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Make, list[Frame], dict[str, Image], Image]:
    """Return what loads a saved pipeline, unlike frames, their photos, and their pictures, each alone."""
    folder = tmp_path_factory.mktemp("saved")
    relieved.save_pretrained(folder, safe_serialization=True)
    frames = [
        moved_frame,
        studio.frame({1: None}),
        studio.frame(assets=[*studio.assets, *guest.assets]),
        studio.frame(),
    ]
    photos = studio.photos | guest.photos
    pictures = []
    for frame in frames:
        relieved.clear_cache()
        pictures.append(relieved([frame], photos, sampling()).images[0])
    loaded = load_checkpoint(folder)
    return lambda: loaded, frames, photos, np.stack(pictures)


@pytest.fixture(scope="module")
def photo() -> Studio:
    """A smooth photo of 192 pixels."""
    plain = build_studio([LEFT, RIGHT], 192, 192)
    return studio_of(smooth_photo(192, 192), plain.camera, [LEFT, RIGHT])


@pytest.fixture(scope="module")
def moved(photo: Studio) -> Frame:
    return photo.frame({0: box_matrix((-0.3, 4.2, 0.4), (0.7, 0.5, 0.8), yaw=0.9)})


class TestReproducible:
    def test_a_saved_pipeline_gives_identical_pictures(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame, tmp_path: Path
    ) -> None:
        pipeline.save_pretrained(tmp_path, safe_serialization=True)
        loaded = NeuralAssetsPipeline.from_pretrained(tmp_path, local_files_only=True)
        loaded.set_progress_bar_config(disable=True)
        before, after = (p([moved_frame], studio.photos, sampling()).images for p in (pipeline, loaded))
        np.testing.assert_array_equal(before, after)
        assert dict(loaded.config)["preset"] == pipeline.config.preset

    def test_switches_and_the_residuals_scale_are_saved(self, tiny: Make, tmp_path: Path) -> None:
        pipeline = tiny()
        pipeline.register_to_config(residual_scale=0.37, detail_transfer=False, picture_size=96)
        pipeline.save_pretrained(tmp_path)
        config = NeuralAssetsPipeline.from_pretrained(tmp_path, local_files_only=True).config
        assert config.residual_scale == 0.37
        assert config.detail_transfer is False
        assert config.picture_size == 96

    def test_the_seed_decides(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        first, again, other = (
            pipeline([moved_frame], studio.photos, sampling(seed=seed)).images for seed in (5, 5, 6)
        )
        np.testing.assert_array_equal(first, again)
        assert difference(first, other) > 2

    @pytest.mark.parametrize("steps", [1, 2])
    def test_a_single_step_without_noise_is_the_same_for_every_seed(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame, steps: int
    ) -> None:
        before = pipeline.config.single_step_noise
        pipeline.register_to_config(single_step_noise=0.0)
        try:
            one, other = (
                pipeline([moved_frame], studio.photos, sampling(steps, seed)).images for seed in (5, 6)
            )
        finally:
            pipeline.register_to_config(single_step_noise=before)
        assert (difference(one, other) == 0) == (steps == 1)

    @settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(order=st.permutations(range(4)), forgets=st.lists(st.booleans(), min_size=4, max_size=4))
    def test_a_frame_is_the_same_bytes_in_any_order_and_whatever_is_remembered(
        self,
        order: list[int],
        forgets: list[bool],
        company: tuple[Make, list[Frame], dict[str, Image], Image],
    ) -> None:
        open_pipeline, frames, photos, expected = company
        pipeline = open_pipeline()
        together = pipeline([frames[number] for number in order], photos, sampling()).images
        np.testing.assert_array_equal(together, expected[order])
        for number, forget in zip(order, forgets, strict=True):
            if forget:
                pipeline.clear_cache()
            alone = pipeline([frames[number]], photos, sampling()).images[0]
            np.testing.assert_array_equal(alone, expected[number])

    def test_every_input_counts(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        """Appearance and pose reach the picture through the tokens alone."""

        def tokens(frame: Frame, photos: dict[str, Image]) -> torch.Tensor:
            pipeline.clear_cache()
            with torch.no_grad():
                return pipeline.tokens.of(source_views(frame), photos, batch_of(frame)).values

        base = tokens(moved_frame, studio.photos)
        elsewhere = replace(moved_frame.assets[0], box=studio.assets[1].source_box)
        turned = replace(moved_frame, assets=(elsewhere, moved_frame.assets[1]))
        assert not torch.allclose(base, tokens(turned, studio.photos))
        inverted = {name: 255 - photo for name, photo in studio.photos.items()}
        assert not torch.allclose(base, tokens(moved_frame, inverted))
        pipeline.clear_cache()


class TestProxy:
    def test_no_steps_give_the_proxy(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        image = pipeline([moved_frame], studio.photos, sampling(0)).images[0]
        np.testing.assert_array_equal(image, proxy_of(moved_frame, studio.photos))

    def test_a_sketch_is_the_proxy_where_pixels_have_one_ray_and_says_what_photos_showed(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        proxy = pipeline([moved_frame], studio.photos, sampling(0)).images[0]
        height, width = proxy.shape[:2]
        sketch, validity = pipeline.sketch(moved_frame, studio.photos, width, height)
        np.testing.assert_array_equal(sketch, proxy)
        passes = pipeline.passes(moved_frame, studio.photos, width, height)
        np.testing.assert_array_equal(validity, passes.validity)

    def test_one_step_of_an_untrained_guided_pipeline_gives_the_proxy(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        image = tiny(trained=False)([moved_frame], studio.photos, sampling(1)).images[0]
        assert difference(image, proxy_of(moved_frame, studio.photos)) <= 1

    def test_in_bfloat16_as_well(self, tiny: Make, studio: Studio, moved_frame: Frame) -> None:
        pipeline = tiny(trained=False).to(torch.bfloat16)
        image = pipeline([moved_frame], studio.photos, sampling(1)).images[0]
        assert difference(image, proxy_of(moved_frame, studio.photos)) <= 1

    @pytest.mark.parametrize("size", [(64, 64), (100, 75), (160, 120)])
    def test_an_unmoved_frame_is_its_photo(self, size: tuple[int, int], guided: NeuralAssetsPipeline) -> None:
        room = build_studio([LEFT, RIGHT], *size)
        for steps in (0, 1):
            image = guided([room.frame()], room.photos, sampling(steps, size=size)).images[0]
            np.testing.assert_array_equal(image, room.photo)


class TestKeeping:
    """Where the photo wins over the decoder."""

    def test_what_has_not_moved_keeps_the_photos_pixels(self, tiny: Make, studio: Studio) -> None:
        frame = studio.frame({0: None})
        keeping, free = tiny("guided"), tiny("guided")
        free.register_to_config(keep_unmoved=False)
        kept, loose = (p([frame], studio.photos, sampling(1)).images[0] for p in (keeping, free))
        other = shown(frame) == 0
        assert other.sum() > 20
        np.testing.assert_array_equal(kept[other], studio.photo[other])
        assert (loose[other] != studio.photo[other]).any()
        assert (kept != studio.photo).any()

    def test_trust_in_the_proxy_withholds_its_share_of_the_correction(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        passes = passes_of(moved_frame, studio.photos)
        proxy, validity = passes.proxy[0].movedim(0, -1).numpy(), passes.validity[0].numpy()
        corrections = []
        for trust in (0.0, 0.5):
            pipeline = tiny("guided")
            pipeline.register_to_config(keep_unmoved=False, proxy_trust=trust, residual_scale=0.3)
            picture = pipeline([moved_frame], studio.photos, sampling(1)).images[0]
            corrections.append(picture.astype(np.float32) / 255 - proxy)
        full, half = corrections
        unclipped = ((proxy > 0.3) & (proxy < 0.7) & (np.abs(full) < 0.25)).all(axis=-1)
        seen, guessed = unclipped & validity, unclipped & ~validity
        assert seen.sum() > 20 and guessed.sum() > 20
        np.testing.assert_allclose(half[seen], full[seen] / 2, atol=1.5 / 255)
        np.testing.assert_allclose(half[guessed], full[guessed], atol=1.5 / 255)


WIDTHS = (64, 128, 192)


class TestWorkingSize:
    """Networks see one size; a frame shows the same at every other."""

    def test_proxies_of_all_sizes_are_one_picture(
        self, tiny: Make, relieved: NeuralAssetsPipeline, photo: Studio, moved: Frame
    ) -> None:
        # The outlines of a network with random weights are ragged, which pixels of any size cut off.
        for pipeline, least in ((tiny(), 30), (relieved, 27)):
            images = [
                by_area(pipeline([moved], photo.photos, sampling(0, size=(side, side))).images[0], 64, 64)
                for side in WIDTHS
            ]
            for first, second in itertools.combinations(images, 2):
                assert psnr(first, second) >= least

    @pytest.mark.parametrize("with_network", [False, True])
    def test_outlines_of_all_sizes_are_the_same(
        self, with_network: bool, relieved: NeuralAssetsPipeline, photo: Studio, moved: Frame
    ) -> None:
        how = relieved.taking_apart if with_network else TakingApart()
        least = 0.8 if with_network else 0.9
        maps = []
        for side in WIDTHS:
            index = composed(moved, photo.photos, side, side, how)[2].index[0].numpy()
            share = [by_area((index == slot).astype(np.float32), 64, 64) for slot in (0, 1)]
            maps.append(np.stack(share) > 0.5)
        for first, second in itertools.combinations(maps, 2):
            for one, two in zip(first, second, strict=True):
                assert one.sum() > 50
                assert (one & two).sum() >= least * (one | two).sum()

    def test_the_decoders_correction_is_one_at_all_sizes(
        self, tiny: Make, photo: Studio, moved: Frame
    ) -> None:
        """The decoder sees 64 pixels each time; larger pictures add what it made there, enlarged."""
        pipeline = tiny()
        pipeline.register_to_config(keep_unmoved=False, residual_scale=0.2)
        corrections = []
        for side in WIDTHS:
            proxy, image = (
                pipeline([moved], photo.photos, sampling(steps, size=(side, side)))
                .images[0]
                .astype(np.float32)
                for steps in (0, 1)
            )
            corrections.append(by_area(np.where((proxy > 40) & (proxy < 215), image - proxy, np.nan), 64, 64))
        for other in corrections[1:]:
            both = np.isfinite(corrections[0]) & np.isfinite(other)
            assert both.mean() > 0.3
            assert np.abs(corrections[0][both]).mean() > 5
            off = np.abs(corrections[0] - other)[both].mean()
            assert off < 0.35 * np.abs(corrections[0][both]).mean()

    def test_a_part_of_a_frame_shows_what_the_whole_shows_there(
        self, relieved: NeuralAssetsPipeline, photo: Studio, moved: Frame
    ) -> None:
        whole = relieved([moved], photo.photos, sampling(0, size=(128, 128))).images[0]
        camera = moved.camera
        corner = replace(camera, fx=2 * camera.fx, fy=2 * camera.fy, cx=2 * camera.cx, cy=2 * camera.cy - 1)
        part = relieved([replace(moved, camera=corner)], photo.photos, sampling(0)).images[0]
        assert psnr(part, whole[64:, :64]) > 45

    def test_the_networks_see_the_working_size_whatever_is_rendered(
        self, tiny: Make, photo: Studio, moved: Frame
    ) -> None:
        pipeline = tiny(photo_network=True)
        seen: dict[str, list[torch.Size]] = {"photo_network": [], "unet": []}
        for name, sizes in seen.items():
            module = getattr(pipeline, name)
            module.register_forward_hook(
                lambda m, inputs, out, sizes=sizes: sizes.append(
                    getattr(inputs[0], "planes", inputs[0]).shape[2:]
                )
            )
        for side in WIDTHS:
            pipeline([moved], photo.photos, sampling(1, size=(side, side)))
        assert seen == {"photo_network": [(64, 64), (32, 32)], "unet": [(8, 8)] * 3}


class TestSizes:
    @pytest.mark.parametrize("size", [(100, 75), (64, 48), (33, 17), (8, 8), (1, 1)])
    def test_any_size_is_rendered_and_shows_the_frame_at_that_size(
        self, size: tuple[int, int], tiny: Make
    ) -> None:
        """Seen by a camera of that shape: the picture is the one of a large frame, scaled."""
        width, height = size
        wide = build_studio([LEFT, RIGHT], 192, 192 * height // width)
        photo = smooth_photo(*wide.photo.shape[1::-1])
        room = studio_of(photo, wide.camera, [LEFT, RIGHT])
        moved = room.frame({0: box_matrix((-0.3, 4.2, 0.4), (0.7, 0.5, 0.8), yaw=0.9)})
        pipeline = tiny(trained=False)
        image = pipeline([moved], room.photos, sampling(1, size=size)).images[0]
        assert image.dtype == np.uint8
        large = pipeline([moved], room.photos, sampling(0, size=photo.shape[1::-1])).images[0]
        assert psnr(image, by_area(large, *size)) > (27 if min(size) > 8 else 18)

    def test_paper_decodes_a_picture_of_any_size_at_the_working_size(
        self,
        paper: NeuralAssetsPipeline,
        studio: Studio,
        moved_frame: Frame,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        decoded: list[torch.Tensor] = []

        def enlarge(picture: torch.Tensor, scale: float, width: int, height: int) -> torch.Tensor:
            decoded.append(picture)
            return at_output_size(picture, scale, width, height)

        monkeypatch.setattr("na_core.model.pipeline.at_output_size", enlarge)
        for side in (64, 160):
            paper([moved_frame], studio.photos, sampling(1, size=(side, side)))
        small, large = decoded
        assert small.shape == (1, 3, 64, 64)
        assert torch.equal(small, large)

    def test_the_photo_may_have_another_shape(self, guided: NeuralAssetsPipeline) -> None:
        """A square frame of a wide photo: its middle at the photo's own pixels, and its edges beyond."""
        room = build_studio([LEFT], width=90, height=40)
        middle = replace(
            room.camera,
            fx=room.camera.fx * 90 / 64,
            fy=room.camera.fy * 40 / 64,
            cx=0.5 + (room.camera.cx - 0.5) * 90 / 64,
            cy=0.5 + (room.camera.cy - 0.5) * 40 / 64,
        )
        image = guided([room.frame(camera=middle)], room.photos, sampling(0)).images[0]
        np.testing.assert_array_equal(image[12:52], room.photo[:, 13:77])
        np.testing.assert_array_equal(image[:12], np.broadcast_to(image[12], (12, 64, 3)))

    @pytest.mark.parametrize("size", [(100, 100), (1200, 938), (3, 900)])
    def test_photos_from_a_thumbnail_to_a_megapixel(
        self, size: tuple[int, int], guided: NeuralAssetsPipeline
    ) -> None:
        """However large the photo is, the frame is that of the photo at the frame's own size."""
        width, height = size
        plain = build_studio([LEFT], width=width, height=height, coarse=64)
        room = studio_of(smooth_photo(width, height), plain.camera, [LEFT])
        there = {0: box_matrix((-0.4, 4.0, 0.4), (0.7, 0.5, 0.8), yaw=0.5)}
        scale = 64 / max(size)
        small_size = max(1, round(width * scale)), max(1, round(height * scale))
        small = replace(room, photo=by_area(room.photo, *small_size))
        image, expected = (
            guided([each.frame(there)], each.photos, sampling(0, size=small_size)).images[0]
            for each in (room, small)
        )
        assert psnr(image, expected) > 26

    @pytest.mark.parametrize("side", [64, 100, 200])
    def test_a_large_photo_is_fitted_to_the_picture_by_area(
        self, side: int, guided: NeuralAssetsPipeline
    ) -> None:
        room = build_studio([LEFT, RIGHT], width=256, height=256, coarse=1)
        image = guided([room.frame()], room.photos, sampling(0, size=(side, side))).images[0]
        # A whole number of small pixels to a large one; two rays along a side, each rounded to 8 bits.
        fine = 2 * side * -(-256 // (2 * side))
        larger = (
            room.photo if fine == 256 else cv2.resize(room.photo, (fine, fine), interpolation=cv2.INTER_CUBIC)
        )
        wrong = np.abs(image.astype(int) - by_area(larger, side, side)).max(axis=-1) > 1
        # But for a few pixels on outlines, where a box ends between a large pixel and a small one.
        assert not wrong[~near(shown(room.frame(), side) >= 0, 1)].any()
        assert wrong.mean() < 0.005


class TestContents:
    def test_without_assets_the_background_is_left_and_outside_of_it_nothing_changes(
        self, guided: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        empty = studio.frame({0: None, 1: None})
        stood = around(studio.assets[0]) | around(studio.assets[1])
        for steps in (0, 2):
            image = guided([empty], studio.photos, sampling(steps)).images[0]
            np.testing.assert_array_equal(image[~stood], studio.photo[~stood])
            boxes = shown(studio.frame()) >= 0
            assert (image[boxes] != studio.photo[boxes]).any(axis=-1).mean() > 0.9

    @pytest.mark.parametrize(("where", "value"), EXTREMES.values(), ids=EXTREMES.keys())
    def test_whatever_the_schema_allows_is_rendered(
        self, relieved: NeuralAssetsPipeline, studio: Studio, where: str, value: Camera | Box
    ) -> None:
        frame = studio.frame()
        placed, background = frame.assets[0], frame.background
        changed = {
            "box": lambda: replace(frame, assets=(replace(placed, box=value), *frame.assets[1:])),
            "source box": lambda: replace(
                frame,
                assets=(replace(placed, asset=replace(placed.asset, source_box=value)), *frame.assets[1:]),
            ),
            "camera": lambda: replace(frame, camera=value),
            "source camera": lambda: replace(frame, background=replace(background, source_camera=value)),
        }[where]()
        picture = relieved([changed], studio.photos, sampling(1)).images[0]
        assert picture.shape == studio.photo.shape

    def test_without_assets_paper_renders_the_same_whatever_stood_there(
        self, paper: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        """What is hidden reaches it through the background's features alone, where it is grey."""
        empty = studio.frame({0: None, 1: None})
        other = studio.photo.copy()
        for asset in studio.assets:
            x0, y0, x1, y1 = (round(v * 64) for v in asset.source_box_2d)
            other[y0:y1, x0:x1] = 255 - other[y0:y1, x0:x1]
        pictures = []
        for photo in (studio.photo, other):
            paper.clear_cache()
            pictures.append(paper([empty], {studio.name.sha256: photo}, sampling()).images[0])
        np.testing.assert_array_equal(*pictures)
        paper.clear_cache()

    def test_no_frames(self, guided: NeuralAssetsPipeline, studio: Studio) -> None:
        assert len(guided([], studio.photos, sampling()).images) == 0

    def test_a_removed_asset_leaves_the_background(
        self, guided: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        with_it, without = (
            guided([frame], studio.photos, sampling(0)).images[0]
            for frame in (studio.frame(), studio.frame({1: None}))
        )
        inside = around(studio.assets[1])
        assert difference(with_it[~inside], without[~inside]) == 0
        assert difference(with_it[inside], without[inside]) > 10

    def test_an_asset_from_a_second_photo_brings_its_colours_along(
        self, guided: NeuralAssetsPipeline, studio: Studio, guest: Studio
    ) -> None:
        place = box_matrix((0.1, 3.0, 0.4), (0.6, 0.5, 0.8))
        frame = in_their_own_light(studio.frame({2: place}, assets=[*studio.assets, *guest.assets]))
        red = {guest.name.sha256: np.full_like(guest.photo, (200, 30, 20))}
        image = guided([frame], studio.photos | red, sampling(0)).images[0]
        stands = shown(frame) == 2
        assert stands.sum() > 100
        found = image[inner(stands)]  # pixels on its outline are mixed with what is beside it
        np.testing.assert_array_equal(found, np.broadcast_to((200, 30, 20), found.shape))
        beside = ~widened(stands, 2)
        np.testing.assert_array_equal(image[beside], studio.photo[beside])

    def test_it_reaches_papers_picture_too(
        self, paper: NeuralAssetsPipeline, studio: Studio, guest: Studio
    ) -> None:
        frame = studio.frame(assets=[*studio.assets, *guest.assets])
        photos = studio.photos | guest.photos
        both, alone = (paper([each], photos, sampling()).images[0] for each in (frame, studio.frame()))
        assert difference(both, alone) > 0

    def test_only_assets_of_a_second_photo(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, guest: Studio
    ) -> None:
        """In their own light they do not look at the background's photo: it may be any, where they stand."""
        moved = {0: box_matrix((0.1, 3.0, 0.4), (0.6, 0.5, 0.8))}
        frame = in_their_own_light(studio.frame(moved, assets=guest.assets))
        assert [view.sha256 for view in source_views(frame)] == [studio.name.sha256, guest.name.sha256]
        black = {studio.name.sha256: np.zeros_like(studio.photo)}
        first, second = (
            passes_of(frame, photos | guest.photos).proxy[0] for photos in (studio.photos, black)
        )
        within = torch.from_numpy(inner(shown(frame) == 0))
        assert within.sum() > 50
        assert torch.equal(first[:, within], second[:, within])
        images = pipeline([frame, studio.frame()], studio.photos | guest.photos, sampling()).images
        alone = pipeline([frame], studio.photos | guest.photos, sampling()).images
        np.testing.assert_array_equal(images[0], alone[0])

    @pytest.mark.parametrize("count", [0, 1, 24, 40])
    def test_any_number_of_assets_stands_where_the_boxes_are(
        self, count: int, pipeline: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        many = [studio.assets[i % 2] for i in range(count)]
        places = {i: box_matrix((-1 + i % 6 * 0.4, 4 + i // 6, 0.4), (0.3, 0.3, 0.8)) for i in range(count)}
        frame = studio.frame(places, assets=many)
        passes = passes_of(frame, studio.photos)
        assert set(passes.index.unique().tolist()) - {-1} == set(np.unique(shown(frame))) - {-1}
        tokens = pipeline.tokens.of(source_views(frame), studio.photos, batch_of(frame))
        cells = pipeline.tokenizer3d.cells**2
        slots = max(count, 1 if pipeline.guided else pipeline.config.slots)
        assert tokens.values.shape[1] == (slots + 1) * cells
        if pipeline.guided:
            assert tokens.mask is not None
            assert tokens.mask.sum() == (count + 1) * cells
        images = pipeline([frame], studio.photos, sampling()).images
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
            "filling the picture": box_matrix((0.01, 1.2, 1.4), (1.8, 0.6, 2.8)),
            "around the camera": box_matrix((0, 0, 1.5), (3, 3, 3)),
            "behind the camera": box_matrix((0, -4.0, 0.4), (0.7, 0.5, 0.8)),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_wherever_an_asset_is_the_rest_of_the_picture_is_as_without_it(
        self, box: tuple[str, np.ndarray], guided: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        frame = studio.frame({0: box[1]})
        image, without = (
            guided([each], studio.photos, sampling(0)).images[0] for each in (frame, studio.frame({0: None}))
        )
        stands = shown(frame) == 0
        # Where it stood it takes its shadow along only once it has left.
        beside = ~widened(stands, 2) & ~around(studio.assets[0])
        np.testing.assert_array_equal(image[beside], without[beside])
        if stands.sum() > 30:
            assert (image[stands] != without[stands]).any(axis=-1).mean() > 0.5

    def test_duplicates_of_an_asset_each_stand_where_their_box_is(
        self, guided: NeuralAssetsPipeline, studio: Studio
    ) -> None:
        many = [studio.assets[0]] * 3
        places = [box_matrix((-1.2 + i * 1.1, 4.5, 0.4), (0.7, 0.5, 0.8), yaw=0.5) for i in range(3)]
        frame = studio.frame(dict(enumerate(places)), assets=many)
        index = shown(frame)
        image = guided([frame], studio.photos, sampling(0)).images[0]
        for number, place in enumerate(places):
            stands = index == number
            assert stands.sum() > 50
            alone = studio.frame({0: place}, assets=many[:1])
            single = guided([alone], studio.photos, sampling(0)).images[0]
            within = inner(stands)
            np.testing.assert_array_equal(image[within], single[within])
            assert difference(image[within], studio.photo[within]) > 10

    def test_a_missing_photo_is_named(self, guided: NeuralAssetsPipeline, studio: Studio) -> None:
        with pytest.raises(KeyError, match=studio.name.sha256):
            guided([studio.frame()], {}, sampling())
        stranger = replace(studio.assets[0], photo=Photo("f" * 64))
        with pytest.raises(KeyError, match="f" * 64):
            guided([studio.frame(assets=[stranger])], studio.photos, sampling())


class TestGuidance:
    def test_guidance_one_runs_the_conditional_branch_alone(
        self, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        calls: list[None] = []
        handle = pipeline.unet.register_forward_hook(lambda *_: calls.append(None))
        one = pipeline([moved_frame], studio.photos, sampling(3)).images
        assert len(calls) == 3
        two = pipeline([moved_frame], studio.photos, sampling(3, guidance=2.0)).images
        handle.remove()
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
    def test_steps_are_counted_over_all_frames(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        seen: list[tuple[int, int]] = []
        frames = [moved_frame, studio.frame(), moved_frame]
        guided(frames, studio.photos, sampling(3), lambda s, n, _: seen.append((s, n)))
        assert seen == [(i, 9) for i in range(1, 10)]

    def test_no_steps_count_as_one(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        seen: list[tuple[int, int]] = []
        guided([moved_frame] * 2, studio.photos, sampling(0), lambda s, n, _: seen.append((s, n)))
        assert seen == [(1, 2), (2, 2)]

    @pytest.mark.parametrize("steps", [0, 2])
    def test_the_last_preview_is_the_picture_and_all_have_its_size(
        self, steps: int, pipeline: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        previews: list[Image] = []
        out = pipeline(
            [moved_frame],
            studio.photos,
            sampling(steps, size=(50, 40)),
            lambda s, n, preview: previews.append(preview()),
        )
        assert len(previews) == max(steps, 1)
        assert all(p.shape == (40, 50, 3) and p.dtype == np.uint8 for p in previews)
        np.testing.assert_array_equal(previews[-1], out.images[0])

    def test_a_preview_that_is_asked_for_late_is_of_its_own_step(
        self, guided: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        at_once: list[Image] = []
        later: list[Callable[[], Image]] = []

        def look(step: int, total: int, preview: Callable[[], Image]) -> None:
            at_once.append(preview())
            later.append(preview)

        guided([moved_frame], studio.photos, sampling(3), look)
        with torch.no_grad():
            for first, preview in zip(at_once, later, strict=True):
                np.testing.assert_array_equal(first, preview())
        assert difference(at_once[0], at_once[-1]) > 0

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
    @pytest.mark.parametrize("guidance", [1.0, 2.0])
    def test_bfloat16_runs_on_the_cpu_and_is_nearly_exact(
        self, preset: str, guidance: float, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        how = sampling(guidance=guidance)
        exact = tiny(preset)([moved_frame], studio.photos, how).images
        rough = tiny(preset).to(torch.bfloat16)([moved_frame], studio.photos, how).images
        assert np.abs(exact.astype(int) - rough.astype(int)).mean() < 4 * guidance

    def test_changing_the_precision_forgets_what_was_computed_in_the_other(
        self, tiny: Make, studio: Studio, moved_frame: Frame
    ) -> None:
        used, fresh = tiny(photo_network=True), tiny(photo_network=True).to(torch.bfloat16)
        used([moved_frame], studio.photos, sampling())
        used.to(torch.bfloat16)
        images = [p([moved_frame], studio.photos, sampling()).images for p in (used, fresh)]
        np.testing.assert_array_equal(*images)


class TestPhotoNetwork:
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
        boxes = proxy_of(moved_frame, studio.photos)
        assert difference(loaded([moved_frame], studio.photos, sampling(steps=0)).images[0], boxes) > 2

    def test_a_photo_is_looked_at_once(
        self, relieved: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
    ) -> None:
        assert relieved.photo_network is not None
        relieved.clear_cache()
        calls: list[None] = []
        handle = relieved.photo_network.register_forward_hook(lambda *_: calls.append(None))
        for frame in (studio.frame(), moved_frame, studio.frame()):
            relieved([frame], studio.photos, sampling())
        handle.remove()
        assert len(calls) == len(LOOKS)

    def test_a_removed_objects_place_is_filled(self, tiny: Make, studio: Studio) -> None:
        relieved = tiny(photo_network=True)
        assert relieved.photo_network is not None
        with torch.no_grad():  # no shadow leaves with it
            relieved.photo_network.heads.last.weight[-SPLIT["shadow"] * CELL**2 :] = 0
        (picture,) = relieved([studio.frame({0: None})], studio.photos, sampling(steps=0)).images
        gone = shown(studio.frame()) == 0
        assert (picture[gone] != studio.photo[gone]).any(axis=-1).mean() > 0.5
        outside = ~around(studio.assets[0])
        np.testing.assert_array_equal(picture[outside], studio.photo[outside])

    def test_the_paper_has_none(self, tiny: Make) -> None:
        assert tiny("paper", photo_network=True).photo_network is None
