"""Capture: one Cycles render gives the linear picture and the exact index mask."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def prepare(width: int, height: int, samples: int, threads: int) -> None:
    """Set the scene to fast Cycles with an object-index pass, written as a multilayer EXR.

    ``threads`` 0 takes every core. Cycles writes the index pass from the first sample alone, so that it is
    never blended; the box filter keeps that sample inside its own pixel.
    """
    scene: Any = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = False
    render.threads_mode = "FIXED" if threads else "AUTO"
    if threads:
        render.threads = threads
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = False  # one or two lamps: the tree costs 15 %
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_quality = "FAST"
    cycles.denoising_prefilter = "NONE"
    cycles.max_bounces = 3
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type = "BOX"
    cycles.seed = 0
    scene.view_layers[0].use_pass_object_index = True
    scene.view_settings.view_transform = "Standard"
    render.dither_intensity = 0
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"  # half floats cannot count far
    settings.exr_codec = "NONE"


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


def render_passes() -> tuple[Array, NDArray[np.uint8]]:
    """Render the scene; return (linear RGB (H, W, 3), object index (H, W)), the first row on top.

    Raises:
        RuntimeError: Blender could not render, or wrote no readable file.
    """
    with tempfile.TemporaryDirectory(prefix="neural-assets-") as folder:
        path = Path(folder) / "frame.exr"
        scene: Any = bpy.context.scene
        scene.render.filepath = str(path)
        with silence():
            bpy.ops.render.render(write_still=True)
        layers = _read_layers(path)
    try:
        colour = np.stack([layers["Combined." + c] for c in "RGB"], axis=-1)
        index = next(layers[name] for name in layers if name.split(".")[0] in ("IndexOB", "Object Index"))
    except (KeyError, StopIteration) as error:
        raise RuntimeError(
            f"the render holds no picture or no object index, only {sorted(layers)}"
        ) from error
    return colour, np.rint(index).astype(np.uint8)


def _read_layers(path: Path) -> dict[str, Array]:
    """Return every channel (H, W) of a multilayer EXR as "pass.channel", without the view layer's name."""
    bpy.utils.expose_bundled_modules()
    import OpenImageIO  # type: ignore[import-not-found]  # Blender's own

    source = OpenImageIO.ImageInput.open(str(path))
    if source is None:
        raise RuntimeError(f"cannot read the render: {OpenImageIO.geterror()}")
    layers: dict[str, Array] = {}
    part = 0
    while source.seek_subimage(part, 0):  # Blender 5 writes one part per pass
        spec = source.spec()
        pixels = source.read_image(part, 0, 0, spec.nchannels, "float")
        for i, name in enumerate(spec.channelnames):
            layers[".".join(name.split(".")[-2:])] = pixels[..., i]
        part += 1
    source.close()
    return layers


def exposure(colour: Array) -> float:
    """Return the factor that gives a linear picture the brightness of a photo.

    The geometric mean lands near middle grey unless that would blow out more than a few per cent of the
    picture. Steps of an eighth of a stop keep the renderer's noise out of it.
    """
    luminance = np.maximum(colour @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32), 1e-5)
    middle = 0.17 / float(np.exp(np.log(luminance).mean()))
    bright = 0.92 / float(np.quantile(colour.max(axis=-1), 0.97))
    return float(2 ** (round(np.log2(min(middle, bright)) * 8) / 8))


def to_srgb(colour: Array) -> NDArray[np.uint8]:
    """Return 8-bit sRGB of linear Rec.709: Blender's Standard view transform without dither."""
    linear = np.clip(colour, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
