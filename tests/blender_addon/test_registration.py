"""Registering leaves nothing behind, and Blender's own panels work with the engine."""

from __future__ import annotations

import re

import bpy
import pytest


def registered_names():
    pattern = re.compile("neural_assets", re.IGNORECASE)
    return sorted(name for name in dir(bpy.types) if pattern.search(name) or "NeuralAssets" in name)


def test_everything_is_there(addon):
    assert hasattr(bpy.types.Object, "neural_asset")
    assert hasattr(bpy.types.Scene, "neural_assets")
    for name in (
        "import_photo",
        "capture_photo_camera",
        "add_asset_from_box",
        "capture_source",
        "start_worker",
        "stop_worker",
        "copy_worker_log",
        "render_dataset",
    ):
        assert getattr(bpy.ops.neural_assets, name).get_rna_type()


def test_unregister_is_the_reverse_and_repeatable(addon, part):
    registration = part("registration")
    engine = part("names").ENGINE
    panels = [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if engine in getattr(panel, "COMPAT_ENGINES", ()) and not panel.__module__.startswith(addon.__name__)
    ]
    handlers = {
        name: list(getattr(bpy.app.handlers, name)) for name in ("load_post", "render_write", "render_init")
    }
    for scene in bpy.data.scenes:
        scene.render.engine = "BLENDER_WORKBENCH"
    try:
        registration.unregister()
        assert registered_names() == []
        assert not hasattr(bpy.types.Object, "neural_asset")
        assert not hasattr(bpy.types.Scene, "neural_assets")
        assert not any(engine in panel.COMPAT_ENGINES for panel in panels)
        drawn = getattr(bpy.types.TOPBAR_MT_file_import.draw, "_draw_funcs", [])
        assert not any(draw.__module__.startswith(addon.__name__) for draw in drawn)
    finally:
        registration.register()
    assert registered_names()
    assert handlers == {name: list(getattr(bpy.app.handlers, name)) for name in handlers}
    registration.unregister()
    registration.register()


def test_register_writes_no_scene_data(addon, part, scene):
    registration = part("registration")
    registration.unregister()
    before, dirty = set(scene.keys()), bpy.data.is_dirty
    registration.register()
    assert set(scene.keys()) == before
    assert bpy.data.is_dirty == dirty


def test_a_failed_registration_leaves_nothing(addon, part, monkeypatch):
    registration = part("registration")
    registration.unregister()

    def fail():
        raise RuntimeError("no")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(registration, "HOOKS", (*registration.HOOKS, (fail, lambda: None)))
            with pytest.raises(RuntimeError):
                registration.register()
            assert registered_names() == []
    finally:
        registration.register()


def test_enum_items_are_numbered(part):
    for items in (part("scene.properties").PRESETS, part("preferences").DEVICES):
        assert [item[3] for item in items] == list(range(len(items)))


def test_blenders_own_panels_show_with_the_engine(addon):
    from bl_ui import properties_output, properties_render

    for panel in (
        properties_output.RENDER_PT_format,
        properties_output.RENDER_PT_output,
        properties_output.RENDER_PT_stamp,
        properties_render.RENDER_PT_color_management,
    ):
        assert "NEURAL_ASSETS" in panel.COMPAT_ENGINES
