"""What the viewport shows of assets' boxes."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")


def test_the_front_face_is_crossed_and_axes_start_in_the_middle(api, part, table) -> None:
    overlay = part("overlay")
    cup = table.objects["Cup"]
    cup.color = (0.2, 0.4, 0.6, 1.0)
    table.view_layers[0].update()
    matrix = np.array(cup.matrix_world)
    lines = overlay.overlay_lines([cup])
    front = next(ends for colour, ends in lines.items() if np.allclose(colour, (0.2, 0.4, 0.6, 1.0)))
    assert front.shape == (12, 3)
    local = np.c_[front, np.ones(12)] @ np.linalg.inv(matrix).T
    np.testing.assert_allclose(local[:, 1], -0.5, atol=1e-5)  # the front is at local -Y
    np.testing.assert_allclose(np.abs(local[:, [0, 2]]), 0.5, atol=1e-5)
    for axis, colour in enumerate(overlay.AXIS_COLOURS):
        start, end = lines[colour]
        np.testing.assert_allclose(start, matrix[:3, 3], atol=1e-6)
        np.testing.assert_allclose(end - start, matrix[:3, axis] / 2, atol=1e-6)


def test_assets_of_one_colour_are_drawn_together(part, table, api) -> None:
    lines = part("overlay").overlay_lines(api.assets(table))
    assert sum(len(ends) for ends in lines.values()) == 2 * (12 + 6)
    assert part("overlay").overlay_lines([]) == {}
