"""Exact flow from labels, against motions that are known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.data.scenes import Scene
from na_core.evaluation.label_flow import LabelledView, label_flow, labelled_view
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import pixel_centres, project_points
from na_core.scene import Box, Camera
from tests.na_core.reference import nearest_boxes

WIDTH, HEIGHT = 48, 32
FOCAL = 1.5


def camera(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Camera:
    """Return a camera at a point, looking along the world's -Z."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return Camera(matrix, fx=FOCAL, fy=FOCAL * WIDTH / HEIGHT)


def wall(depth: float, at: Camera, boxes: tuple[Box | None, ...] = ()) -> LabelledView:
    """Return a view of nothing but a wall that faces the camera."""
    return LabelledView(
        at, boxes, np.zeros((HEIGHT, WIDTH), np.uint8), np.full((HEIGHT, WIDTH), depth, np.float32)
    )


def card(view: LabelledView, rows: slice, columns: slice, depth: float) -> LabelledView:
    """Return the view with object 0 on it: a card that faces the camera."""
    mask, depths = view.mask.copy(), view.depth.copy()
    mask[rows, columns], depths[rows, columns] = 1, depth
    return replace(view, mask=mask, depth=depths)


class TestStill:
    @given(depth=st.floats(0.5, 60), x=st.floats(-3, 3), y=st.floats(-3, 3))
    def test_a_view_flows_to_itself(self, depth: float, x: float, y: float) -> None:
        view = wall(depth, camera(x, y))
        flow = label_flow(view, view)
        assert flow.visible.all()
        np.testing.assert_allclose(flow.displacement, 0, atol=1e-4)

    def test_every_frame_of_a_painted_film_flows_to_itself(self, film: Scene) -> None:
        view = labelled_view(film, 0)
        assert view is not None
        flow = label_flow(view, view)
        assert flow.visible.mean() > 0.97  # all but silhouettes, where two depths meet in one pixel
        np.testing.assert_allclose(flow.displacement, 0, atol=0.02)

    def test_what_is_farther_than_can_be_told_is_not_followed(self) -> None:
        view = wall(np.inf, camera())
        assert not label_flow(view, view).visible.any()


class TestKnownMotion:
    @given(depth=st.floats(1, 20), x=st.floats(-1, 1), y=st.floats(-1, 1))
    def test_a_camera_that_slides_past_a_wall(self, depth: float, x: float, y: float) -> None:
        flow = label_flow(wall(depth, camera()), wall(depth, camera(x, y)))
        shift = np.array([-x, y]) * FOCAL * WIDTH / depth
        np.testing.assert_allclose(
            flow.displacement[flow.visible], np.broadcast_to(shift, (flow.visible.sum(), 2)), atol=1e-3
        )
        target = pixel_centres(WIDTH, HEIGHT) * (WIDTH, HEIGHT) + shift
        inside = ((target > 0.01) & (target < np.array([WIDTH, HEIGHT]) - 0.01)).all(axis=-1)
        assert flow.visible[inside].all()

    def test_a_camera_that_comes_nearer(self) -> None:
        flow = label_flow(wall(4, camera()), wall(3, camera(z=-1)))
        from_centre = (pixel_centres(WIDTH, HEIGHT) - 0.5) * (WIDTH, HEIGHT)
        np.testing.assert_allclose(flow.displacement[flow.visible], from_centre[flow.visible] / 3, atol=1e-3)
        assert not flow.visible[0, 0]

    def test_slanted_ground_is_followed_to_grazing_angles(self, film: Scene) -> None:
        """Ground seen at a flat angle changes its depth by more than the tolerance from pixel to pixel."""
        views = [labelled_view(film, frame) for frame in (0, 1)]
        assert views[0] is not None
        assert views[1] is not None
        flow = label_flow(views[0], views[1])
        ground = (views[0].mask == 0) & (np.arange(64)[:, None] > 10)
        assert flow.visible[ground].mean() > 0.85

    def test_points_of_boxes_move_as_their_boxes_do(self, film: Scene) -> None:
        views = [labelled_view(film, frame) for frame in (0, 2)]
        assert views[0] is not None
        assert views[1] is not None
        found = label_flow(views[0], views[1])
        before, after = (
            [box.world_from_box for box in film.labels.frames[frame].boxes if box is not None]
            for frame in (0, 2)
        )
        seen = nearest_boxes(views[0].camera, before, 64, 64)
        for number, matrix in enumerate(after):
            follows = found.visible & (views[0].mask == number + 1)
            assert follows.sum() > 0.5 * (views[0].mask == number + 1).sum()
            moved = seen.local[follows] / 2 @ matrix[:3, :3].T + matrix[:3, 3]
            at = project_points(views[1].camera, moved)[:, :2]
            expected = (at - pixel_centres(64, 64)[follows]) * 64
            np.testing.assert_allclose(found.displacement[follows], expected, atol=0.05)


