"""Tiny networks in the very formats of the user's own models, whose answers can be told by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def _save(file: Path, nodes: list, inputs: dict, outputs: dict, constants: dict) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file


def write_matting(file: Path, *, side: int = 64, name: str = "input", odds: bool = False) -> Path:
    """Write a matting network as IS-Net's or BiRefNet's (``input_image``, odds): red is the object."""
    nodes = [
        helper.make_node("Slice", [name, "first", "second", "axis"], ["red"]),
        helper.make_node("Mul", ["red", "gain"], ["louder"]),
        helper.make_node("Add", ["louder", "offset"], ["alpha"] if odds else ["level"]),
    ]
    if not odds:
        nodes.append(helper.make_node("Clip", ["level", "zero", "one"], ["alpha"]))
    constants = {
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "gain": np.array(8 if odds else 1, np.float32),
        "offset": np.array(0 if odds else 0.5, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    return _save(file, nodes, {name: [1, 3, side, side]}, {"alpha": [1, 1, side, side]}, constants)


def write_lama(file: Path, *, side: int = 64, levels: float = 255.0, joined: bool = False) -> Path:
    """Write a network as LaMa's, which fills holes with a dark green and adds the rest of the picture.

    Joined, it has one input of four channels.
    """
    split = [
        helper.make_node("Slice", ["input", "zero", "three", "axis"], ["image"]),
        helper.make_node("Slice", ["input", "three", "four", "axis"], ["mask"]),
    ]
    nodes = [
        *(split if joined else []),
        helper.make_node("Sub", ["one", "mask"], ["kept"]),
        helper.make_node("Mul", ["image", "kept"], ["shown"]),
        helper.make_node("Mul", ["green", "mask"], ["made"]),
        helper.make_node("Add", ["shown", "made"], ["both"]),
        helper.make_node("Mul", ["both", "levels"], ["output"]),
    ]
    constants = {
        "one": np.array(1, np.float32),
        "green": np.array([0, 0.4, 0], np.float32).reshape(1, 3, 1, 1),
        "levels": np.array(levels, np.float32),
        **{
            name: np.array([n], np.int64) for name, n in (("zero", 0), ("three", 3), ("four", 4), ("axis", 1))
        },
    }
    if joined:
        return _save(file, nodes, {"input": [1, 4, side, side]}, {"output": [1, 3, side, side]}, constants)
    inputs = {"image": [1, 3, side, side], "mask": [1, 1, side, side]}
    return _save(file, nodes, inputs, {"output": [1, 3, side, side]}, constants)


def write_inpainting(folder: Path) -> Path:
    """Write an inpainting pipeline as Stable Diffusion's, with random weights."""
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=32,
        in_channels=9,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        attention_head_dim=4,
    )
    vae = AutoencoderKL(
        block_out_channels=[8, 16],
        norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
    )
    words = folder / "words"
    words.mkdir(parents=True)
    (words / "vocab.json").write_text('{"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "a": 3}')
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=8)
    text = CLIPTextModel(
        CLIPTextConfig(
            bos_token_id=0,
            eos_token_id=1,
            hidden_size=8,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            vocab_size=4,
            max_position_embeddings=8,
        )
    )
    pipeline = StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "pipeline")
    return folder / "pipeline"
