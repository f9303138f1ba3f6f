"""What training sees of a pair is what rendering sees of its message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.data.labels import Edit
from na_core.data.pairs import DrawnPair, Pair, frame_message
from na_core.data.scenes import Scene, load_scene
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.box_channels import COVERAGE, VALIDITY
from na_core.model.decoder import Conditions, OnStep
from na_core.model.latent_decoder import LatentDecoder
from na_core.model.latents import to_latents, to_pictures
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import Preset, build_pipeline
from na_core.scene import Frame, Sampling
from na_core.tensors.views import source_views
from na_core.training import pair_batches
from na_core.training.decoder import DecoderObjective
from na_core.training.errors import TrainingError
from na_core.training.initial import set_start
from na_core.training.pair_batches import TrainingBatch, all_layers
from na_core.training.randomness import DrawKey
from tests.na_core.training.conftest import Configure, MakeBatches, MakeRun

PAIRS = {
    "film": Pair(0, 1, background=0),
    "crossed": Pair(0, 2, background=3),
    "donor": Pair(4, 1, background=4, donor=0, edit=Edit("add", 4, 1, 0, 1)),
    "leaving": Pair(0, 4, background=0),
    "still": Pair(0, 0, background=0),
}
TENSORS = [field.name for field in fields(TrainingBatch) if field.name not in ("matters", "encoded")]
"""Of a batch of latents."""

SIDE = 64
SCENE = "00000000"

Compare = Callable[[NeuralAssetsPipeline, str], None]


def small_pipeline(preset: Preset = "guided", photo_network: bool = False) -> NeuralAssetsPipeline:
    """Return an untrained pipeline whose working size is that of the split's pictures."""
    pipeline = build_pipeline(preset, "tiny", photo_network=photo_network)
    pipeline.register_to_config(picture_size=SIDE)
    if pipeline.photo_network is not None:
        pipeline.photo_network.register_to_config(working_size=SIDE)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def split(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a split of one scene of two stages; its fifth frame lacks an object."""
    camera = camera_of_photo(77, SIDE, SIDE, camera_height=1.5, pitch=0.35)
    moved = camera_of_photo(77, SIDE, SIDE, camera_height=1.7, pitch=0.4)
    first, second, third = (box_matrix((x, 4, 0.4), (0.6, 0.5, 0.8), x) for x in (-0.7, 0.7, 0.1))
    placements = [[first, second], [second, third], [third, first], [first, second], [first, None]]
    folder = tmp_path_factory.mktemp("batches") / "train"
    cameras = [camera, moved, camera, camera, camera]
    make_scene(folder / SCENE, cameras, placements, SIDE, SIDE, stages=[0, 0, 1, 1, 0])
    return folder


def message(scene: Scene, pair: Pair) -> tuple[Frame, dict[str, NDArray[np.uint8]]]:
    frame, numbers = frame_message(scene, pair)
    return frame, {name: scene.picture(number) for name, number in numbers.items()}


def rendered(pipeline: NeuralAssetsPipeline, scene: Scene, pair: Pair) -> Conditions:
    """Return what the decoder is given when the pipeline renders a pair's message."""
    seen: list[Conditions] = []

    def decode(self: LatentDecoder, conditions: Conditions, sampling: Sampling, on_step: OnStep) -> Tensor:
        seen.append(conditions)
        return torch.zeros(1, 3, SIDE, SIDE)

    frame, photos = message(scene, pair)
    with patch.object(LatentDecoder, "decode", decode):
        pipeline([frame], photos, Sampling(steps=1, guidance=1, seed=0, width=SIDE, height=SIDE))
    (conditions,) = seen
    return conditions


def drawn(*kinds: str) -> list[DrawnPair]:
    return [DrawnPair(0, PAIRS[kind]) for kind in kinds]


class TestWhatTrainingSees:
    """Beside another pair, which has another number of pictures."""

    @pytest.fixture
    def compare(self, split: Path, configure: Configure, make_batches: MakeBatches) -> Compare:
        def compare(pipeline: NeuralAssetsPipeline, kind: str) -> None:
            batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
            used = rendered(pipeline, load_scene(split / SCENE), PAIRS[kind])
            batch = batches.batch_of(drawn(kind, "donor"))
            objective = DecoderObjective(pipeline, 0.0, 0.0)
            with torch.no_grad():
                tokens, mask = objective.tokens(batch, torch.zeros(2, dtype=torch.bool))
            assert mask is not None
            assert used.tokens.mask is not None
            torch.testing.assert_close(
                tokens[0][mask[0]], used.tokens.values[0][used.tokens.mask[0]], atol=1e-5, rtol=1e-4
            )
            assert used.unet_extra is not None
            proxy, maps = used.unet_extra.split([batch.proxy.shape[1], batch.maps.shape[1]], dim=1)
            torch.testing.assert_close(batch.proxy[:1], proxy, atol=2e-6, rtol=0)
            torch.testing.assert_close(batch.maps[:1], maps, atol=2e-6, rtol=0)

        return compare

    @pytest.mark.parametrize("start", ["noise", "residual", "uncertainty"])
    @pytest.mark.parametrize("kind", PAIRS)
    def test_of_boxes(self, kind: str, start: str, compare: Compare) -> None:
        pipeline = small_pipeline()
        set_start(pipeline, start)
        compare(pipeline, kind)

    # Not of the donor, of which the message names fewer boxes than training knows. Painted objects fill their
    # boxes: that a message does not say the 2D boxes of those that have left makes no difference.
    @pytest.mark.parametrize("kind", ["film", "crossed", "leaving", "still"])
    def test_of_outlines(self, kind: str, compare: Compare) -> None:
        compare(small_pipeline(photo_network=True), kind)

    def test_of_textured_plates(self, compare: Compare) -> None:
        pipeline = small_pipeline()
        pipeline.register_to_config(plate_texture=True)
        compare(pipeline, "leaving")

    def test_with_smooth_plates_they_are_as_if_the_checkpoint_had_no_texture(
        self, split: Path, configure: Configure, make_batches: MakeBatches
    ) -> None:
        proxies = {}
        for texture in (False, True):
            pipeline = small_pipeline()
            pipeline.register_to_config(plate_texture=texture)
            for smooth in (False, True):
                config = configure(top={"scenes": str(split)}, decoder={"smooth_plates": smooth})
                proxies[texture, smooth] = make_batches(pipeline, config).batch_of(drawn("leaving")).proxy
        assert torch.equal(proxies[True, True], proxies[False, False])
        assert not torch.equal(proxies[True, False], proxies[False, False])

    def test_of_surfaces_that_noise_sticks_to(
        self, split: Path, configure: Configure, make_batches: MakeBatches
    ) -> None:
        pipeline = small_pipeline()
        batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
        scene = load_scene(split / SCENE)
        used = rendered(pipeline, scene, PAIRS["film"]).noise_ids
        with patch.object(pair_batches, "noise_ids", wraps=pair_batches.noise_ids) as ids:
            batches.batch_of(drawn("film"))
            found = pair_batches.noise_ids(*ids.call_args.args)
        assert used is not None
        # Assets have other keys: the same texels by other names.
        names = torch.stack([used.flatten(), found.flatten()]).unique(dim=1)
        assert len(used.unique()) == len(found.unique()) == names.shape[1]
        assert 0.3 < float((used == found).float().mean()) < 1


@pytest.mark.parametrize("photo_network", [False, True])
def test_photos_are_taken_apart_as_the_pipeline_does(
    photo_network: bool, split: Path, configure: Configure, make_run: MakeRun
) -> None:
    pipeline = small_pipeline(photo_network=photo_network)
    scene = load_scene(split / SCENE)
    frame, photos = message(scene, PAIRS["film"])
    (view,) = source_views(frame)
    run = make_run(configure(top={"scenes": str(split)}), pipeline)
    found = {}
    for texture in (False, True):
        pipeline.register_to_config(plate_texture=texture)
        pipeline.clear_cache()
        used = pipeline.layers.layers(view, photos, pipeline.taking_apart, pipeline.device)
        found[texture] = all_layers(pipeline.taking_apart, run.frames, run.device)[
            torch.tensor([PAIRS["film"].background])
        ]
        for name in ("picture", "plate", "real", "cover", "owner"):
            assert torch.equal(getattr(found[texture], name), getattr(used, name)), name
        assert torch.equal(found[texture].surfaces.packed, used.surfaces.packed)
        assert torch.equal(found[texture].surfaces.thickness, used.surfaces.thickness)
    smooth, textured = found[False], found[True]
    assert not torch.equal(smooth.plate, textured.plate)
    assert torch.equal(smooth.plate[smooth.real], textured.plate[smooth.real])


def test_the_papers_tokens_are_the_pipelines(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = small_pipeline("paper")
    config = configure(top={"preset": "paper", "scenes": str(split)}, decoder={"start": "noise"})
    batches = make_batches(pipeline, config)
    used = rendered(pipeline, load_scene(split / SCENE), PAIRS["film"])
    with torch.no_grad():
        tokens, mask = DecoderObjective(pipeline, 0.0, 0.0).tokens(
            batches.batch_of(drawn("film")), torch.zeros(1, dtype=torch.bool)
        )
    assert mask is None
    torch.testing.assert_close(tokens, used.tokens.values, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("start", ["noise", "residual", "uncertainty"])
def test_what_is_diffused_decodes_to_the_target(
    start: str, split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = small_pipeline()
    set_start(pipeline, start)
    pipeline.register_to_config(detail_transfer=False, residual_scale=0.7)
    if start == "uncertainty":
        pipeline.register_to_config(residual_variance=[0.1, 0.5, 0.2, 0.3])
    batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
    scene = load_scene(split / SCENE)
    used = rendered(pipeline, scene, PAIRS["film"])
    clean, _ = DecoderObjective(pipeline, 0.0, 0.0).clean(batches.batch_of(drawn("film")))
    truth = torch.as_tensor(scene.picture(1).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        found = pipeline.decoder.picture(clean, used)
        expected = to_pictures(pipeline.vae, to_latents(pipeline.vae, truth))
    torch.testing.assert_close(found, expected, atol=1 / 127.5, rtol=0)  # targets are kept in float16


def test_the_key_decides(split: Path, configure: Configure, make_batches: MakeBatches) -> None:
    pipeline = small_pipeline()
    config = configure(top={"scenes": str(split)}, decoder={"batch_size": 4})
    first, second = (make_batches(pipeline, config) for _ in range(2))
    first.batch(DrawKey(0, 3))  # what came before does not count
    one, other = (batches.batch(DrawKey(0, 7)) for batches in (first, second))
    for name in TENSORS:
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_batches_that_were_prepared_ahead_are_the_same(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = small_pipeline()
    config = configure(top={"scenes": str(split)}, decoder={"accumulation": 2, "batch_size": 4})
    plain, ahead = (make_batches(pipeline, config) for _ in range(2))
    ahead._ahead = ThreadPoolExecutor(1)  # as where the pictures are not on the device that trains
    for key in (DrawKey(0, 0), DrawKey(0, 0, part=1), DrawKey(0, 1), DrawKey(0, 7)):  # in order, and a jump
        one, other = plain.batch(key), ahead.batch(key)
        for name in TENSORS:
            assert torch.equal(getattr(one, name), getattr(other, name)), (key, name)


def test_scenes_without_pairs(
    make_scene: Callable[..., Path], configure: Configure, make_batches: MakeBatches, tmp_path: Path
) -> None:
    camera = camera_of_photo(77, SIDE, SIDE, camera_height=1.5, pitch=0.35)
    make_scene(tmp_path / "s" / "a", [camera], [[box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))]], SIDE, SIDE)
    with pytest.raises(TrainingError, match="no scene has a pair"):
        make_batches(small_pipeline(), configure(top={"scenes": str(tmp_path / "s")}))


class TestAugmentation:
    @pytest.fixture
    def changed(
        self, split: Path, configure: Configure, make_batches: MakeBatches
    ) -> Callable[..., TrainingBatch]:
        def make(pairs: Sequence[str] = ("film", "donor"), **augmentation: float) -> TrainingBatch:
            config = configure(top={"scenes": str(split)}, augmentation=augmentation)
            return make_batches(small_pipeline(), config).batch_of(drawn(*pairs))

        return make

    def test_without_it_nothing_is_changed(self, changed: Callable[..., TrainingBatch]) -> None:
        one, other = changed(), changed(jitter_boxes=0.0)
        for name in TENSORS:
            assert torch.equal(getattr(one, name), getattr(other, name)), name

    def test_a_dropped_proxy_is_grey_and_nowhere_valid(self, changed: Callable[..., TrainingBatch]) -> None:
        batch = changed(drop_proxies=1.0)
        pipeline = small_pipeline()
        with torch.no_grad():
            grey = to_latents(pipeline.vae, torch.zeros(1, 3, SIDE, SIDE))
        torch.testing.assert_close(batch.proxy, grey.expand_as(batch.proxy))
        assert (batch.maps[:, VALIDITY] == 0).all()
        assert batch.maps[:, COVERAGE].any()

    def test_masked_objects_lose_their_looks_and_keep_their_place(
        self, changed: Callable[..., TrainingBatch]
    ) -> None:
        plain, masked = changed(), changed(mask_sources=1.0)
        assert (masked.rectangles == 0).all()
        assert (masked.object_pictures == 0.5).all()
        assert torch.equal(masked.poses[..., 12:], plain.poses[..., 12:])
        assert torch.equal(masked.filled, plain.filled)

    def test_jitter_moves_source_and_target_together(self, changed: Callable[..., TrainingBatch]) -> None:
        plain, jittered = changed(), changed(jitter_boxes=1.0)
        moved = (plain.poses != jittered.poses).any(dim=-1)
        assert torch.equal(moved, plain.filled)
        assert torch.equal(plain.target, jittered.target)

    def test_jittered_boxes_of_what_stands_still_leave_the_photo(
        self, changed: Callable[..., TrainingBatch]
    ) -> None:
        batch = changed(["still"], jitter_boxes=1.0)
        assert batch.maps[:, VALIDITY].mean() > 0.99
        torch.testing.assert_close(batch.proxy, batch.target, atol=2e-3, rtol=0)  # targets are in float16

    def test_a_key_decides_it(self, split: Path, configure: Configure, make_batches: MakeBatches) -> None:
        pipeline = small_pipeline()
        changes = {"jitter_boxes": 0.5, "mask_sources": 0.5, "blur_proxies": 0.5}
        config = configure(top={"scenes": str(split)}, augmentation=changes)
        first, second = (make_batches(pipeline, config) for _ in range(2))
        first.batch(DrawKey(0, 6))  # what came before does not count
        one, other = (batches.batch(DrawKey(0, 7)) for batches in (first, second))
        for name in TENSORS:
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_noise_sticks_to_what_frames_show_if_it_is_to(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = small_pipeline()
    batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
    noise = batches.batch(DrawKey(0, 0)).noise
    assert noise is not None
    assert noise.shape == batches.batch(DrawKey(0, 0)).target.shape
    assert float(noise.std()) == pytest.approx(1, abs=0.15)
    again, later = batches.batch(DrawKey(0, 0)).noise, batches.batch(DrawKey(0, 1)).noise
    assert again is not None and later is not None
    assert torch.equal(noise, again)
    assert abs(float((noise * later).mean())) < 0.1
    pipeline.register_to_config(anchored_noise=False)
    assert batches.batch(DrawKey(0, 0)).noise is None


@pytest.mark.parametrize("switch", ["box_map", "proxy", "source_pose", "tokens"])
def test_what_is_switched_off_does_not_reach_the_loss(
    switch: str, split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = small_pipeline()
    torch.nn.init.normal_(pipeline.unet.conv_out.weight, std=0.1)
    set_start(pipeline, "noise")
    batch = make_batches(pipeline, configure(top={"scenes": str(split)})).batch(DrawKey(0, 0))
    poses = batch.poses.clone()
    poses[..., :12] += 0.5
    maps = batch.maps.clone()
    maps[:, :VALIDITY] += 0.5
    changed = {
        "box_map": replace(batch, maps=maps),
        "proxy": replace(batch, proxy=batch.proxy + 0.5),
        "source_pose": replace(batch, poses=poses),
        "tokens": replace(batch, object_pictures=1 - batch.object_pictures),
    }[switch]

    def loss(of: TrainingBatch) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(DecoderObjective(pipeline, 0.0, 0.0)(of))

    assert loss(changed) != loss(batch)
    pipeline.register_to_config(**{switch: False})
    assert loss(changed) == loss(batch)
