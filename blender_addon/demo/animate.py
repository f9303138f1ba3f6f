"""The demo's work in Blender: import, keyframes, Ctrl+F12, the movie and the .blend."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from na_core.scene import Frame, RenderJob, Sampling

from .. import api
from .subject import FRAMES, Motion, Subject, default_motion, load_subject

SHEET_FRAMES = (1, 6, 10, 15, 20, 24)
"""The frames that the contact sheet shows, with their proxies."""

FPS = 12

LONGEST = 512
"""Pixels of the longer side of the frames, where no side file says their size."""


def run(photo: Path | None, boxes: Path | None, out: Path) -> None:
    """Make the demo in a folder: frames, proxies, movie, .blend, frames.json and timing.json.

    Args:
        photo: the picture; that of the side file if None.
        boxes: a side file with boxes and motion; without one the photo's objects are detected.
        out: where to.

    Raises:
        UserError: whatever the user can put right.
    """
    seconds: dict[str, float] = {}
    subject = None if boxes is None else load_subject(boxes)
    source = photo or (None if subject is None else subject.photo)
    if source is None:
        raise api.UserError("The boxes file names no photo.", "Give one with PHOTO= (or --photo).")
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    scene = bpy.context.scene
    with _timed(seconds, "start_worker"):
        api.start_worker()
    if subject is not None:
        with _timed(seconds, "import"):
            build_scene(scene, source, subject)
    else:
        with _timed(seconds, "detect"):
            build_detected_scene(scene, source)
    with _timed(seconds, "render"):
        frames = api.render_animation(out / "frames" / "frame_####.png")
    with _timed(seconds, "proxies"):
        render_proxies(scene, out / "proxies")
    with _timed(seconds, "movie"):
        write_movie(frames, out / "animation.mp4", scene.render.resolution_x, scene.render.resolution_y)
    with _timed(seconds, "save"):
        bpy.ops.wm.save_as_mainfile(filepath=str((out / "demo.blend").resolve()), check_existing=False)
        (out / "frames.json").write_text(describe(scene).to_json(), encoding="utf-8")
        packed = scene.neural_assets.photo.packed_file.data
        (out / "photo.png").write_bytes(packed)
    report = {
        "frames": len(frames),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "seconds_per_frame": round(seconds["render"] / max(len(frames), 1), 3),
        "worker_peak_mib": api.worker_capabilities()["peak_memory_mib"]["process"],
    }
    (out / "summary.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def build_scene(scene: bpy.types.Scene, photo: Path, subject: Subject) -> None:
    """Import the photo, add the assets and set the keyframes."""
    optional: dict[str, Any] = {
        "camera_height": subject.height,
        "pitch": None if subject.pitch_degrees is None else math.radians(subject.pitch_degrees),
        "focal_length_35mm": subject.focal_length_35mm,
        "camera": subject.camera,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    api.import_photo(photo, scene=scene, **given)
    if subject.size is not None:
        scene.render.resolution_x, scene.render.resolution_y = subject.size
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.fps = FPS
    empties = {}
    for asset in subject.assets:
        empties[asset.name] = api.add_asset(
            asset.rectangle, name=asset.name, world_from_box=asset.world_from_box, scene=scene
        )
    middle = sum((empty.matrix_world.translation for empty in empties.values()), Vector()) / len(empties)
    for motion in subject.motion:
        item = scene.camera if motion.of == "camera" else empties[motion.of]
        keyframe(item, motion, middle)
    scene.frame_set(1)


def build_detected_scene(scene: bpy.types.Scene, photo: Path) -> None:
    """Import the photo, make assets of what is found in it, and let the surest of them move.

    Raises:
        UserError: nothing was found.
    """
    api.import_photo(photo, scene=scene)
    limit_size(scene)
    found = api.detect(scene)
    if not found:
        raise api.UserError(
            "Nothing was found in this photo.",
            "Draw boxes in Blender with Add Asset from Box, or give a boxes file with BOXES= (or --boxes).",
        )
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.fps = FPS
    middle = sum((empty.matrix_world.translation for empty in found), Vector()) / len(found)
    widths = {empty.name: float(empty.scale.x) for empty in found}
    items = {empty.name: empty for empty in found} | {"camera": scene.camera}
    for motion in default_motion(widths):
        keyframe(items[motion.of], motion, middle)
    scene.frame_set(1)


def limit_size(scene: bpy.types.Scene) -> None:
    """Render large photos at :data:`LONGEST` pixels, in multiples of two as movies want them."""
    render = scene.render
    factor = min(1.0, LONGEST / max(render.resolution_x, render.resolution_y))
    for name in ("resolution_x", "resolution_y"):
        setattr(render, name, max(2, 2 * round(getattr(render, name) * factor / 2)))


def keyframe(item: bpy.types.Object, motion: Motion, middle: Vector) -> None:
    """Set an object's keyframes; a circle about ``middle`` (world metres) gets one on every frame."""
    item.rotation_mode = "XYZ"
    start, angles = item.location.copy(), item.rotation_euler.copy()
    moving = [key for key in motion.keys if not key.hide]
    for before, after in zip(moving, moving[1:] or moving, strict=False):
        circle = before.orbit != after.orbit
        numbers = range(before.frame, after.frame + 1) if circle else (before.frame, after.frame)
        for number in numbers:
            t = (number - before.frame) / max(after.frame - before.frame, 1)
            t = t * t * (3 - 2 * t) if circle else t
            orbit = math.radians(before.orbit + (after.orbit - before.orbit) * t)
            turn = math.radians(before.turn + (after.turn - before.turn) * t)
            around = middle + Matrix.Rotation(orbit, 3, "Z") @ (start - middle)
            item.location = around + Vector(before.move).lerp(Vector(after.move), t)
            # In XYZ order the last angle turns about the world's vertical, and it may pass 180 degrees.
            item.rotation_euler = (angles.x, angles.y, angles.z + turn + orbit)
            item.keyframe_insert("location", frame=number)
            item.keyframe_insert("rotation_euler", frame=number)
    hidden = [key.frame for key in motion.keys if key.hide]
    if hidden:
        for number, value in ((1, False), (hidden[0] - 1, False), (hidden[0], True)):
            item.hide_render = value
            item.keyframe_insert("hide_render", frame=number)


