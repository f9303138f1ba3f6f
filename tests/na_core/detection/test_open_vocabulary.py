"""The open-vocabulary detector's real loading code, on tiny checkpoints with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BertTokenizerFast,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    Dinov2Config,
    DPTImageProcessor,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
    RTDetrResNetConfig,
    SwinConfig,
)

from na_core.data.scenes import scenes
from na_core.detection.metric_depth import load_depth
from na_core.detection.open_vocabulary import OpenVocabularyDetector, distinct, nearer_than_around
from na_core.detection.weights import WeightsError
from na_core.evaluation.box_overlap import box_iou
from na_core.evaluation.evaluate import BENCH
from tests.na_core.detection.tiny_sam import write_tiny_sam

SIZE = (96, 64)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def depth_anything(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("depth_anything")
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        mlp_ratio=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        patch_size=14,
        neck_hidden_sizes=[16, 16, 32, 32],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type="metric",
        max_depth=20,
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def depth_pro(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("depth_pro")
    torch.manual_seed(0)
    encoder = {
        "model_type": "dinov2",
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "mlp_ratio": 2,
        "image_size": 96,
        "patch_size": 16,
    }
    config = DepthProConfig(
        fusion_hidden_size=16,
        patch_size=96,
        intermediate_hook_ids=[2, 1],
        intermediate_feature_dims=[16, 16],
        scaled_images_ratios=[0.25, 0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.5, 0.25],
        scaled_images_feature_dims=[32, 32, 16],
        use_fov_model=True,
        num_fov_head_layers=2,
        image_model_config=encoder,
        patch_model_config=encoder,
        fov_model_config=encoder,
    )
    DepthProForDepthEstimation(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_sam(tmp_path_factory.mktemp("sam")))


@pytest.fixture(scope="module")
def rt_detr(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("rt_detr")
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 20],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=32,
        encoder_in_channels=[12, 16, 20],
        encoder_ffn_dim=32,
        encoder_attention_heads=4,
        d_model=32,
        decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        num_queries=10,
        num_denoising=0,
        id2label={0: "cup", 1: "tin"},
        label2id={"cup": 0, "tin": 1},
    )
    RTDetrForObjectDetection(config).save_pretrained(folder)
    RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def grounding_dino(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("grounding_dino")
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "mug", "laptop", "a", "plant"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config={
            "model_type": "bert",
            "vocab_size": len(words),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "pad_token_id": 0,
        },
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_queries=12,
        max_text_len=32,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return str(folder)


class TestLoading:
    def test_without_a_prompt_and_with_masks(self, rt_detr, depth_anything, sam, photo) -> None:
        detector = OpenVocabularyDetector(rt_detr, load_depth(depth_anything), sam)
        assert not detector.prompted
        found = detector.detect(photo, threshold=0.0)
        assert found.metric
        for thing in found.objects:
            assert thing.name in ("cup", "tin")
            assert thing.mask.shape == photo.shape[:2]
            assert np.isfinite(thing.box.world_from_box).all()

    def test_a_prompt_filters_what_a_fixed_list_of_names_finds(self, rt_detr, depth_anything, photo) -> None:
        detector = OpenVocabularyDetector(rt_detr, load_depth(depth_anything))
        names, _, _ = detector.find_boxes(Image.fromarray(photo), "tin", 0.0)
        assert set(names) <= {"tin"}

    def test_text_finds_boxes(self, grounding_dino, depth_anything, photo) -> None:
        detector = OpenVocabularyDetector(grounding_dino, load_depth(depth_anything))
        assert detector.prompted
        names, scores, boxes = detector.find_boxes(Image.fromarray(photo), "Mug. laptop", 0.0)
        assert len(names) == len(scores) == len(boxes)
        assert (boxes >= 0).all()
        assert (boxes <= (*SIZE, *SIZE)).all()
        with pytest.raises(WeightsError, match="Name the objects"):
            detector.detect(photo, "  ")

    def test_depth_pro_tells_the_focal_length_and_obeys_a_known_one(self, rt_detr, depth_pro, photo) -> None:
        detector = OpenVocabularyDetector(rt_detr, load_depth(depth_pro))
        image = Image.fromarray(photo)
        depth, focal = detector.find_depth(image, None)
        assert depth.shape == photo.shape[:2]
        assert (depth > 0).all()
        assert focal is not None
        assert focal > 0
        # Metric depth is as far as the focal length is long.
        known, told = detector.find_depth(image, 2 * focal)
        assert told == pytest.approx(focal)
        near = known < 5e3  # farther than that is as far as it goes
        assert near.any()
        assert np.median((known / depth)[near]) == pytest.approx(2, rel=1e-3)

    def test_masks_are_of_their_boxes_pictures(self, rt_detr, depth_anything, sam, photo) -> None:
        detector = OpenVocabularyDetector(rt_detr, load_depth(depth_anything), sam)
        boxes = np.array([[5.0, 5, 60, 50], [10, 20, 90, 60]])
        masks = detector.find_masks(Image.fromarray(photo), boxes, np.ones(photo.shape[:2], np.float32))
        assert [mask.shape for mask in masks] == [photo.shape[:2]] * 2
        assert detector.find_masks(Image.fromarray(photo), boxes[:0], np.ones((1, 1), np.float32)) == []

    def test_what_is_not_there_is_named_and_nothing_is_downloaded(
        self, depth_anything, tmp_path: Path
    ) -> None:
        with pytest.raises(WeightsError, match="allow downloads"):
            load_depth(str(tmp_path))
        with pytest.raises(WeightsError, match="someone/something"):
            OpenVocabularyDetector("someone/something", load_depth(depth_anything))


def test_with_true_depth_and_masks_boxes_and_camera_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The geometry after the networks, on what Blender rendered, in place of their outputs."""
    overlaps, pitches = [], []
    for scene in list(scenes(BENCH))[:24]:
        frame, depth, mask = scene.labels.frames[0], scene.depth(0), scene.mask(0)
        if depth is None:
            continue
        shown = [i for i, v in enumerate(frame.visible) if v > 0.95 and (mask == i + 1).sum() > 100]
        size = np.array([scene.labels.width, scene.labels.height] * 2)
        rectangles = np.array([frame.boxes_2d[i] for i in shown]) * size
        masks = [mask == i + 1 for i in shown]
        detector = object.__new__(OpenVocabularyDetector)
        boxes = ["thing"] * len(shown), [1.0] * len(shown), rectangles
        monkeypatch.setattr(detector, "find_boxes", lambda *_, found=boxes: found)
        monkeypatch.setattr(detector, "find_depth", lambda *_, d=depth: (d, None))
        monkeypatch.setattr(detector, "find_masks", lambda *_, m=masks: m)
        found = detector.detect(scene.picture(0), focal=frame.camera.fx)
        there = np.linalg.inv(frame.camera.world_from_camera)
        here = np.linalg.inv(found.camera.world_from_camera)
        for i, thing in zip(shown, found.objects, strict=True):
            true = there @ frame.boxes[i].world_from_box
            overlaps.append(box_iou(here @ thing.box.world_from_box, true))
        up = found.camera.world_from_camera[2, 2], frame.camera.world_from_camera[2, 2]
        pitches.append(abs(np.degrees(np.arcsin(up[0]) - np.arcsin(up[1]))))
    assert len(overlaps) > 10
    assert np.median(overlaps) > 0.5
    assert np.median(pitches) < 1


def test_boxes_that_overlap_are_one_object_and_specks_and_walls_are_none() -> None:
    boxes = np.array([[0, 0, 50, 50], [2, 2, 50, 50], [60, 60, 61, 61], [0, 0, 100, 100], [50, 0, 90, 40]])
    names, scores, kept = distinct("abcde", [0.5, 0.9, 0.8, 0.95, 0.4], boxes.astype(float), (100, 100))
    assert names == ["b", "e"]
    assert scores == [0.9, 0.4]
    assert kept.tolist() == [[2, 2, 50, 50], [50, 0, 90, 40]]


def test_without_masks_what_is_nearer_than_around_counts() -> None:
    depth = np.full((40, 60), 5.0, np.float32)
    depth[10:30, 20:40] = 2.0
    shown = nearer_than_around(depth, np.array([15.0, 5, 45, 32]))
    np.testing.assert_array_equal(shown, depth == 2)
