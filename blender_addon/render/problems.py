"""What would fail at render time, or look other than expected, known before: every check in one place.

Each check is a function of Blender's data that changes nothing, and returns a
:class:`~blender_addon.errors.Problem` with the button that mends it. Panels show those of their place, and
``api.problems`` all that fail. A render ends in the same errors by the same predicates: they lie beside what
they are about in ``scene``, and :mod:`blender_addon.worker.settings`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface_

from na_core.geometry.boxes import is_behind
from na_core.geometry.camera import rigid
from na_core.scene import MAX_SIDE, Box, Camera

from ..decoders import decoder_is_given, decoder_side
from ..errors import Place, Problem, UserError
from ..names import ADDON, ENGINE
from ..scene.assets import (
    asset_objects,
    behind_camera,
    has_assets,
    has_source,
    no_assets,
    no_photo,
    no_source,
)
from ..scene.camera import is_perspective, no_camera, not_perspective, resolution, too_large
from ..scene.frame import hidden_in_renders
from ..scene.migration import newer_version_warning
from ..scene.painting import unusable_painting
from ..scene.photo import missing_photo, photo_path, unreadable_photo
from ..scene.stored import has_camera
from ..worker.settings import WorkerSettings
from .disk_space import MOVIE_FORMATS, full_disk, largest_file
from .looks import look, look_again
from .output_size import best_percentage, is_far
from .passes import asked_for

MANY_ASSETS = 24
"""More of them than this are rendered all the same, and less well."""

MAX_NAMED = 3
"""Assets with the same problem that are named one by one."""

ALMOST = 0.01
"""Share of a box by which a quick look may be wrong: a camera with scale or shear."""

NOT_SQUARE = 0.01
"""Relative difference of focal lengths from which on a photo is taken for another than was imported."""

Found = Iterator[Problem]

ANY_WORKER = WorkerSettings()
"""Where only the scene counts."""


@dataclass(frozen=True)
class Looked:
    """What checks look at.

    Attributes:
        scene, view_layer: that would be rendered.
        settings: of the worker that would render it.
    """

    scene: bpy.types.Scene
    view_layer: bpy.types.ViewLayer
    settings: WorkerSettings

    @cached_property
    def rendered(self) -> list[bpy.types.Object]:
        """Return the assets that are not hidden in renders, looked for once among all objects."""
        return [item for item in asset_objects(self.scene) if not item.hide_render]


Check = Callable[[Looked], Found]


def problems(scene: bpy.types.Scene, settings: WorkerSettings) -> list[UserError]:
    """Return what keeps the scene from being rendered, most urgent first; the disk is asked anew."""
    look_again()
    return [problem.error() for problem in _everywhere(scene, settings) if problem.fails]


def warnings(scene: bpy.types.Scene, settings: WorkerSettings = ANY_WORKER) -> list[str]:
    """Return what does not fail but changes the picture, such as colours that the view transform bends."""
    found = [problem for problem in _everywhere(scene, settings) if not problem.fails]
    return [f"{problem.sentence} {problem.cure}".strip() for problem in found]


def problems_of(places: Iterable[Place], looked: Looked) -> list[Problem]:
    """Return the problems that panels show, those of a panel that fail first; quick enough for drawing."""
    found: list[Problem] = []
    for place in places:
        here = [problem for check in CHECKS[place] for problem in check(looked)]
        found += sorted(here, key=lambda problem: not problem.fails)
    return found


def photo(looked: Looked) -> Found:
    """No photo, one that is missing or holds no picture, and one that is not what was imported."""
    scene = looked.scene
    settings = scene.neural_assets
    image = settings.photo
    if image is None or not has_camera(settings.source_camera):
        yield Problem.of("photo", no_photo())
        return
    if image.packed_file is None and not _is_file(photo_path(image)):
        yield Problem.of("photo", missing_photo(image))
        return
    width, height = image.size
    if width == 0 or height == 0:
        yield Problem.of("photo", unreadable_photo(image))
        return
    camera = settings.source_camera
    if abs(camera.fx * width / (camera.fy * height) - 1) > NOT_SQUARE:
        yield Problem(
            "photo",
            iface_("The photo '{:s}' is {:d} x {:d} now: another shape than was imported.").format(
                image.name, width, height
            ),
            iface_("Boxes and camera no longer fit it: import the photo again."),
            operator="neural_assets.import_photo",
            fails=False,
        )
    if image.is_dirty:
        yield Problem(
            "photo",
            iface_("The photo '{:s}' was painted on: frames show it as its file has it.").format(image.name),
            operator="neural_assets.keep_painted_photo",
            fails=False,
        )


def focal_length(looked: Looked) -> Found:
    """A focal length that nobody knows."""
    scene = looked.scene
    settings = scene.neural_assets
    if not settings.focal_length_assumed:
        return
    if settings.focal_length_doubt > 0:
        yield Problem(
            "photo",
            iface_("The focal length is guessed from the photo, ± {:.0%}.").format(
                settings.focal_length_doubt
            ),
            iface_("Match Camera, or set it when importing if you know it."),
            operator="neural_assets.match_camera",
            fails=False,
        )
    else:
        yield Problem(
            "photo",
            iface_("The focal length is assumed."),
            iface_("Detect Camera, or set it when importing if you know it."),
            operator="neural_assets.detect_camera",
            fails=False,
        )


def newer_version(looked: Looked) -> Found:
    """A file from a newer version of the add-on."""
    scene = looked.scene
    if text := newer_version_warning(scene):
        yield Problem("photo", text, fails=False)


def assets(looked: Looked) -> Found:
    """No asset, assets that no photo shows, and more than decoders know."""
    scene = looked.scene
    if scene.neural_assets.photo is None:
        return  # first things first
    if not looked.rendered and not has_assets(scene):
        yield Problem.of("assets", no_assets())
        return
    rendered = looked.rendered
    for item in [item for item in rendered if not has_source(item.neural_asset)][:MAX_NAMED]:
        yield Problem.of("assets", no_source(item.name), **_select(item))
    for image in _photos_of(rendered) - {scene.neural_assets.photo}:
        if image.packed_file is None and not _is_file(photo_path(image)):
            yield Problem.of("assets", missing_photo(image))
        elif image.size[0] == 0:
            yield Problem.of("assets", unreadable_photo(image))
    if len(rendered) > MANY_ASSETS:
        yield Problem(
            "assets",
            iface_("{:d} assets are more than decoders are trained with ({:d}).").format(
                len(rendered), MANY_ASSETS
            ),
            iface_("Hide some in renders."),
            fails=False,
        )


def paintings(looked: Looked) -> Found:
    """Painted outlines and shadows that have not the shape of their photo, or were lost."""
    for item in looked.rendered:
        properties = item.neural_asset
        if properties.photo is None:
            continue
        for layer in ("outline", "shadow_image"):
            image = getattr(properties, layer)
            error = image and unusable_painting(image, layer, properties.photo, item.name)
            if error:
                yield Problem.of("assets", error, **_select(item))


def plate(looked: Looked) -> Found:
    """A painted plate that has not the shape of the photo, or was lost."""
    scene = looked.scene
    settings = scene.neural_assets
    if settings.plate is not None and settings.photo is not None:
        error = unusable_painting(settings.plate, "plate", settings.photo, scene.name)
        if error is not None:
            yield Problem.of(
                "photo", error, operator="neural_assets.reset_layer", properties={"layer": "plate"}
            )


def camera(looked: Looked) -> Found:
    """No camera, or one of another kind."""
    scene = looked.scene
    if scene.neural_assets.photo is None:
        return  # importing one brings a camera
    if scene.camera is None:
        with_photo = has_camera(scene.neural_assets.source_camera)
        mend = {"operator": "neural_assets.use_photo_camera", "cure": ""} if with_photo else {}
        yield Problem.of("animate", no_camera(), **mend)
    elif not is_perspective(scene.camera):
        is_camera = isinstance(scene.camera.data, bpy.types.Camera)
        yield Problem.of(
            "animate",
            not_perspective(scene.camera),
            operator="wm.context_set_enum" if is_camera else "neural_assets.use_photo_camera",
            properties={"data_path": "scene.camera.data.type", "value": "PERSP"} if is_camera else {},
            label=iface_("Make It a Perspective Camera") if is_camera else "",
        )


def behind(looked: Looked) -> Found:
    """Assets that the camera has behind it in the current frame, as the viewport has evaluated them."""
    scene = looked.scene
    if scene.camera is None or not is_perspective(scene.camera):
        return
    found = [
        item for item in looked.rendered if _may_be_behind(scene.camera, item) and _is_behind(scene, item)
    ]
    hidden = hidden_in_renders(scene, looked.view_layer) if found else set()
    for item in [item for item in found if item not in hidden][:MAX_NAMED]:
        yield Problem.of(
            "animate",
            behind_camera(item.name, scene.frame_current),
            operator="neural_assets.hide_in_frame",
            properties={"name": item.name},
            mends=False,
        )


def worker(looked: Looked) -> Found:
    """A worker that nobody has set up, and a decoder whose folder is gone."""
    settings = looked.settings
    preferences = {
        "operator": "preferences.addon_show",
        "properties": {"module": ADDON},
        "label": iface_("Open Preferences"),
    }
    if (error := look(("python", settings.python), lambda: _error(settings.check_python))) is not None:
        yield Problem.of("render", error, **preferences)
    key = "decoder", settings.checkpoint, settings.refiner
    if (error := look(key, lambda: _error(settings.check_decoder))) is not None:
        embedded = {
            "operator": "neural_assets.choose_decoder",
            "properties": {"folder": ""},
            "label": iface_("Use Embedded Decoder"),
        }
        yield Problem.of("render", error, **({} if decoder_is_given() else embedded))


def engine(looked: Looked) -> Found:
    """A scene that another engine renders."""
    scene = looked.scene
    if scene.render.engine != ENGINE and scene.neural_assets.photo is not None:
        yield Problem(
            "render",
            iface_("Another engine renders this scene."),
            operator="wm.context_set_enum",
            properties={"data_path": "scene.render.engine", "value": ENGINE},
            label=iface_("Render with Neural Assets"),
            fails=False,
        )


def output_size(looked: Looked) -> Found:
    """A picture that is too large, or far from the size that the decoder works at."""
    scene = looked.scene
    if scene.neural_assets.photo is None:
        return  # importing one sets the size
    width, height = resolution(scene)
    if max(width, height) > MAX_SIDE:
        yield Problem.of("render", too_large(width, height), operator="neural_assets.set_best_size")
        return
    side = decoder_side(looked.settings)
    best = best_percentage(scene, side)
    if side and best != scene.render.resolution_percentage and is_far(max(width, height), side):
        yield Problem(
            "render",
            iface_("The picture is {:d} x {:d}; the decoder works at {:d} pixels on the longer side.").format(
                width, height, side
            ),
            iface_("What no photo showed is as fine as that."),
            operator="neural_assets.set_best_size",
            fails=False,
        )


def disk(looked: Looked) -> Found:
    """An output folder whose disk is full."""
    scene = looked.scene
    path, needed = scene.render.frame_path(frame=scene.frame_current), largest_file(scene)
    if (error := look(("disk", path, needed), lambda: full_disk(path, needed))) is not None:
        yield Problem.of("render", error, setting="render.filepath")


def pass_files(looked: Looked) -> Found:
    """Passes that are asked for, and that no file would hold."""
    scene = looked.scene
    form = scene.render.image_settings.file_format
    wanted = asked_for(looked.view_layer)
    if not wanted or scene.render.engine != ENGINE or form == "OPEN_EXR_MULTILAYER" or _composites(scene):
        return
    yield Problem(
        "render",
        iface_("{:s} files hold no passes: {:d} are computed and not written.").format(
            _format_name(scene), len(wanted)
        ),
        operator="neural_assets.write_passes",
        fails=False,
    )


def colours(looked: Looked) -> Found:
    """Settings that bend the photo's colours."""
    scene = looked.scene
    if scene.render.engine != ENGINE:
        return
    view = scene.view_settings
    true = view.view_transform == "Standard" and view.look in ("None", "")
    if not true or scene.render.dither_intensity > 0:
        sentence = (
            iface_("Dither adds noise to the picture: set it to 0.")
            if true
            else iface_(
                "Colours differ from the photo's: set the view transform to Standard and the look to None."
            )
        )
        yield Problem("render", sentence, operator="neural_assets.keep_colours", fails=False)


