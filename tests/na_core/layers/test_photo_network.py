"""The photo network: what it sees of boxes, and that what it says is always a legal surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from na_core.geometry.boxes import box_matrix
from na_core.layers.box_layers import box_layers
from na_core.layers.photo_network import PLANES, PhotoNetwork, estimate, network_inputs
from na_core.tensors.views import SourceViews
from tests.na_core.reference import nearest_boxes
from tests.na_core.studio import Studio, build_studio


class TestBoxes:
    def test_layers_are_where_rays_enter_and_leave_boxes(self, studio: Studio) -> None:
        layers, _ = box_layers(studio.views())
        expected = nearest_boxes(studio.camera, studio.boxes, 64, 64)
        np.testing.assert_array_equal(layers.index[0, 0], expected.index)
        hit = expected.index >= 0
        np.testing.assert_allclose(layers.enter[0, 0].numpy()[hit], expected.depth[hit], rtol=1e-4)
        np.testing.assert_allclose(layers.leave[0, 0].numpy()[hit], expected.far[hit], rtol=1e-4)

    def test_two_boxes_along_a_ray_are_the_nearest_and_the_second(self) -> None:
        behind = box_matrix((0.1, 6.0, 0.5), (2.0, 0.5, 1.0))
        before = box_matrix((0.0, 4.0, 0.4), (0.6, 0.5, 0.8))
        studio = build_studio([behind, before])
        layers, _ = box_layers(studio.views())
        both = layers.index[0, 1] >= 0
        assert both.sum() > 50
        assert (layers.index[0, 0][both] == 1).all()
        assert (layers.index[0, 1][both] == 0).all()
        assert (layers.enter[0, 1] > layers.leave[0, 0])[both].all()

    def test_a_2d_box_tells_where_the_object_may_be(self, studio: Studio) -> None:
        views = studio.views()
        narrow = views.rectangles.clone()
        narrow[0, 0, 2] = narrow[0, 0, [0, 2]].mean()  # the left half of the left one's
        layers, _ = box_layers(replace(views, rectangles=narrow))
        own = layers.index[0, 0] == 0
        middle = float(narrow[0, 0, 2]) * 64
        columns = (torch.arange(64) + 0.5).expand(64, -1)
        assert layers.allowed[0, 0][own & (columns < middle)].all()
        assert not layers.allowed[0, 0][own & (columns > middle)].any()


class TestInputs:
    def test_they_are_the_photo_and_its_fill(self, studio: Studio) -> None:
        inputs = network_inputs(studio.views())
        assert inputs.planes.shape == (1, PLANES, 64, 64)
        assert inputs.planes.isfinite().all()
        colours = inputs.colours[0].movedim(0, -1) * 255
        np.testing.assert_allclose(colours, studio.photo, atol=1e-3)
        outside = (inputs.hole == 0).expand_as(inputs.fill)
        assert torch.equal(inputs.fill[outside], inputs.colours[outside])

    def test_where_no_box_is_hit_nothing_is_said_of_boxes(self, studio: Studio) -> None:
        inputs = network_inputs(studio.views())
        nothing = (inputs.layers.index[0, 0] < 0)[None].expand(PLANES - 7, -1, -1)
        assert not inputs.planes[0, 7:][nothing].any()


@pytest.mark.parametrize(("width", "height"), [(64, 64), (33, 17), (1, 1), (100, 7)])
def test_pictures_of_any_size(width: int, height: int, network: PhotoNetwork, studio: Studio) -> None:
    pictures = torch.randint(256, (1, height, width, 3), dtype=torch.uint8)
    found = estimate(network, replace(studio.views(), pictures=pictures))
    assert found.plate.shape == found.shadow.shape == (1, 3, height, width)
    assert all(
        values.isfinite().all() for values in (found.probability, found.near, found.plate, found.shadow)
    )


class TestEstimates:
    def test_a_pixel_shows_one_of_its_two_boxes_or_nothing(
        self, studio: Studio, network: PhotoNetwork
    ) -> None:
        found = estimate(network, studio.views())
        torch.testing.assert_close(found.probability.sum(dim=1), torch.ones(1, 64, 64))
        absent = found.index < 0
        assert not found.probability[:, 1:][absent].any()
        assert (found.probability[:, 1:][~absent] > 0).all()

    def test_depths_lie_between_entering_and_leaving(self, studio: Studio, network: PhotoNetwork) -> None:
        found, (layers, _) = estimate(network, studio.views()), box_layers(studio.views())
        hit = found.index >= 0
        assert (found.near >= layers.enter * (1 - 1e-5))[hit].all()
        assert (found.far >= found.near)[hit].all()
        assert (found.far <= layers.leave * (1 + 1e-5))[hit].all()

    def test_a_photo_without_objects_is_its_own_plate(self, studio: Studio, network: PhotoNetwork) -> None:
        bare = replace(studio.views(), filled=torch.zeros((1, 2), dtype=torch.bool))
        plate = (estimate(network, bare).plate[0].movedim(0, -1) * 255).round()
        np.testing.assert_array_equal(plate, studio.photo)

    def test_normals_have_length_1(self, studio: Studio, network: PhotoNetwork) -> None:
        lengths = estimate(network, studio.views()).normal.norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones(1, 64, 64))

    def test_without_boxes_it_shows_nothing(self, studio: Studio, network: PhotoNetwork) -> None:
        bare = replace(studio.views(), filled=torch.zeros((1, 2), dtype=torch.bool))
        found = estimate(network, bare)
        assert (found.probability[:, 0] == 1).all()
        assert (found.index < 0).all()

    def test_a_scenes_scale_scales_depths_and_no_more(self, studio: Studio, network: PhotoNetwork) -> None:
        first, second = (estimate(network, views) for views in (studio.views(), scaled(studio.views(), 100)))
        assert (first.index == second.index).float().mean() > 0.999
        same = (first.index == second.index) & (first.index >= 0)
        torch.testing.assert_close(second.near[same], 100 * first.near[same], rtol=1e-2, atol=0)
        torch.testing.assert_close(second.probability, first.probability, atol=0.02, rtol=0)

    def test_flat_boxes_and_boxes_around_the_camera_are_legal(
        self, studio: Studio, network: PhotoNetwork
    ) -> None:
        nowhere = np.zeros((4, 4))
        nowhere[3, 3] = 1
        odd = [box_matrix((0, 4, 0.4), (1, 1, 0)), box_matrix((0, 0, 1.5), (6, 6, 4)), nowhere]
        views = studio.views()
        views = replace(
            views,
            boxes=torch.from_numpy(np.stack(odd))[None],
            rectangles=torch.tensor([[[0.0, 0.0, 1.0, 1.0]] * 3], dtype=torch.float64),
            known=torch.zeros((1, 3), dtype=torch.bool),
            filled=torch.ones((1, 3), dtype=torch.bool),
            hidden=torch.ones((1, 3), dtype=torch.bool),
        )
        found = estimate(network, views)
        assert set(found.index.unique().tolist()) == {-1, 1}
        for values in (found.probability, found.near, found.far):
            assert values.isfinite().all()


def scaled(views: SourceViews, factor: float) -> SourceViews:
    """Return views of a world that is larger by a factor."""
    boxes, matrix = views.boxes.clone(), views.camera.world_from_camera.clone()
    boxes[..., :3, :] *= factor
    matrix[..., :3, 3] *= factor
    return replace(views, boxes=boxes, camera=replace(views.camera, world_from_camera=matrix))
