"""Batches of cameras: rays and projections as coefficients of pixel positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from na_core.geometry.camera import DEPTH_EPSILON
from na_core.scene import Camera


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras.

    Attributes:
        world_from_camera: (..., 4, 4) float64, rigid; metres.
        intrinsics: (..., 4) float64: fx, fy, cx, cy in units of the picture's width and height.
    """

    world_from_camera: Tensor
    intrinsics: Tensor

    def to(self, device: torch.device | str) -> "Cameras":
        """Return the cameras on a device."""
        return Cameras(self.world_from_camera.to(device), self.intrinsics.to(device))

    def __getitem__(self, index: object) -> "Cameras":
        """Index the leading dimensions."""
        return Cameras(self.world_from_camera[index], self.intrinsics[index])  # type: ignore[index]


def cameras_of(cameras: Sequence[Camera]) -> Cameras:
    """Write cameras as tensors (B,), on the CPU."""
    return Cameras(
        torch.from_numpy(np.stack([camera.world_from_camera for camera in cameras])),
        torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float64),
    )


def affine_inverse(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Invert affine transforms (..., 4, 4) by cofactors.

    Returns:
        The inverses (..., 4, 4), that of a flat box being zero but for its last element, and the determinants
        (...,).
    """
    m, at = matrices[..., :3, :3], matrices[..., :3, 3]
    x, y, z = m[..., 0], m[..., 1], m[..., 2]
    rows = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], dim=-2)
    determinant = (x * rows[..., 0, :]).sum(-1)
    scale = torch.where(determinant == 0, 0.0, 1 / torch.where(determinant == 0, 1.0, determinant))
    inverse = torch.zeros_like(matrices)
    inverse[..., :3, :3] = rows * scale[..., None, None]
    inverse[..., :3, 3] = -(inverse[..., :3, :3] @ at[..., None])[..., 0]
    inverse[..., 3, 3] = 1
    return inverse, determinant


def camera_from_world(cameras: Cameras) -> Tensor:
    """Return the (..., 4, 4) inverses of ``world_from_camera``."""
    return affine_inverse(cameras.world_from_camera)[0]


def camera_from_pixel(cameras: Cameras, width: int, height: int) -> Tensor:
    """Return (..., 3, 3) that maps a pixel (column, row, 1) to the ray through its centre.

    Rays are in the camera's frame, scaled to one metre of depth.
    """
    fx, fy, cx, cy = cameras.intrinsics.unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [
        torch.stack([1 / (width * fx), zero, (0.5 / width - cx) / fx], dim=-1),
        torch.stack([zero, -1 / (height * fy), (cy - 0.5 / height) / fy], dim=-1),
        torch.stack([zero, zero, -one], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def image_from_camera(cameras: Cameras) -> Tensor:
    """Return (..., 3, 3) that maps a point in a camera's frame to (x * depth, y * depth, depth).

    x and y are image coordinates, depth is in metres.
    """
    fx, fy, cx, cy = cameras.intrinsics.unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [
        torch.stack([fx, zero, -cx], dim=-1),
        torch.stack([zero, -fy, -cy], dim=-1),
        torch.stack([zero, zero, -one], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def away_from_zero(depth: Tensor, epsilon: float = DEPTH_EPSILON) -> Tensor:
    """Return divisors that are at least ``epsilon`` from zero, with their signs."""
    return torch.copysign(depth.abs().clamp_min(epsilon), depth)


def project_local(cameras: Cameras, local: Tensor) -> Tensor:
    """Project points in the cameras' own frames.

    Args:
        cameras: (...,).
        local: (..., n, 3) metres.

    Returns:
        (..., n, 3): x, y in image coordinates (unclipped), depth in metres, positive in front; finite.
    """
    fx, fy, cx, cy = cameras.intrinsics[..., None, :].unbind(-1)
    depth = -local[..., 2]
    divisor = away_from_zero(depth)
    x = local[..., 0] / divisor * fx + cx
    y = -local[..., 1] / divisor * fy + cy
    return torch.stack([x, y, depth], dim=-1)


def relative_pose_numbers(source: Cameras, target: Cameras) -> Tensor:
    """Return the background's 12 pose numbers (..., 12): relative rotation row-major, then translation."""
    pose = camera_from_world(target) @ source.world_from_camera
    return torch.cat([pose[..., :3, :3].flatten(-2), pose[..., :3, 3]], dim=-1)
