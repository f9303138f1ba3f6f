"""Keys in the viewport's Object Mode. They are there from the start, and off until the preferences say so.

Blender's own keymap has nothing at these keys in Object Mode. In *Preferences > Keymap* you give them others.
"""

from __future__ import annotations

from typing import Any

import bpy

from .names import PIE_MENU

PIE_KEY: dict[str, Any] = {"type": "N", "shift": True, "alt": True}
"""Shift + Alt + N: the pie menu."""

BOX_KEY: dict[str, Any] = {"type": "B", "shift": True, "alt": True}
"""Shift + Alt + B: drag a box around an object."""

_entries: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def switch(on: bool) -> None:
    """Turn the keys on or off."""
    for _, item in _entries:
        item.active = on


def entries() -> list[bpy.types.KeyMapItem]:
    """Return the keys; none where Blender has no keymaps."""
    return [item for _, item in _entries]


def register() -> None:
    """Add the keys, on or off as the preferences have it."""
    keys = bpy.context.window_manager.keyconfigs.addon
    if keys is None:  # as in background
        return
    keymap = keys.keymaps.new(name="Object Mode", space_type="EMPTY")
    pie = keymap.keymap_items.new("wm.call_menu_pie", value="PRESS", **PIE_KEY)
    pie.properties.name = PIE_MENU
    box = keymap.keymap_items.new("neural_assets.add_asset_from_box", value="PRESS", **BOX_KEY)
    _entries.extend([(keymap, pie), (keymap, box)])
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(__package__)
    switch(bool(addon and addon.preferences and addon.preferences.use_keys))


def unregister() -> None:
    """Take the keys away again."""
    for keymap, item in _entries:
        keymap.keymap_items.remove(item)
    _entries.clear()
