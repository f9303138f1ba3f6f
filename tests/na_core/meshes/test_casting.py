"""Rays into meshes, against a loop over triangles."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.meshes.casting import Caster
from tests.na_core.meshes.shapes import ball, cube


def first_hit(corners: NDArray, origin: NDArray, way: NDArray) -> float:
    """Return how far along a ray the first of some triangles is, by Cramer's rule; infinite for none."""
    nearest = np.inf
    for a, b, c in corners:
        matrix = np.stack([b - a, c - a, -way], axis=1)
        if abs(np.linalg.det(matrix)) > 1e-12:
            u, v, distance = np.linalg.solve(matrix, origin - a)
            if u >= 0 and v >= 0 and u + v <= 1 and distance > 0:
                nearest = min(nearest, distance)
    return nearest


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_rays_meet_what_a_loop_over_triangles_meets(seed: int) -> None:
    random = np.random.default_rng(seed)
    vertices = random.uniform(-1, 1, (12, 3))
    triangles = random.permuted(np.tile(np.arange(12), (10, 1)), axis=1)[:, :3]
    caster = Caster(vertices, triangles)
    origin = random.uniform(-1, 1, 3) * 5
    ways = random.uniform(-1, 1, (20, 3)) - origin
    hits = caster.cast(origin, ways)
    expected = np.array([first_hit(caster.corners, origin, way) for way in ways])
    np.testing.assert_array_equal(np.isfinite(hits.distance), np.isfinite(expected))
    met = np.isfinite(expected)
    np.testing.assert_allclose(hits.distance[met], expected[met], rtol=1e-5)
    points = (caster.corners[hits.triangle[met]] * hits.weights[met, :, None]).sum(axis=1)
    np.testing.assert_allclose(points, origin + expected[met, None] * ways[met], atol=1e-5)


def test_weights_are_of_the_corners_and_add_up_to_one() -> None:
    hits = Caster(*cube()).cast(np.array([0, -5.0, 0]), np.array([[0.01, 1, 0.02], [3, 1, 0]]))
    assert hits.triangle.tolist()[1] == -1
    np.testing.assert_allclose(hits.weights[0].sum(), 1)
    np.testing.assert_allclose(hits.distance, [4.5, np.inf])


def test_what_lies_between_two_points_hides_one_from_the_other() -> None:
    caster = Caster(*ball())
    eye = np.array([0, -5.0, 0])
    points = np.array([[0, 5.0, 0], [0, -1.0, 0], [0, -0.5, 0], [0, 0.5, 0], [4.0, 0, 0]])
    assert caster.hides(eye, points, 1 - 1e-3).tolist() == [True, False, False, True, False]


def test_an_open_mesh_is_met_from_both_sides() -> None:
    vertices, triangles = cube()
    caster = Caster(vertices, triangles[4:6])  # its front alone
    for side in (-5.0, 5.0):
        hits = caster.cast(np.array([0.1, side, 0]), np.array([[0, -side, 0.0]]))
        np.testing.assert_allclose(hits.distance, [(abs(side) + np.sign(side) * 0.5) / abs(side)])