def render_proxies(scene: bpy.types.Scene, folder: Path) -> None:
    """Write the proxy pictures of the frames that the contact sheet shows."""
    folder.mkdir(parents=True, exist_ok=True)
    preset = scene.neural_assets.preset
    scene.neural_assets.preset = "draft"
    for number in SHEET_FRAMES:
        save_png(api.render_frame(number, scene=scene), folder / f"frame_{number:04d}.png")
    scene.neural_assets.preset = preset


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Write pixels (H, W, 3) uint8 sRGB to a PNG, as they are."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("pixels", width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1].astype(np.float32) / 255
    image.pixels.foreach_set(rgba.ravel())
    image.file_format = "PNG"
    image.save(filepath=str(path))
    bpy.data.images.remove(image)


def write_movie(frames: list[Path], path: Path, width: int, height: int) -> None:
    """Encode picture files (H.264 in MP4) with Blender's sequencer, in a scene of its own."""
    scene = bpy.data.scenes.new("Movie")
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.fps = FPS
    render.engine = "BLENDER_WORKBENCH"
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = 1, len(frames)
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # renamed in 4.4
    strip = strips.new_image("frames", str(frames[0].resolve()), 1, 1)
    for frame in frames[1:]:
        strip.elements.append(frame.name)
    strip.frame_final_duration = len(frames)
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"  # from 5.0 on it decides which formats there are
    settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.filepath = str(path.resolve())
    render.use_file_extension = False
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)


def describe(scene: bpy.types.Scene) -> RenderJob:
    """Return the whole animation as one job, for ``neural-assets render``."""
    frames: list[Frame] = [
        api.frame(number, scene=scene) for number in range(scene.frame_start, scene.frame_end + 1)
    ]
    render = scene.render
    sampling = Sampling.from_preset(
        scene.neural_assets.preset,
        seed=scene.neural_assets.seed,
        width=render.resolution_x,
        height=render.resolution_y,
    )
    return RenderJob(tuple(frames), sampling)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    print(f"demo: {stage} ...", flush=True)
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
    print(f"demo: {stage} took {seconds[stage]:.1f} s", flush=True)
