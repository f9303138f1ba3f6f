"""Checkpoints in diffusers' layout: what a run is for."""

from __future__ import annotations

import copy
from pathlib import Path

from diffusers import ConfigMixin

from na_core.model.checkpoints import COMPONENTS, OPTIONAL_COMPONENTS
from na_core.model.pipeline import NeuralAssetsPipeline


def save_checkpoint(pipeline: NeuralAssetsPipeline, folder: Path) -> None:
    """Save a checkpoint with float16 weights, half the size; the pipeline itself keeps its precision."""
    names = (*COMPONENTS, *OPTIONAL_COMPONENTS)
    modules = {name: getattr(pipeline, name) for name in names if name != "scheduler"}
    halved = {name: copy.deepcopy(module).half() for name, module in modules.items() if module is not None}
    for module in halved.values():
        if isinstance(module, ConfigMixin):  # diffusers would write down where its parts were loaded from
            module.register_to_config(_name_or_path="")
    settings = {
        name: value
        for name, value in pipeline.config.items()
        if name not in names and not name.startswith("_")
    }
    NeuralAssetsPipeline(**halved, scheduler=pipeline.scheduler, **settings).save_pretrained(folder)
