"""Importing a photo sets up the scene that took it."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from PIL import Image, ImageOps

from na_core.geometry.camera import assumed_focal, camera_of_photo, focal_from_35mm
from na_core.scene import Camera
from tests.na_core.lens import camera_from_lens


def pixels_of(image):
    buffer = np.empty(image.size[0] * image.size[1] * 4, dtype=np.float32)
    image.pixels.foreach_get(buffer)
    rows = buffer.reshape(image.size[1], image.size[0], 4)[::-1, :, :3]
    return np.round(rows * 255).astype(np.uint8)


def assert_same_camera(one, other, tolerance=1e-6):
    assert np.allclose(one.world_from_camera, other.world_from_camera, atol=tolerance)
    for name in ("fx", "fy", "cx", "cy"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=tolerance)


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (80, 80)])
def test_camera_and_output_fit_the_photo(api, part, scene, make_photo, size):
    width, height = size
    path = make_photo(width, height)
    image = api.import_photo(path, camera_height=1.2, pitch=math.radians(20))
    render = scene.render
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (*size, 100)
    assert render.engine == "NEURAL_ASSETS"
    assert (scene.view_settings.view_transform, scene.view_settings.look) == ("Standard", "None")
    assert render.dither_intensity == 0
    assert image.packed_file is not None
    assert scene.neural_assets.photo == image
    assert scene.neural_assets.focal_length_assumed
    expected = camera_of_photo(assumed_focal(width, height), width, height, 1.2, math.radians(20))
    assert_same_camera(api.photo_camera(), expected)
    lens = scene.camera.data
    assert [background.image for background in lens.background_images] == [image]
    told = camera_from_lens(
        np.array(scene.camera.matrix_world),
        lens=lens.lens,
        width=width,
        height=height,
        sensor_width=lens.sensor_width,
        sensor_height=lens.sensor_height,
        sensor_fit=lens.sensor_fit,
        shift_x=lens.shift_x,
        shift_y=lens.shift_y,
    )
    assert_same_camera(told, expected)
    assert_same_camera(part("scene.camera").camera_message(scene.view_layers[0].depsgraph), expected)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(120, 80), (70, 110)])
def test_every_lens_setting_reaches_the_message(api, part, scene, make_photo, fit, size):
    api.import_photo(make_photo(*size))
    lens, render = scene.camera.data, scene.render
    lens.sensor_fit, lens.lens, lens.sensor_width, lens.sensor_height = fit, 41.0, 30.0, 22.0
    lens.shift_x, lens.shift_y = 0.11, -0.07
    render.resolution_percentage = 50
    render.pixel_aspect_x = 1.3
    scene.view_layers[0].update()
    told = part("scene.camera").camera_message(scene.view_layers[0].depsgraph)
    expected = camera_from_lens(
        np.array(scene.camera.matrix_world),
        lens=lens.lens,
        width=size[0],
        height=size[1],
        sensor_width=lens.sensor_width,
        sensor_height=lens.sensor_height,
        sensor_fit=fit,
        shift_x=lens.shift_x,
        shift_y=lens.shift_y,
        pixel_aspect_x=render.pixel_aspect_x,
        resolution_percentage=50,
    )
    assert_same_camera(told, expected)


def test_a_known_off_centre_camera(api, scene, make_photo):
    known = camera_of_photo(90.0, 96, 64, 2.0, 0.3)
    known = Camera(known.world_from_camera, known.fx, known.fy, cx=0.45, cy=0.56)
    api.import_photo(make_photo(), camera=known)
    assert_same_camera(api.photo_camera(), known)
    assert not scene.neural_assets.focal_length_assumed


def test_non_square_pixels_are_refused(api, scene, make_photo):
    with pytest.raises(api.UserError, match="pixels are not square"):
        api.import_photo(make_photo(), camera=Camera(np.eye(4), fx=1.0, fy=1.0))
    assert scene.neural_assets.photo is None


def test_focal_length_from_exif(api, scene, make_photo):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    api.import_photo(make_photo(90, 60, "exif.jpg", exif=exif))
    assert not scene.neural_assets.focal_length_assumed
    assert api.photo_camera().fx * 90 == pytest.approx(focal_from_35mm(28, 90, 60), rel=1e-5)


def test_focal_length_by_hand(api, scene, make_photo):
    api.import_photo(make_photo(90, 60), focal_length_35mm=50)
    assert not scene.neural_assets.focal_length_assumed
    assert api.photo_camera().fx * 90 == pytest.approx(focal_from_35mm(50, 90, 60), rel=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(api, scene, make_photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = make_photo(30, 20, "turned.png", exif=exif)
    image = api.import_photo(path)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert tuple(image.size) == expected.shape[1::-1]
    assert (pixels_of(image) == expected).all()
    assert (scene.render.resolution_x, scene.render.resolution_y) == tuple(image.size)


def test_the_files_own_bytes_are_kept(api, part, scene, make_photo):
    path = make_photo(40, 30, "kept.jpg", quality=80)
    image = api.import_photo(path)
    assert part("scene.photo").photo_bytes(image) == path.read_bytes()


@pytest.mark.parametrize("name", ["photo.tif", "photo.bmp"])
def test_other_formats_become_png(api, part, scene, make_photo, name):
    path = make_photo(40, 30, name)
    image = api.import_photo(path)
    assert part("scene.photo").photo_bytes(image).startswith(b"\x89PNG")
    assert (pixels_of(image) == np.asarray(Image.open(path).convert("RGB"))).all()


def test_a_huge_photo_is_made_smaller(api, scene, make_photo):
    image = api.import_photo(make_photo(5000, 40))
    assert tuple(image.size) == (4096, 33)


def test_importing_again_replaces_the_background_alone(api, scene, make_photo):
    first = api.import_photo(make_photo())
    camera = scene.camera
    asset = api.add_asset((0.2, 0.3, 0.5, 0.8), name="Cup")
    second = api.import_photo(make_photo(50, 50))
    assert scene.camera == camera
    assert [background.image for background in camera.data.background_images] == [second]
    assert len(scene.neural_assets.hidden_boxes) == 0
    assert asset.neural_asset.photo == first


def test_the_artists_camera_is_left_alone(api, scene, make_photo):
    own = bpy.data.objects.new("Own", bpy.data.cameras.new("Own"))
    scene.collection.objects.link(own)
    scene.camera = own
    lens = own.data.lens
    api.import_photo(make_photo())
    assert scene.camera != own
    assert own.data.lens == lens


def test_a_corrected_camera_becomes_the_photos(api, part, scene, make_photo):
    api.import_photo(make_photo(), pitch=0.2)
    scene.camera.rotation_euler.x += 0.1
    bpy.ops.neural_assets.capture_photo_camera()
    expected = camera_of_photo(assumed_focal(96, 64), 96, 64, 1.5, 0.1)
    assert_same_camera(api.photo_camera(), expected, 1e-5)


def test_operator_without_a_window(scene, make_photo):
    path = make_photo(50, 40)
    assert bpy.ops.neural_assets.import_photo(filepath=str(path), focal_length_35mm=35) == {"FINISHED"}
    assert scene.neural_assets.photo.name.startswith(path.name)


def test_the_summary_says_what_changed(api, part, scene, make_photo):
    api.import_photo(make_photo())
    text = part("scene.photo_import").import_summary(scene)
    assert "assumed focal length" in text
    assert "Standard" in text and "dither 0" in text


def test_file_handler_takes_dropped_photos(addon):
    handler = bpy.types.NEURAL_ASSETS_FH_photo
    assert handler.bl_import_operator == "neural_assets.import_photo"
    for extension in (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"):
        assert extension in handler.bl_file_extensions.split(";")


def test_a_missing_photo(api, scene, tmp_path):
    with pytest.raises(
        api.UserError, match=r"There is no photo at '.*gone\.jpg'\. Choose a file that exists\."
    ):
        api.import_photo(tmp_path / "gone.jpg")
    assert len(bpy.data.images) == 0


@pytest.mark.parametrize("data", [b"", b"this is no photo", b"\xff\xd8\xff\xe0 cut off"])
def test_an_unreadable_photo(api, scene, tmp_path, data):
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    before = len(bpy.data.cameras)
    with pytest.raises(
        api.UserError, match=r"'broken\.jpg' is not a photo that Blender can read\. Choose a JPEG"
    ):
        api.import_photo(path)
    assert len(bpy.data.images) == 0
    assert len(bpy.data.cameras) == before
    with pytest.raises(RuntimeError, match="is not a photo that Blender can read"):
        bpy.ops.neural_assets.import_photo(filepath=str(path))


def test_numbers_that_make_no_camera(api, scene, make_photo):
    with pytest.raises(api.UserError, match="camera must stand above the ground"):
        api.import_photo(make_photo(), camera_height=0)
    with pytest.raises(api.UserError, match="focal length must be greater than zero"):
        api.import_photo(make_photo(), focal_length_35mm=-1)


def test_the_photos_camera_ignores_the_renders_aspect(api, part, scene, make_photo):
    api.import_photo(make_photo(90, 60))
    before = api.photo_camera()
    scene.render.resolution_x, scene.render.resolution_percentage = 60, 50
    api.capture_photo_camera()
    assert_same_camera(api.photo_camera(), before)


def test_a_rectangle_in_camera_view_needs_the_photos_camera(part, api, scene, make_photo):
    fits = part("scene.photo_import").camera_fits_photo
    with pytest.raises(api.UserError, match="No photo has been imported"):
        fits(scene)
    api.import_photo(make_photo())
    assert fits(scene)
    scene.camera.location.x += 0.1
    assert not fits(scene)
    scene.camera.location.x -= 0.1
    scene.camera.data.lens += 1
    assert not fits(scene)