class TestObjects:
    before = Box(box_matrix((0, 0, -2), (0.5, 0.5, 0.1)))

    @settings(max_examples=25)
    @given(pixels=st.integers(-10, 10))
    def test_an_object_takes_its_pixels_with_it(self, pixels: int) -> None:
        after = Box(box_matrix((pixels * 2 / (FOCAL * WIDTH), 0, -2), (0.5, 0.5, 0.1)))
        rows = slice(10, 20)
        first = card(wall(5, camera(), (self.before,)), rows, slice(18, 28), 2)
        second = card(wall(5, camera(), (after,)), rows, slice(18 + pixels, 28 + pixels), 2)
        flow = label_flow(first, second)
        card_shows, inner = flow.visible[rows, 18:28], flow.visible[11:19, 19:27]
        assert inner.all()
        np.testing.assert_allclose(
            flow.displacement[rows, 18:28][card_shows], [[pixels, 0]] * card_shows.sum(), atol=1e-3
        )

    def test_what_an_object_covers_or_uncovers_is_not_seen_twice(self) -> None:
        after = Box(box_matrix((12 * 2 / (FOCAL * WIDTH), 0, -2), (0.5, 0.5, 0.1)))
        rows = slice(10, 20)
        first = card(wall(5, camera(), (self.before,)), rows, slice(10, 20), 2)
        second = card(wall(5, camera(), (after,)), rows, slice(22, 32), 2)
        flow = label_flow(first, second)
        assert not flow.visible[rows, 22:32].any()  # wall that the card covers then
        assert flow.visible[rows, 33:].all()
        back = label_flow(second, first)
        assert not back.visible[rows, 10:20].any()

    def test_an_object_that_passes_behind_another_vanishes(self) -> None:
        """Two cards of one object's mask: depth alone tells them apart."""
        first = card(wall(5, camera(), (self.before,)), slice(10, 20), slice(10, 20), 2)
        second = card(wall(5, camera(), (self.before,)), slice(10, 20), slice(10, 20), 1.9)
        assert not label_flow(first, second).visible[10:20, 10:20].any()

    @pytest.mark.parametrize("boxes", [((before,), (None,)), ((None,), (before,))])
    def test_an_object_that_is_absent_is_not_followed(
        self, boxes: tuple[tuple[Box | None], tuple[Box | None]]
    ) -> None:
        first, second = (card(wall(5, camera(), b), slice(10, 20), slice(10, 20), 2) for b in boxes)
        flow = label_flow(first, second)
        assert not flow.visible[10:20, 10:20].any()
        assert flow.visible[22:].all()


def test_a_scene_without_depth_has_no_view(film: Scene) -> None:
    frames = tuple(replace(frame, depth=None) for frame in film.labels.frames)
    without = replace(film, labels=replace(film.labels, frames=frames))
    assert labelled_view(without, 0) is None

