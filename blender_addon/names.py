"""Names that Blender knows the add-on by and that several modules use."""

from __future__ import annotations

PIE_MENU = "NEURAL_ASSETS_MT_pie"
"""The pie menu, as ``wm.call_menu_pie`` is told."""

ADDON = __package__
"""The add-on's name among Blender's: ``bl_ext.<repository>.neural_assets``."""

ENGINE = "NEURAL_ASSETS"
"""The render engine's identifier, as in ``blender -b FILE -E NEURAL_ASSETS -a``."""
