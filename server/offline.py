"""Render a file of frames, search a photo and take one apart, without Blender and without a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from na_core.scene import Frame, MeshFile, Photo, Picture, RenderJob, SceneError
from server.failures import Failure
from server.jobs import OnStep, Renderer
from server.meshes import decode_mesh
from server.passes import Shown, made_passes, write_passes
from server.photos import decode_photo
from server.protocol import MAX_MESH_BYTES, MAX_PHOTO_BYTES
from server.whole_files import written_whole

Content = TypeVar("Content")

RANGE_SHRINK = 8
"""How much smaller frames are looked at for the range of their depths."""

if TYPE_CHECKING:
    from na_core.compose.frame_passes import FramePasses
    from na_core.detection.detection import Detection
    from na_core.meshes.mesh_arrays import MeshArrays
    from server.app import LoadedRenderer
    from server.detection import Detectors


def read_job(path: Path) -> RenderJob:
    """Return the frames and the sampling that a JSON file holds.

    Raises:
        Failure: ``scene_invalid``, whose message names the file and the field.
        OSError: the file cannot be read.
    """
    try:
        return RenderJob.from_json(path.read_bytes())
    except (SceneError, OverflowError) as error:
        raise Failure("scene_invalid", f"{path} is no file of frames: {error}.") from error


def detect(
    photo: Path,
    detectors: Detectors,
    threshold: float | None = None,
    camera_height: float | None = None,
    prompt: str = "",
) -> Detection:
    """Return what a photo's file shows; see :class:`server.detection.DetectionRequest`.

    Raises:
        Failure: the file is no photo, or weights are missing.
        OSError: the file cannot be read.
    """
    from server.detection import DetectionRequest
    from server.photos import file_too_large, focal_length

    if photo.stat().st_size > MAX_PHOTO_BYTES:
        raise file_too_large()
    data = photo.read_bytes()
    picture = decode_photo(data)
    request = DetectionRequest(
        photo=hashlib.sha256(data).hexdigest(),
        focal=focal_length(data),
        threshold=threshold,
        camera_height=camera_height or None,
        prompt=prompt,
    )
    return detectors.detect(request, picture)


def detections_json(found: Mapping[Path, Detection]) -> str:
    """Return what was found in photos as JSON for people and programs: an object, or a list of them if many.

    In a list each says which photo it is of.
    """
    each = [detection.to_dict() for detection in found.values()]
    many = [{"photo": str(photo), **one} for photo, one in zip(found, each, strict=True)]
    return json.dumps(each[0] if len(each) == 1 else many, indent=2)


def read_boxes(path: Path) -> Detection:
    """Return the camera and the boxes that a JSON file of :func:`detections_json` holds, of one photo.

    Raises:
        Failure: ``boxes_invalid``, whose message names the file and the field.
        OSError: the file cannot be read.
    """
    from na_core.detection.detection import Detection

    try:
        return Detection.from_dict(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:  # SceneError is a ValueError, and so is what is not JSON
        raise Failure(
            "boxes_invalid",
            f"{path} holds no boxes: {error}. Let 'neural-assets detect PHOTO --json' make one.",
        ) from error


def take_apart(photo: Path, boxes: Detection, renderer: LoadedRenderer, out: Path) -> list[Path]:
    """Take a photo's file apart and write its layers; see :func:`server.layer_files.write_layers`.

    Raises:
        Failure: the file is no photo, or there is not enough memory.
        OSError: a file cannot be read or written.
    """
    from na_core.layers.pictures import layer_pictures
    from na_core.tensors.views import SourceView
    from server.failures import is_out_of_memory, out_of_memory
    from server.layer_files import write_layers

    data = photo.read_bytes()
    picture = decode_photo(data)
    things = boxes.objects
    view = SourceView(
        sha256=hashlib.sha256(data).hexdigest(),
        camera=boxes.camera,
        boxes=tuple(thing.box for thing in things),
        rectangles=tuple(thing.rectangle for thing in things),
        hidden=len(things),
    )
    try:
        pictures = layer_pictures(renderer.layers(view, {view.sha256: picture}), view)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(*picture.shape[1::-1]) from error
    return write_layers(pictures, view.camera, view.boxes, out)


def find_files(job: RenderJob, folder: Path) -> dict[str, Path]:
    """Return the file of each photo and mesh of a job, found by SHA-256 among a folder's own files.

    Raises:
        Failure: ``photos_missing``.
    """
    photos = {photo.sha256 for frame in job.frames for photo in frame.photos()}
    every = [frame for frame in (job.before, *job.frames, job.after) if frame is not None]
    names = photos | {mesh.sha256 for frame in every for mesh in frame.meshes()}
    largest = MAX_PHOTO_BYTES if names == photos else max(MAX_PHOTO_BYTES, MAX_MESH_BYTES)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if len(found) == len(names):
            break
        if path.is_file() and path.stat().st_size <= largest:
            name = hashlib.sha256(path.read_bytes()).hexdigest()
            if name in names:
                found[name] = path
    if missing := sorted(names - found.keys()):
        listed = ", ".join(f"{name[:12]}…" for name in missing)
        raise Failure(
            "photos_missing",
            f"The folder {folder} lacks {len(missing)} photo(s) or meshes of the frames (SHA-256 {listed}): "
            "name the folder that has them with --photos.",
            photos=missing,
        )
    return found


def picture_path(folder: Path, index: int) -> Path:
    """Return where the picture of frame ``index`` (from 0) goes: frame_0001.png is the first."""
    return folder / f"frame_{index + 1:04d}.png"


def render_job(
    job: RenderJob,
    files: dict[str, Path],
    out: Path,
    load: Callable[[], Renderer],
    *,
    overwrite: bool = False,
    on_step: OnStep | None = None,
    passes: Sequence[str] = (),
) -> Iterator[tuple[int, bool]]:
    """Render a job's frames to PNG files; yields ``(index, rendered)`` after each, False if it was there.

    With the names of passes (:data:`na_core.scene.PASS_NAMES`) each has a multilayer OpenEXR file beside it.

    The renderer is loaded when the first frame needs it; a photo is decoded once.

    Raises:
        Failure: a photo or the checkpoint cannot be read.
        OSError: a picture cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    renderer: Renderer | None = None
    decoded = Decoded(files)
    for index, frame in enumerate(job.frames):
        path = picture_path(out, index)
        layers = path.with_suffix(".exr") if passes else path
        if path.exists() and layers.exists() and not overwrite:
            yield index, False
            continue
        pictures = decoded.of(frame)
        renderer = renderer or load()
        beside = [each for each in job.beside(index) if each is not None]
        meshes = {
            sha256: mesh for each in (frame, *beside) for sha256, mesh in decoded.meshes_of(each).items()
        }
        picture = renderer.render(frame, pictures, job.sampling, on_step or _ignore_step, meshes)
        write_png(path, picture)
        if passes:
            found = renderer.passes(frame, pictures, job.sampling.width, job.sampling.height, meshes)
            names = [placed.asset.name for placed in frame.assets]
            made = made_passes(Shown(frame, found, *job.beside(index), meshes), passes)
            write_passes(layers, picture, made, names)
        yield index, True


