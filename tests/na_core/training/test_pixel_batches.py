"""Composed pairs: what training sees of them is what rendering sees, and parts are parts of the whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from na_core.data.pairs import frame_message, pair_lists
from na_core.data.scenes import load_scene
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.box_channels import BOX_CHANNELS, VALIDITY
from na_core.model.decoder import Conditions, OnStep
from na_core.model.latents import to_pictures
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.pixel_decoder import PixelDecoder
from na_core.model.presets import build_pipeline
from na_core.scene import Sampling
from na_core.tensors.cameras import Cameras, cameras_of
from na_core.training import composed_pairs
from na_core.training.composed_pairs import ComposedPairs, chosen_pairs, composed_folder
from na_core.training.config import TrainingConfig
from na_core.training.decoder import DecoderTask, PixelObjective
from na_core.training.pair_batches import TrainingBatch
from na_core.training.picture_loss import PictureLoss
from na_core.training.pixel_batches import PixelBatches, mirrored, part_cameras, part_corners
from na_core.training.randomness import DrawKey
from na_core.training.run import Run
from tests.na_core.training.conftest import Configure, MakeRun

SIDE = 64
SCENE = "00000000"

TENSORS = [field.name for field in fields(TrainingBatch) if field.name not in ("noise", "encoded", "views")]

NO_VAE = {"vae": None, "encoder": {"from": "mini"}}


@pytest.fixture(scope="module")
def split(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a split of one scene of two stages; its fifth frame lacks an object."""
    camera = camera_of_photo(77, SIDE, SIDE, camera_height=1.5, pitch=0.35)
    moved = camera_of_photo(77, SIDE, SIDE, camera_height=1.7, pitch=0.4)
    first, second, third = (box_matrix((x, 4, 0.4), (0.6, 0.5, 0.8), x) for x in (-0.7, 0.7, 0.1))
    placements = [[first, second], [second, third], [third, first], [first, second], [first, None]]
    folder = tmp_path_factory.mktemp("pixels") / "train"
    cameras = [camera, moved, camera, camera, camera]
    make_scene(folder / SCENE, cameras, placements, SIDE, SIDE, stages=[0, 0, 1, 1, 0])
    return folder


@pytest.fixture
def pipeline() -> NeuralAssetsPipeline:
    """An untrained pipeline whose working size is that of the split's pictures."""
    pipeline = build_pipeline("guided", "tiny", pixels=True)
    pipeline.register_to_config(picture_size=SIDE)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.encoder.requires_grad_(False)
    return pipeline


@pytest.fixture
def config(split: Path, configure: Configure) -> TrainingConfig:
    return configure(top={"scenes": str(split)}, decoder={"start": "pixels", "crop": 48}, **NO_VAE)


@pytest.fixture
def run(config: TrainingConfig, pipeline: NeuralAssetsPipeline, make_run: MakeRun) -> Run:
    return make_run(config, pipeline)


def composed(run: Run, folder: Path) -> ComposedPairs:
    assert run.config.decoder is not None
    scenes, settings, augmentation = run.scenes, run.config.decoder, run.config.augmentation
    return ComposedPairs(scenes, folder, run.pipeline, settings, augmentation, run.accelerator.autocast)


@pytest.fixture
def pairs(run: Run, tmp_path: Path) -> ComposedPairs:
    return composed(run, tmp_path / "composed")


def batches(run: Run, pairs: ComposedPairs, count: int = 4, crop: int = 32) -> PixelBatches:
    assert run.config.decoder is not None
    return PixelBatches(pairs, replace(run.config.decoder, crop=crop), count, run.device)


