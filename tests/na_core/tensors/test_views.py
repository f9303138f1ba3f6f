"""The views of a frame's photos: hidden boxes first, and a photo by two cameras is two views."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from na_core.geometry.boxes import box_matrix
from na_core.scene import Background, Frame, Photo, PlacedAsset
from na_core.tensors.views import WHOLE_PICTURE, source_views, views_as_tensors
from tests.na_core.stage import Shot, shot


@pytest.fixture
def two_boxes() -> Shot:
    return shot([box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.7, 4.5, 0.3), (0.6,) * 3)])


def with_a_donor(two_boxes: Shot) -> Frame:
    """Return a frame that hides the second box only, and shows another photo's object too."""
    whole = two_boxes.frame()
    donor = dataclasses.replace(two_boxes.assets[0], photo=Photo("d" * 64))
    return Frame(
        whole.camera,
        (*whole.assets, PlacedAsset(donor, two_boxes.boxes[0])),
        Background(whole.background.photo, two_boxes.camera, two_boxes.boxes[1:]),
    )


def test_the_backgrounds_view_comes_first_with_its_hidden_boxes_in_order(two_boxes: Shot) -> None:
    frame = two_boxes.frame({0: None})  # the first object is gone, and stays hidden
    (view,) = source_views(frame)
    assert view.sha256 == frame.background.photo.sha256
    assert view.boxes == two_boxes.boxes
    assert view.rectangles == (None, two_boxes.assets[1].source_box_2d)
    assert view.hidden == 2


def test_a_hidden_box_keeps_its_rectangle_when_its_object_is_in_no_frame_any_more(two_boxes: Shot) -> None:
    whole = two_boxes.frame()
    told = dataclasses.replace(
        whole.background, rectangles=tuple(asset.source_box_2d for asset in two_boxes.assets)
    )
    without = dataclasses.replace(two_boxes.frame({0: None}), background=told)
    assert source_views(without) == source_views(whole)


def test_assets_that_are_not_hidden_and_other_photos_follow(two_boxes: Shot) -> None:
    first, second = source_views(with_a_donor(two_boxes))
    assert first.boxes == (two_boxes.boxes[1], two_boxes.boxes[0])
    assert first.hidden == 1
    assert (second.sha256, second.boxes, second.hidden) == ("d" * 64, two_boxes.boxes[:1], 0)


def test_a_photo_by_two_cameras_is_two_views(two_boxes: Shot) -> None:
    other = dataclasses.replace(two_boxes.camera, fx=2.0)
    asset = dataclasses.replace(two_boxes.assets[0], source_camera=other)
    frame = two_boxes.frame(add=[PlacedAsset(asset, two_boxes.boxes[0])])
    assert [view.camera for view in source_views(frame)] == [two_boxes.camera, other]


def test_a_view_does_not_depend_on_where_objects_have_gone(two_boxes: Shot) -> None:
    moved = two_boxes.frame({0: box_matrix((0, 3, 1), (1, 1, 1))}, camera=two_boxes.camera)
    assert source_views(moved) == source_views(two_boxes.frame())


def test_as_tensors_views_have_the_same_boxes_and_rectangles_padded(two_boxes: Shot) -> None:
    views = source_views(with_a_donor(two_boxes))
    pictures = torch.zeros((2, 4, 6, 3), dtype=torch.uint8)
    found = views_as_tensors(views, pictures)
    assert found.filled.tolist() == [[True, True], [True, False]]
    assert found.hidden.tolist() == [[True, False], [False, False]]
    assert torch.equal(found.known, found.filled)
    for row, view in enumerate(views):
        np.testing.assert_array_equal(found.camera.world_from_camera[row], view.camera.world_from_camera)
        for slot, (box, rectangle) in enumerate(zip(view.boxes, view.rectangles, strict=True)):
            np.testing.assert_array_equal(found.boxes[row, slot], box.world_from_box)
            assert tuple(found.rectangles[row, slot].tolist()) == rectangle
    np.testing.assert_array_equal(found.boxes[1, 1], np.eye(4))
    assert tuple(found.rectangles[1, 1].tolist()) == WHOLE_PICTURE


def test_of_a_box_that_no_asset_comes_from_the_rectangle_is_unknown(two_boxes: Shot) -> None:
    views = source_views(two_boxes.frame({0: None}))
    found = views_as_tensors(views, torch.zeros((1, 4, 6, 3), dtype=torch.uint8))
    assert found.known.tolist() == [[False, True]]
    assert found.filled.all()
