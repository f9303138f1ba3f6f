"""The embedded detector's network: one pass over a photo gives objects with 3D boxes, and the camera.

A centre-point detector (Zhou et al., "Objects as Points", 2019) whose boxes are learnt all over an object's
middle and not at one point (Liu et al., "Training-Time-Friendly Network", 2020). One photo does not show
scale: everything is in units of the camera's height above the ground. Nor does it show the focal length
plainly: where that is known it is told, and everything else is in terms that a picture shows without it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor

CELL = 4
"""Side in pixels of the cells that predictions are for."""

SIDE = 256
"""Longer side in pixels of the pictures that the network sees."""

PARTS = {
    "heat": 1,
    "rectangle": 4,
    "centre": 2,
    "depth": 1,
    "height": 1,
    "footprint": 1,
    "stretch": 2,
    "quarter": 2,
    "front": 2,
    "camera": 3,
}
"""Channels of :class:`Prediction`'s fields, in their order; the names' follow."""

PRIOR = -4.0
"""Logit of an object's centre that an untrained network starts from: most cells are none."""


@dataclass(frozen=True)
class Prediction:
    """What is predicted for every cell of B photos, (B, C, h, w) float32.

    Lengths in the picture are in units of its longer side; positions are relative to the cell's centre.

    Attributes:
        heat: (1) logit of the cell being the centre of an object's 2D box.
        rectangle: (4) how far the 2D box reaches to the left, up, to the right and down.
        centre: (2) where the 3D box's centre is seen.
        depth: (1) logarithm of its depth in camera heights, over the focal length.
        height: (1) logarithm of the box's apparent height, focal length times height over depth.
        footprint: (1) logarithm of the apparent square root of the footprint's area.
        stretch: (2) half the logarithm of width over depth, times cosine and sine of twice the yaw.
        quarter: (2) cosine and sine of four times the yaw.
        front: (2) cosine and sine of the yaw, in which the front (-Y) looks at the camera at zero.
        camera: (3) logarithm of the focal length; how far above the middle the horizon is, along the
            camera's up; and roll in radians.
        names: (K) logits of what the object is.
    """

    heat: Tensor
    rectangle: Tensor
    centre: Tensor
    depth: Tensor
    height: Tensor
    footprint: Tensor
    stretch: Tensor
    quarter: Tensor
    front: Tensor
    camera: Tensor
    names: Tensor


class BoxDetector(ModelMixin, ConfigMixin):
    """Finds objects' 3D boxes and the camera in photos.

    Args:
        names: of the kinds of objects that it tells apart.
        channels: of its levels, each at half the resolution of the one before.
    """

    @register_to_config
    def __init__(self, names: tuple[str, ...] = (), channels: tuple[int, ...] = (32, 48, 64, 80)) -> None:
        super().__init__()
        self.network = UNet2DModel(
            in_channels=3 * CELL**2 + 4,
            out_channels=sum(PARTS.values()) + len(names),
            block_out_channels=tuple(channels),
            down_block_types=("DownBlock2D",) * len(channels),
            up_block_types=("UpBlock2D",) * len(channels),
            layers_per_block=1,
            attention_head_dim=min(16, channels[-1]),
            norm_num_groups=min(8, channels[0] // 2),
        )
        with torch.no_grad():
            self.network.conv_out.bias[0] = PRIOR

    def forward(self, pictures: Tensor, focal: Tensor | None = None) -> Prediction:
        """Predict for pictures (B, 3, H, W) in [-1, 1], of any size.

        Focal lengths are (B,), 0 where they are not known; None if none is.
        """
        height, width = pictures.shape[-2:]
        multiple = CELL * 2 ** (len(self.config.channels) - 1)
        padding = (0, -width % multiple, 0, -height % multiple)
        padded = F.pad(pictures, padding, mode="replicate") if any(padding) else pictures
        cells = F.pixel_unshuffle(padded, CELL)
        places = cell_centres((width, height), tuple(cells.shape[-2:]), cells.device)
        middle = torch.tensor([width, height], device=cells.device)[:, None, None] / 2
        places = (places - middle / max(width, height)).expand(len(cells), -1, -1, -1)
        lengths = cells.new_zeros(len(cells)) if focal is None else focal.to(cells.dtype)
        known = lengths > 0
        told = torch.stack([known.to(cells.dtype), lengths.where(known, 1.0).log()], dim=1)
        told = told[:, :, None, None].expand(-1, -1, *cells.shape[-2:])
        inputs = torch.cat([cells, places.to(cells.dtype), told], dim=1)
        out = self.network(inputs.contiguous(memory_format=torch.channels_last), 0).sample.float()
        out = out[..., : -(-height // CELL), : -(-width // CELL)]
        return Prediction(*out.split([*PARTS.values(), len(self.config.names)], dim=1))


def cell_centres(size: tuple[int, int], cells: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Return where cells' centres are, (2, rows, columns): x and y in units of the picture's longer side.

    Args:
        size: width and height of the picture in pixels.
        cells: rows and columns.
        device: of the result.
    """
    side = max(size)
    rows, columns = cells
    y = (torch.arange(rows, device=device) + 0.5) * CELL / side
    x = (torch.arange(columns, device=device) + 0.5) * CELL / side
    return torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)])
