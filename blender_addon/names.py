"""Names that Blender knows the add-on by and that several modules use."""

from __future__ import annotations

ENGINE = "NEURAL_ASSETS"
"""The render engine's identifier, as in ``blender -b FILE -E NEURAL_ASSETS -a``."""
