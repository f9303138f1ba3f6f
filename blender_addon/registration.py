"""Everything that the add-on adds to Blender, in order; taking it away is the exact reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable

import bpy

from . import engine, keymap, overlay, panels, preferences
from .detection import operator as detect_operator
from .layers import operator as layers_operator
from .layers import outline_overlay, painting_operators, updating
from .operators import (
    add_asset,
    adjust,
    asset_list,
    compose,
    dataset,
    decoder,
    drag_box,
    export_clips,
    fit_mesh,
    import_photo,
    presets,
    remedies,
    views,
)
from .operators import worker as worker_operators
from .render import written
from .scene import migration, painting, properties
from .viewport import engine_view
from .worker import supervisor

CLASSES: tuple[type, ...] = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *import_photo.CLASSES,
    *detect_operator.CLASSES,
    *layers_operator.CLASSES,
    *painting_operators.CLASSES,
    *add_asset.CLASSES,
    *adjust.CLASSES,
    *drag_box.CLASSES,
    *compose.CLASSES,
    *export_clips.CLASSES,
    *fit_mesh.CLASSES,
    *views.CLASSES,
    *asset_list.CLASSES,
    *remedies.CLASSES,
    *presets.CLASSES,
    *worker_operators.CLASSES,
    *decoder.CLASSES,
    *dataset.CLASSES,
    *engine.CLASSES,
    *panels.CLASSES,
)
"""Every class, each after those that it refers to."""

HOOKS: tuple[tuple[Callable[[], None], Callable[[], None]], ...] = (
    (properties.register, properties.unregister),
    (migration.register, migration.unregister),
    (painting.register, painting.unregister),
    (updating.register, updating.unregister),
    (import_photo.register, import_photo.unregister),
    (written.register, written.unregister),
    (presets.register, presets.unregister),
    (panels.register, panels.unregister),
    (keymap.register, keymap.unregister),
    (overlay.register, overlay.unregister),
    (outline_overlay.register, outline_overlay.unregister),
    (supervisor.register, supervisor.unregister),
    (engine_view.register, engine_view.unregister),
)
"""What is not a class: (attach, detach), attached after all classes are there."""


def register() -> None:
    """Register everything; on a failure what was registered is taken away again. Writes no scene data."""
    undo: list[Callable[[], None]] = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            undo.append(functools.partial(bpy.utils.unregister_class, cls))
        for attach, detach in HOOKS:
            attach()
            undo.append(detach)
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def unregister() -> None:
    """Take everything away in reverse order."""
    for _, detach in reversed(HOOKS):
        detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
