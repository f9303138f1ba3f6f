"""Capture: Cycles renders the picture, and in a second pass exact masks and depth."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def prepare(width: int, height: int) -> None:
    """Set the scene to fast Cycles on one thread that writes multilayer EXR files.

    One thread renders the same bytes every time; several scenes are rendered side by side instead.
    """
    scene: Any = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.use_compositing = render.use_sequencer = False
    render.threads_mode, render.threads = "FIXED", 1
    cycles.device = "CPU"
    cycles.seed = 0  # the same noise in every frame: what does not change stays the same
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = False  # a few lamps: the tree costs 15 %
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_quality = "FAST"
    cycles.denoising_prefilter = "NONE"
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type = "BLACKMAN_HARRIS"
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"  # half floats cannot count far
    settings.exr_codec = "NONE"


def keep_synced(keep: bool) -> None:
    """Say whether Cycles keeps its copy of the scene after the next render, to update it for the one after.

    It saves a seventh of the time. But an update that shows what was hidden adds lamps in an order that
    depends on where they lie in memory, so a change of stage needs a fresh copy: the same seed shall give
    the same bytes.
    """
    scene: Any = bpy.context.scene
    scene.render.use_persistent_data = keep


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what Blender prints to nowhere: it writes a line per frame to the C library's standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def render_picture(samples: int, focus: tuple[float, float] | None, scratch: Path) -> Array:
    """Render the scene; return linear RGB (H, W, 3), the first row on top.

    Args:
        samples: per pixel, before denoising.
        focus: metres in focus, and the f-number; None for a sharp picture.
        scratch: a folder for the file that Blender writes.

    Raises:
        RuntimeError: Blender could not render, or wrote no readable file.
    """
    scene: Any = bpy.context.scene
    cycles, layer, lens = scene.cycles, scene.view_layers[0], scene.camera.data
    cycles.samples, cycles.max_bounces, cycles.use_denoising = samples, 3, True
    cycles.filter_width = 1.5
    layer.use_pass_object_index = layer.use_pass_z = False
    lens.dof.use_dof = focus is not None
    if focus is not None:
        lens.dof.focus_distance, lens.dof.aperture_fstop = focus
    layers = _render(scratch)
    return np.stack([layers["Combined." + c] for c in "RGB"], axis=-1)


def render_labels(scratch: Path) -> tuple[NDArray[np.uint8], Array]:
    """Return the object index (H, W) and the depth (H, W) in metres along the viewing direction.

    Both are sampled once, in the middle of each pixel and through a pinhole, so that they agree with the
    projection of the labels' camera. Depth is huge where there is nothing.

    Raises:
        RuntimeError: see :func:`render_picture`.
    """
    scene: Any = bpy.context.scene
    cycles, layer = scene.cycles, scene.view_layers[0]
    cycles.samples, cycles.max_bounces, cycles.use_denoising = 1, 0, False
    cycles.filter_width = 0.01
    layer.use_pass_object_index = layer.use_pass_z = True
    scene.camera.data.dof.use_dof = False
    layers = _render(scratch)
    index = _pass(layers, ("IndexOB", "Object Index"))
    return np.rint(index).astype(np.uint8), _pass(layers, ("Depth", "Z"))


def _pass(layers: dict[str, Array], names: tuple[str, ...]) -> Array:
    for name in layers:
        if name.split(".")[0] in names:
            return layers[name]
    raise RuntimeError(f"the render holds no pass {names[-1]}, only {', '.join(sorted(layers))}")


def _render(scratch: Path) -> dict[str, Array]:
    scene: Any = bpy.context.scene
    path = scratch / "frame.exr"
    path.unlink(missing_ok=True)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    try:
        return _read_layers(path)
    finally:
        path.unlink(missing_ok=True)


def _read_layers(path: Path) -> dict[str, Array]:
    """Return every channel (H, W) of a multilayer EXR as "pass.channel", without the view layer's name."""
    if hasattr(bpy.utils, "expose_bundled_modules"):
        bpy.utils.expose_bundled_modules()
    import OpenImageIO  # type: ignore[import-not-found]  # Blender's own

    # Blender reports a file that it could not write whole as saved: reading it tells.
    source = OpenImageIO.ImageInput.open(str(path)) if path.is_file() else None
    if source is None:
        raise RuntimeError(f"{path}: Blender wrote no readable picture (is the disk full?)")
    layers: dict[str, Array] = {}
    part = 0
    while source.seek_subimage(part, 0):  # Blender 5 writes one part per pass
        spec = source.spec()
        pixels = source.read_image(part, 0, 0, spec.nchannels, "float")
        if pixels is None:
            raise RuntimeError(f"{path}: Blender wrote only a part of the picture (is the disk full?)")
        for i, name in enumerate(spec.channelnames):
            layers[".".join(name.split(".")[-2:])] = pixels[..., i]
        part += 1
    source.close()
    return layers


@dataclass(frozen=True)
class Response:
    """How a camera turns light into a picture: one for a stage, since brightness belongs to a place.

    Attributes:
        gain: factor of linear light, for each channel (white balance).
        saturation: 1 leaves colours as they are.
        contrast: slope at middle grey of the S-curve on sRGB values; 1 is straight.
    """

    gain: tuple[float, float, float]
    saturation: float
    contrast: float


def response(colour: Array, random: np.random.Generator) -> Response:
    """Return a response that exposes a linear picture (H, W, 3) like a photo."""
    exposed = exposure(colour) * 2 ** random.uniform(-0.45, 0.35)
    warmth = random.normal(0, 0.04)
    gain = (exposed * (1 + warmth), exposed, exposed * (1 - warmth))
    return Response(gain, random.uniform(0.65, 1.1), random.uniform(0.9, 1.35))


def exposure(colour: Array) -> float:
    """Return the factor that gives a linear picture the brightness of a photo.

    The geometric mean lands near middle grey; a stop below it at most, where that would blow out more than a
    few per cent of the picture. Steps of an eighth of a stop keep the renderer's noise out of it.
    """
    luminance = np.maximum(colour @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32), 1e-5)
    middle = 0.17 / float(np.exp(np.log(luminance).mean()))
    bright = 0.92 / float(np.quantile(colour.max(axis=-1), 0.95))
    return float(2 ** (round(np.log2(max(min(middle, bright), middle / 2)) * 8) / 8))


def develop(colour: Array, how: Response) -> NDArray[np.uint8]:
    """Return the 8-bit sRGB picture of linear Rec.709 light (H, W, 3)."""
    linear = np.clip(colour * np.array(how.gain, np.float32), 0, 1)
    grey = linear @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    linear = np.clip(grey[..., None] + (linear - grey[..., None]) * how.saturation, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    curved = encoded + (how.contrast - 1) * (encoded - 0.5) * 4 * encoded * (1 - encoded)
    return np.rint(np.clip(curved, 0, 1) * 255).astype(np.uint8)
