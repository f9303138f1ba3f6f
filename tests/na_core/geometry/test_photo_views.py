"""The views of a frame's photos: hidden boxes first, and a photo by two cameras is two views."""

from __future__ import annotations

import dataclasses
from typing import Any

from na_core.geometry.photo_views import hidden_rectangles, photo_views
from na_core.scene import Background, Frame, Photo, PlacedAsset

Shot = Any  # of conftest


def test_the_backgrounds_view_comes_first_with_its_hidden_boxes_in_order(two_boxes: Shot) -> None:
    frame = two_boxes.frame({0: None})  # the first object is gone, and stays hidden
    (view,) = photo_views(frame)
    assert view.sha256 == frame.background.photo.sha256
    assert view.boxes == two_boxes.boxes
    assert view.rectangles == hidden_rectangles(frame) == (None, two_boxes.assets[1].source_box_2d)


def test_assets_that_are_not_hidden_and_other_photos_follow(two_boxes: Shot) -> None:
    whole = two_boxes.frame()
    donor = dataclasses.replace(two_boxes.assets[0], photo=Photo("d" * 64))
    frame = Frame(
        whole.camera,
        (*whole.assets, PlacedAsset(donor, two_boxes.boxes[0])),
        Background(whole.background.photo, two_boxes.camera, two_boxes.boxes[1:]),
    )
    first, second = photo_views(frame)
    assert first.boxes == (two_boxes.boxes[1], two_boxes.boxes[0])
    assert second == photo_views(frame)[1]
    assert (second.sha256, second.boxes) == ("d" * 64, two_boxes.boxes[:1])


def test_a_photo_by_two_cameras_is_two_views(two_boxes: Shot) -> None:
    other = dataclasses.replace(two_boxes.camera, fx=2.0)
    asset = dataclasses.replace(two_boxes.assets[0], source_camera=other)
    frame = two_boxes.frame(add=[PlacedAsset(asset, two_boxes.boxes[0])])
    assert [view.camera for view in photo_views(frame)] == [two_boxes.camera, other]
