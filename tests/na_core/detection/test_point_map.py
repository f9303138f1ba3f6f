"""A point map tells depth and the camera: the real loading code on a tiny ONNX network of the format."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from na_core.detection.metric_depth import camera_by_depth, load_depth
from na_core.detection.point_map import PointMapNetwork, focal_and_shift
from na_core.detection.weights import WeightsError
from na_core.geometry.camera import camera_of_photo, pitch_and_roll, pixel_centres
from tests.na_core.detection.tiny_point_map import METRES, photo_of_ground, write_tiny_point_map

SIZE = (96, 64)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 3), st.floats(-2, 2), st.floats(0.2, 3), st.integers(0, 5))
def test_the_focal_length_and_the_shift_follow_from_where_points_are_seen(
    focal: float, shift: float, deep: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    width, height = SIZE
    depth = 1 + deep * random.random((height, width))
    seen = (pixel_centres(width, height) - 0.5) * SIZE / max(SIZE)
    points = np.concatenate([seen * depth[..., None] / focal, depth[..., None] - shift], axis=-1)
    valid = random.random((height, width)) < 0.5
    points[~valid] = 7.0
    found, added = focal_and_shift(points, valid)
    assert found == pytest.approx(focal, rel=2e-3)
    assert added == pytest.approx(shift, abs=5e-3)
    known, added = focal_and_shift(points, valid, focal)
    assert known == focal
    assert added == pytest.approx(shift, abs=5e-3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_point_map(tmp_path_factory.mktemp("moge") / "tiny.onnx")


def test_depth_is_metric_and_infinite_where_nothing_is(tiny: Path) -> None:
    camera = camera_of_photo(1.1 * SIZE[0], *SIZE, 1.0, 0.5)
    image = Image.fromarray(photo_of_ground(camera, *SIZE))
    depth, focal = load_depth(str(tiny.parent)).find(image, None)
    assert focal == pytest.approx(1.1 * SIZE[0], rel=0.03)
    assert depth.shape == SIZE[::-1]
    middle = depth[SIZE[1] // 2, SIZE[0] // 2]
    assert middle == pytest.approx(METRES / math.sin(0.5), rel=0.05)
    assert np.isinf(load_depth(str(tiny)).find(Image.new("RGB", SIZE, (0, 0, 255)), None)[0]).all()


@pytest.mark.parametrize("known", [None, 1.1])
@pytest.mark.parametrize("size", [SIZE, (1500, 1000)])
def test_the_camera_stands_over_the_ground_that_is_seen(
    tiny: Path, known: float | None, size: tuple[int, int]
) -> None:
    camera = camera_of_photo(1.1 * size[0], *size, 1.0, 0.5, 0.05)
    found = camera_by_depth(PointMapNetwork(tiny), photo_of_ground(camera, *size), known)
    assert found is not None
    assert found.fx == pytest.approx(1.1, rel=0.03 if known is None else 1e-9)
    np.testing.assert_allclose(pitch_and_roll(found.world_from_camera[2, :3]), (0.5, 0.05), atol=0.02)
    assert found.world_from_camera[2, 3] == pytest.approx(METRES, rel=0.05)


def test_where_nothing_is_seen_there_is_no_camera(tiny: Path) -> None:
    assert camera_by_depth(PointMapNetwork(tiny), np.full((64, 96, 3), (0, 0, 255), np.uint8)) is None


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"broken\.onnx' is no ONNX network"):
        load_depth(str(broken))
    other = write_tiny_point_map(tmp_path / "other.onnx", outputs=("points", "mask"))
    with pytest.raises(WeightsError, match=r"other\.onnx' makes no metric point map.*MoGe-2"):
        load_depth(str(other))
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        load_depth(str(tmp_path / "none.onnx"))
