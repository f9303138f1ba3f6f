"""The classifier is the published network: it knows photographs, by ImageNet's numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from na_core.backbone_weights import published_weights
from na_core.image_classifier import ImageClassifier

EXPECTED = {"coffee": 967, "chelsea": 285}
"""ImageNet's numbers of espresso and Egyptian cat."""


@pytest.mark.parametrize("name", EXPECTED)
def test_it_knows_photographs(name: str) -> None:
    classifier = ImageClassifier().eval()
    classifier.load_published(published_weights())
    photo = cv2.resize(getattr(data, name)(), (224, 224), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        logits = classifier(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255)
    assert logits.shape == (1, 1000)
    assert int(logits.argmax()) == EXPECTED[name]


def test_a_missing_weight_is_named() -> None:
    weights = published_weights()
    del weights["_conv_head.weight"]
    with pytest.raises(KeyError, match="_conv_head"):
        ImageClassifier().load_published(weights)


def test_pictures_of_any_size_are_classified() -> None:
    assert np.isfinite(ImageClassifier()(torch.rand(2, 3, 33, 47)).detach().numpy()).all()
