"""The backbone: the published network, with its normalisation folded in."""

from __future__ import annotations

import pytest
import torch

from na_core.backbone import CHANNELS, NORM_EPSILON, EfficientNetLite, SameConv
from na_core.backbone_weights import published_weights


@pytest.mark.parametrize(("height", "width"), [(64, 96), (33, 47), (1, 1)])
def test_features_shrink_by_two_from_level_to_level(height: int, width: int) -> None:
    features = EfficientNetLite()(torch.rand(2, 3, height, width))
    for level, (found, channels) in enumerate(zip(features, CHANNELS, strict=True), start=1):
        assert found.shape == (2, channels, -(-height // 2**level), -(-width // 2**level))


def test_of_fewer_blocks_the_last_ones_features_come_last() -> None:
    whole, part = EfficientNetLite().eval(), EfficientNetLite(13).eval()
    part.load_state_dict(whole.state_dict(), strict=False)
    picture = torch.rand(1, 3, 64, 64)
    features = part(picture)
    assert [of.shape[1] for of in features] == [*CHANNELS[:-1], 192]
    for mine, other in zip(features[:-1], whole(picture), strict=False):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_odd_pixel_of_padding_is_below_and_on_the_right(size: int, stride: int) -> None:
    conv = SameConv(1, 1, 3, stride, bias=False)
    torch.nn.init.ones_(conv.weight)
    found = conv(torch.ones(1, 1, size, size))[0, 0]
    assert found.shape == (-(-size // stride),) * 2
    before = 1 if stride == 1 or size % 2 else 0
    assert found[0, 0] == (3 - before) ** 2


def test_folded_weights_normalise() -> None:
    random = torch.Generator().manual_seed(0)
    conv = torch.nn.Conv2d(3, 32, 3, 2, 1, bias=False)
    norm = torch.nn.BatchNorm2d(32, eps=NORM_EPSILON).eval()
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        values.data = torch.rand(32, generator=random) + 0.5
    weights = published_weights()
    weights |= {"_conv_stem.weight": conv.weight.data} | {
        f"_bn0.{k}": v for k, v in norm.state_dict().items()
    }
    backbone = EfficientNetLite()
    backbone.load_published(weights)
    pixels = torch.rand(1, 3, 9, 9, generator=random)
    torch.testing.assert_close(backbone.stem(pixels), norm(conv(pixels)), rtol=1e-4, atol=1e-4)


def test_a_missing_or_misshapen_weight_is_named() -> None:
    weights = published_weights()
    with pytest.raises(KeyError, match="_blocks"):
        EfficientNetLite().load_published({k: v for k, v in weights.items() if "_blocks.3" not in k})
    weights["_conv_stem.weight"] = torch.zeros(1, 3, 3, 3)
    with pytest.raises(ValueError, match="_conv_stem"):
        EfficientNetLite().load_published(weights)
