"""What of a frame's conditions the network sees: each of ``guided``'s additions can be switched off.

A condition that is off is zero, in training as in rendering, so that networks with and without it have the
same weights and cost: an ablation prices the idea alone.
"""

from typing import Any

from torch import Tensor

from na_core.model.box_channels import VALIDITY


def seen_spatial(config: Any, proxy: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a pipeline's ``box_map`` and ``proxy`` let its network see.

    Args:
        config: of the pipeline.
        proxy: (B, c, h, w) latents.
        maps: (B, 11, h, w) box channels; their validity goes with the proxy.
    """
    if not config.box_map:
        maps = maps.clone()
        maps[:, :VALIDITY] = 0
    if not config.proxy:
        proxy, maps = proxy * 0, maps.clone()
        maps[:, VALIDITY] = 0
    return proxy, maps


def seen_tokens(config: Any, tokens: Tensor) -> Tensor:
    """Return what ``tokens`` lets it see of tokens (B, L, D)."""
    return tokens if config.tokens else tokens * 0


def seen_passes(config: Any, passes: Tensor) -> Tensor:
    """Return what ``passes`` lets a decoder of pixels see of the passes of pixels (B, C, h, w)."""
    return passes if config.passes else passes * 0


def seen_poses(config: Any, poses: Tensor) -> Tensor:
    """Return what ``source_pose`` lets it see of poses (B, N, 12), or (B, N, 24) with source poses first."""
    if config.source_pose or poses.shape[-1] == 12:
        return poses
    seen = poses.clone()
    seen[..., :12] = 0
    return seen
