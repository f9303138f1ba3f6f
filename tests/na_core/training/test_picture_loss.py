"""How wrong a picture is: least where it is right, more where it is blurred or where it matters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.backbone import EfficientNetLite
from na_core.backbone_weights import load_published
from na_core.training.picture_loss import COLOUR, PictureLoss

SIDE = 64


@pytest.fixture(scope="module")
def loss() -> PictureLoss:
    backbone = EfficientNetLite()
    load_published(backbone)
    return PictureLoss(backbone)


@pytest.fixture(scope="module")
def truth() -> Tensor:
    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    fine = 0.3 * torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return F.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 0.7) * 2 - 1 + 2 * fine


def wrong(loss: PictureLoss, pictures: Tensor, truth: Tensor, weight: Tensor | None = None) -> float:
    weight = torch.ones(2, SIDE, SIDE) if weight is None else weight
    return float(loss(pictures, truth, weight, torch.ones(2)))


def test_the_truth_is_not_wrong(loss: PictureLoss, truth: Tensor) -> None:
    assert wrong(loss, truth, truth) == pytest.approx(0, abs=1e-4)


def test_blur_is_worse_to_structure_and_features_than_to_colour(loss: PictureLoss, truth: Tensor) -> None:
    blurred = F.avg_pool2d(F.pad(truth, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    brighter = truth + (blurred - truth).square().mean().sqrt()
    colour = PictureLoss(None)
    assert wrong(colour, blurred, truth) == pytest.approx(wrong(colour, brighter, truth), rel=1e-3)
    assert wrong(loss, blurred, truth) > wrong(loss, brighter, truth) > wrong(colour, blurred, truth)


def test_errors_count_by_their_weights(truth: Tensor) -> None:
    loss, spoilt = PictureLoss(None), truth.clone()
    spoilt[..., : SIDE // 2] += 0.5
    left, right = torch.ones(2, SIDE, SIDE), torch.ones(2, SIDE, SIDE)
    left[..., : SIDE // 2], right[..., SIDE // 2 :] = 4, 4
    assert wrong(loss, spoilt, truth, left) > wrong(loss, spoilt, truth, right)


def test_noisy_pictures_are_asked_for_colour_alone(loss: PictureLoss, truth: Tensor) -> None:
    grey, weight = torch.zeros_like(truth), torch.ones(2, SIDE, SIDE)
    colour = float(COLOUR * (grey - truth).square().mean())
    assert float(loss(grey, truth, weight, torch.zeros(2))) == pytest.approx(colour, rel=1e-4)
    assert float(loss(grey, truth, weight, torch.ones(2))) > colour + 0.1


def test_the_backbone_does_not_learn_and_pictures_do(loss: PictureLoss, truth: Tensor) -> None:
    pictures = torch.zeros_like(truth, requires_grad=True)
    loss(pictures, truth, torch.ones(2, SIDE, SIDE), torch.ones(2)).backward()
    assert pictures.grad is not None
    assert bool((pictures.grad != 0).float().mean() > 0.9)
    assert list(loss.parameters()) == []
