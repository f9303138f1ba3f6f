"""A final render: everything that happens between Blender's call of ``render()`` and its return."""

from __future__ import annotations

import sys
import time
import traceback

import bpy
import numpy as np

from na_core.scene import Sampling

from ..errors import RenderCancelled, UserError
from ..preferences import worker_settings
from ..scene.frame import PhotoStore, job_message
from ..worker.client import Progress, ReceivedPicture
from .border import border_cut
from .colour import resized, scene_linear
from .disk_space import check_disk_space
from .passes import add_passes, asked_for, fill_passes, neighbours, tell_names
from .picture import Observer, render_picture
from .transparent import NEEDED, assets_alone
from .written import check_written

PREVIEW_SECONDS = 0.2
"""Previews that come faster are not shown: converting them would hold up the frame, and Esc."""


def guarded_render(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    """Render the depsgraph's frame into the engine's result; report every failure so that no file is written.

    ``error_set`` alone lets Blender save a black picture and call it a success; ``report`` stops it.
    """
    try:
        render_into(engine, depsgraph)
    except RenderCancelled:
        return  # Blender asked for it, and knows
    except UserError as error:
        _fail(engine, str(error))
    except BaseException as error:  # also KeyboardInterrupt: no frame may pass as finished
        traceback.print_exc(file=sys.stderr)
        _fail(
            engine,
            f"Something went wrong inside the add-on ({type(error).__name__}: {error}). "
            "Please report it with the text of the system console.",
        )


def render_into(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    """Render the depsgraph's frame into the engine's result.

    Raises:
        UserError: something that the user can put right.
        RenderCancelled: Esc.
    """
    scene = depsgraph.scene_eval
    if engine.is_animation:
        check_written()
    if engine.is_animation or in_background():  # F12 in a window writes no file
        check_disk_space(depsgraph.scene)
    width, height = engine.resolution_x, engine.resolution_y
    wanted, store = [offer.key for offer in asked_for(depsgraph.view_layer)], PhotoStore()
    transparent = scene.render.film_transparent
    if transparent:
        wanted += [key for key in NEEDED if key not in wanted]
    beside = neighbours(engine, depsgraph, store) if "vector" in wanted else (None, None)
    job, photos = job_message(depsgraph, width, height, passes=wanted, beside=beside, photos=store)
    engine.update_stats("Neural Assets", "Starting")
    result = engine.begin_result(0, 0, width, height, layer=depsgraph.view_layer_eval.name)
    add_passes(engine, depsgraph)
    finished = False
    try:
        combined = result.layers[0].passes["Combined"]

        def show(picture: ReceivedPicture) -> None:
            if transparent and picture.passes:
                pixels = assets_alone(picture.pixels, picture.passes)
            else:
                pixels = scene_linear(resized(picture.pixels, width, height))
            cut = border_cut(pixels, scene.render, *_pass_size(result, width, height))
            combined.rect.foreach_set(np.ascontiguousarray(cut[::-1]).ravel())

        shown = 0.0

        def preview(picture: ReceivedPicture) -> None:
            nonlocal shown
            if time.monotonic() - shown > PREVIEW_SECONDS:
                show(picture)
                engine.update_result(result)
                shown = time.monotonic()

        def progress(now: Progress) -> None:
            engine.update_progress(now.fraction)
            engine.update_stats("Neural Assets", f"Step {now.step}/{now.steps}")

        picture, address = render_picture(
            job,
            photos,
            worker_settings(),
            Observer(
                should_stop=engine.test_break,
                on_status=lambda text: engine.update_stats("Neural Assets", text),
                on_progress=progress,
                on_preview=None if in_background() else preview,  # nobody looks
            ),
            what=f"frame {scene.frame_current}",
        )
        show(picture)
        size = _pass_size(result, width, height)
        fill_passes(result.layers[0], picture.passes, job.frames[0], depsgraph, size)
        tell_names(engine, depsgraph)
        stamp(engine, job.sampling, address.checkpoint)
        engine.update_progress(1.0)
        finished = True
    finally:
        engine.end_result(result, cancel=not finished)


def stamp(engine: bpy.types.RenderEngine, sampling: Sampling, checkpoint: str) -> None:
    """Write into the result's metadata what it takes to render the same picture again."""
    told = {"NA.seed": sampling.seed, "NA.preset": sampling.preset, "NA.checkpoint": checkpoint}
    if sampling.preset == "custom":  # else the checkpoint says what they are
        told |= {"NA.steps": sampling.steps, "NA.guidance": sampling.guidance}
    for name, value in told.items():
        engine.get_result().stamp_data_add_field(name, str(value))


def in_background() -> bool:
    """Tell whether Blender runs without a window."""
    return bpy.app.background


def _pass_size(result: bpy.types.RenderResult, width: int, height: int) -> tuple[int, int]:
    """Return (columns, rows) of the pass: a border render's is smaller than what was asked for."""
    return min(result.resolution_x, width), min(result.resolution_y, height)


def _fail(engine: bpy.types.RenderEngine, sentence: str) -> None:
    engine.error_set(sentence)
    engine.report({"ERROR"}, f"Neural Assets: {sentence}")