def test_training_sees_what_rendering_sees(run: Run, pairs: ComposedPairs, split: Path) -> None:
    scene, pipeline = load_scene(split / SCENE), run.pipeline
    objective = PixelObjective(pipeline, 0.0, 0.0, PictureLoss(None))
    chosen = chosen_pairs(pair_lists(scene))
    assert len(chosen) == len(pairs.kinds[0])
    for number, (kind, pair) in enumerate(chosen):
        assert pairs.kinds[0][number] == kind
        frame, numbers = frame_message(scene, pair)
        photos = {name: scene.picture(photo) for name, photo in numbers.items()}
        seen: list[Conditions] = []

        def decode(
            self: PixelDecoder,
            conditions: Conditions,
            sampling: Sampling,
            on_step: OnStep,
            seen: list[Conditions] = seen,
        ) -> Tensor:
            seen.append(conditions)
            return torch.zeros(1, 3, SIDE, SIDE)

        with patch.object(PixelDecoder, "decode", decode):
            pipeline([frame], photos, Sampling(steps=1, guidance=1, seed=0, width=SIDE, height=SIDE))
        (used,) = seen
        batch = batches(run, pairs).batch_of([(0, number)])
        with torch.no_grad():
            tokens, mask = objective.tokens(batch, torch.zeros(1, dtype=torch.bool))
        assert mask is not None
        assert used.tokens.mask is not None
        kept = tokens[0][mask[0]], used.tokens.values[0][used.tokens.mask[0]]
        torch.testing.assert_close(*kept, atol=5e-3, rtol=5e-3)  # features are kept in half precision
        assert used.unet_extra is not None
        proxy, maps = used.unet_extra.split([batch.proxy.shape[1], batch.maps.shape[1]], dim=1)
        torch.testing.assert_close(batch.proxy, proxy, atol=1 / 255 + 1e-6, rtol=0)
        torch.testing.assert_close(batch.maps, maps, atol=2e-3, rtol=2e-3)
        truth = torch.from_numpy(scene.picture(pair.target).copy()).movedim(-1, 0) / 127.5 - 1
        torch.testing.assert_close(to_pictures(None, batch.target)[0], truth, atol=1e-6, rtol=0)


@pytest.mark.parametrize("switch", ["box_map", "source_pose", "tokens", "passes"])
def test_what_is_switched_off_does_not_reach_the_loss(switch: str, run: Run, pairs: ComposedPairs) -> None:
    torch.nn.init.normal_(run.pipeline.unet.conv_out.weight, std=0.1)
    batch = batches(run, pairs).batch_of([(0, 0)])
    boxes, valid, passes = batch.maps.tensor_split([VALIDITY, BOX_CHANNELS], dim=1)
    changed = {
        "box_map": replace(batch, maps=torch.cat([boxes * 2, valid, passes], dim=1)),
        "source_pose": replace(batch, poses=batch.poses + (torch.arange(24) < 12)),
        "tokens": replace(batch, background_pictures=batch.background_pictures + 1),
        "passes": replace(batch, maps=torch.cat([boxes, valid, passes + 1], dim=1)),
    }[switch]

    def loss(of: TrainingBatch) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(PixelObjective(run.pipeline, 0.0, 0.0, PictureLoss(None))(of))

    assert loss(changed) != loss(batch)
    run.pipeline.register_to_config(**{switch: False})
    assert loss(changed) == loss(batch)


def test_turned_colours_are_those_of_turned_pictures(run: Run, pairs: ComposedPairs) -> None:
    drawn, random = [(0, 0)], np.random.default_rng(0)
    plain = batches(run, pairs)._cut(drawn, [0], random, 0)
    for turn in (1, 2):
        turned = batches(run, pairs)._cut(drawn, [turn], random, 0)
        for name in ("target", "proxy"):
            pictures = [to_pictures(None, getattr(each, name)) for each in (turned, plain)]
            assert torch.equal(pictures[0], pictures[1].roll(turn, 1))
        assert torch.equal(turned.maps[:, :-3], plain.maps[:, :-3])
        assert torch.equal(turned.maps[:, -3:], plain.maps[:, -3:].roll(turn, 1))
        number = int(pairs.read(0, "behind", 0))
        assert torch.equal(turned.background_pictures[0], pairs.read(0, "features", number)[turn].float())
        assert not torch.equal(turned.background_pictures, plain.background_pictures)


