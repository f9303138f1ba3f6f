"""Metrics that need a network: real loading code on tiny weights, and what is said where there are none."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTModel

from na_core.evaluation import learned
from na_core.evaluation.learned import (
    DINO_VARIABLE,
    MIN_FEATURES_SIDE,
    feature_distance,
    frechet_distance,
    load_learned,
)
from na_core.evaluation.metrics import psnr


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights, whatever this machine holds."""
    torch_home = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    monkeypatch.setattr(learned, "DINO", str(tmp_path / "no dino"))
    monkeypatch.delenv(DINO_VARIABLE, raising=False)
    yield
    torch.hub.set_dir(torch_home)


@pytest.fixture
def dino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> learned.Compare:
    """Return the similarity of a tiny random ViT, saved to a folder and loaded from it."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=8,
        initializer_range=0.3,
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "vit")
    monkeypatch.setenv(DINO_VARIABLE, str(tmp_path / "vit"))
    found = load_learned().dino
    assert found is not None
    return found


class TestDino:
    def test_the_truth_is_as_similar_as_can_be(self, dino: learned.Compare) -> None:
        crop = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
        assert dino(crop, crop) == pytest.approx(1)

    def test_other_pictures_are_less_similar_the_more_they_differ(self, dino: learned.Compare) -> None:
        random = np.random.default_rng(0)
        crop = random.integers(0, 256, (40, 30, 3)).astype(np.uint8)
        slightly = np.clip(crop + random.normal(0, 5, crop.shape), 0, 255).astype(np.uint8)
        assert dino(255 - crop, crop) < dino(slightly, crop) < 1

    @pytest.mark.parametrize("size", [(3, 5), (17, 200), (300, 300)])
    def test_crops_of_any_size(self, size: tuple[int, int], dino: learned.Compare) -> None:
        crop = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
        assert -1 <= dino(crop // 2, crop) <= 1

    def test_pickled_weights_are_not_loaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
        config.save_pretrained(tmp_path / "pickled")
        torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
        monkeypatch.setenv(DINO_VARIABLE, str(tmp_path / "pickled"))
        found = load_learned()
        assert found.dino is None
        assert "safetensors" in found.notices["dino"]


class TestFeatureDistance:
    """Features whose distances are known: of plain red and green, that are at right angles or alike."""

    RED, GREEN, BLUE = (
        np.tile(np.array(colour, np.uint8), (80, 100, 1))
        for colour in ([255, 0, 0], [0, 255, 0], [0, 0, 255])
    )

    def test_equal_crops_have_none_and_what_shares_nothing_two(self) -> None:
        distance = feature_distance(lambda pictures: [pictures])
        assert distance(self.RED, self.RED) == 0
        assert distance(self.RED, self.GREEN) == pytest.approx(2)

    def test_features_are_scaled_to_length_one_at_each_place(self) -> None:
        distance = feature_distance(lambda pictures: [pictures])
        assert distance(self.RED, self.RED // 3) == pytest.approx(0, abs=1e-12)
        assert distance(self.RED, self.RED + self.GREEN) == pytest.approx(2 - math.sqrt(2))
        assert distance(self.RED - self.RED, self.RED) == pytest.approx(1)  # of length 0

    def test_opposite_features_are_farthest(self) -> None:
        distance = feature_distance(lambda pictures: [pictures - 0.5])
        assert distance(self.RED, self.GREEN + self.BLUE) == pytest.approx(4)

    def test_places_are_averaged_and_then_maps_however_large(self) -> None:
        half = self.RED.copy()
        half[:, :50] = self.GREEN[:, :50]
        assert feature_distance(lambda pictures: [pictures])(half, self.RED) == pytest.approx(1)
        maps = feature_distance(lambda pictures: [pictures, pictures[:, :, :4, :4], pictures[:, :, -4:, -4:]])
        assert maps(half, self.RED) == pytest.approx((1 + 2 + 0) / 3)

    @pytest.mark.parametrize(
        ("size", "seen"), [((80, 100), (80, 100)), ((16, 40), (64, 160)), ((3, 3), (64, 64))]
    )
    def test_small_crops_are_enlarged(self, size: tuple[int, int], seen: tuple[int, int]) -> None:
        shapes: list[tuple[int, ...]] = []

        def features(pictures: torch.Tensor) -> list[torch.Tensor]:
            assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
            shapes.append(tuple(pictures.shape))
            return [pictures]

        crop = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
        feature_distance(features)(crop, crop)
        assert shapes == [(2, 3, *seen)]
        assert min(seen) >= MIN_FEATURES_SIDE


class TestPhotographs:
    """The distance of the published backbone's features, between photographs."""

    @pytest.fixture
    def distance(self) -> learned.Compare:
        found = load_learned().perceptual
        assert found is not None
        return found

    def test_it_grows_with_blur_and_noise_and_is_largest_for_another_photo(
        self, distance: learned.Compare
    ) -> None:
        from skimage import data

        truth = data.astronaut()[:64, 192:256]
        noise = np.random.default_rng(0).normal(0, 1, truth.shape)
        for spoil in (
            lambda much: cv2.GaussianBlur(truth, (0, 0), much),
            lambda much: np.clip(truth + 8 * much * noise, 0, 255).astype(np.uint8),
        ):
            few, more = (distance(spoil(much), truth) for much in (1, 2))
            assert 0 < few < more < distance(data.chelsea()[100:164, 100:164], truth)
        assert distance(truth, truth) == 0

    def test_what_psnr_cannot_tell_apart_it_does(self, distance: learned.Compare) -> None:
        """A little brighter, or blurred: the same PSNR, but only one of them looks wrong."""
        from skimage import data

        truth = data.astronaut()[:64, 192:256]
        blurred = cv2.GaussianBlur(truth, (0, 0), 2)
        offset = round(math.sqrt(((blurred.astype(float) - truth) ** 2).mean()))
        brighter = np.clip(truth.astype(int) + offset, 0, 255).astype(np.uint8)
        assert psnr(brighter, truth) == pytest.approx(psnr(blurred, truth), abs=1)
        assert distance(brighter, truth) < distance(blurred, truth) / 4


