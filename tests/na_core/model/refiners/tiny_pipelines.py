"""Pipelines of diffusers with random weights, as small as they go, saved as a user's folder would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLWan,
    ControlNetModel,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
    Qwen2TokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    UMT5Config,
    UMT5EncoderModel,
)

WIDTH = 8
UNET: dict[str, Any] = {
    "block_out_channels": (WIDTH, 2 * WIDTH),
    "norm_num_groups": 4,
    "layers_per_block": 1,
    "sample_size": 32,  # 64 pixels
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
}


def unet(channels: int = 4, **settings: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        in_channels=channels,
        out_channels=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **UNET | settings,
    )


def vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=[WIDTH, 2 * WIDTH],
        norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
    )


def tokenizer(folder: Path) -> CLIPTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text('{"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "a": 3}')
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=8)


def text_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        bos_token_id=0,
        eos_token_id=1,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=4,
        max_position_embeddings=8,
        projection_dim=WIDTH,
    )


def common(folder: Path) -> dict[str, Any]:
    return {
        "vae": vae(),
        "text_encoder": CLIPTextModel(text_config()),
        "tokenizer": tokenizer(folder / "words"),
        "scheduler": DDIMScheduler(),
    }


def judged(folder: Path) -> dict[str, Any]:
    unjudged = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return common(folder) | unjudged


def depth_estimator() -> dict[str, Any]:
    config = DPTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    return {"depth_estimator": DPTForDepthEstimation(config), "feature_extractor": DPTImageProcessor()}


def wan(words: Path) -> WanVACEPipeline:
    """Return Wan-VACE's. It asks any tokenizer for words; the published ones are T5's."""
    tokens_of = letters(words)
    text = UMT5Config(
        vocab_size=len(tokens_of) + 8, d_model=WIDTH, d_kv=WIDTH, d_ff=WIDTH, num_layers=1, num_heads=1
    )
    pictures = AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = WanVACETransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        text_dim=WIDTH,
        freq_dim=16,
        ffn_dim=16,
        num_layers=2,
        vace_layers=[0, 1],
        vace_in_channels=8 + 64,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
    )
    return WanVACEPipeline(
        tokenizer=tokens_of,
        text_encoder=UMT5EncoderModel(text),
        vae=pictures,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        transformer=transformer,
    )


def letters(words: Path) -> Qwen2TokenizerFast:
    """Return a tokenizer whose tokens are letters, by way of a folder."""
    words.mkdir(parents=True, exist_ok=True)
    tokens = [
        *(chr(code) for code in range(33, 127)),
        "Ġ",
        "Ċ",
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
    ]
    (words / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    return Qwen2TokenizerFast(str(words / "vocab.json"), str(words / "merges.txt"))


def klein(words: Path) -> Flux2KleinPipeline:
    """Return FLUX.2-klein's: its prompts come from layers 9, 18 and 27 of the text model."""
    tokens_of = letters(words)
    tokens_of.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    text = Qwen3Config(
        vocab_size=len(tokens_of) + 8,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=28,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=WIDTH,
        max_position_embeddings=512,
    )
    pictures = AutoencoderKLFlux2(
        block_out_channels=(WIDTH, 2 * WIDTH),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * WIDTH,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=pictures,
        text_encoder=Qwen3ForCausalLM(text),
        tokenizer=tokens_of,
        transformer=transformer,
    )


def made(kind: str, folder: Path) -> Any:
    """Return a pipeline of a kind."""
    if kind == "StableDiffusionPipeline":
        return StableDiffusionPipeline(unet=unet(), **judged(folder))
    if kind == "StableDiffusionInpaintPipeline":
        return StableDiffusionInpaintPipeline(unet=unet(9), **judged(folder))
    if kind == "StableDiffusionDepth2ImgPipeline":
        return StableDiffusionDepth2ImgPipeline(unet=unet(5), **common(folder), **depth_estimator())
    if kind == "StableDiffusionControlNetPipeline":
        control = ControlNetModel(
            in_channels=4, conditioning_embedding_out_channels=(4, 8), **UNET_FOR_CONTROL
        )
        return StableDiffusionControlNetPipeline(unet=unet(), controlnet=control, **judged(folder))
    if kind == "Flux2KleinPipeline":
        return klein(folder / "words")
    if kind == "WanVACEPipeline":
        return wan(folder / "words")
    assert kind == "StableDiffusionXLPipeline"
    wide = unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        cross_attention_dim=2 * WIDTH,
    )
    second = CLIPTextModelWithProjection(text_config())
    return StableDiffusionXLPipeline(
        unet=wide, text_encoder_2=second, tokenizer_2=tokenizer(folder / "words_2"), **common(folder)
    )


UNET_FOR_CONTROL = {name: value for name, value in UNET.items() if name != "sample_size"}

KINDS = (
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionDepth2ImgPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionInpaintPipeline",
    "Flux2KleinPipeline",
    "WanVACEPipeline",
)


def write_pipeline(kind: str, folder: Path) -> Path:
    """Write a pipeline of a kind into a folder, with safetensors, and return its place."""
    torch.manual_seed(0)
    made(kind, folder).save_pretrained(folder / kind)
    return folder / kind