def export_job(
    job: RenderJob, files: dict[str, Path], out: Path, renderer: LoadedRenderer, rate: float
) -> Iterator[int]:
    """Write a job's frames as control clips; yields the number of each finished frame.

    See :func:`server.control_clips.write_clips`.

    Raises:
        Failure: a photo cannot be read, or there are no frames.
        OSError: a file cannot be written.
    """
    from server.control_clips import write_clips

    if not job.frames:
        raise Failure("scene_invalid", "There are no frames to export.")
    decoded = Decoded(files)
    width, height = job.sampling.width, job.sampling.height

    def passes(number: int, shrink: int = 1) -> tuple[Frame, FramePasses]:
        frame = job.frames[number]
        size = max(1, width // shrink), max(1, height // shrink)
        return frame, renderer.passes(frame, decoded.of(frame), *size, decoded.meshes_of(frame))

    depths = [passes(number, RANGE_SHRINK)[1].depth for number in range(len(job.frames))]
    near, far = min(float(depth.min()) for depth in depths), max(float(depth.max()) for depth in depths)
    yield from write_clips(passes, len(job.frames), (near, far), out, rate)


class Decoded:
    """Photos' pictures and meshes, each decoded once.

    Args:
        files: of them, by SHA-256.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._pictures: dict[str, Picture] = {}
        self._meshes: dict[str, MeshArrays] = {}

    def of(self, frame: Frame) -> dict[str, Picture]:
        """Return the pictures of a frame, and of those before, by SHA-256.

        Raises:
            Failure: a file is no photo.
        """
        return self._each(self._pictures, frame.photos(), decode_photo)

    def meshes_of(self, frame: Frame) -> dict[str, MeshArrays]:
        """Return the meshes of a frame, and of those before, by SHA-256.

        Raises:
            Failure: a file is no mesh.
        """
        return self._each(self._meshes, frame.meshes(), decode_mesh)

    def _each(
        self,
        decoded: dict[str, Content],
        used: Iterable[Photo | MeshFile],
        decode: Callable[[bytes], Content],
    ) -> dict[str, Content]:
        for each in used:
            file = self._files[each.sha256]
            if each.sha256 not in decoded:
                try:
                    decoded[each.sha256] = decode(file.read_bytes())
                except Failure as failure:
                    raise Failure(failure.code, f"{file}: {failure.message}") from failure
        return decoded


def _ignore_step(_step: int, _steps: int, _preview: Callable[[], Picture]) -> None:
    pass


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    from PIL import Image

    with written_whole(path) as partial:
        Image.fromarray(picture).save(partial, format="PNG")
