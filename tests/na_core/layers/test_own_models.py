"""The user's own models of layers: each through a tiny network of its real format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.detection.metric_depth import load_depth
from na_core.detection.weights import WeightsError
from na_core.layers.outline_models import load_outlines
from na_core.layers.own_models import OwnModels, fitted_depths, with_found_outlines
from na_core.layers.painted import NOTHING, Painted
from na_core.layers.plate_models import filled_plate, load_plates
from na_core.layers.take_apart import TakingApart, take_apart
from tests.na_core.detection.tiny_point_map import write_tiny_point_map
from tests.na_core.detection.tiny_sam import write_tiny_sam
from tests.na_core.layers.tiny_models import write_inpainting, write_lama, write_matting
from tests.na_core.studio import LEFT, RIGHT, build_studio

HEIGHT, WIDTH = 60, 80
RECTANGLE = (0.25, 0.25, 0.75, 0.75)
INSIDE = (slice(20, 40), slice(30, 50))


def red_square() -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 2] = 90
    picture[INSIDE] = (255, 0, 0)
    return picture


class TestOutlines:
    @pytest.mark.parametrize(
        ("file", "options"),
        [
            ("isnet-general-use.onnx", {}),
            ("BiRefNet-general.onnx", {"name": "input_image", "odds": True}),
            ("birefnet_lite.onnx", {"name": "input_image", "odds": True, "side": 128}),
        ],
    )
    def test_a_matting_network_tells_alpha(self, tmp_path: Path, file: str, options: dict) -> None:
        write_matting(tmp_path / file, **options)
        for place in (tmp_path / file, tmp_path):  # the file, or the folder that holds it
            (outline,) = load_outlines(str(place)).find(red_square(), [RECTANGLE])
            assert outline.shape == (HEIGHT, WIDTH)
            assert np.median(outline[INSIDE]) > 250
            assert outline[:10].max() == 0
            assert outline[16:18, 30:50].max() < 60

    def test_where_it_sees_nothing_there_is_no_outline(self, tmp_path: Path) -> None:
        model = load_outlines(str(write_matting(tmp_path / "isnet.onnx")))
        blank = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        assert with_found_outlines(OwnModels(outlines=model), blank, [RECTANGLE], NOTHING) == NOTHING

    def test_what_was_painted_by_hand_counts_first(self, tmp_path: Path) -> None:
        model = OwnModels(outlines=load_outlines(str(write_matting(tmp_path / "isnet.onnx"))))
        hand = np.full((HEIGHT, WIDTH), 7, np.uint8)
        found = with_found_outlines(model, red_square(), [RECTANGLE, RECTANGLE, None], Painted({0: hand}))
        assert found.outlines.keys() == {0, 1}
        assert found.outlines[0] is hand

    def test_sam_is_asked_by_2d_boxes(self, tmp_path: Path) -> None:
        model = load_outlines(str(write_tiny_sam(tmp_path)))
        outlines = model.find(red_square(), [RECTANGLE, (0.0, 0.0, 0.3, 0.4)])
        assert [each.shape for each in outlines] == [(HEIGHT, WIDTH)] * 2
        assert outlines[0].dtype == np.uint8
        assert not np.array_equal(*outlines)
        assert model.find(red_square(), []) == []


class TestPlates:
    @pytest.mark.parametrize("options", [{}, {"levels": 1.0}, {"levels": 1.0, "joined": True}])
    def test_lama_fills_holes_and_touches_nothing_else(self, tmp_path: Path, options: dict) -> None:
        model = load_plates(str(write_lama(tmp_path / "lama_fp32.onnx", **options)))
        picture = red_square()
        holes = np.zeros((HEIGHT, WIDTH), bool)
        holes[INSIDE], holes[2:6, 2:9] = True, True
        filled = filled_plate(model, picture, holes)
        np.testing.assert_array_equal(filled[~holes], picture[~holes])
        np.testing.assert_allclose(filled[25:35, 35:45], [[[0, 102, 0]] * 10] * 10, atol=3)
        assert abs(int(filled[4, 5, 1]) - 102) < 12

    def test_a_diffusers_pipeline_does_likewise(self, tmp_path: Path) -> None:
        model = load_plates(str(write_inpainting(tmp_path)))
        holes = np.zeros((HEIGHT, WIDTH), bool)
        holes[INSIDE] = True
        once, again = (filled_plate(model, red_square(), holes) for _ in range(2))
        np.testing.assert_array_equal(once, again)  # its noise has a seed
        np.testing.assert_array_equal(once[~holes], red_square()[~holes])
        assert not np.array_equal(once[holes], red_square()[holes])

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6))
    def test_holes_of_any_form_are_filled_whole(self, seed: int) -> None:
        class Grey:
            def fill(self, part: np.ndarray, hole: np.ndarray) -> np.ndarray:
                assert part.shape[:2] == hole.shape
                assert hole.any()
                return np.full_like(part, 128)

        random = np.random.default_rng(seed)
        holes = random.random((23, 31)) < random.random()
        picture = random.integers(0, 100, (23, 31, 3), dtype=np.uint8)
        filled = filled_plate(Grey(), picture, holes)
        assert (filled[holes] == 128).all()
        np.testing.assert_array_equal(filled[~holes], picture[~holes])


class TestDepths:
    @settings(max_examples=30, deadline=None)
    @given(factor=st.floats(0.05, 20), offset=st.floats(-2, 5), seed=st.integers(0, 10**6))
    def test_depths_of_any_scale_and_zero_are_fitted_to_the_boxes(self, factor, offset, seed) -> None:
        random = np.random.default_rng(seed)
        owner = np.full((40, 40), -1, np.int32)
        owner[5:35, 5:18], owner[5:35, 22:36] = 0, 1
        row, column = np.mgrid[:40, :40]
        true = 3 + 0.02 * column + 0.1 * np.sin(row / 3) + owner
        rough = (true + random.normal(0, 0.02, true.shape)).astype(np.float32)
        rough[owner < 0] = 0
        rough[10:13, 8:12] += 0.8  # where the network was wrong
        far = np.where(owner >= 0, rough + 1, 0).astype(np.float32)
        told = ((true - offset) / factor).astype(np.float32)
        told[30:32, 25:30] = np.inf
        fitted = fitted_depths(told, owner, rough, far)
        own = (owner >= 0) & np.isfinite(told)
        assert np.abs(fitted - true)[own].mean() < 0.01
        np.testing.assert_array_equal(fitted[owner < 0], rough[owner < 0])

    def test_depths_that_say_nothing_change_nothing(self) -> None:
        owner = np.zeros((20, 20), np.int32)
        near = np.linspace(2, 3, 400, dtype=np.float32).reshape(20, 20)
        for told in (np.full((20, 20), np.inf), np.full((20, 20), 4.0), -near):
            np.testing.assert_array_equal(fitted_depths(told.astype(np.float32), owner, near, near + 1), near)


class TestTakingApart:
    def test_models_take_the_networks_place(self, network, tmp_path: Path) -> None:
        studio = build_studio([LEFT, RIGHT], 96, 80)
        views = studio.views()
        views = replace(views, known=torch.ones_like(views.known))
        models = OwnModels(
            load_outlines(str(write_matting(tmp_path / "isnet.onnx"))),
            load_depth(str(write_tiny_point_map(tmp_path / "moge.onnx"))),
            load_plates(str(write_lama(tmp_path / "lama.onnx"))),
        )
        plain, own = (
            take_apart(views, TakingApart(network, 96, models=each)) for each in (OwnModels(), models)
        )
        assert not torch.equal(plain.owner, own.owner)
        made_up = ~own.real
        assert made_up.any()
        assert (own.plate[made_up][:, 1].float() - 102).abs().median() < 30
        assert torch.equal(own.plate[own.real], own.picture[own.real])

    def test_another_model_is_another_way_to_take_apart(self, network, tmp_path: Path) -> None:
        one, two = (OwnModels(plates=load_plates(str(write_lama(tmp_path / "lama.onnx")))) for _ in range(2))
        keys = {TakingApart(network, models=each).key for each in (OwnModels(), one, two)}
        assert len(keys) == 3


@pytest.mark.parametrize("load", [load_outlines, load_plates])
def test_what_is_no_such_model_says_what_would_be_one(load, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(WeightsError, match=r"broken\.onnx' is no ONNX network"):
        load(str(tmp_path / "broken.onnx"))
    other = write_tiny_point_map(tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match=r"other\.onnx' .*(IS-Net or BiRefNet|LaMa)"):
        load(str(other))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(WeightsError, match="empty"):
        load(str(empty))
    with pytest.raises(WeightsError, match="nowhere"):
        load(str(tmp_path / "nowhere"))