def test_a_part_is_a_part_of_the_whole(run: Run, pairs: ComposedPairs) -> None:
    count, corners = len(pairs.kinds[0]), [(8, 16), (32, 0)]
    drawn = [(0, 0), (0, count - 1)]
    whole = batches(run, pairs).batch_of(drawn)
    with patch("na_core.training.pixel_batches.part_corners", return_value=corners):
        part = batches(run, pairs)._cut(drawn, [0, 0], np.random.default_rng(0), 32)
    for row, (x, y) in enumerate(corners):
        window = np.s_[..., y : y + 32, x : x + 32]
        for name in ("target", "proxy"):
            pictures = [to_pictures(None, getattr(each, name)[row : row + 1]) for each in (part, whole)]
            assert torch.equal(pictures[0], pictures[1][window])
        assert torch.equal(part.matters[row], whole.matters[row][window])  # type: ignore[index]
        cells = np.s_[..., y // 8 : y // 8 + 4, x // 8 : x // 8 + 4]
        assert torch.equal(part.maps[row], whole.maps[row][cells])
    assert torch.equal(part.rectangles, whole.rectangles)
    assert not torch.equal(part.poses, whole.poses)  # those of the part's camera


@given(st.integers(1, 20), st.integers(0, 10), st.integers(0, 10), st.floats(-1, 1), st.floats(-1, 1))
def test_a_parts_camera_sees_a_point_where_the_part_has_it(
    side: int, left: int, top: int, x: float, y: float
) -> None:
    camera = cameras_of([camera_of_photo(60, 40, 30, camera_height=1.0, pitch=0.1)])
    part = part_cameras(camera, [(8 * left, 8 * top)], 8 * side, 40, 30)

    def pixel(seen: Cameras, width: int, height: int) -> tuple[float, float]:
        fx, fy, cx, cy = seen.intrinsics[0].tolist()
        return (cx + fx * x) * width, (cy + fy * y) * height

    across, down = pixel(camera, 40, 30)
    assert pixel(part, 8 * side, 8 * side) == pytest.approx((across - 8 * left, down - 8 * top), abs=1e-9)


def test_corners_are_whole_patches_inside_and_half_of_them_are_near_an_object(
    run: Run, pairs: ComposedPairs
) -> None:
    frames = pairs.frames([(0, 0)] * 200)
    corners = np.array(part_corners(frames, SIDE, SIDE, 32, np.random.default_rng(0)))
    assert corners.min() >= 0
    assert corners.max() <= SIDE - 32
    assert not (corners % 8).any()
    assert len(np.unique(corners, axis=0)) > 5


def test_a_batch_is_a_function_of_its_key(run: Run, pairs: ComposedPairs) -> None:
    made = batches(run, pairs)
    first, again, other = (made.batch(DrawKey(0, step)) for step in (3, 3, 4))
    assert torch.equal(first.target, again.target)
    assert torch.equal(first.poses, again.poses)
    assert not torch.equal(first.target, other.target)
    assert first.target.shape == (4, 192, 4, 4)


def test_a_mirrored_pair_is_what_a_mirrored_world_shows(run: Run, pairs: ComposedPairs) -> None:
    batch = batches(run, pairs).batch_of([(0, 0), (0, 1)])
    chosen = torch.tensor([False, True])
    found = mirrored(batch, chosen)
    twice = mirrored(found, chosen)
    for name in TENSORS:
        before, after = getattr(batch, name), getattr(twice, name)
        torch.testing.assert_close(after, before, atol=1e-6, rtol=0)
    for name in ("target", "proxy"):
        left, right = (to_pictures(None, getattr(of, name)) for of in (batch, found))
        assert torch.equal(right[0], left[0])
        assert torch.equal(right[1], left[1].flip(2))
    # Where the first asset's first corner is seen, the mirrored picture has it.
    corner, there = (of.poses[1, 0, 12:15].tolist() for of in (batch, found))
    assert there == pytest.approx([1 - corner[0], corner[1], corner[2]])
    assert not found.poses[1][~batch.filled[1]].any()


def test_what_is_composed_stays(run: Run, pairs: ComposedPairs, tmp_path: Path) -> None:
    (file,) = (tmp_path / "composed").glob("*.safetensors")
    os.utime(file, (1, 1))
    with patch.object(composed_pairs, "compose_scene", side_effect=AssertionError):
        again = composed(run, tmp_path / "composed")
    assert file.stat().st_mtime == 1
    assert torch.equal(again.read(0, "proxy", 0), pairs.read(0, "proxy", 0))


def test_another_network_or_augmentation_has_another_folder(run: Run, config: TrainingConfig) -> None:
    assert config.decoder is not None
    settings, augmentation = config.decoder, config.augmentation

    def folder(pipeline: NeuralAssetsPipeline, share: float = 0.0) -> Path:
        wanted = replace(augmentation, jitter_boxes=share)
        return composed_folder(config.scenes, pipeline, settings, wanted)

    other = build_pipeline("guided", "tiny", seed=1, pixels=True)
    places = [folder(run.pipeline), folder(run.pipeline), folder(run.pipeline, 0.5), folder(other)]
    assert places[0] == places[1]
    assert len(set(places)) == 3
    assert places[0].parent == config.scenes.parent


def test_the_encoder_keeps_its_weights(run: Run) -> None:
    assert run.config.decoder is not None
    run.pipeline.encoder.requires_grad_(True)
    DecoderTask(run, replace(run.config.decoder, features=False))
    assert not any(weight.requires_grad for weight in run.pipeline.encoder.parameters())
