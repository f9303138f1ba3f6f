"""What the labels say of visibility: silhouettes as if nothing hid them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from blender_addon.dataset.annotations import mask_bounds, silhouette_area, visible_share
from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import camera_of_photo

FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
CAMERA = camera_of_photo(64, 64, 64, camera_height=0.5, pitch=0.0)


def area(centre, dimensions) -> float:
    return silhouette_area(CAMERA, box_corners(box_matrix(centre, dimensions)), FACES, 64, 64)


def test_a_square_before_the_camera_covers_what_the_pinhole_says():
    # A front 0.5 m wide and 2 m away fills 0.25 of a picture whose focal length is its width: 16 pixels.
    assert area((0, 2.05, 0.5), (0.5, 0.1, 0.5)) == pytest.approx(16 * 16, rel=0.05)


def test_what_the_border_cuts_off_counts_up_to_half_a_picture_beyond_it():
    inside, beyond = area((0, 2.05, 0.5), (0.5, 0.1, 0.5)), area((1.0, 2.05, 0.5), (0.5, 0.1, 0.5))
    assert beyond == pytest.approx(inside, rel=0.1)
    assert area((4.0, 2.05, 0.5), (0.5, 0.1, 0.5)) == 0


def test_what_is_behind_the_camera_covers_nothing():
    assert area((0, -2, 0.5), (0.5, 0.1, 0.5)) == 0


def test_shares_and_bounds_of_nothing():
    nothing = np.zeros((4, 4), bool)
    assert mask_bounds(nothing) == (0, 0, 0, 0)
    assert visible_share(nothing, 0.0) == visible_share(nothing, 9.0) == 0
    assert visible_share(~nothing, 8.0) == 1


def test_a_mesh_of_very_many_polygons_is_drawn_coarser(run_python):
    found = json.loads(
        run_python("""
            import bpy, json
            from blender_addon.dataset.annotations import silhouette_area
            from blender_addon.dataset.objects import MOST_FACES, outline
            from na_core.geometry.camera import camera_of_photo
            areas, counts = [], []
            for subdivisions in 5, 7:
                bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions, radius=0.5)
                drawn = outline(bpy.context.object)
                camera = camera_of_photo(64, 64, 64, camera_height=0.0, pitch=0.0)
                areas.append(silhouette_area(camera, drawn.vertices + (0, 2, 0), drawn.faces, 64, 64))
                counts.append([len(bpy.context.object.data.polygons), len(drawn.faces)])
                assert not bpy.context.object.modifiers
            print(json.dumps([areas, counts, MOST_FACES]))
        """).splitlines()[-1]
    )
    (few, many), counts, most = found
    assert counts[0][0] == counts[0][1]
    assert counts[1][0] > 4 * most and counts[1][1] < 2 * most
    assert many == pytest.approx(few, rel=0.02)
