"""Training pairs: two frames of a scene as one :class:`na_core.scene.Frame` and the picture that it shows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from na_core.data.scenes import Scene
from na_core.geometry.boxes import source_quarter_turns
from na_core.scene import Asset, Background, Frame, Photo, PlacedAsset

SEEN = 0.02
"""Objects that show less of their silhouette than this share count as unseen."""


def pairs(scene: Scene) -> list[tuple[int, int]]:
    """Return the ordered (source frame, target frame) pairs that can be learned from.

    A pair in which the target shows an object that the source does not show is left out: nothing says what
    the object looks like.
    """
    count = len(scene.labels.frames)
    return [(s, t) for s, t in itertools.permutations(range(count), 2) if is_usable(scene, s, t)]


def is_usable(scene: Scene, source: int, target: int) -> bool:
    """Tell whether the source frame shows every object that the target frame shows."""
    before, after = scene.labels.frames[source], scene.labels.frames[target]
    return all(v >= SEEN or w < SEEN for v, w in zip(before.visible, after.visible, strict=True))


def frame_message(scene: Scene, source: int, target: int) -> tuple[Frame, Mapping[str, Path]]:
    """Return the message that asks for the target frame, given the source frame's photo.

    Args:
        scene: the scene.
        source: index of the frame whose picture, boxes and camera are known.
        target: index of the frame to be rendered.

    Returns:
        The frame, and the path of each photo that it names, by SHA-256. Every source box is hidden from the
        background. Objects that are absent in either frame are not among the assets, which keep their order.
    """
    before, after = scene.labels.frames[source], scene.labels.frames[target]
    path = scene.picture_path(source)
    photo = Photo(photo_sha256(path))
    assets = []
    for i, label in enumerate(scene.labels.objects):
        source_box, target_box = before.boxes[i], after.boxes[i]
        if source_box is None or target_box is None:
            continue
        asset = Asset(
            name=label.name,
            photo=photo,
            source_box=source_box,
            source_camera=before.camera,
            source_box_2d=before.boxes_2d[i],
            quarter_turns=source_quarter_turns(source_box, before.camera),
        )
        assets.append(PlacedAsset(asset, target_box))
    hidden = tuple(box for box in before.boxes if box is not None)
    frame = Frame(after.camera, tuple(assets), Background(photo, before.camera, hidden))
    return frame, {photo.sha256: path}


@lru_cache(maxsize=65536)
def photo_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