class TestNotices:
    @pytest.mark.parametrize("installed", [True, False])
    def test_each_metric_that_is_not_available_says_what_it_lacks(
        self, installed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not installed:
            monkeypatch.setattr(learned.importlib.util, "find_spec", lambda name: None)
        found = load_learned()
        assert (found.lpips, found.dino, found.inception) == (None, None, None)
        assert (found.perceptual is not None) == installed
        assert list(found.notices) == ["lpips", "dino", *(["perceptual"] * (not installed)), "fid"]
        assert ("perceptual" in found.identity) == installed
        for name, notice in found.notices.items():
            assert notice.startswith(f"{name} is not reported: ")
        assert DINO_VARIABLE in found.notices["dino"]

    @pytest.mark.parametrize(
        ("name", "package", "weights"),
        [("lpips", "torchvision", "squeezenet"), ("fid", "torch-fidelity", "inception")],
    )
    def test_packages_and_weights(
        self, name: str, package: str, weights: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(learned.importlib.util, "find_spec", lambda name: None)
        assert f"package {package} is not installed" in load_learned().notices[name]
        monkeypatch.setattr(learned.importlib.util, "find_spec", lambda name: object())
        assert weights in load_learned().notices[name]

    def test_what_is_available_is_part_of_the_identity(self, dino: learned.Compare) -> None:
        assert "dino" in load_learned().identity
        assert "dino" not in load_learned().notices


def test_the_frechet_distance_of_known_gaussians() -> None:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 sqrt(C1 C2)): 9 + (1 + 4 - 4) for the first dimension, 0 for the other."""
    random = np.random.default_rng(0)
    truths = random.normal(0, 1, (20000, 2)).astype(np.float32)
    results = truths[::-1] * (2, 1) + (3, 0)
    assert frechet_distance(results.astype(np.float32), truths) == pytest.approx(10, rel=0.02)
    assert frechet_distance(truths, truths) == pytest.approx(0, abs=1e-3)
