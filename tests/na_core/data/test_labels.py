"""Labels of a scene: what is accepted, and what the refusal says."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from na_core.data.labels import Edit, labels_from_dict, load_labels
from na_core.scene import SceneError

IDENTITY = np.eye(4).tolist()


@pytest.fixture
def raw() -> dict[str, Any]:
    camera = {"world_from_camera": IDENTITY, "fx": 1.0, "fy": 1.0, "cx": 0.5, "cy": 0.5}
    frame = {
        "picture": "frame_000.png",
        "mask": "mask_000.png",
        "depth": "depth_000.png",
        "far": "far_000.png",
        "stage": 1,
        "camera": camera,
        "boxes": [{"world_from_box": IDENTITY}, None],
        "boxes_2d": [[0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0]],
        "visible": [0.9, 0.0],
    }
    return {
        "schema_version": 3,
        "seed": 7,
        "split": "train",
        "clip": "remove",
        "width": 64,
        "height": 48,
        "objects": [
            {"name": "mug 1", "family": "mug", "symmetry": 0},
            {"name": "car 2", "family": "car", "symmetry": 1},
        ],
        "frames": [frame, frame | {"depth": None, "far": None, "stage": 0}],
        "edits": [{"kind": "remove", "source": 0, "target": 1, "donor": None, "object": 1}],
    }


def test_labels_read_back_as_written(raw, tmp_path):
    (tmp_path / "scene.json").write_text(json.dumps(raw))
    labels = load_labels(tmp_path)
    assert (labels.seed, labels.split, labels.clip) == (7, "train", "remove")
    assert (labels.width, labels.height) == (64, 48)
    assert [(o.family, o.symmetry) for o in labels.objects] == [("mug", 0), ("car", 1)]
    assert labels.edits == (Edit("remove", 0, 1, None, 1),)
    found = [(f.depth, f.far, f.stage) for f in labels.frames]
    assert found == [("depth_000.png", "far_000.png", 1), (None, None, 0)]
    frame = labels.frames[0]
    assert frame.boxes[0] is not None and frame.boxes[1] is None
    assert frame.boxes_2d[0] == (0.1, 0.2, 0.3, 0.4)
    assert frame.camera.fx == 1.0


def test_version_4_says_what_is_behind_objects_and_where_lamps_are(raw):
    assert labels_from_dict(raw).frames[0].plate is None  # version 3 does not
    labels = labels_from_dict(with_layers(raw))
    frame, (lamp,) = labels.frames[0], labels.lights
    assert frame.plate == "plate_000.jpg"
    assert [(each.object, each.picture) for each in frame.without] == [(0, "without_000_00.jpg")]
    assert (lamp.stage, lamp.kind, lamp.towards, lamp.distance) == (0, "sun", (0.6, 0.0, 0.8), None)
    assert labels_from_dict(labels.to_dict()) == labels


def with_layers(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the labels with what version 4 adds."""
    without = [{"object": 0, "picture": "without_000_00.jpg"}]
    first = raw["frames"][0] | {"plate": "plate_000.jpg", "without": without}
    sun = {"stage": 0, "kind": "sun", "towards": [0.6, 0.0, 0.8], "distance": None}
    lights = [sun | {"size": 0.1, "irradiance": 2.0}]
    return raw | {"schema_version": 4, "frames": [first, raw["frames"][1]], "lights": lights}


