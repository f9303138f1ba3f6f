"""A tiny SAM 2.1 with random weights, as transformers saves it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Sam2Config, Sam2Model


def write_tiny_sam(folder: Path) -> Path:
    """Write the network and return its folder."""
    torch.manual_seed(0)
    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 12,
        "image_size": [128, 128],
        "patch_kernel_size": [7, 7],
        "patch_stride": [4, 4],
        "patch_padding": [3, 3],
        "blocks_per_stage": [1, 2, 7, 2],
        "embed_dim_per_stage": [12, 24, 48, 96],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 14, 7],
        "global_attention_blocks": [5, 7, 9],
    }
    vision = {
        "backbone_config": hiera,
        "backbone_channel_list": [96, 48, 24, 12],
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        "fpn_hidden_size": 32,
    }
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32, "image_size": 128, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32,
            "iou_head_hidden_dim": 32,
            "mlp_dim": 32,
            "dynamic_multimask_via_stability": True,
        },
    )
    Sam2Model(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 128, "width": 128}}')
    return folder
