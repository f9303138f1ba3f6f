"""Files of other versions: stamped when saved, brought up to date when loaded, left alone when newer."""

from __future__ import annotations

import bpy
import pytest

OLD = (0, 0, 0)
NEWER = (9, 8, 7)


@pytest.fixture
def migration(part):
    return part("scene.migration")


@pytest.fixture
def save(tmp_path):
    """A function that saves the file and returns its path."""

    def save(name="file.blend", **options):
        path = str(tmp_path / name)
        bpy.ops.wm.save_as_mainfile(filepath=path, **options)
        return path

    return save


@pytest.fixture
def old_file(migration, table, save, monkeypatch):
    """A file as the add-on wrote it before versions were kept: no version, no thumbnails."""
    for asset in table.collection.all_objects:
        if asset.neural_asset.is_asset:
            asset.preview.is_image_custom = False
    with monkeypatch.context() as patch:
        patch.setattr(migration, "VERSION", OLD)
        table.neural_assets.version = OLD
        path = save("old.blend")
    assert migration.version_of(table) == OLD
    return path


def load(path):
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)
    return bpy.context.scene


def test_the_version_is_the_extensions(migration):
    import na_core

    assert ".".join(map(str, migration.VERSION)) == na_core.__version__
    assert [step.version for step in migration.STEPS] == sorted(step.version for step in migration.STEPS)
    assert migration.STEPS[-1].version <= migration.VERSION


def test_importing_a_photo_notes_the_version(api, migration, scene, make_photo):
    assert migration.version_of(scene) == OLD
    api.import_photo(make_photo())
    assert migration.version_of(scene) == migration.VERSION


def test_saving_notes_the_version_where_there_is_something_of_ours(migration, table, save):
    other = bpy.data.scenes.new("Other")
    table.neural_assets.version = OLD
    path = save()
    assert migration.version_of(table) == migration.VERSION
    assert migration.version_of(other) == OLD
    loaded = load(path)
    assert migration.version_of(loaded) == migration.VERSION
    assert migration.version_of(bpy.data.scenes["Other"]) == OLD


def test_an_old_file_is_brought_up_to_date_when_it_is_loaded(migration, old_file, part):
    scene = load(old_file)
    assert migration.version_of(scene) == migration.VERSION
    assets = part("scene.assets").asset_objects(scene)
    assert len(assets) == 2
    assert all(asset.preview.is_image_custom for asset in assets)


def test_steps_run_in_order_and_once(migration, old_file, monkeypatch):
    ran = []
    steps = [migration.Step((0, 0, n), lambda scene, n=n: ran.append((n, scene.name))) for n in (1, 2, 5)]
    monkeypatch.setattr(migration, "STEPS", tuple(steps))
    monkeypatch.setattr(migration, "VERSION", (0, 0, 4))
    scene = load(old_file)
    assert ran == [(1, scene.name), (2, scene.name)]  # the third is for a later version
    migration.update(scene)
    assert len(ran) == 2
    monkeypatch.setattr(migration, "VERSION", (0, 0, 5))
    migration.update(scene)
    assert [number for number, _ in ran] == [1, 2, 5]


def test_a_preset_number_that_is_none_any_more_becomes_custom(migration):
    from types import SimpleNamespace

    scene = SimpleNamespace(neural_assets=SimpleNamespace(preset=""))  # what Blender reads for such a number
    migration.renumber_presets(scene)
    assert scene.neural_assets.preset == "custom"


def test_a_step_that_fails_leaves_the_file_open_and_unstamped(migration, old_file, monkeypatch, capfd):
    def fail(scene):
        raise RuntimeError("a step's bug")

    with monkeypatch.context() as patch:
        patch.setattr(migration, "STEPS", (migration.Step((0, 1, 0), fail),))
        scene = load(old_file)
    assert migration.version_of(scene) == OLD
    assert "a step's bug" in capfd.readouterr().err
    migration.update(scene)
    assert migration.version_of(scene) == migration.VERSION


def test_a_newer_file_warns_and_is_left_alone(migration, part, table, save, monkeypatch, capfd):
    table.neural_assets.version = NEWER
    path = save()
    monkeypatch.setattr(migration, "STEPS", (migration.Step((9, 9, 9), lambda scene: 1 / 0),))
    capfd.readouterr()
    scene = load(path)
    assert migration.version_of(scene) == NEWER
    assert "was saved by Neural Assets 9.8.7" in capfd.readouterr().err
    (warning,) = [text for text in part("render.problems").warnings(scene) if "9.8.7" in text]
    assert "update the add-on" in warning
    path = save("again.blend")
    assert migration.version_of(load(path)) == NEWER


def test_our_own_files_do_not_warn(part, table, save, capfd):
    scene = load(save())
    assert not any("saved by" in text for text in part("render.problems").warnings(scene))
    assert "saved by Neural Assets" not in capfd.readouterr().err


def test_undo_goes_back_to_what_was_loaded(api, migration, old_file):
    scene = load(old_file)
    bpy.ops.ed.undo_push(message="loaded")
    bpy.ops.neural_assets.add_asset_from_box(
        "EXEC_DEFAULT", True, rectangle=(0.4, 0.5, 0.6, 0.9), name="Extra", fit="rectangle"
    )
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert [asset.name for asset in api.assets()] == ["Cup", "Jar"]
    assert migration.version_of(scene) == migration.VERSION


def test_unregistering_takes_the_handlers_away(part, migration):
    registration = part("registration")
    handlers = bpy.app.handlers
    registration.unregister()
    try:
        for installed in (handlers.load_post, handlers.save_pre):
            assert not any(handler.__module__ == migration.__name__ for handler in installed)
    finally:
        registration.register()
    for installed in (handlers.load_post, handlers.save_pre):
        assert sum(handler.__module__ == migration.__name__ for handler in installed) == 1
