"""The box map against rays that are followed face by face, and slab by slab, in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import pixel_centres, project_points
from na_core.raster.boxmap import box_map, camera_in_box, eyes, through_box
from na_core.scene import Camera
from na_core.tensors.cameras import cameras_of
from tests.na_core.reference import reference_box_map, slow_hits
from tests.na_core.stage import hit_planes

STRAIGHT = Camera(np.eye(4), 1.0, 1.0)
WIDTH, HEIGHT = 70, 45  # neither is a multiple of a tile's side

Matrix = NDArray[np.float64]
Seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Mapped:
    """The box map of one camera, as arrays: index (2, H, W), local (2, H, W, 3) and depth (2, H, W)."""

    index: NDArray[np.int32]
    local: NDArray[np.float32]
    depth: NDArray[np.float32]


def mapped(camera: Camera, boxes: Sequence[Matrix], width: int = WIDTH, height: int = HEIGHT) -> Mapped:
    (found,) = mapped_together([camera], [boxes], width, height)
    return found


def mapped_together(
    cameras: Sequence[Camera], boxes: Sequence[Sequence[Matrix]], width: int = WIDTH, height: int = HEIGHT
) -> list[Mapped]:
    """Map frames in one batch; where one has fewer boxes than others its slots hold what is not there."""
    slots = max(1, *(len(row) for row in boxes))
    decoy = box_matrix((0, 0, 0), (100, 100, 100))
    matrices = torch.from_numpy(np.array([[*row, *[decoy] * (slots - len(row))] for row in boxes]))
    filled = torch.tensor([[slot < len(row) for slot in range(slots)] for row in boxes])
    found = box_map(cameras_of(cameras), matrices, filled, width, height)
    local, depth = (np.stack(of) for of in zip(*(hit_planes(hits) for hits in found.hits), strict=True))
    return [Mapped(found.index[:, row].numpy(), local[:, row], depth[:, row]) for row in range(len(boxes))]


def turned_box(rng: np.random.Generator, low: float, high: float) -> Matrix:
    """Return a box before the camera that is rotated, sheared and perhaps mirrored."""
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
    box = np.eye(4)
    box[:3, :3] = q @ shear @ np.diag(rng.uniform(low, high, 3))
    box[:3, 3] = rng.uniform((-2, -2, -7), (2, 2, -2))
    return box


def anywhere(rng: np.random.Generator) -> Matrix:
    """Return a place to look from: turned anyhow, up to metres from the origin."""
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    place = np.eye(4)
    place[:3, :3], place[:3, 3] = q * np.sign(np.linalg.det(q)), rng.normal(scale=2, size=3)
    return place


def in_view(seed: int, count: int) -> tuple[Camera, list[Matrix]]:
    """Return a camera anywhere and so many boxes before it, many of them overlapping."""
    rng = np.random.default_rng(seed)
    place = anywhere(rng)
    camera = Camera(place, *rng.uniform(0.4, 2.0, 2), *rng.uniform(0.3, 0.7, 2))
    return camera, [place @ turned_box(rng, 0.2, 2) for _ in range(count)]


def assert_is_the_reference(
    found: Mapped, camera: Camera, boxes: Sequence[Matrix], least: float = 0.999
) -> None:
    height, width = found.index.shape[1:]
    known = reference_box_map(camera, boxes, width, height)
    same = found.index == known.index
    assert same.mean() >= least
    distance = np.abs(found.local - known.local)[same]
    assert (distance < 1e-3).mean() >= 0.999
    assert (distance < 0.02).all()  # a ray that grazes a face meets it somewhere else in single precision
    np.testing.assert_allclose(found.depth[same], known.depth[same], rtol=1e-3, atol=1e-5)


def assert_is_the_slow_one(camera: Camera, boxes: Sequence[Matrix]) -> None:
    width, height = 14, 10
    found, known = mapped(camera, boxes, width, height), reference_box_map(camera, boxes, width, height)
    for row in range(height):
        for column in range(width):
            hits = slow_hits(camera, boxes, column, row, width, height)
            for layer in range(2):
                for each in (found, known):
                    index, local, depth = (
                        plane[layer, row, column] for plane in (each.index, each.local, each.depth)
                    )
                    if layer >= len(hits):
                        assert (index, depth) == (-1, np.inf)
                        assert not local.any()
                        continue
                    assert index == hits[layer][1]
                    assert depth == pytest.approx(hits[layer][0], rel=1e-5)
                    np.testing.assert_allclose(local, hits[layer][2], atol=2e-5)


class TestFaceByFace:
    """The map, and the quicker reference of other tests, are what rays meet face by face."""

    @pytest.mark.parametrize("seed", [0, 1])
    def test_boxes_anywhere(self, seed: int) -> None:
        assert_is_the_slow_one(*in_view(seed, 6))

    def test_boxes_in_one_place(self) -> None:
        rng = np.random.default_rng(2)
        boxes = [turned_box(rng, 0.2, 2) for _ in range(4)]
        for box in boxes:
            box[:3, 3] = (0, 0, -4)
        assert_is_the_slow_one(STRAIGHT, boxes)

    def test_sheared_and_mirrored(self) -> None:
        sheared = np.eye(4)
        sheared[0, 1], sheared[2, 3] = 0.9, -3
        mirrored = turned_box(np.random.default_rng(3), 0.2, 2) @ np.diag([-1.0, 1, 1, 1])
        mirrored[:3, 3] = (0.5, 0, -4)
        assert_is_the_slow_one(STRAIGHT, [sheared, mirrored])

    def test_a_camera_in_a_room_sees_the_inside_of_its_walls(self) -> None:
        boxes = [box_matrix((0, 0, 0), (6, 6, 6), yaw=0.3), box_matrix((0.3, 0, -2), (0.5, 1, 0.5))]
        assert_is_the_slow_one(STRAIGHT, boxes)
        found = mapped(STRAIGHT, boxes)
        assert (found.index[0] >= 0).all()
        np.testing.assert_array_equal(found.index[1] == 0, found.index[0] == 1)

    def test_boxes_around_the_camera_plane(self) -> None:
        assert_is_the_slow_one(
            STRAIGHT, [box_matrix((1.5, 0, 0), (1, 1, 20)), box_matrix((0, -1, -2), (9, 1, 9))]
        )


class TestSlabBySlab:
    @settings(max_examples=25, deadline=None)
    @given(seed=Seeds, count=st.integers(1, 12))
    def test_sheared_mirrored_and_overlapping_boxes(self, seed: int, count: int) -> None:
        camera, boxes = in_view(seed, count)
        assert_is_the_reference(mapped(camera, boxes), camera, boxes)

    @settings(max_examples=10, deadline=None)
    @given(seed=Seeds)
    def test_thin_small_and_far_boxes_far_from_the_origin(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        place = np.eye(4)
        place[:3, 3] = rng.uniform(-1000, 1000, 3)
        camera = Camera(place, 1.0, 1.0)
        boxes = [place @ turned_box(rng, 0.005, 1.0) for _ in range(5)]
        far = place @ box_matrix((1, 0, -90), (2, 3, 0.01), 0.3)
        assert_is_the_reference(mapped(camera, [*boxes, far]), camera, [*boxes, far])

    @settings(max_examples=10, deadline=None)
    @given(seed=Seeds)
    def test_a_camera_among_and_inside_boxes(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        boxes = [turned_box(rng, 0.5, 6) for _ in range(6)]
        for box in boxes:
            box[:3, 3] = rng.normal(size=3)
        assert_is_the_reference(mapped(STRAIGHT, boxes), STRAIGHT, boxes)

    @pytest.mark.parametrize("depth", [-2.0, 2.0])
    def test_a_camera_on_a_face_sees_the_inside_only(self, depth: float) -> None:
        boxes = [box_matrix((0, 0, depth), (4, 4, 4)), box_matrix((0, 0, -3), (1.1, 1.1, 1))]
        found = mapped(STRAIGHT, boxes)
        assert_is_the_reference(found, STRAIGHT, boxes)
        assert (found.index == 0).any() == (depth < 0)

    @settings(max_examples=10, deadline=None)
    @given(axis=st.integers(0, 1), side=st.sampled_from([-1, 1]), beside=st.floats(-0.4, 0.4))
    @example(axis=1, side=-1, beside=0.125)  # its edge runs through the middles of a column's pixels
    def test_a_camera_on_the_plane_of_a_face(self, axis: int, side: int, beside: float) -> None:
        place = np.array([beside, beside, -4.0])
        place[axis] = side * 0.5  # a face at 0 to the bit
        boxes = [box_matrix(place, (1, 1, 1)), box_matrix((0, 0, -6), (1, 1, 1))]
        assert_is_the_reference(mapped(STRAIGHT, boxes), STRAIGHT, boxes, least=0.99)

    @settings(max_examples=8, deadline=None)
    @given(seed=Seeds, width=st.integers(1, 40), height=st.integers(1, 40))
    def test_any_size(self, seed: int, width: int, height: int) -> None:
        camera, boxes = in_view(seed, 5)
        found = mapped(camera, boxes, width, height)
        assert found.index.shape == (2, height, width)
        known = reference_box_map(camera, boxes, width, height)
        assert (found.index != known.index).sum() <= 0.001 * found.index.size + 1

    def test_frames_of_a_batch_do_not_mix_and_empty_slots_are_not_hit(self) -> None:
        rng = np.random.default_rng(4)
        boxes = [[turned_box(rng, 0.5, 2) for _ in range(count)] for count in (4, 2, 0)]
        cameras = [Camera(np.eye(4), focal, focal) for focal in (0.6, 1.0, 1.4)]
        for row, found in enumerate(mapped_together(cameras, boxes)):
            assert_is_the_reference(found, cameras[row], boxes[row])

    @pytest.mark.usefixtures("every_pixel")
    def test_where_lists_do_not_pay_the_map_is_the_same(self) -> None:
        camera, boxes = in_view(6, 6)
        assert_is_the_reference(mapped(camera, boxes), camera, boxes)


class TestDefinition:
    def test_straight_ahead(self) -> None:
        found = mapped(STRAIGHT, [box_matrix((0, 0, -3), (1, 1, 1))], 5, 5)
        assert found.index[0, 2, 2] == 0
        assert found.depth[0, 2, 2] == 2.5
        np.testing.assert_allclose(found.local[0, 2, 2], [0, 0, 1], atol=1e-7)
        assert found.index[0, 0, 0] == -1

    @settings(max_examples=8, deadline=None)
    @given(seed=Seeds)
    def test_hits_lie_on_the_surface_of_the_cube_to_the_bit(self, seed: int) -> None:
        found = mapped(*in_view(seed, 5))
        assert (np.abs(found.local[found.index >= 0]).max(axis=-1) == 1).all()

    @settings(max_examples=8, deadline=None)
    @given(seed=Seeds)
    def test_hits_project_back_to_their_pixel_and_depth(self, seed: int) -> None:
        camera, boxes = in_view(seed, 6)
        found = mapped(camera, boxes)
        centres = pixel_centres(WIDTH, HEIGHT)
        for number, box in enumerate(boxes):
            hit = found.index[0] == number
            world = found.local[0][hit] / 2 @ box[:3, :3].T + box[:3, 3]
            projected = project_points(camera, world)
            before = projected[:, 2] > 0.1
            np.testing.assert_allclose(projected[before, :2], centres[hit][before], atol=2e-4)
            np.testing.assert_allclose(projected[:, 2], found.depth[0][hit], rtol=1e-4, atol=1e-5)

    @settings(max_examples=8, deadline=None)
    @given(seed=Seeds)
    def test_the_second_hit_is_another_box_behind_the_first(self, seed: int) -> None:
        found = mapped(*in_view(seed, 12))
        first, second = found.index
        both = second >= 0
        assert (first[both] != second[both]).all()
        assert (first[both] >= 0).all()
        nearer, farther = found.depth[:, both]
        assert (nearer <= farther * (1 + 2e-4)).all()  # what is that near to each other counts as one

    @settings(max_examples=8, deadline=None)
    @given(seed=Seeds)
    def test_the_order_of_the_boxes_does_not_matter(self, seed: int) -> None:
        camera, boxes = in_view(seed, 7)
        one, other = mapped(camera, boxes), mapped(camera, boxes[::-1])
        same = one.index == np.where(other.index < 0, -1, 6 - other.index)
        assert same.mean() >= 0.999
        np.testing.assert_array_equal(one.depth[same], other.depth[same])

    def test_of_two_equal_boxes_the_first_is_in_front_everywhere(self) -> None:
        # A duplicate that has not been moved yet: no speckle of the two.
        box = turned_box(np.random.default_rng(0), 1, 2)
        box[:3, 3] = (0, 0, -4)
        found = mapped(STRAIGHT, [box, box])
        assert set(np.unique(found.index[0])) == {-1, 0}
        np.testing.assert_array_equal(found.index[0] == 0, found.index[1] == 1)

    def test_boxes_behind_beside_flat_and_empty_leave_no_trace(self) -> None:
        boxes = [
            box_matrix((0, 0, 3), (1, 1, 1)),
            box_matrix((90, 0, -3), (1, 1, 1)),
            *(box_matrix((0.1, 0.1, -3), of, 0.3) for of in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (0, 0, 0))),
        ]
        assert (mapped(STRAIGHT, boxes).index == -1).all()

    def test_no_boxes_and_a_single_pixel(self) -> None:
        assert (mapped(STRAIGHT, [], 3, 2).index == -1).all()
        assert mapped(STRAIGHT, [box_matrix((0, 0, -3), (1, 1, 1))], 1, 1).index[0, 0, 0] == 0

    def test_small_objects_are_hit(self) -> None:
        grain = box_matrix((0, 0, -0.01), (1e-3, 1e-3, 1e-3))
        assert mapped(STRAIGHT, [grain], 101, 101).index[0, 50, 50] == 0


class TestThroughABox:
    """Where rays enter and leave the boxes that they hit."""

    def through(self, camera: Camera, box: Matrix) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        cameras, boxes = cameras_of([camera]), torch.from_numpy(box[None, None])
        (hits, _) = box_map(cameras, boxes, torch.ones((1, 1), dtype=torch.bool), WIDTH, HEIGHT).hits
        eye = eyes(cameras, boxes, hits)
        enter, leave, inside = through_box(eye, hits)
        return eye.T.numpy(), enter.T.numpy(), leave.T.numpy(), inside.numpy()

    @settings(max_examples=10, deadline=None)
    @given(seed=Seeds)
    def test_on_its_surface_and_in_line_with_the_camera(self, seed: int) -> None:
        camera, (box,) = in_view(seed, 1)
        eye, enter, leave, inside = self.through(camera, box)
        if inside.any() or np.abs(eye).max(initial=0) > 1e3:
            return
        for point in (enter, leave):
            np.testing.assert_allclose(np.abs(point).max(axis=1), 1, atol=1e-5)
        to, on = enter - eye, leave - eye
        lengths = np.linalg.norm(to, axis=1) * np.linalg.norm(on, axis=1)
        np.testing.assert_allclose((to * on).sum(1), lengths, rtol=1e-5)
        known = reference_box_map(camera, [box], WIDTH, HEIGHT)
        ratio = np.linalg.norm(on, axis=1) / np.linalg.norm(to, axis=1)
        hit = known.index[0] == 0
        if hit.sum() == len(ratio):
            expected = known.leave[0][hit] / known.depth[0][hit]
            np.testing.assert_allclose(ratio, expected, rtol=2e-3)

    def test_from_inside_rays_start_at_the_camera_and_leave_where_they_hit(self) -> None:
        box = box_matrix((0, 0.3, -1), (4, 4, 3), 0.2)
        eye, enter, leave, inside = self.through(STRAIGHT, box)
        assert len(inside) == WIDTH * HEIGHT
        assert inside.all()
        np.testing.assert_array_equal(enter, eye)
        assert (np.abs(leave).max(axis=1) == 1).all()

    def test_where_a_camera_is_in_a_box(self) -> None:
        camera, (box, _) = in_view(3, 2)
        at, volume = camera_in_box(cameras_of([camera])[0], torch.from_numpy(box))
        back = at.numpy() / 2 @ box[:3, :3].T + box[:3, 3]
        np.testing.assert_allclose(back, camera.world_from_camera[:3, 3], atol=1e-9)
        assert float(volume) == pytest.approx(np.linalg.det(box[:3, :3]))
