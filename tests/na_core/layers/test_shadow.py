"""Where the light is, and whose shadow is whose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.boxes import box_matrix
from na_core.layers.shadow import ThrownShadows, thrown_shadows
from na_core.tensors.cameras import cameras_of
from tests.na_core.reference import reference_box_map
from tests.na_core.sunlit import Sunlit, direction, ground_points, sunlit

BOXES = (
    box_matrix((-0.9, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5),
    box_matrix((0.7, 4.5, 0.3), (0.6, 0.6, 0.6), 1.0),
    box_matrix((0.1, 3.2, 0.2), (0.3, 0.5, 0.4), 2.0),
)


def found(of: Sunlit, shadow: NDArray[np.float32] | None = None) -> ThrownShadows:
    """Return what a photo's map of shadows tells."""
    boxes = torch.from_numpy(np.stack([box.world_from_box for box in of.shot.boxes]))
    rows, columns = of.owner.shape
    shows = reference_box_map(of.shot.camera, list(boxes.numpy()), columns, rows).index[0]
    every = torch.ones(len(boxes), dtype=torch.bool)
    given_map = torch.from_numpy(of.shadow if shadow is None else shadow)
    camera = cameras_of([of.shot.camera])[0]
    return thrown_shadows(given_map, torch.from_numpy(shows), camera, boxes, every, every)


def distances(of: Sunlit) -> NDArray[np.float64]:
    """Return how far the ground that pixels show is from the boxes' feet, (H, W, K) metres."""
    rows, columns = of.owner.shape
    points = np.nan_to_num(ground_points(of.shot.camera, columns, rows), nan=99.0)[..., :2]
    feet = np.stack([box.world_from_box[:2, 3] for box in of.shot.boxes])
    return np.linalg.norm(points[..., None, :] - feet, axis=-1)


def degrees_between(one: ArrayLike, other: ArrayLike) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(one, other), -1, 1))))


class TestLight:
    @pytest.mark.parametrize("elevation", [25, 45, 65])
    @pytest.mark.parametrize("azimuth", [0, 80, 200, 310])
    def test_is_found_within_some_degrees(self, azimuth: float, elevation: float) -> None:
        light = direction(azimuth, elevation)
        of = sunlit(BOXES, 320, 240, light=light)
        noise = np.random.default_rng(0).normal(0, 0.02, of.shadow.shape).astype(np.float32)
        assert degrees_between(found(of, of.shadow + noise).light, light) < 15

    def test_is_unknown_where_there_is_no_shadow(self) -> None:
        of = sunlit(BOXES, 160, 120)
        for strength in (0, 1e-3):
            nothing = found(of, of.shadow * np.float32(strength))
            assert not nothing.light.any()
        assert (found(of, of.shadow * 0).owner == -1).all()

    def test_is_unknown_where_the_shadow_has_nothing_to_do_with_the_boxes(self) -> None:
        of = sunlit(BOXES, 160, 120)
        stripes = np.zeros_like(of.shadow)
        stripes[:, ::8] = -0.7
        assert not found(of, stripes).light.any()

    def test_soft_shadows_all_around_tell_no_slanting_light(self) -> None:
        of = sunlit(BOXES, 320, 240)
        distance = distances(of).min(-1)
        soft = -0.6 * np.exp(-((distance / 0.6) ** 2))[..., None].repeat(3, axis=-1)
        light = found(of, soft.astype(np.float32)).light.numpy()
        assert not light.any() or light[2] > np.sin(np.radians(70))


class TestOwners:
    @pytest.mark.parametrize("azimuth", [20, 200, 320])
    def test_are_the_boxes_that_throw_the_shadows(self, azimuth: float) -> None:
        of = sunlit(BOXES, 320, 240, light=direction(azimuth, 50))
        owner = found(of).owner.numpy()
        shaded = of.owner >= 0
        assert shaded.mean() > 0.01
        assert (owner[shaded] == of.owner[shaded]).mean() > 0.9
        assert (owner[~shaded] == -1).all()

    def test_without_a_light_a_shadow_belongs_to_the_box_that_it_touches(self) -> None:
        of = sunlit(BOXES, 320, 240)
        distance = distances(of)
        # A thin ring around every box: no direction explains it.
        ring = (distance.min(-1) < 0.55) & (distance.min(-1) > 0.45)
        owner = found(of, np.where(ring, -0.3, 0.0)[..., None].repeat(3, -1).astype(np.float32)).owner.numpy()
        owned = owner >= 0
        assert owned.any()
        assert (owner[owned] == distance.argmin(-1)[owned]).mean() > 0.9
        assert (owner[distance.min(-1) > 0.6] == -1).all()

    def test_far_from_all_boxes_shadows_are_no_ones(self) -> None:
        of = sunlit(BOXES, 160, 120)
        everywhere = np.full_like(of.shadow, -0.5)
        owner = found(of, everywhere).owner.numpy()
        far = distances(of).min(-1) > 4
        assert far.any()
        assert (owner[far] == -1).all()

    def test_the_ground_that_an_object_hides_lies_in_its_shadow(self) -> None:
        of = sunlit(BOXES, 320, 240)
        shows = reference_box_map(of.shot.camera, list(BOXES), 320, 240).index[0]
        foot = (distances(of) < 0.15) & (shows[..., None] == np.arange(len(BOXES)))
        owner = found(of, np.full_like(of.shadow, -0.5)).owner.numpy()
        for number in range(len(BOXES)):
            assert foot[..., number].any()
            assert (owner[foot[..., number]] == number).all()


@settings(max_examples=25, deadline=None)
@given(
    centre=st.tuples(*[st.sampled_from([-1e6, -3.0, 0.0, 0.5, 4.0, 1e6])] * 3),
    size=st.tuples(*[st.sampled_from([0.0, 1e-9, 0.4, 5.0, 1e6])] * 3),
    filled=st.booleans(),
)
def test_any_box_gives_finite_answers(
    centre: tuple[float, float, float], size: tuple[float, float, float], filled: bool
) -> None:
    of = sunlit(BOXES, 64, 48)
    boxes = torch.from_numpy(np.stack([box_matrix(centre, size, 0.3), BOXES[1]]))
    camera = cameras_of([of.shot.camera])[0]
    there = torch.tensor([filled, filled])
    nothing = torch.full((48, 64), -1)
    made = thrown_shadows(torch.from_numpy(of.shadow), nothing, camera, boxes, there, there)
    assert torch.isfinite(made.light).all()
    assert made.light.norm() == pytest.approx(1, abs=1e-5) or not made.light.any()
    assert ((made.owner >= -1) & (made.owner < 2)).all()
    assert filled or ((made.owner == -1).all() and not made.light.any())
