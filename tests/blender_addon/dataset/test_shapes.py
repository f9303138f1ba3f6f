"""The generator's shapes, textures and layouts, without rendering."""

from __future__ import annotations

import math

import numpy as np
import pytest

streams = pytest.importorskip("blender_addon.dataset.streams")

from blender_addon.dataset import patterns  # noqa: E402
from blender_addon.dataset.families import FAMILIES  # noqa: E402
from blender_addon.dataset.surfaces import ball, cylinder, extrusion, lathe, rounded_box, tube  # noqa: E402


def volume(surface) -> float:
    """Return the signed volume that a closed surface encloses: positive when its faces look outwards."""
    total = 0.0
    for face in surface.faces:
        p = surface.vertices[list(face)]
        total += sum(float(p[0] @ np.cross(p[i], p[i + 1])) for i in range(1, len(p) - 1)) / 6
    return total


@pytest.mark.parametrize(
    ("surface", "expected"),
    [
        (rounded_box((1, 2, 3), 1e-4), 6.0),
        (ball(1.0, 64), 4 / 3 * math.pi),
        (cylinder(1.0, 2.0, 64), 2 * math.pi),
        (lathe([(1e-6, 0), (1, 0), (1, 1), (1e-6, 1)], 64), math.pi),
        (extrusion([(0, 0), (1, 0), (1, 1), (0, 1)], 0.5), 0.5),
        (tube([(0, 0, 0), (0, 1, 0), (0, 2, 0)], 0.5, 64), math.pi / 2),
    ],
    ids=["rounded box", "ball", "cylinder", "lathe", "extrusion", "tube"],
)
def test_surfaces_are_closed_and_look_outwards(surface, expected):
    assert volume(surface) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_gives_sound_and_varied_shapes(name):
    shapes = [FAMILIES[name](streams.stream("train", seed, "shape")) for seed in range(6)]
    extents = []
    for surfaces in shapes:
        points = np.concatenate([surface.vertices for surface in surfaces])
        assert np.isfinite(points).all()
        extents.append(np.ptp(points, axis=0))
        for surface in surfaces:
            assert all(
                len(set(face)) == len(face) and max(face) < len(surface.vertices) for face in surface.faces
            )
            if surface.uv is not None:
                assert surface.uv.shape == (sum(map(len, surface.faces)), 2)
    assert (np.std(extents, axis=0) > 1e-3).any()
    assert np.min(extents) > 0.02


def test_streams_differ_by_split_seed_and_purpose():
    draws = {
        streams.stream(split, seed, purpose).random()
        for split in streams.SPLITS
        for seed in (0, 1)
        for purpose in ("shape", "layout")
    }
    assert len(draws) == 12
    assert streams.stream("test", 5, "shape", 2).random() == streams.stream("test", 5, "shape", 2).random()


def test_no_material_photo_occurs_in_two_splits_and_none_is_kept_for_testing():
    names = [name for split in streams.SPLITS for name in patterns.PHOTO_NAMES[split]]
    assert len(set(names)) == len(names)
    assert not {name.split(".")[0] for name in names} & {
        "coffee",
        "chelsea",
        "astronaut",
        "rocket",
        "motorcycle_left",
        "motorcycle_right",
    }


def test_textures_have_fine_detail_and_no_mirror_symmetry():
    for seed in range(12):
        picture = patterns.texture(streams.stream("train", seed, "material"), "train", 64)
        assert picture.shape == (64, 64, 3) and picture.min() >= 0 and picture.max() <= 1
        assert np.abs(np.diff(picture, axis=0)).mean() > 1e-3
        assert np.abs(picture - picture[:, ::-1]).mean() > 5e-3
