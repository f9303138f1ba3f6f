"""Control clips: a range of frames as the videos that video models are steered with.

They follow the conventions of ControlNet (depth: near is white; normals in the camera's frame; Canny edges),
of VACE (a source whose holes are grey, and a mask that is white there) and of VerseCrafter (background and
objects apart, the objects as ellipsoids in their boxes). The camera's path is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.data.contact_sheet import colour_of
from na_core.geometry.camera import camera_from_world, pixel_centres, rays
from na_core.scene import Camera, Frame
from server.failures import Failure
from server.whole_files import written_whole

if TYPE_CHECKING:
    from na_core.compose.frame_passes import FramePasses

Image = NDArray[np.uint8]

FILL = 127
"""Level of grey that stands for what is to be made up."""

EDGE_THRESHOLDS = 100, 200
"""Of Canny's edges, as ControlNet's own examples have them."""

CODEC, QUALITY = "libx264", "12"
"""Of the videos: H.264, whose losses at that rate factor nobody sees."""

FEWEST_SIDE = 2
"""Sides are multiples of this many pixels: H.264 halves colours."""


@dataclass(frozen=True)
class Clip:
    """What a clip shows of one frame.

    Attributes:
        frame, passes: the frame.
        near, far: the least and greatest depth of all frames, metres.
    """

    frame: Frame
    passes: FramePasses
    near: float
    far: float


def _grey(plane: NDArray[Any]) -> Image:
    return np.repeat(plane.astype(np.uint8)[..., None], 3, axis=2)


def _colours(picture: NDArray[np.floating]) -> Image:
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8)


def _nearness(clip: Clip, depth: NDArray[np.floating]) -> Image:
    """Return how near what pixels show is: inverse depth, white nearest; black at an infinite depth."""
    inverse = 1 / np.maximum(depth, 1e-6)
    least, most = 1 / clip.far, 1 / clip.near
    return _grey(np.rint(255 * ((inverse - least) / max(most - least, 1e-9)).clip(0, 1)))


def _normal(clip: Clip) -> Image:
    turned = clip.passes.normal @ clip.frame.camera.world_from_camera[:3, :3]
    return _colours(turned / 2 + 0.5)


def _index(clip: Clip) -> Image:
    tints = np.array([(0, 0, 0), *(colour_of(number) for number in range(len(clip.frame.assets)))], np.uint8)
    return tints[clip.passes.index]


def _hole(clip: Clip) -> NDArray[np.bool_]:
    return clip.passes.validity == 0


def _edge(clip: Clip) -> Image:
    return _grey(cv2.Canny(cv2.cvtColor(_colours(clip.passes.proxy), cv2.COLOR_RGB2GRAY), *EDGE_THRESHOLDS))


def _with_holes(clip: Clip) -> Image:
    return np.where(_hole(clip)[..., None], FILL, _colours(clip.passes.proxy)).astype(np.uint8)


def _background_depth(clip: Clip) -> Image:
    return _nearness(clip, np.where(clip.passes.index == 0, clip.passes.depth, np.inf))


def _ellipsoids(clip: Clip) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which asset's ellipsoid pixels show (H, W), 0 for none, and its depth; they fill the boxes."""
    height, width = clip.passes.index.shape
    camera = clip.frame.camera
    directions, eye = rays(camera, pixel_centres(width, height)), camera.world_from_camera[:3, 3]
    index, depth = np.zeros((height, width), np.int64), np.full((height, width), np.inf)
    for number, placed in enumerate(clip.frame.assets, 1):
        inverse = np.linalg.inv(placed.box.world_from_box)
        way, start = directions @ inverse[:3, :3].T, inverse[:3, :3] @ eye + inverse[:3, 3]
        a, b = (way * way).sum(-1), (way * start).sum(-1)
        inside = b * b - a * (start @ start - 0.25)
        hit = (-b - np.sqrt(np.maximum(inside, 0))) / a
        nearer = (inside > 0) & (hit > 0) & (hit < depth)
        index[nearer], depth[nearer] = number, hit[nearer]
    return index, depth


