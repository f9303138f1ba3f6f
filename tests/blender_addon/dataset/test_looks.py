"""The looks of scenes: grounds, finishes and lights, without rendering."""

from __future__ import annotations

import json

import numpy as np
import pytest

streams = pytest.importorskip("blender_addon.dataset.streams")

from blender_addon.dataset import ground_pictures, plain_pictures  # noqa: E402
from blender_addon.dataset.patterns import noise  # noqa: E402

SIDE = 64
LAMPS = {"hdri": {0, 1, 2}, "lamps": {1, 2}, "hard": {1}, "overcast": {0}, "window": {1}}


def test_every_kind_of_ground_occurs():
    draws = [
        ground_pictures.ground(streams.stream("train", seed, "stage"), "train", 32) for seed in range(300)
    ]
    assert {draw.kind for draw in draws} == set(ground_pictures.GROUNDS)
    assert all(0 < draw.roughness <= 1 and draw.size >= 0.8 for draw in draws)


@pytest.mark.parametrize("kind", ground_pictures.GROUNDS)
def test_a_ground_differs_by_split_and_seed_and_comes_back(kind):
    _, paint, _ = ground_pictures.GROUNDS[kind]

    def picture(split: str, seed: int) -> np.ndarray:
        return paint(streams.stream(split, seed, "stage"), split, SIDE)

    pictures = [picture(split, seed) for split in streams.SPLITS for seed in (0, 1)]
    for i, one in enumerate(pictures):
        assert one.ndim == 3 and np.isfinite(one).all() and one.std() < 0.6
        assert all(not np.array_equal(one, other) for other in pictures[:i])
    assert np.array_equal(picture("test", 1), pictures[-1])


def steps(picture: np.ndarray) -> tuple[float, float]:
    """Return the mean step between neighbouring columns, within the picture and across its seam."""
    return (
        float(np.abs(np.diff(picture, axis=1)).mean(axis=(0, 2)).max()),
        float(np.abs(picture[:, 0] - picture[:, -1]).mean()),
    )


@pytest.mark.parametrize("kind", [kind for kind in ground_pictures.GROUNDS if kind != "mixed"])
def test_a_painted_ground_repeats_without_a_seam(kind):
    for seed in range(5):
        inside, seam = steps(ground_pictures.GROUNDS[kind][1](streams.stream("train", seed), "train", 128))
        assert seam <= 1.1 * inside


def test_plain_pictures_are_nearly_one_colour_of_any_lightness():
    pictures = [plain_pictures.plain(streams.stream("train", seed), SIDE) for seed in range(60)]
    assert max(picture.std(axis=(0, 1)).max() for picture in pictures) < 0.06
    means = [picture.mean() for picture in pictures]
    assert min(means) < 0.15 and max(means) > 0.8


def test_stretched_noise_changes_slowly_along_its_direction():
    for angle, along in ((0.0, 1), (np.pi / 2, 0)):
        field = noise(streams.stream("train", 3), 128, 1.0, 4, stretch=8, angle=angle)
        changes = [float(np.abs(np.diff(field, axis=axis)).mean()) for axis in (0, 1)]
        assert changes[along] < 0.6 * changes[1 - along]


def test_every_finish_and_light_occurs_and_each_stage_has_light(run_python):
    found = json.loads(
        run_python("""
            import json, bpy
            import numpy as np
            from blender_addon.dataset.layout import View
            from blender_addon.dataset.lighting import HDRIS, LIGHTS, draw_light, light
            from blender_addon.dataset.materials import FINISHES, finish
            from blender_addon.dataset.stage_parts import Builder, Room
            from blender_addon.dataset.streams import stream

            kinds = {finish(stream("train", seed, "material", 0)).kind for seed in range(400)}
            drawn = {draw_light(stream("train", seed, "stage", 0)) for seed in range(100)}
            view = View(np.array((0.0, -2.0, 1.0)), np.zeros(3), 0.0, 1.0)
            room = Room([view], 0.5, np.zeros((1, 4, 2)))
            lamps = {}
            for kind in LIGHTS:
                lamps[kind] = []
                for seed in range(20):
                    collection = bpy.data.collections.new("stage")
                    world = light(Builder(stream("train", seed, kind), "train", room, collection), 0, kind)
                    strength = world.node_tree.nodes["Background"].inputs["Strength"].default_value
                    heights = [lamp.location.normalized().z for lamp in collection.objects]
                    lamps[kind].append([strength, heights])
            print(json.dumps([sorted(kinds) == sorted(FINISHES), sorted(drawn) == sorted(LIGHTS), lamps]))
        """)
    )
    finishes, lights, lamps = found
    assert finishes and lights
    for kind, stages in lamps.items():
        counts = {len(heights) for _, heights in stages}
        assert (
            counts == {"hdri": {0, 1, 2}, "lamps": {1, 2}, "hard": {1}, "overcast": {0}, "window": {1}}[kind]
        )
        heights = [height for _, of_stage in stages for height in of_stage]
        assert all(np.sin(np.radians(14.9)) < height < np.sin(np.radians(75.1)) for height in heights)
    assert max(strength for strength, _ in lamps["hard"]) < min(strength for strength, _ in lamps["overcast"])


def test_no_hdri_lights_two_splits(run_python):
    text = run_python("""
        import json
        from blender_addon.dataset.lighting import HDRIS
        print(json.dumps(HDRIS))
    """)
    names = [name for split in json.loads(text).values() for name in split]
    assert len(set(names)) == len(names)
