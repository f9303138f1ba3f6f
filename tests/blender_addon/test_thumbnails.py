"""Thumbnails: an asset's preview is what its photo shows of it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest


def thumbnail(item):
    """Return an asset's preview (H, W, 4), the top row first."""
    width, height = item.preview.image_size
    pixels = np.empty(width * height * 4, np.float32)
    item.preview.image_pixels_float.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[::-1]


def seen_at(rectangle):
    """Return red and green that the photo of ``make_photo`` has in the middle of a rectangle."""
    return (rectangle[0] + rectangle[2]) / 2, (rectangle[1] + rectangle[3]) / 2


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (1500, 900)])
def test_it_shows_the_object(api, scene, make_photo, size):
    api.import_photo(make_photo(*size))
    for rectangle in ((0.15, 0.3, 0.4, 0.8), (0.6, 0.4, 0.8, 0.9)):
        asset = api.add_asset(rectangle)
        shown = thumbnail(asset)
        centre = shown.shape[1] // 2
        assert shown[centre, centre, :2] == pytest.approx(seen_at(rectangle), abs=0.03)
        assert shown[-1, centre, 1] > shown[centre, centre, 1]  # y points down


def test_beyond_the_photo_it_is_transparent(api, scene, make_photo):
    api.import_photo(make_photo())
    shown = thumbnail(api.add_asset((0.0, 0.3, 0.1, 0.9)))
    assert shown[shown.shape[0] // 2, 0, 3] == 0
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2, 3] == 1


def test_it_follows_another_rectangle_and_another_object(api, table):
    cup, jar = table.objects["Cup"], table.objects["Jar"]
    before = thumbnail(cup)
    api.refit(cup, (0.3, 0.4, 0.5, 0.9), scene=table)
    assert not np.allclose(thumbnail(cup), before, atol=0.02)
    api.replace_asset(cup, jar)
    np.testing.assert_allclose(thumbnail(cup), thumbnail(jar), atol=0.01)


def test_it_is_saved_with_the_file(api, table, tmp_path):
    before = thumbnail(table.objects["Cup"])
    path = str(tmp_path / "table.blend")
    bpy.data.libraries.write(path, {table.objects["Cup"]})
    with bpy.data.libraries.load(path) as (stored, loaded):
        loaded.objects = stored.objects
    np.testing.assert_allclose(thumbnail(loaded.objects[0]), before, atol=0.01)
