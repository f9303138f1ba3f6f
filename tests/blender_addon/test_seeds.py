"""Seeds: one for all frames, or a new one each frame that is the same whenever the frame is rendered."""

from __future__ import annotations

import json

import bpy
import pytest

EXPECTED = [1474194627, 2086539716, 1236085914]


@pytest.fixture
def seed(table, part):
    """A function that returns the seed of a frame's message."""
    message = part("scene.frame").sampling_message

    def of(frame):
        table.frame_set(frame)
        return message(bpy.context.evaluated_depsgraph_get(), 96, 64).seed

    return of


def test_all_frames_have_the_scenes_seed(table, seed):
    table.neural_assets.seed = 7
    assert [seed(frame) for frame in (1, 2, 250)] == [7, 7, 7]


def test_animated_each_frame_has_its_own_and_always_the_same(table, seed):
    table.neural_assets.seed = 7
    table.neural_assets.use_animated_seed = True
    there = [seed(frame) for frame in range(-3, 50)]
    assert len(set(there)) == len(there)
    assert [seed(frame) for frame in reversed(range(-3, 50))] == there[::-1]
    assert all(0 <= value < 2**31 for value in there)


def test_seeds_and_frames_are_not_added(table, part):
    frame_seed = part("scene.seeds").frame_seed
    assert frame_seed(1, 2) != frame_seed(2, 1)
    assert len({frame_seed(a, b) for a in range(40) for b in range(40)}) == 1600


def test_they_are_these_for_good(part):
    """Files that were rendered with animated seeds render the same pictures with later versions."""
    frame_seed = part("scene.seeds").frame_seed
    assert [frame_seed(0, 1), frame_seed(0, 2), frame_seed(7, 250)] == EXPECTED


def test_a_keyframed_seed_counts_as_it_stands_in_the_frame(table, seed, part):
    settings = table.neural_assets
    for frame, value in ((1, 10), (11, 20)):
        settings.seed = value
        settings.keyframe_insert("seed", frame=frame)
    assert (seed(1), seed(11)) == (10, 20)
    settings.use_animated_seed = True
    table.update_tag()  # a script's writing does not tell the depsgraph; a click does
    frame_seed = part("scene.seeds").frame_seed
    assert (seed(1), seed(11)) == (frame_seed(10, 1), frame_seed(20, 11))


def test_a_file_of_frames_has_the_scenes_seed(table, api, tmp_path):
    table.neural_assets.seed = 7
    table.neural_assets.use_animated_seed = True
    saved = json.loads(api.save_frames(tmp_path, start=1, end=2, scene=table).read_text())
    assert saved["sampling"]["seed"] == 7


@pytest.mark.usefixtures("settings")
def test_a_still_and_an_animation_are_the_same_picture(table, tmp_path):
    render = table.render
    table.neural_assets.preset, table.neural_assets.steps = "custom", 1
    table.neural_assets.use_animated_seed = True
    bpy.data.objects["Cup"].location.x += 0.2
    render.image_settings.file_format = "PNG"
    table.frame_start, table.frame_end = 1, 2
    render.filepath = str(tmp_path / "all" / "frame_####.png")
    bpy.ops.render.render(animation=True)
    pictures = [(tmp_path / "all" / f"frame_{frame:04d}.png").read_bytes() for frame in (1, 2)]
    for frame in (2, 1):
        table.frame_set(frame)
        render.filepath = str(tmp_path / f"still-{frame}.png")
        bpy.ops.render.render(write_still=True)
    stills = [pixels(tmp_path / f"still-{frame}.png") for frame in (1, 2)]
    moving = [pixels(tmp_path / "all" / f"frame_{frame:04d}.png") for frame in (1, 2)]
    assert pictures[0] != pictures[1]
    assert stills == moving


def pixels(path):
    image = bpy.data.images.load(str(path))
    return list(image.pixels)