def _ellipsoid_colours(clip: Clip) -> Image:
    tints = np.array([(0, 0, 0), *(colour_of(number) for number in range(len(clip.frame.assets)))], np.uint8)
    return tints[_ellipsoids(clip)[0]]


CLIPS: Mapping[str, Callable[[Clip], Image]] = {
    "depth": lambda clip: _nearness(clip, clip.passes.depth),
    "normal": _normal,
    "index": _index,
    "proxy": lambda clip: _colours(clip.passes.proxy),
    "mask": lambda clip: _grey(255 * _hole(clip)),
    "edge": _edge,
    "background": lambda clip: _colours(clip.passes.plate),
    "vace_source": _with_holes,
    "vace_mask": lambda clip: _grey(255 * _hole(clip)),
    "versecrafter/background_RGB": lambda clip: _colours(clip.passes.plate),
    "versecrafter/background_depth": _background_depth,
    "versecrafter/3D_gaussian_RGB": _ellipsoid_colours,
    "versecrafter/3D_gaussian_depth": lambda clip: _nearness(clip, _ellipsoids(clip)[1]),
    "versecrafter/merged_mask": lambda clip: _grey(255 * _hole(clip)),
}
"""What makes each frame of each clip."""


def write_clips(
    passes: Callable[[int], tuple[Frame, FramePasses]],
    frames: int,
    depths: tuple[float, float],
    out: Path,
    rate: float,
) -> Iterator[int]:
    """Write a video of each of :data:`CLIPS`, and ``camera.json``; yield the number of each finished frame.

    Files have their names once all frames are in them: an interrupted run leaves none by half.

    Args:
        passes: of a frame, by its number.
        frames: how many.
        depths: the least and the greatest of all frames, metres.
        out: folder, made if need be.
        rate: frames a second.

    Raises:
        OSError: a file cannot be written.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise Failure(
            "packages_missing", "Writing videos takes the package av: pip install 'neural-assets[export]'"
        ) from error
    paths = {name: out / f"{name}.mp4" for name in CLIPS}
    cameras = []
    with ExitStack() as files:
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        partials = {name: files.enter_context(written_whole(path)) for name, path in paths.items()}
        with ExitStack() as stack:
            videos: dict[str, tuple[Any, Any]] = {}
            for number in range(frames):
                frame, found = passes(number)
                clip = Clip(frame, found, *depths)
                cameras.append(_camera(frame.camera, *found.index.shape))
                for name, make in CLIPS.items():
                    picture = _even(make(clip))
                    if name not in videos:
                        container = stack.enter_context(av.open(str(partials[name]), "w", format="mp4"))
                        stream = container.add_stream(CODEC, rate=Fraction(rate).limit_denominator(1001))
                        stream.width, stream.height = picture.shape[1], picture.shape[0]
                        stream.pix_fmt, stream.options = "yuv420p", {"crf": QUALITY}
                        videos[name] = container, stream
                    container, stream = videos[name]
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                yield number
            for container, stream in videos.values():
                container.mux(stream.encode())
    _write_cameras(out / "camera.json", cameras, rate)


def _even(picture: Image) -> Image:
    """Return a picture whose sides are even: the last row or column is left out."""
    height, width = (side - side % FEWEST_SIDE for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def _camera(camera: Camera, height: int, width: int) -> dict[str, Any]:
    """Return a camera as other programs want it: both ways, with intrinsics in pixels."""
    flip = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's: x right, y down, z forward
    return {
        "world_from_camera": camera.world_from_camera.tolist(),
        "opencv_camera_from_world": (flip @ camera_from_world(camera)).tolist(),
        "intrinsics": [
            [camera.fx * width, 0.0, camera.cx * width],
            [0.0, camera.fy * height, camera.cy * height],
            [0.0, 0.0, 1.0],
        ],
        "size": [width, height],
    }


def _write_cameras(file: Path, cameras: list[dict[str, Any]], rate: float) -> None:
    text = json.dumps({"frames_per_second": rate, "frames": cameras}, indent=2)
    with written_whole(file) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
