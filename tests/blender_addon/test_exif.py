"""The EXIF parser against files that Pillow wrote."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

ORIENTATION, EXIF_IFD = 0x0112, 0x8769


@pytest.fixture(scope="module")
def exif(part):
    return part("scene.exif")


def encoded(form, orientation=None, size=(40, 30), **tags):
    image = Image.new("RGB", size, (10, 20, 30))
    data = image.getexif()
    if orientation is not None:
        data[ORIENTATION] = orientation
    detail = data.get_ifd(EXIF_IFD)
    for name, value in tags.items():
        detail[int(name.removeprefix("tag_"), 16)] = value
    buffer = io.BytesIO()
    image.save(buffer, form, exif=data)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_reads_what_pillow_writes(exif, form):
    data = encoded(
        form,
        orientation=6,
        tag_A405=28,
        tag_920A=IFDRational(42, 10),
        tag_A20E=IFDRational(4000, 1),
        tag_A210=3,
        tag_A002=40,
        tag_A003=30,
    )
    read = exif.read_exif(data)
    assert read.orientation == 6
    assert read.focal_35mm == 28
    assert read.focal_mm == pytest.approx(4.2)
    assert read.pixels_per_mm == pytest.approx(400)
    assert (read.pixel_x, read.pixel_y) == (40, 30)


def test_tiff(exif):
    """A TIFF file is its EXIF; Pillow writes the orientation alone, so the bare structure stands in."""
    assert exif.read_exif(encoded("TIFF", orientation=6)).orientation == 6
    data = Image.Exif()
    data[ORIENTATION] = 8
    data.get_ifd(EXIF_IFD)[0xA405] = 35
    read = exif.read_exif(data.tobytes().removeprefix(b"Exif\0\0"))
    assert (read.orientation, read.focal_35mm) == (8, 35)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_without_exif_says_nothing(exif, form):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, form)
    assert exif.read_exif(buffer.getvalue()) == exif.Exif()


def test_damage_says_nothing(exif):
    whole = encoded("JPEG", orientation=3, tag_A405=50)
    assert exif.read_exif(whole).focal_35mm == 50
    for length in range(0, len(whole), 7):
        exif.read_exif(whole[:length])
    start = whole.index(b"Exif")
    for at in range(start, start + 120):
        exif.read_exif(whole[:at] + b"\xff" + whole[at + 1 :])
    assert exif.read_exif(b"no photo") == exif.Exif()


def test_focal_length_of_the_35mm_equivalent(exif):
    read = exif.Exif(focal_35mm=28.0, pixel_x=4000, pixel_y=3000)
    expected = 28.0 * math.hypot(400, 300) / math.hypot(36, 24)
    assert exif.focal_pixels(read, 400, 300) == pytest.approx(expected)
    assert exif.focal_pixels(read, 300, 400) == pytest.approx(expected)  # turned


def test_a_cropped_photo_is_not_trusted(exif):
    read = exif.Exif(focal_35mm=28.0, pixel_x=4000, pixel_y=3000)
    assert exif.focal_pixels(read, 400, 250) is None
    assert exif.focal_pixels(read, 404, 300) is not None  # within 2 %


def test_focal_length_of_the_sensor(exif):
    read = exif.Exif(focal_mm=4.2, pixels_per_mm=400.0, pixel_x=4000, pixel_y=3000)
    assert exif.focal_pixels(read, 4000, 3000) == pytest.approx(1680)
    assert exif.focal_pixels(read, 1000, 750) == pytest.approx(420)  # resized since
    assert exif.focal_pixels(exif.Exif(focal_mm=4.2), 100, 100) is None
