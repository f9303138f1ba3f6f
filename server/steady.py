"""Blend rendered frames with those around them, against flicker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from na_core.scene import Picture, RenderJob
from server.failures import Failure
from server.offline import Decoded, picture_path, write_png

if TYPE_CHECKING:
    from server.app import LoadedRenderer


def steady_job(
    job: RenderJob,
    files: dict[str, Path],
    pictures: Path,
    out: Path,
    renderer: LoadedRenderer,
    reach: int,
) -> Iterator[int]:
    """Blend rendered frames with those around them; yields the number of each that is written.

    See :func:`na_core.compose.steadying.steadied`.

    Args:
        job: the frames.
        files: their photos and meshes, by SHA-256.
        pictures: folder of what :func:`server.offline.render_job` made of them.
        out: another folder.
        renderer: that rendered them.
        reach: frames before and after each.

    Raises:
        Failure: a photo cannot be read, a picture is missing or of another size, or both folders are one.
        OSError: a file cannot be read or written.
    """
    from na_core.compose.steadying import Shot, steadied

    if out.resolve() == pictures.resolve():
        raise Failure("scene_invalid", "Steady frames need a folder of their own: name another with --out.")
    out.mkdir(parents=True, exist_ok=True)
    decoded, shots = Decoded(files), dict[int, Shot]()
    for index in range(len(job.frames)):
        around = range(max(0, index - reach), min(len(job.frames), index + reach + 1))
        shots = {number: shots[number] for number in around if number in shots}
        for number in around:
            if number not in shots:
                frame = job.frames[number]
                picture = _rendered(picture_path(pictures, number), job)
                meshes = decoded.meshes_of(frame)
                size = job.sampling.width, job.sampling.height
                passes = renderer.passes(frame, decoded.of(frame), *size, meshes)
                shots[number] = Shot(picture, frame, passes)
        used = [decoded.meshes_of(shot.frame) for shot in shots.values()]
        meshes = {name: mesh for each in used for name, mesh in each.items()}
        others = [shots[number] for number in around if number != index]
        write_png(picture_path(out, index), steadied(shots[index], others, meshes))
        yield index


def _rendered(path: Path, job: RenderJob) -> Picture:
    """Return the picture of a frame that was rendered before."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
    except (FileNotFoundError, UnidentifiedImageError) as error:
        raise Failure(
            "scene_invalid", f"There is no picture {path}: render the frames into that folder first."
        ) from error
    if picture.shape[:2] != (job.sampling.height, job.sampling.width):
        raise Failure("scene_invalid", f"{path} has another size than the frames: render them anew.")
    return picture
