"""What training sees of a pair is what rendering sees of its message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.data.labels import Edit
from na_core.data.pairs import DrawnPair, Pair, frame_message
from na_core.data.scenes import Scene, load_scene
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.conditioning import conditions
from na_core.model.pipeline import Batch, decode, encode
from na_core.model.presets import build_pipeline
from na_core.model.residual import COVERAGE, VALIDITY
from na_core.training.decoder import DecoderObjective
from na_core.training.errors import TrainingError
from na_core.training.initial import set_start
from na_core.training.pair_batches import TrainingBatch
from na_core.training.randomness import DrawKey
from tests.na_core.training.conftest import Configure, MakeBatches

PAIRS = {
    "film": Pair(0, 1, background=0),
    "crossed": Pair(0, 2, background=3),
    "donor": Pair(4, 1, background=4, donor=0, edit=Edit("add", 4, 1, 0, 1)),
}


@pytest.fixture(scope="module")
def split(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a split of one scene of two stages; its fifth frame lacks an object."""
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    moved = camera_of_photo(77, 64, 64, camera_height=1.7, pitch=0.4)
    first, second, third = (box_matrix((x, 4, 0.4), (0.6, 0.5, 0.8), x) for x in (-0.7, 0.7, 0.1))
    placements = [[first, second], [second, third], [third, first], [first, second], [first, None]]
    folder = tmp_path_factory.mktemp("batches") / "train"
    cameras = [camera, moved, camera, camera, camera]
    make_scene(folder / "00000000", cameras, placements, 64, 64, stages=[0, 0, 1, 1, 0])
    return folder


def rendered(pipeline, scene: Scene, pair: Pair) -> Batch:
    frame, numbers = frame_message(scene, pair)
    photos = {name: scene.picture(i).astype(np.float32) / 255 for name, i in numbers.items()}
    guided = pipeline.config.preset == "guided"
    found = conditions(frame, photos, 64, 64, factor=8, guided=guided)
    with torch.no_grad():
        return pipeline.batch([frame], [found], photos)


