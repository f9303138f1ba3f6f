"""The engine: F12, animation, border, metadata and colour, with the real worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def output(table, tmp_path):
    """A scene that writes quick PNG files."""
    table.neural_assets.preset = "standard"
    table.render.image_settings.file_format = "PNG"
    table.render.image_settings.color_mode = "RGB"
    table.render.filepath = str(tmp_path / "still.png")
    return table


@pytest.fixture
def painted(part, monkeypatch):
    """Let the worker's part return given pixels: for what happens to a picture afterwards."""

    def paint(pixels):
        picture = part("worker.client").ReceivedPicture(pixels)
        address = part("worker.process").Address(0, "", 0, "", "cpu", "painted")
        monkeypatch.setattr(part("render.final"), "render_picture", lambda *args, **more: (picture, address))

    return paint


def pixels_in(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_f12_writes_the_workers_picture(api, output):
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    written = pixels_in(output.render.filepath)
    assert written.shape == (64, 96, 3)
    assert (written == api.render_frame()).all()  # bit by bit through sRGB, linear and PNG


def test_a_picture_of_3000_pixels_passes_the_add_on_and_the_worker(api, output):
    output.neural_assets.preset = "draft"
    output.render.resolution_x, output.render.resolution_y = 3000, 40
    assert api.render_frame().shape == (40, 3000, 3)


def test_metadata_tells_how_to_repeat_it(output):
    output.neural_assets.seed = 17
    bpy.ops.render.render(write_still=True)
    stamps = Image.open(output.render.filepath).info
    assert stamps["NA.seed"] == "17"
    assert stamps["NA.preset"] == "standard"
    assert stamps["NA.checkpoint"]
    assert "NA.steps" not in stamps  # the checkpoint knows
    output.neural_assets.preset, output.neural_assets.steps = "custom", 2
    bpy.ops.render.render(write_still=True)
    assert Image.open(output.render.filepath).info["NA.steps"] == "2"


def test_the_same_frame_and_seed_give_the_same_picture(api, part, output):
    first = api.render_frame()
    part("worker.supervisor").stop()  # and with it its caches
    assert (api.render_frame() == first).all()


def test_animation(api, output, tmp_path):
    cup = output.objects["Cup"]
    cup.keyframe_insert("location", frame=1)
    cup.location.x += 0.4
    cup.keyframe_insert("location", frame=3)
    output.neural_assets.preset = "draft"
    kept = (output.render.filepath, output.frame_start, output.frame_end)
    files = api.render_animation(tmp_path / "out" / "frame_####.png", start=1, end=3)
    assert [path.name for path in files] == ["frame_0001.png", "frame_0002.png", "frame_0003.png"]
    pictures = [pixels_in(path) for path in files]
    assert (pictures[0] != pictures[2]).any()
    assert (pictures[1] == api.render_frame(2)).all()
    assert (output.render.filepath, output.frame_start, output.frame_end) == kept


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("border", [(0.25, 0.6, 0.1, 0.5), (0.0, 0.33, 0.7, 1.0), (0.3, 0.7, 0.3, 0.7)])
def test_border_is_cut_from_the_full_picture(output, painted, border, crop):
    full = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    painted(full)
    render = output.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = border
    bpy.ops.render.render(write_still=True)
    written = pixels_in(render.filepath)
    left, right = int(border[0] * 96 + 1e-4), int(border[1] * 96 + 1e-4)
    bottom, top = int(border[2] * 64 + 1e-4), int(border[3] * 64 + 1e-4)
    expected = full[64 - top : 64 - bottom, left:right]
    if not crop:
        assert written.shape == full.shape
        written = written[64 - top : 64 - bottom, left:right]
    assert written.shape == expected.shape
    assert (written == expected).all()


def test_every_code_survives_to_the_file(output, painted):
    codes = np.arange(256, dtype=np.uint8)
    picture = np.stack([codes, codes[::-1], np.roll(codes, 99)], axis=-1)
    picture = np.resize(picture, (64, 96, 3)).astype(np.uint8)
    painted(picture)
    bpy.ops.render.render(write_still=True)
    assert (pixels_in(output.render.filepath) == picture).all()


@pytest.mark.skipif(
    not hasattr(bpy.data, "colorspace"), reason="the working space is fixed before Blender 5.0"
)
@pytest.mark.parametrize("space", ["Linear Rec.2020", "ACEScg"])
def test_colours_survive_another_working_space(part, output, painted, space):
    try:
        bpy.ops.wm.set_working_color_space(working_space=space)
    except (AttributeError, RuntimeError, TypeError) as error:
        pytest.skip(f"no such operator or space: {error}")
    assert bpy.data.colorspace.working_space == space
    assert not np.allclose(part("render.colour").working_from_rec709(), np.eye(3), atol=1e-3)
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    painted(picture)
    bpy.ops.render.render(write_still=True)
    difference = pixels_in(output.render.filepath).astype(int) - picture
    assert np.abs(difference).max() <= 1


def test_a_preview_of_another_size_fills_the_picture(part):
    small = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = part("render.colour").resized(small, 9, 4)
    assert large.shape == (4, 9, 3)
    assert (large[::2, ::3] == small).all()


def test_resolution_percentage(output):
    output.render.resolution_percentage = 50
    bpy.ops.render.render(write_still=True)
    assert pixels_in(output.render.filepath).shape == (32, 48, 3)


def test_progress_and_previews_arrive(api, part, output):
    output.neural_assets.preset = "custom"
    output.neural_assets.steps = 6
    output.neural_assets.seed = 1234
    output.update_tag()
    output.view_layers[0].update()
    job, photos = part("scene.frame").job_message(output.view_layers[0].depsgraph, 96, 64)
    seen, previews, texts = [], [], []
    picture_module = part("render.picture")
    picture, address = picture_module.render_picture(
        job,
        photos,
        part("preferences").worker_settings(),
        picture_module.Observer(on_status=texts.append, on_progress=seen.append, on_preview=previews.append),
    )
    assert picture.pixels.shape == (64, 96, 3)
    assert [progress.step for progress in seen] == sorted(progress.step for progress in seen)
    assert seen[-1].steps == 6
    assert all(0 <= progress.fraction <= 1 for progress in seen)
    assert all(preview.pixels.dtype == np.uint8 for preview in previews)
    assert texts[-1] == f"Rendering on {address.device}"


def test_save_and_open_renders_the_same(api, output, tmp_path):
    before = api.render_frame()
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    scene = bpy.context.scene
    assert scene.render.engine == "NEURAL_ASSETS"
    assert scene.neural_assets.photo.packed_file is not None
    assert (api.render_frame() == before).all()


def test_removing_every_asset_is_legal(api, output):
    for asset in api.assets():
        bpy.data.objects.remove(asset)
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}