BREAKS: dict[str, tuple[list[Any], Any]] = {
    "scene.schema_version": (["schema_version"], 1),
    "scene.clip": (["clip"], "film"),
    "scene.seed": (["seed"], -1),
    "scene.width": (["width"], 0),
    "scene.objects[1].family": (["objects", 1, "family"], 3),
    "scene.objects[0].symmetry": (["objects", 0, "symmetry"], -1),
    "scene.frames[0].picture": (["frames", 0, "picture"], "../frame.png"),
    "scene.frames[1].depth": (["frames", 1, "depth"], 7),
    "scene.frames[0].far": (["frames", 0, "far"], "a/b.png"),
    "scene.frames[1].stage": (["frames", 1, "stage"], True),
    "scene.frames[0].camera.fx": (["frames", 0, "camera", "fx"], -1.0),
    "scene.frames[0].boxes": (["frames", 0, "boxes"], [None]),
    "scene.frames[0].boxes[0].world_from_box": (["frames", 0, "boxes", 0, "world_from_box"], [[1]]),
    "scene.frames[0].boxes_2d[0]": (["frames", 0, "boxes_2d", 0], [0.5, 0, 0.1, 1]),
    "scene.frames[0].boxes_2d[0][2]": (["frames", 0, "boxes_2d", 0], [0, 0, 1.5, 1]),
    "scene.frames[0].visible[1]": (["frames", 0, "visible", 1], float("nan")),
    "scene.frames[0].plate": (["frames", 0, "plate"], "../plate.jpg"),
    "scene.frames[0].without[0].object": (["frames", 0, "without", 0, "object"], 2),
    "scene.frames[0].without[0].picture": (["frames", 0, "without", 0, "picture"], None),
    "scene.lights[0].kind": (["lights", 0, "kind"], "candle"),
    "scene.lights[0].towards": (["lights", 0, "towards"], [0, 1]),
    "scene.lights[0].irradiance": (["lights", 0, "irradiance"], -1),
    "scene.edits[0].kind": (["edits", 0, "kind"], "paint"),
    "scene.edits[0].target": (["edits", 0, "target"], 2),
    "scene.edits[0].donor": (["edits", 0, "donor"], "1"),
    "scene.edits[0].object": (["edits", 0, "object"], 2),
}


@pytest.mark.parametrize("path", BREAKS)
def test_a_refusal_names_the_field(raw, path):
    keys, value = BREAKS[path]
    broken = copy.deepcopy(with_layers(raw))
    place: Any = broken
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(SceneError) as caught:
        labels_from_dict(broken)
    assert caught.value.path == path


@pytest.mark.parametrize("name", ["seed", "frames", "objects", "clip", "edits"])
def test_a_missing_field_is_named(raw, name):
    del raw[name]
    with pytest.raises(SceneError, match=rf"scene\.{name}: missing"):
        labels_from_dict(raw)


def test_an_unknown_field_is_named(raw):
    raw["frames"][0]["normals"] = "normals_000.exr"
    with pytest.raises(SceneError, match=r"scene\.frames\[0\]\.normals: unknown field"):
        labels_from_dict(raw)


def test_another_version_says_to_render_again(raw):
    with pytest.raises(SceneError, match=r"reads 3 and 4, got 1; render the data set again"):
        labels_from_dict(raw | {"schema_version": 1})


@pytest.mark.parametrize("text", ["{", "", "[" * 10**5, "\ud800"])
def test_a_broken_file_is_named(text, tmp_path):
    (tmp_path / "scene.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(SceneError, match="not JSON") as caught:
        load_labels(tmp_path)
    assert str(tmp_path / "scene.json") in str(caught.value)


def test_a_refusal_of_a_file_names_file_and_field(raw, tmp_path):
    (tmp_path / "scene.json").write_text(json.dumps(raw | {"width": "64"}))
    with pytest.raises(SceneError, match=r"scene\.json: scene\.width: expected a whole number"):
        load_labels(tmp_path)


@pytest.mark.parametrize("kind", ["add", "background", "transfer"])
def test_an_edit_that_takes_something_names_its_donor(raw, kind):
    raw["edits"][0] |= {"kind": kind, "donor": None}
    with pytest.raises(SceneError, match=rf"edits\[0\]\.donor: missing: the edit '{kind}'"):
        labels_from_dict(raw)
    raw["edits"][0]["donor"] = 1
    assert labels_from_dict(raw).edits[0].donor == 1
