"""A picture that was not written whole counts for nothing: it is removed, and somebody says so."""

from __future__ import annotations

import os
import shutil

import bpy
import pytest

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "OPEN_EXR": ".exr", "OPEN_EXR_MULTILAYER": ".exr"}


@pytest.fixture
def frames(table, tmp_path, settings):
    """A scene of three frames in an own folder, which render at once."""
    table.neural_assets.preset = "draft"
    table.render.image_settings.file_format = "PNG"
    table.render.filepath = str(tmp_path / "pictures" / "frame_####")
    table.frame_start, table.frame_end = 1, 3
    return table


def written(scene, form, tmp_path):
    """Render a frame in a format and return its file."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if form == "OPEN_EXR_MULTILAYER" else "IMAGE"
    settings.file_format = form
    scene.render.filepath = str(tmp_path / f"whole{FORMATS[form]}")
    bpy.ops.render.render(write_still=True)
    return tmp_path / f"whole{FORMATS[form]}"


@pytest.mark.parametrize("form", FORMATS)
def test_blenders_own_files_are_whole_and_cut_short_they_are_not(part, frames, tmp_path, form):
    is_whole = part("render.written").is_whole
    file = written(frames, form, tmp_path)
    assert is_whole(file)
    data = file.read_bytes()
    for count in (0, 1, 4, 100, len(data) // 2, len(data) - 100, len(data) - 1):
        file.write_bytes(data[:count])
        assert not is_whole(file), count


@pytest.mark.parametrize("codec", ["NONE", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "DWAA", "DWAB"])
def test_openexr_of_every_compression(part, frames, tmp_path, codec):
    frames.render.image_settings.file_format = "OPEN_EXR"
    try:
        frames.render.image_settings.exr_codec = codec
    except TypeError:
        pytest.skip(f"this Blender has no {codec}")
    file = written(frames, "OPEN_EXR", tmp_path)
    assert part("render.written").is_whole(file)
    file.write_bytes(file.read_bytes()[:-1])
    assert not part("render.written").is_whole(file)


def test_what_is_no_such_picture_has_to_hold_something(part, tmp_path):
    is_whole = part("render.written").is_whole
    assert not is_whole(tmp_path / "gone.tif")
    for name, data, whole in (
        ("a.tif", b"", False),
        ("b.tif", b"II*\0" + bytes(100), True),
        ("c.exr", b"v/1\x01", False),
    ):
        (tmp_path / name).write_bytes(data)
        assert is_whole(tmp_path / name) is whole


@pytest.fixture
def cut(frames):
    """Frames whose picture loses its end as soon as it is written, before anybody looks: a full disk."""
    numbers: set[int] = set()

    def truncate(scene, *_):
        if scene.frame_current in numbers:
            path = scene.render.frame_path(frame=scene.frame_current)
            os.truncate(path, os.path.getsize(path) - 20)

    bpy.app.handlers.render_write.insert(0, truncate)
    yield numbers
    bpy.app.handlers.render_write.remove(truncate)


def test_the_next_frame_says_that_one_was_cut_short_and_it_is_gone(frames, cut, tmp_path):
    cut.add(2)
    with pytest.raises(RuntimeError, match=r"frame_0002.png' was not written whole.*Free some space"):
        bpy.ops.render.render(animation=True)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["frame_0001.png"]


def test_of_the_last_frame_the_api_says_it(api, frames, cut, tmp_path, capfd):
    cut.add(3)
    with pytest.raises(api.UserError, match=r"frame_0003.png' was not written whole"):
        api.render_animation(tmp_path / "pictures" / "frame_####.png")
    assert "frame_0003.png' was not written whole" in capfd.readouterr().err
    assert not (tmp_path / "pictures" / "frame_0003.png").exists()


def test_a_rerun_without_overwrite_makes_what_was_broken_and_keeps_the_rest(api, frames, cut, tmp_path):
    cut.add(3)
    folder = tmp_path / "pictures"
    with pytest.raises(api.UserError):
        api.render_animation(folder / "frame_####.png")
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    cut.clear()
    frames.render.use_overwrite = False
    api.render_animation(folder / "frame_####.png")
    assert sorted(path.name for path in folder.iterdir()) == [f"frame_000{n}.png" for n in (1, 2, 3)]
    assert all((folder / name).stat().st_mtime_ns == time for name, time in kept.items())
    shutil.rmtree(folder)
