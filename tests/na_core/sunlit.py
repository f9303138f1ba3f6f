"""Photos of boxes in the sun: plain ground, and on it the shadows that a light far away would throw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers, stacked
from na_core.scene import Camera, Frame, Photo
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import SourceView, source_views
from tests.na_core.reference import reference_box_map
from tests.na_core.stage import Shot, shot

PLAIN = 160
"""The ground's level of grey where no shadow falls."""

DARKNESS = np.array([-0.5, -0.7, -0.9])
"""Logarithm of the shadows of the sun, by channel."""


def linear(colours: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return sRGB colours in [0, 1] as light."""
    colours = np.asarray(colours, float)
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def encoded(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return light, clipped to [0, 1], as sRGB colours."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """Return the unit vector to a light, from angles in degrees."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def ground_points(camera: Camera, width: int, height: int, ground: float = 0.0) -> NDArray[np.float64]:
    """Return the points (H, W, 3) of a plane that pixels show, not a number where they show none."""
    x = ((np.arange(width) + 0.5) / width - camera.cx) / camera.fx
    y = (camera.cy - (np.arange(height) + 0.5) / height) / camera.fy
    rays = np.stack([*np.meshgrid(x, y), -np.ones((height, width))], axis=-1)
    rays = rays @ camera.world_from_camera[:3, :3].T
    at = camera.world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        t = (ground - at[2]) / rays[..., 2]
    return np.where((t > 0)[..., None], at + t[..., None] * rays, np.nan)


def thrown_by(points: NDArray[np.float64], boxes: Sequence[NDArray[np.float64]], light: ArrayLike) -> NDArray:
    """Return which box is first on the way (H, W) from points to a light, -1 for none."""
    owner, nearest = np.full(points.shape[:-1], -1), np.full(points.shape[:-1], np.inf)
    for number, box in enumerate(boxes):
        inverse = np.linalg.inv(box)
        start = points @ inverse[:3, :3].T + inverse[:3, 3]
        way = inverse[:3, :3] @ np.asarray(light)
        sides = np.stack([(side - start) / way for side in (-0.5, 0.5)])
        enter, leave = sides.min(0).max(-1), sides.max(0).min(-1)
        hit = (enter <= leave) & (leave > 0) & (np.maximum(enter, 0) < nearest)
        owner[hit], nearest[hit] = number, np.maximum(enter, 0)[hit]
    return owner


@dataclass(frozen=True)
class Sunlit:
    """A photo whose objects throw shadows.

    Attributes:
        shot: the photo and its boxes.
        shadow: (H, W, 3) logarithms. owner: (H, W), whose shadow it is, -1 for none.
        light: (3,) direction to the light.
    """

    shot: Shot
    shadow: NDArray[np.float32]
    owner: NDArray[np.int16]
    light: NDArray[np.float64]

    def put_into(self, layers: Layers, plate: int | None = PLAIN) -> Layers:
        """Return a photo's layers with its shadows and, if a grey is given, a plate of that."""
        changed = replace(
            layers,
            shadow=torch.from_numpy(self.shadow)[None].half(),
            shadow_owner=torch.from_numpy(self.owner)[None],
            light=torch.from_numpy(self.light)[None].float(),
        )
        return changed if plate is None else replace(changed, plate=torch.full_like(layers.plate, plate))

    def layers(self, frame: Frame, plate: int | None = PLAIN) -> Layers:
        """Return the layers of a frame of this photo alone."""
        return self.put_into(self.shot.stage(frame).layers, plate)

    def passes(self, *frames: Frame) -> Passes:
        """Compose frames of this photo alone."""
        rows, columns = self.owner.shape
        return compose(self.layers(frames[0]), frame_batch(frames), columns, rows)

    def moved(self, steps: Mapping[int, ArrayLike | None], camera: Camera | None = None) -> Frame:
        """Return the frame in which boxes have moved by steps in the world, or left (None)."""
        changes: dict[int, ArrayLike | None] = {}
        for number, step in steps.items():
            matrix = self.shot.boxes[number].world_from_box.copy()
            if step is not None:
                matrix[:3, 3] += step
            changes[number] = None if step is None else matrix
        return self.shot.frame(changes, camera)


def sunlit(
    boxes: Sequence[NDArray[np.float64]],
    width: int = 96,
    height: int = 64,
    camera: Camera | None = None,
    light: ArrayLike = direction(200, 45),  # noqa: B008
    seed: int = 0,
) -> Sunlit:
    """Photograph boxes on plain ground in the sun; objects are a pattern, which shadows do not fall on."""
    camera = camera or camera_of_photo(1.2 * width, width, height, camera_height=1.5, pitch=0.3)
    taken = shot(boxes, width, height, camera, seed)
    points = ground_points(camera, width, height)
    near = np.linalg.norm(points - camera.world_from_camera[:3, 3], axis=-1) < 12
    owner = np.where(near, thrown_by(np.nan_to_num(points), boxes, light), -1)
    shows = reference_box_map(camera, boxes, width, height).index[0] >= 0
    owner = np.where(shows, -1, owner).astype(np.int16)
    shadow = (DARKNESS * (owner >= 0)[..., None]).astype(np.float32)
    ground = np.rint(255 * encoded(linear(np.full(shadow.shape, PLAIN / 255)) * np.exp(shadow)))
    photo = np.where(shows[..., None], taken.photo, ground).astype(np.uint8)
    return Sunlit(replace(taken, photo=photo), shadow, owner, np.asarray(light, float))


def layers_of(frames: Sequence[Frame], photos: Mapping[Photo, Sunlit]) -> Layers:
    """Return the layers of all views of frames of several such photos."""
    views: dict[SourceView, None] = dict.fromkeys(view for frame in frames for view in source_views(frame))
    parts = []
    for view in views:
        of = photos[Photo(view.sha256)]
        stage = replace(of.shot.stage(of.shot.frame()), photos={view.sha256: of.shot.photo})
        parts.append(of.put_into(stage._taken_apart(view)))
    return stacked(parts)


def composed(frames: Sequence[Frame], photos: Mapping[Photo, Sunlit], width: int, height: int) -> Passes:
    """Compose frames of several such photos."""
    return compose(layers_of(frames, photos), batch_of(frames), width, height)


def batch_of(frames: Sequence[Frame]) -> FrameBatch:
    """Return frames as tensors."""
    return frame_batch(frames)
