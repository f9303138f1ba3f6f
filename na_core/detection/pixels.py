"""A photo as the networks of others want it."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def normalised(
    image: Image.Image, size: tuple[int, int], mean: Sequence[float], deviation: Sequence[float]
) -> Tensor:
    """Return an image as (1, 3, rows, columns), resized and normalised."""
    small = image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
    return ((pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None])[None]
