"""Tokens: appearance from the photo and pose from the projected box, per object and for the background."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from na_core.model.roi_align import roi_align

POSE_SIZE = 12
"""Numbers of one pose: (x, y, depth) of four corners, or a rotation and a translation."""


class Tokenizer3D(ModelMixin, ConfigMixin):
    """Turns features, 2D boxes and poses into the sequence that replaces the text states.

    Per object: RoIAlign of the encoder's features into ``cells**2`` appearance vectors, the pose through an
    MLP, channel concatenation, one linear layer. The background is one more object with RoI (0, 0, 1, 1),
    appended last, whose relative camera pose passes an MLP of its own and then the shared one (paper
    reference, section 1).

    Args:
        feature_size: channels of the encoder's features.
        appearance_size, pose_size, pose_hidden_size: widths before fusion.
        token_size: width of a token, the UNet's ``cross_attention_dim``.
        cells: RoIAlign cells per side.
        source_pose: the pose holds 12 source numbers beside the 12 target ones (``guided``).
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        feature_size: int = 768,
        appearance_size: int = 512,
        pose_size: int = 512,
        pose_hidden_size: int = 1024,
        token_size: int = 1024,
        cells: int = 2,
        source_pose: bool = False,
    ) -> None:
        super().__init__()
        self.cells = cells
        self.pose_numbers = POSE_SIZE * (2 if source_pose else 1)
        self.appearance = nn.Linear(feature_size, appearance_size)
        self.background_pose = nn.Sequential(
            nn.Linear(POSE_SIZE, 2 * POSE_SIZE),
            nn.GELU(approximate="tanh"),
            nn.Linear(2 * POSE_SIZE, self.pose_numbers),
        )
        self.pose = nn.Sequential(
            nn.Linear(self.pose_numbers, pose_hidden_size),
            nn.GELU(approximate="tanh"),
            nn.Linear(pose_hidden_size, pose_size),
        )
        self.fusion = nn.Linear(appearance_size + pose_size, token_size)

    def forward(
        self,
        object_features: Tensor,
        background_features: Tensor,
        rectangles: Tensor,
        poses: Tensor,
        background_pose: Tensor,
        null: Tensor | None = None,
    ) -> Tensor:
        """Return tokens (B, (N + 1) * cells**2, token_size), the background's last.

        Args:
            object_features: (B, N, h, w, C) each object's own photo, or (B, 1, h, w, C) one for all.
            background_features: (B, h, w, C).
            rectangles: (B, N, 4) source 2D boxes; zeros for an empty slot or an object that the photo hides.
            poses: (B, N, 12 or 24).
            background_pose: (B, 12).
            null: (B,) bool, samples whose boxes are all set to zero, 2D and pose, objects and background.
        """
        batch, count = rectangles.shape[:2]
        whole = rectangles.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(batch, 1, 4)
        background = self.background_pose(background_pose)[:, None]
        if null is not None:
            keep = (~null).to(rectangles.dtype)[:, None, None]
            rectangles, whole = rectangles * keep, whole * keep
            poses = poses * keep
            zero_pose = self.background_pose(torch.zeros_like(background_pose))[:, None]
            background = torch.where(null[:, None, None], zero_pose, background)
        if object_features.shape[1] == 1:
            objects = roi_align(object_features[:, 0], rectangles, self.cells)
        else:
            flat = object_features.flatten(0, 1)
            objects = roi_align(flat, rectangles.reshape(batch * count, 1, 4), self.cells)
            objects = objects.reshape(batch, count, self.cells**2, -1)
        scene = roi_align(background_features, whole, self.cells)
        appearance = self.appearance(torch.cat([objects, scene], dim=1))
        pose = self.pose(torch.cat([poses.to(background.dtype), background], dim=1))
        pose = pose[:, :, None].expand(-1, -1, appearance.shape[2], -1)
        return self.fusion(torch.cat([appearance, pose], dim=-1)).flatten(1, 2)

    def mask(self, filled: Tensor) -> Tensor:
        """Return which tokens count, (B, L) bool: the background's and those of filled slots (B, N) bool."""
        each = torch.cat([filled, torch.ones_like(filled[:, :1])], dim=1)
        return each.repeat_interleave(self.cells**2, dim=1)
