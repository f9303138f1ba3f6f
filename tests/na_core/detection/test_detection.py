"""What detection says of a photo, written down and read again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from na_core.detection.detection import CameraDoubt, DetectedObject, Detection
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box, SceneError

shares = st.floats(0, 1).map(lambda value: round(value, 4))
objects = st.builds(
    lambda name, score, doubt, corner, extent, yaw: DetectedObject(
        name,
        score,
        (corner / 2, corner / 3, (corner + extent) / 2, (corner + extent) / 3),
        Box(box_matrix((corner, 2.0, extent), (0.1 + extent, 0.2, 0.3), yaw)),
        doubt=doubt,
    ),
    st.text(max_size=8),
    shares,
    shares,
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(-3, 3),
)
detections = st.builds(
    Detection,
    st.builds(lambda pitch: camera_of_photo(300, 256, 192, 1.5, pitch), st.floats(-0.5, 1)),
    st.lists(objects, max_size=3).map(tuple),
    st.booleans(),
    st.none() | st.builds(CameraDoubt, shares, shares, shares),
)


@given(detections)
def test_what_was_written_is_read_again(detection: Detection) -> None:
    again = Detection.from_dict(json.loads(json.dumps(detection.to_dict())))
    assert again == detection


def written() -> dict[str, Any]:
    thing = DetectedObject("Cup", 0.5, (0, 0, 1, 1), Box(np.eye(4)))
    return Detection(camera_of_photo(300, 256, 192, 1.5, 0.2), (thing,), False).to_dict()


def test_scores_and_doubts_may_be_left_out() -> None:
    short = written()
    del short["camera_doubt"], short["metric"], short["objects"][0]["score"], short["objects"][0]["doubt"]
    again = Detection.from_dict(short)
    assert (again.objects[0].score, again.objects[0].doubt, again.doubt) == (1, 0, None)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("colour",), 1, "boxes.colour: unknown field"),
        (("objects",), "cup", "boxes.objects: expected a list"),
        (("objects", 0), [1], r"boxes.objects\[0\]: expected an object"),
        (("objects", 0, "name"), 3, r"boxes.objects\[0\].name: expected a string"),
        (("objects", 0, "score"), 2, r"boxes.objects\[0\].score: expected a number from 0 to 1"),
        (("objects", 0, "rectangle"), [1, 2], r"boxes.objects\[0\].rectangle: expected four"),
        (("objects", 0, "world_from_box"), [[1]], r"boxes.objects\[0\].world_from_box: expected a 4x4"),
        (("camera_doubt",), {"focal": 1}, "boxes.camera_doubt.pitch: expected a number"),
        (("camera", "fx"), -1, "boxes.camera.fx: must be positive"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str | int, ...], value: object, said: str) -> None:
    data: Any = written()
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(SceneError, match=said):
        Detection.from_dict(data)
