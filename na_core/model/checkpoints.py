"""Finding and loading checkpoints: safetensors in diffusers' layout, nothing else."""

import hashlib
from pathlib import Path

import torch
from torch import nn
from transformers import ViTModel

from na_core.model.config_limits import check_config, read_config
from na_core.model.pipeline import NeuralAssetsPipeline

EMBEDDED = Path(__file__).resolve().parent.parent / "checkpoints"
"""Checkpoints that come with the package, by folder name."""

COMPONENTS = ("encoder", "tokenizer3d", "unet", "scheduler")
OPTIONAL_COMPONENTS = ("vae", "photo_network")
LIBRARIES = (
    "diffusers",
    "transformers",
    "na_core",
    "na_core.layers.photo_network",
    "na_core.model.patch_autoencoder",
    "na_core.model.tokenizer3d",
)
"""Where a checkpoint's index may take classes from."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class CheckpointError(ValueError):
    """A checkpoint that cannot be used. ``code`` is "checkpoint_missing" or "checkpoint_corrupt"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def resolve_checkpoint(name: str | Path) -> Path:
    """Return the folder of an embedded checkpoint's name or of a path, after checking that it is complete.

    Raises:
        CheckpointError: no such checkpoint, parts of it are missing, or its weights are not safetensors.
    """
    folder = Path(name)
    if not folder.is_dir() and (EMBEDDED / str(name)).is_dir():
        folder = EMBEDDED / str(name)
    if not folder.is_dir():
        raise CheckpointError(
            "checkpoint_missing",
            f"There is no checkpoint '{name}'. Choose a folder that holds a model_index.json, "
            f"or leave the setting empty to use the built-in 'mini'.",
        )
    index = folder / "model_index.json"
    if not index.is_file():
        raise CheckpointError(
            "checkpoint_missing",
            f"The folder '{name}' is not a checkpoint: it holds no model_index.json. "
            f"Choose the folder that does.",
        )
    if any(folder.rglob("*.py")):
        raise CheckpointError(
            "checkpoint_corrupt",
            f"The checkpoint '{name}' brings code, which is never run. Take one without .py files.",
        )
    classes = _config(name, index)
    if not isinstance(classes.get("_class_name"), str):
        raise _corrupt(name, "model_index.json does not say of which class it is")
    for component in (*COMPONENTS, *OPTIONAL_COMPONENTS):
        part = folder / component
        entry = classes.get(component)
        if component in OPTIONAL_COMPONENTS and entry in (None, [None, None]):
            continue
        if not _is_class(entry):
            raise _corrupt(name, f"model_index.json does not say which of our classes '{component}' is")
        if not part.is_dir():
            raise _corrupt(name, f"its folder '{component}' is missing")
        if any(file.suffix in PICKLES for file in part.iterdir()):
            raise CheckpointError(
                "checkpoint_corrupt",
                f"The checkpoint '{name}' holds pickled weights in '{component}', which can run code. "
                f"Save it again as safetensors.",
            )
        if component != "scheduler" and not any(part.glob("*.safetensors")):
            raise _corrupt(name, f"the weights of '{component}' are missing")
        if component != "scheduler" and (part / "config.json").is_file():
            _config(name, part / "config.json")
    return folder


def _config(name: str | Path, file: Path) -> dict[str, object]:
    """Return what a file of a checkpoint's configuration says, if it is within reason."""
    try:
        config = read_config(file)
        check_config(config)
    except ValueError as error:
        raise _corrupt(name, f"{error} (in {file.parent.name}/{file.name})") from error
    return config


def _is_class(entry: object) -> bool:
    """Tell whether an entry of an index names one of our libraries, and a class in it."""
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    library, kind = entry
    return library in LIBRARIES and isinstance(kind, str) and kind.isidentifier()


def _corrupt(name: str | Path, what: str) -> CheckpointError:
    return CheckpointError(
        "checkpoint_corrupt",
        f"The checkpoint '{name}' is damaged: {what}. Copy or download it again.",
    )


def load_checkpoint(
    name: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> NeuralAssetsPipeline:
    """Load a checkpoint ready to render: from local files only, safetensors only.

    Raises:
        CheckpointError: it is missing or damaged; the text says what to do.
    """
    folder = resolve_checkpoint(name)
    try:
        # By itself: the pipeline's loader would add a pooling layer that no checkpoint holds.
        encoder = ViTModel.from_pretrained(
            folder / "encoder",
            add_pooling_layer=False,
            local_files_only=True,
            use_safetensors=True,
        ).to(dtype)
        pipeline = NeuralAssetsPipeline.from_pretrained(
            folder, encoder=encoder, local_files_only=True, use_safetensors=True, dtype=dtype
        )
    except MemoryError:
        raise
    except Exception as error:  # whatever the loaders of three libraries raise on damaged files
        raise _corrupt(name, f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    for component, module in pipeline.components.items():
        weights = module.parameters() if isinstance(module, nn.Module) else ()
        if not all(bool(values.isfinite().all()) for values in weights):
            raise _corrupt(name, f"weights of '{component}' are no finite numbers")
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def fingerprint(name: str | Path) -> str:
    """Return a SHA-256 over a checkpoint's files: equal checkpoints give equal pictures."""
    folder = resolve_checkpoint(name)
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".json", ".safetensors"):
            digest.update(file.relative_to(folder).as_posix().encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
