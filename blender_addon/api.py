"""Neural Assets from Python: what the buttons do, as functions.

    from bl_ext.user_default.neural_assets import api

    api.import_photo("table.jpg")
    cup = api.add_asset((0.1, 0.4, 0.3, 0.8), name="Cup")
    cup.location.x += 0.3
    pixels = api.render_frame(12)
    api.render_animation("out/frame_####.png")

Assets are ordinary empties: move, keyframe, parent, duplicate and delete them with Blender's own functions. A
function raises :class:`UserError`, whose text says what to do. Every ``scene`` defaults to the current one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.scene import Camera, Frame

from .control_clips import export_clips, save_frames
from .decoders import choose_decoder
from .detection.detect import detect, detect_camera
from .detection.fit import Existing, fit_asset, place_asset
from .errors import RenderCancelled, UserError
from .layers.editing import (
    edit_outline,
    edit_plate,
    edit_shadow,
    reset_outline,
    reset_plate,
    reset_shadow,
)
from .layers.photo_layers import NamedLayers, images_of_layers, layers
from .names import ENGINE
from .preferences import worker_settings
from .render.picture import Observer, render_picture
from .render.problems import problems as _problems
from .render.written import check_written
from .scene import assets as _assets
from .scene.adjust import (
    drag_face,
    mark_front,
    match_camera,
    refit,
    set_length,
    snap_to_ground,
    turn_front,
)
from .scene.camera import resolution
from .scene.compose import append_asset, replace_asset, swap_background
from .scene.fitted_mesh import fit_mesh, remember_pose, remove_mesh
from .scene.frame import PhotoStore, frame_message, job_message
from .scene.mix import mix_with_cg
from .scene.photo_import import capture_photo_camera, import_photo
from .scene.stored import camera_of
from .scene.views import add_view, remove_view
from .storage import user_folder
from .training_data import render_training_data
from .worker import supervisor
from .worker.client import WorkerLost, request_json
from .worker.dataset import DatasetOrder, DatasetProgress, DatasetResult
from .worker.supervisor import WorkerStatus

__all__ = [
    "DatasetProgress",
    "DatasetResult",
    "NamedLayers",
    "RenderCancelled",
    "UserError",
    "add_asset",
    "add_view",
    "append_asset",
    "assets",
    "capture_asset",
    "capture_photo_camera",
    "choose_decoder",
    "detect",
    "detect_camera",
    "drag_face",
    "edit_outline",
    "edit_plate",
    "edit_shadow",
    "export_clips",
    "fit_mesh",
    "frame",
    "images_of_layers",
    "import_photo",
    "layers",
    "mark_front",
    "match_camera",
    "mix_with_cg",
    "photo_camera",
    "problems",
    "refit",
    "remember_pose",
    "remove_mesh",
    "remove_view",
    "render_animation",
    "render_dataset",
    "render_frame",
    "replace_asset",
    "reset_outline",
    "reset_plate",
    "reset_shadow",
    "save_frames",
    "set_length",
    "snap_to_ground",
    "start_worker",
    "stop_worker",
    "swap_background",
    "turn_front",
    "worker_capabilities",
    "worker_status",
]

SUFFIX_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".exr": "OPEN_EXR",
}


def add_asset(
    rectangle: Sequence[float] | None = None,
    *,
    name: str = _assets.DEFAULT_NAME,
    world_from_box: ArrayLike | None = None,
    fit: Literal["rectangle", "photo"] = "rectangle",
    existing: Existing = "keep",
    depth_ratio: float = _assets.DEPTH_RATIO,
    yaw: float | None = None,
    ground_height: float = 0.0,
    scene: bpy.types.Scene | None = None,
) -> bpy.types.Object:
    """Add an object of the photo as an asset and return its empty.

    Args:
        rectangle: (x0, y0, x1, y1) around the object in the photo, from 0 to 1, y down.
        name: of the empty.
        world_from_box: (4, 4) 3D box, if it is known; else the object stands on the ground in the rectangle.
        fit: how to find the box: from the "rectangle" alone, or from the "photo" in it, which the worker is
            asked about; see :func:`blender_addon.detection.fit.fit_asset`.
        existing: what becomes of an asset whose rectangle this is already: "replace" gives it the new box,
            "keep" adds another.
        depth_ratio, yaw, ground_height: of a box from the rectangle alone; see
            :func:`blender_addon.scene.assets.box_of_rectangle`.
        scene: where to.

    Raises:
        UserError: no photo yet, or nothing that makes a box.
    """
    if world_from_box is not None:
        return _assets.add_asset(world_from_box, rectangle, name, scene=scene)
    if rectangle is None:
        raise UserError("An asset needs a place in the photo.", "Give its rectangle, or its world_from_box.")
    if fit == "photo":
        return fit_asset(rectangle, name, scene=scene, existing=existing)
    scene = scene or bpy.context.scene
    box = _assets.box_of_rectangle(
        scene, rectangle, depth_ratio=depth_ratio, yaw=yaw, ground_height=ground_height
    )
    return place_asset(scene, box, rectangle, name, existing)


def assets(scene: bpy.types.Scene | None = None) -> list[bpy.types.Object]:
    """Return the scene's assets by name, those disabled in renders included."""
    return _assets.asset_objects(scene or bpy.context.scene)


