"""The demo: its side file is read strictly, and its keyframes mean what they say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from na_core.data.scenes import scenes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
BENCH = ROOT / "na_core" / "evaluation" / "scenes" / "test.tar"


@pytest.fixture
def write(tmp_path):
    """A function that writes a side file and returns its path."""

    def written(data: object) -> Path:
        path = tmp_path / "boxes.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return path

    return written


CUP = {"name": "Cup", "rectangle": [0.1, 0.2, 0.3, 0.4]}


class TestSideFile:
    @pytest.mark.skipif(not DEMO.is_dir(), reason="the demo's files are not here")
    @pytest.mark.parametrize(("name", "least"), [("tabletop", 2), ("coffee", 1)])
    def test_the_project_s_own_subjects_are_read(self, part, name, least):
        subject = part("demo.subject").load_subject(DEMO / f"{name}.json")
        assert len(subject.assets) >= least
        assert {motion.of for motion in subject.motion} <= {"camera", *(a.name for a in subject.assets)}

    @pytest.mark.parametrize(
        ("data", "named"),
        [
            ("{", "not JSON"),
            ({"assets": []}, "boxes.assets"),
            ({"assets": [CUP], "fotos": 1}, "boxes.fotos"),
            ({"assets": [{"name": "Cup", "rectangle": [1, 2, 3]}]}, r"boxes.assets\[0\].rectangle"),
            ({"assets": [CUP], "motion": [{"of": "Mug", "keys": []}]}, r"boxes.motion\[0\].of"),
            ({"assets": [CUP], "motion": [{"of": "Cup", "keys": [{}]}]}, r"keys\[0\].frame"),
            ({"assets": [CUP], "camera": {"pitch_degrees": "steep"}}, "boxes.camera.pitch_degrees"),
        ],
    )
    def test_what_is_wrong_is_named(self, part, api, write, data, named):
        with pytest.raises(api.UserError, match=named):
            part("demo.subject").load_subject(write(data))

    def test_a_missing_file_is_named(self, part, api, tmp_path):
        with pytest.raises(api.UserError, match=r"absent\.json"):
            part("demo.subject").load_subject(tmp_path / "absent.json")

    def test_boxes_without_motion_move_all_the_same(self, part, write):
        subject = part("demo.subject").load_subject(write({"assets": [CUP]}))
        assert {motion.of for motion in subject.motion} == {"Cup", "camera"}


class TestWithoutSideFile:
    def test_what_is_found_moves_by_its_own_size(self, part, api, scene, settings, tmp_path):
        photo = tmp_path / "objects.png"
        photo.write_bytes(next(iter(scenes(BENCH))).picture_bytes(0))
        part("demo.animate").build_detected_scene(scene, photo)
        first = next(item for item in scene.objects if item.neural_asset.is_asset and item.animation_data)
        scene.frame_set(1)
        start = first.location.copy()
        scene.frame_set(16)
        moved = (first.location - start).length
        assert moved == pytest.approx(0.8 * first.scale.x, rel=1e-4) or moved < 1e-6  # it slides, or turns
        assert scene.camera.animation_data is not None
        assert scene.frame_end == 24

    def test_a_photo_of_nothing_says_what_to_do(self, part, api, scene, settings, make_photo):
        with pytest.raises(api.UserError, match="BOXES="):
            part("demo.animate").build_detected_scene(scene, make_photo(64, 64))


class TestKeyframes:
    def test_a_turn_past_half_a_circle_goes_the_short_way(self, part, scene):
        empty = bpy.data.objects.new("Cup", None)
        scene.collection.objects.link(empty)
        empty.rotation_euler.z = math.radians(150)
        animate, subject = part("demo.animate"), part("demo.subject")
        keys = (subject.Key(1), subject.Key(11, turn=60.0))
        animate.keyframe(empty, subject.Motion("Cup", keys), empty.location.copy())
        angles = []
        for frame in (1, 6, 11):
            scene.frame_set(frame)
            angles.append(math.degrees(empty.rotation_euler.z))
        assert angles == pytest.approx([150, 180, 210], abs=0.01)

    def test_hiding_takes_the_object_out_from_that_frame_on(self, part, scene):
        empty = bpy.data.objects.new("Cup", None)
        scene.collection.objects.link(empty)
        animate, subject = part("demo.animate"), part("demo.subject")
        animate.keyframe(empty, subject.Motion("Cup", (subject.Key(5, hide=True),)), empty.location.copy())
        hidden = []
        for frame in (1, 4, 5, 9):
            scene.frame_set(frame)
            hidden.append(empty.hide_render)
        assert hidden == [False, False, True, True]

    def test_an_orbit_keeps_the_distance(self, part, scene):
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.collection.objects.link(camera)
        camera.location = (0, -3, 1)
        animate, subject = part("demo.animate"), part("demo.subject")
        middle = camera.location * 0
        keys = (subject.Key(1), subject.Key(9, orbit=40.0))
        animate.keyframe(camera, subject.Motion("camera", keys), middle)
        for frame in range(1, 10):
            scene.frame_set(frame)
            assert camera.location.length == pytest.approx(math.hypot(3, 1), abs=1e-4)
        assert camera.location.x > 1