def test_a_second_view_layer(output):
    output.view_layers.new("Second")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}


def test_the_worker_is_kept_between_frames(api, output):
    api.render_frame()
    pid = api.worker_status().address.pid
    output.neural_assets.seed = 99
    api.render_frame()
    assert api.worker_status().address.pid == pid


def test_previews_are_pushed_into_the_result(part, output, monkeypatch):
    final = part("render.final")
    shown = []

    def spy(job, photos, settings, observer, **more):
        small = part("worker.client").ReceivedPicture(np.zeros((8, 12, 3), dtype=np.uint8))
        if observer.on_preview:
            observer.on_preview(small)
            shown.append(small)
        return part("render.picture").render_picture(job, photos, settings, observer, **more)

    monkeypatch.setattr(final, "render_picture", spy)
    monkeypatch.setattr(final, "in_background", lambda: False)
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    assert shown


def test_another_process_renders_the_file(api, addon, output, tmp_path):
    """`blender -b FILE -E NEURAL_ASSETS -a` on a farm comes down to this."""
    path = tmp_path / "farm.blend"
    output.render.filepath = str(tmp_path / "farm_####.png")
    output.frame_end = 2
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    root = Path(addon.__file__).parents[1]
    if addon.__name__ == "blender_addon":
        enable = (
            f"import sys; sys.path.insert(0, {str(root)!r}); import blender_addon; blender_addon.register()"
        )
        disable = "blender_addon.unregister()"
    else:
        enable = f"import addon_utils; assert addon_utils.enable({addon.__name__!r})"
        disable = f"addon_utils.disable({addon.__name__!r})"
    script = "\n".join(
        (
            "import sys, bpy",
            enable,
            "bpy.ops.wm.open_mainfile(filepath=sys.argv[1], load_ui=False)",
            "bpy.ops.render.render(animation=True)",
            "bpy.context.scene.render.engine = 'BLENDER_WORKBENCH'",
            disable,
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=250, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (pixels_in(tmp_path / "farm_0001.png") == api.render_frame(1)).all()
    assert (tmp_path / "farm_0002.png").exists()