def capture_asset(
    asset: bpy.types.Object, rectangle: Sequence[float] | None = None, *, scene: bpy.types.Scene | None = None
) -> None:
    """Declare that the asset's box, as it stands now, fits the object in the photo.

    Raises:
        UserError: no photo yet.
    """
    _assets.capture_source(asset, rectangle, scene=scene)


def photo_camera(scene: bpy.types.Scene | None = None) -> Camera:
    """Return the camera that took the scene's photo.

    Raises:
        UserError: no photo yet.
    """
    scene = scene or bpy.context.scene
    if scene.neural_assets.photo is None:
        raise _assets.no_photo()
    return camera_of(scene.neural_assets.source_camera)


def problems(scene: bpy.types.Scene | None = None) -> list[str]:
    """Return what keeps the scene from being rendered, as sentences; empty if nothing does."""
    return [str(problem) for problem in _problems(scene or bpy.context.scene, worker_settings())]


def frame(number: int | None = None, *, scene: bpy.types.Scene | None = None) -> Frame:
    """Return the message that describes a frame (the current one if None), for any worker to render.

    Raises:
        UserError: the scene cannot be rendered.
    """
    scene = scene or bpy.context.scene
    with _at_frame(scene, number) as depsgraph:
        return frame_message(depsgraph, PhotoStore())