@pytest.mark.parametrize("start", ["noise", "residual", "uncertainty"])
@pytest.mark.parametrize("kind", PAIRS)
def test_inputs_are_the_pipelines(
    kind: str, start: str, split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("guided", "tiny")
    set_start(pipeline, start)
    batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
    used = rendered(pipeline, load_scene(split / "00000000"), PAIRS[kind])
    # Beside another pair, which has another number of pictures.
    batch = batches.batch_of([DrawnPair(0, PAIRS[kind]), DrawnPair(0, PAIRS["donor"])])
    with torch.no_grad():
        tokens, mask = DecoderObjective(pipeline, 0.0, 0.0).tokens(batch, torch.zeros(2, dtype=torch.bool))
    assert mask is not None
    assert used.attention_mask is not None
    torch.testing.assert_close(
        tokens[0][mask[0]], used.tokens[0][used.attention_mask[0]], atol=1e-5, rtol=1e-4
    )
    assert used.spatial is not None
    proxy, maps = used.spatial.split([batch.proxy.shape[1], batch.maps.shape[1]], dim=1)
    # What the photo hid is filled a little differently, see na_core.model.batched.proxy.
    torch.testing.assert_close(batch.proxy[:1], proxy, atol=0.03 * float(proxy.abs().max()), rtol=0)
    torch.testing.assert_close(batch.maps[:1], maps, atol=1e-4, rtol=1e-4)


def test_the_papers_tokens_are_the_pipelines(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("paper", "tiny")
    config = configure(top={"preset": "paper", "scenes": str(split)}, decoder={"start": "noise"})
    batches = make_batches(pipeline, config)
    used = rendered(pipeline, load_scene(split / "00000000"), PAIRS["film"])
    with torch.no_grad():
        tokens, mask = DecoderObjective(pipeline, 0.0, 0.0).tokens(
            batches.batch_of([DrawnPair(0, PAIRS["film"])]), torch.zeros(1, dtype=torch.bool)
        )
    assert mask is None
    torch.testing.assert_close(tokens, used.tokens, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("start", ["noise", "residual", "uncertainty"])
def test_what_is_diffused_decodes_to_the_target(
    start: str, split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("guided", "tiny")
    set_start(pipeline, start)
    pipeline.register_to_config(detail_transfer=False, residual_scale=0.7)
    if start == "uncertainty":
        pipeline.register_to_config(residual_variance=[0.1, 0.5, 0.2, 0.3])
    batches = make_batches(pipeline, configure(top={"scenes": str(split)}))
    scene = load_scene(split / "00000000")
    used = rendered(pipeline, scene, PAIRS["film"])
    clean, _ = DecoderObjective(pipeline, 0.0, 0.0).clean(batches.batch_of([DrawnPair(0, PAIRS["film"])]))
    truth = torch.as_tensor(scene.picture(1).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        found = pipeline.decode(clean, used)[0]
        expected = decode(pipeline.vae, encode(pipeline.vae, truth))
    expected = ((expected[0] / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - expected).max() <= 1  # latents of targets are kept in float16


def test_the_key_decides(split: Path, configure: Configure, make_batches: MakeBatches) -> None:
    pipeline = build_pipeline("guided", "tiny")
    config = configure(top={"scenes": str(split)}, decoder={"batch_size": 4})
    first, second = (make_batches(pipeline, config) for _ in range(2))
    first.batch(DrawKey(0, 3))  # what came before does not count
    one, other = (batches.batch(DrawKey(0, 7)) for batches in (first, second))
    for name in vars(one):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_batches_that_were_prepared_ahead_are_the_same(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("guided", "tiny")
    config = configure(top={"scenes": str(split)}, decoder={"accumulation": 2, "batch_size": 4})
    plain, ahead = (make_batches(pipeline, config) for _ in range(2))
    ahead._ahead = ThreadPoolExecutor(1)  # as where the pictures are not on the device that trains
    for key in (DrawKey(0, 0), DrawKey(0, 0, part=1), DrawKey(0, 1), DrawKey(0, 7)):  # in order, and a jump
        one, other = plain.batch(key), ahead.batch(key)
        for name in vars(one):
            assert torch.equal(getattr(one, name), getattr(other, name)), (key, name)


def test_scenes_without_pairs(
    make_scene: Callable[..., Path], configure: Configure, make_batches: MakeBatches, tmp_path: Path
) -> None:
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    make_scene(tmp_path / "s" / "a", [camera], [[box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))]], 64, 64)
    with pytest.raises(TrainingError, match="no scene has a pair"):
        make_batches(build_pipeline("guided", "tiny"), configure(top={"scenes": str(tmp_path / "s")}))


class TestAugmentation:
    @pytest.fixture
    def changed(
        self, split: Path, configure: Configure, make_batches: MakeBatches
    ) -> Callable[..., TrainingBatch]:
        def make(pairs: Sequence[str] = ("film", "donor"), **augmentation: float) -> TrainingBatch:
            pipeline = build_pipeline("guided", "tiny")
            config = configure(top={"scenes": str(split)}, augmentation=augmentation)
            return make_batches(pipeline, config).batch_of([DrawnPair(0, PAIRS[name]) for name in pairs])

        return make

    def test_without_it_nothing_is_changed(self, changed: Callable[..., TrainingBatch]) -> None:
        one, other = changed(), changed(jitter_boxes=0.0)
        for name in vars(one):
            assert torch.equal(getattr(one, name), getattr(other, name)), name

    def test_a_dropped_proxy_is_grey_and_nowhere_valid(self, changed: Callable[..., TrainingBatch]) -> None:
        batch = changed(drop_proxies=1.0)
        pipeline = build_pipeline("guided", "tiny")
        with torch.no_grad():
            grey = encode(pipeline.vae, torch.zeros(1, 3, 64, 64))
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

    def test_a_key_decides_it(self, split: Path, configure: Configure, make_batches: MakeBatches) -> None:
        pipeline = build_pipeline("guided", "tiny")
        changes = {"jitter_boxes": 0.5, "mask_sources": 0.5, "blur_proxies": 0.5}
        config = configure(top={"scenes": str(split)}, augmentation=changes)
        first, second = (make_batches(pipeline, config) for _ in range(2))
        first.batch(DrawKey(0, 6))  # what came before does not count
        one, other = (batches.batch(DrawKey(0, 7)) for batches in (first, second))
        for name in vars(one):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_noise_sticks_to_what_frames_show_if_it_is_to(
    split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("guided", "tiny")
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


@pytest.mark.parametrize("switch", ["box_map", "proxy", "source_pose"])
def test_what_is_switched_off_does_not_reach_the_loss(
    switch: str, split: Path, configure: Configure, make_batches: MakeBatches
) -> None:
    pipeline = build_pipeline("guided", "tiny")
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
    }[switch]

    def loss(of: TrainingBatch) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(DecoderObjective(pipeline, 0.0, 0.0)(of))

    assert loss(changed) != loss(batch)
    pipeline.register_to_config(**{switch: False})
    assert loss(changed) == loss(batch)
