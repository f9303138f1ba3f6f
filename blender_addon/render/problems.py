"""What would fail at render time, known before: panels warn with it."""

from __future__ import annotations

import bpy

from ..errors import UserError
from ..names import ENGINE
from ..scene.assets import asset_objects, no_photo
from ..scene.frame import has_assets, no_assets
from ..scene.migration import newer_version_warning
from ..scene.stored import has_camera
from ..worker.settings import WorkerSettings

MANY_ASSETS = 24
"""More of them than this are rendered all the same, and less well."""


def problems(scene: bpy.types.Scene, settings: WorkerSettings) -> list[UserError]:
    """Return what keeps the scene from being rendered, most urgent first; quick enough for a panel."""
    found: list[UserError] = []
    if scene.neural_assets.photo is None or not has_camera(scene.neural_assets.source_camera):
        found.append(no_photo())
    elif scene.neural_assets.photo.size[0] == 0:
        found.append(
            UserError(
                f"The photo '{scene.neural_assets.photo.name}' cannot be read: it holds no picture.",
                "Import the photo again.",
                operator="neural_assets.import_photo",
            )
        )
    elif not has_assets(scene):
        found.append(no_assets())
    if scene.camera is None:
        found.append(UserError("The scene has no camera.", "Import a photo, which brings one."))
    elif scene.camera.type == "CAMERA" and scene.camera.data.type != "PERSP":
        found.append(
            UserError(
                f"The camera '{scene.camera.name}' is not a perspective camera.",
                "Set Properties > Camera > Lens > Type to Perspective.",
            )
        )
    try:
        settings.check()
    except UserError as error:
        found.append(error)
    return found


def warnings(scene: bpy.types.Scene) -> list[str]:
    """Return what does not fail but changes the picture, such as colours that the view transform bends."""
    found = [newer] if (newer := newer_version_warning(scene)) else []
    view = scene.view_settings
    if scene.render.engine == ENGINE:
        if view.view_transform != "Standard" or view.look not in ("None", ""):
            found.append(
                "Colours differ from the photo's: set the view transform to Standard and the look to None"
            )
        if scene.render.dither_intensity > 0:
            found.append("Dither adds noise to the picture: set it to 0")
    count = sum(not item.hide_render for item in asset_objects(scene))
    if count > MANY_ASSETS:
        found.append(f"{count} assets are more than decoders are trained with ({MANY_ASSETS}): hide some")
    settings = scene.neural_assets
    if settings.focal_length_assumed and settings.focal_length_doubt > 0:
        found.append(
            f"The focal length is guessed from the photo, ± {settings.focal_length_doubt:.0%}: Match Camera, "
            "or set it when importing if you know it"
        )
    elif settings.focal_length_assumed:
        found.append("The focal length is assumed: Detect Camera, or set it when importing if you know it")
    return found
