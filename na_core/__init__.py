"""Neural Assets: 3D-aware, multi-object image synthesis with boxes as the handles.

:mod:`na_core.scene` and :mod:`na_core.geometry` need numpy and the standard library only (Blender's own
Python imports them); everything else may use torch, and is imported on first use.
"""

import importlib

__version__ = "0.1.0"

_LAZY = {
    "NeuralAssetsPipeline": "na_core.model.pipeline",
    "Tokenizer3D": "na_core.model.tokenizer3d",
}


def __getattr__(name: str) -> object:
    """Import the torch classes on first use; diffusers finds pipeline components here by name."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
