"""The generator's shapes, textures and layouts, without rendering."""

from __future__ import annotations

import math

import numpy as np
import pytest

streams = pytest.importorskip("blender_addon.dataset.streams")

from blender_addon.dataset import patterns  # noqa: E402
from blender_addon.dataset.families import FAMILIES  # noqa: E402
from blender_addon.dataset.layout import Pose, clip, corners, overlap  # noqa: E402
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


@pytest.mark.parametrize("seed", range(8))
def test_objects_of_a_clip_never_overlap(seed):
    random = streams.stream("train", seed, "layout")
    sizes = [random.uniform(0.1, 0.4, size=3) for _ in range(5)]
    states = clip(random, sizes, 6)
    assert len(states) == 6
    for state in states:
        shapes = [corners(p, s) for p, s in zip(state.poses, sizes, strict=True) if p is not None]
        assert shapes
        assert not any(overlap(a, b) for i, a in enumerate(shapes) for b in shapes[:i])


def test_clips_hold_the_edits_that_an_artist_makes():
    kept = yaws = absent = scaled = 0
    for seed in range(40):
        random = streams.stream("train", seed, "layout")
        states = clip(random, [np.array([0.2, 0.2, 0.2])] * 3, 4)
        for state in states[1:]:
            kept += np.allclose(state.view.position, states[0].view.position)
            for pose, first in zip(state.poses, states[0].poses, strict=True):
                if pose is None or first is None:
                    absent += 1
                    continue
                yaws += abs(math.remainder(pose.yaw - first.yaw, 2 * math.pi)) > math.pi / 2
                scaled += pose.scale != first.scale
                assert 0.8 <= pose.scale <= 1.25
    assert 30 < kept < 90 and yaws > 40 and absent > 5 and scaled > 30


def test_cameras_stay_within_what_a_person_would_photograph():
    for seed in range(40):
        random = streams.stream("train", seed, "layout")
        for state in clip(random, [np.array([0.3, 0.2, 0.25])] * 4, 3):
            matrix = state.view.world_from_camera()
            assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)
            assert 0.4 <= matrix[2, 3] <= 2.0
            assert 30 <= math.degrees(state.view.field) <= 70
            assert abs(math.degrees(state.view.roll)) <= 3 + 1e-9
            assert math.degrees(math.asin(matrix[2, 2])) > 3  # looks down


def test_turned_footprints_are_told_apart():
    size = np.array([1.0, 0.2, 0.3])
    along, across = corners(Pose(0, 0, 0), size), corners(Pose(0.45, 0.3, 0), size)
    assert not overlap(along, across)
    assert overlap(along, corners(Pose(0.45, 0.3, math.pi / 2), size))