def render_frame(
    number: int | None = None,
    *,
    scene: bpy.types.Scene | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> NDArray[np.uint8]:
    """Render a frame (the current one if None) and return its pixels (H, W, 3), uint8 sRGB, top row first.

    The Render Result is left alone. Objects that are disabled in the *viewport* are not evaluated and so are
    not seen, other than in F12; those disabled in renders are left out in both.

    Raises:
        UserError: the scene cannot be rendered, or the worker failed.
        RenderCancelled: ``should_stop``, polled at least every 50 ms, returned true.
    """
    scene = scene or bpy.context.scene
    with _at_frame(scene, number) as depsgraph:
        job, photos = job_message(depsgraph, *resolution(scene))
        what = f"frame {scene.frame_current}"
    picture, _ = render_picture(job, photos, worker_settings(), Observer(should_stop=should_stop), what=what)
    return picture.pixels


def render_animation(
    filepath: str | os.PathLike[str],
    *,
    start: int | None = None,
    end: int | None = None,
    scene: bpy.types.Scene | None = None,
) -> list[Path]:
    """Render a range of frames to files with Blender's own animation render, as Ctrl+F12 does.

    Args:
        filepath: with # for the frame number ("out/frame_####.png"); its suffix sets the file format.
        start, end: first and last frame; the scene's if None.
        scene: what to render. Its output settings are put back afterwards.

    Returns:
        The files, in order.

    Raises:
        UserError: no such format, a picture that was not written whole, or the render failed; the text is
            Blender's report.
    """
    scene = scene or bpy.context.scene
    path = Path(os.path.abspath(os.fspath(filepath)))
    if path.suffix.lower() not in SUFFIX_FORMATS:
        raise UserError(
            f"'{path.suffix}' is no picture format that is written here.",
            f"End the path with one of {', '.join(SUFFIX_FORMATS)}.",
        )
    render = scene.render
    settings = render.image_settings
    values = {
        "filepath": str(path),
        "engine": ENGINE,
        "use_file_extension": True,
    }
    kept = {name: getattr(render, name) for name in values}
    media = getattr(settings, "media_type", None)
    kept_format, kept_range = settings.file_format, (scene.frame_start, scene.frame_end)
    try:
        for name, value in values.items():
            setattr(render, name, value)
        if media is not None:
            settings.media_type = "IMAGE"  # from 5.0 on the formats on offer depend on it
        settings.file_format = SUFFIX_FORMATS[path.suffix.lower()]
        scene.frame_start = scene.frame_start if start is None else start
        scene.frame_end = scene.frame_end if end is None else end
        numbers = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
        written = [Path(bpy.path.abspath(render.frame_path(frame=number))) for number in numbers]
        bpy.ops.render.render(animation=True, scene=scene.name)
        check_written()
        return written
    except RuntimeError as error:
        raise UserError(str(error).strip()) from error
    finally:
        if media is not None:
            settings.media_type = media
        settings.file_format = kept_format
        for name, value in kept.items():
            setattr(render, name, value)
        scene.frame_start, scene.frame_end = kept_range


def render_dataset(
    out: str | os.PathLike[str],
    *,
    scenes: int,
    frames: int = 8,
    size: int = 256,
    seed: int = 0,
    split: str = "train",
    jobs: int = 0,
    on_progress: Callable[[DatasetProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> DatasetResult:
    """Render training data with the current file's meshes as objects, in the worker's Python.

    A copy of the file is read, unsaved changes included. What counts as an object, and the folder's form:
    docs/training-data.md.

    Args:
        out: the data set's folder. Scenes that are there already are skipped, so a stopped run goes on.
        scenes: how many, with the seeds ``seed`` ... ``seed + scenes - 1``.
        frames: pictures of each scene at most.
        size: pixels of the square picture's side.
        seed: of the first scene.
        split: "train", "validation" or "test".
        jobs: processes at a time; 0 for one per core.
        on_progress: called after every finished scene.
        should_stop: polled every 50 ms.

    Returns:
        How many scenes were rendered and how many were there already.

    Raises:
        UserError: it cannot be started, or it failed.
        RenderCancelled: ``should_stop`` returned true; finished scenes stay.
    """
    folder = Path(bpy.path.abspath(os.fspath(out))).absolute()
    order = DatasetOrder(folder, scenes, frames, size, seed, split, jobs)
    return render_training_data(order, on_progress=on_progress, should_stop=should_stop)


def start_worker(wait: bool = True) -> WorkerStatus:
    """Start the worker now, and wait until it is ready unless told otherwise.

    Raises:
        UserError: it cannot be started.
    """
    settings, logs = worker_settings(), user_folder("logs")
    if wait:
        supervisor.ready(settings, logs)
    else:
        supervisor.start(settings, logs)
    return supervisor.status()


def stop_worker() -> None:
    """Stop the worker; the next render starts another."""
    supervisor.stop()


def worker_capabilities() -> dict[str, Any]:
    """Return what the worker says about itself: checkpoint, device, caches, peak memory (MiB). May start it.

    Raises:
        UserError: it cannot be started, or it did not answer.
    """
    _, address = supervisor.ready(worker_settings(), user_folder("logs"))
    try:
        return request_json(address, "/v1/capabilities")
    except WorkerLost as error:
        raise UserError(
            "The worker ended without an answer.", "Render a frame to start a new one."
        ) from error


def worker_status() -> WorkerStatus:
    """Return the worker's state."""
    return supervisor.status()


@contextmanager
def _at_frame(scene: bpy.types.Scene, number: int | None) -> Iterator[bpy.types.Depsgraph]:
    """Give the depsgraph of a frame, and put the scene back to its own frame afterwards."""
    current, subframe = scene.frame_current, scene.frame_subframe
    view_layer = scene.view_layers[0]
    try:
        if number is not None:
            scene.frame_set(number)
        # Setting a custom property from Python does not tell the depsgraph that its copy is out of date.
        for item in (scene, *_assets.asset_objects(scene)):
            item.update_tag()
        view_layer.update()
        yield view_layer.depsgraph
    finally:
        if number is not None:
            scene.frame_set(current, subframe=subframe)