CHECKS: dict[Place, tuple[Check, ...]] = {
    "photo": (photo, plate, focal_length, newer_version),
    "assets": (assets, paintings),
    "animate": (camera, behind),
    "render": (worker, engine, output_size, disk, pass_files, colours),
}
"""By the panel that shows what they find."""


def _everywhere(scene: bpy.types.Scene, settings: WorkerSettings) -> list[Problem]:
    return problems_of(CHECKS, Looked(scene, scene.view_layers[0], settings))


def _is_file(path: str) -> bool:
    return bool(look(("file", path), lambda: os.path.isfile(path)))


def _error(check: Callable[[], None]) -> UserError | None:
    try:
        check()
    except UserError as error:
        return error
    return None


def _may_be_behind(camera: bpy.types.Object, item: bpy.types.Object) -> bool:
    """Tell at once whether a box is, or almost is, behind the camera as a whole."""
    backwards = camera.matrix_world.col[2].xyz.normalized()
    box = item.matrix_world
    middle = (box.translation - camera.matrix_world.translation).dot(backwards)
    half = sum(abs(box.col[axis].xyz.dot(backwards)) for axis in range(3)) / 2
    return bool(middle - half > -ALMOST * max(1.0, half))


def _is_behind(scene: bpy.types.Scene, item: bpy.types.Object) -> bool:
    """Tell the same exactly, as the render does."""
    camera = Camera(rigid(np.array(scene.camera.matrix_world)), fx=1.0, fy=1.0, cx=0.5, cy=0.5)
    return is_behind(camera, Box(np.array(item.matrix_world, dtype=np.float64)))


def _photos_of(items: Iterable[bpy.types.Object]) -> set[bpy.types.Image]:
    """Return the photos that show assets, those of their other sides included."""
    own = {item.neural_asset.photo for item in items}
    return (own | {view.photo for item in items for view in item.neural_asset.views}) - {None}


def _select(item: bpy.types.Object) -> dict[str, object]:
    return {"operator": "neural_assets.select_asset", "properties": {"name": item.name}, "mends": False}


def _composites(scene: bpy.types.Scene) -> bool:
    """Tell whether the compositor takes the passes."""
    if not scene.render.use_compositing:
        return False
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group is not None
    return bool(scene.use_nodes)


def _format_name(scene: bpy.types.Scene) -> str:
    settings = scene.render.image_settings
    if settings.file_format in MOVIE_FORMATS:
        return iface_("Video")
    items = settings.bl_rna.properties["file_format"].enum_items
    return str(items[settings.file_format].name).partition(" (")[0]  # from 5.0 on with its ending
