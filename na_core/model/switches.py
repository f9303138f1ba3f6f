"""What of a frame's conditions the network sees: each of ``guided``'s additions can be switched off.

A condition that is off is zero, in training as in rendering, so that networks with and without it have the
same weights and cost: an ablation prices the idea alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from na_core.model.box_channels import VALIDITY


@dataclass(frozen=True)
class Switches:
    """Which conditions a network sees.

    Attributes:
        box_map: which box each ray hits, where and how far away (design, section 4.1).
        proxy: the proxy picture and where it is real (design, section 4.2).
        source_pose: assets' source poses beside the target poses (design, section 4.3).
    """

    box_map: bool = True
    proxy: bool = True
    source_pose: bool = True

    @classmethod
    def of(cls, config: Any) -> Self:
        """Return what a pipeline's configuration switches on."""
        return cls(config.box_map, config.proxy, config.source_pose)

    def spatial(self, proxy: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen of proxy latents (B, c, h, w) and box maps (B, 11, h, w)."""
        if not self.box_map:
            maps = maps.clone()
            maps[:, :VALIDITY] = 0
        if not self.proxy:
            proxy, maps = proxy * 0, maps.clone()
            maps[:, VALIDITY] = 0
        return proxy, maps

    def poses(self, poses: Tensor) -> Tensor:
        """Return what is seen of poses (B, N, 12), or (B, N, 24) with source poses first."""
        if self.source_pose or poses.shape[-1] == 12:
            return poses
        seen = poses.clone()
        seen[..., :12] = 0
        return seen
