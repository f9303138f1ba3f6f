"""The same frame told otherwise: in a world of another scale, or by another detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from na_core.geometry.boxes import source_quarter_turns
from na_core.scene import Asset, Box, Camera, Frame, PlacedAsset


def scaled_frame(frame: Frame, factor: float) -> Frame:
    """Return the frame of a world that is larger by a factor, cameras and all."""
    placed = tuple(
        PlacedAsset(
            replace(
                p.asset,
                source_box=_scaled_box(p.asset.source_box, factor),
                source_camera=_scaled_camera(p.asset.source_camera, factor),
            ),
            _scaled_box(p.box, factor),
        )
        for p in frame.assets
    )
    background = replace(
        frame.background,
        source_camera=_scaled_camera(frame.background.source_camera, factor),
        hidden_boxes=tuple(_scaled_box(b, factor) for b in frame.background.hidden_boxes),
    )
    return Frame(_scaled_camera(frame.camera, factor), placed, background)


def redetected(frame: Frame, box: Callable[[Box], Box]) -> Frame:
    """Return the frame as a detector would have told it that finds other boxes."""

    def asset_of(asset: Asset) -> Asset:
        source = box(asset.source_box)
        return replace(
            asset, source_box=source, quarter_turns=source_quarter_turns(source, asset.source_camera)
        )

    placed = tuple(PlacedAsset(asset_of(p.asset), box(p.box)) for p in frame.assets)
    hidden = tuple(box(b) for b in frame.background.hidden_boxes)
    return Frame(frame.camera, placed, replace(frame.background, hidden_boxes=hidden))


def _scaled_camera(camera: Camera, factor: float) -> Camera:
    matrix = camera.world_from_camera.copy()
    matrix[:3, 3] *= factor
    return replace(camera, world_from_camera=matrix)


def _scaled_box(box: Box, factor: float) -> Box:
    return Box(np.diag([factor, factor, factor, 1.0]) @ box.world_from_box)
