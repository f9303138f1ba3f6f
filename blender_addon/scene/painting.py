"""Layers that an artist paints: packed images that an asset, or the scene's background, points to.

What counts is their pixels, saved or not. An object's outline and shadow are kept twice, on the asset and
beside the box that hides it from the background: an object that was deleted leaves along its outline.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from na_core.scene import Photo

from ..errors import UserError
from .png import png_bytes
from .srgb import srgb_from_linear
from .stored import box_of

ObjectLayer = Literal["outline", "shadow_image"]
Layer = Literal["outline", "shadow_image", "plate"]

LABELS: dict[Layer, str] = {"outline": "Outline", "shadow_image": "Shadow", "plate": "Plate"}

KEPT = 16
"""Files of painted layers that are kept, so that each is made once and not for every frame."""

SHAPES_DIFFER = 0.02
"""By how much a layer's width over height may differ from its photo's, relative: rounding of its size."""

_files: OrderedDict[bytes, tuple[Photo, bytes]] = OrderedDict()


def painted_layer(owner: bpy.types.ID, layer: Layer) -> bpy.types.Image | None:
    """Return the image that an artist made of an asset's layer, or a scene's plate; None if there is none."""
    group = owner.neural_assets if isinstance(owner, bpy.types.Scene) else owner.neural_asset
    image: bpy.types.Image | None = getattr(group, layer)
    return image


def set_object_layer(
    scene: bpy.types.Scene, asset: bpy.types.Object, layer: ObjectLayer, image: bpy.types.Image | None
) -> None:
    """Make an image an asset's outline or shadow, in its scene's background too; None: the network's."""
    properties = asset.neural_asset
    setattr(properties, layer, image)
    if properties.photo == scene.neural_assets.photo:
        box = box_of(properties.source_box)
        for hidden in scene.neural_assets.hidden_boxes:
            if box_of(hidden.world_from_box) == box:
                setattr(hidden, layer, image)
        for other in scene.objects:  # a duplicate shows the same pixels of the photo
            same = other.neural_asset.is_asset and other.neural_asset.photo == properties.photo
            if same and box_of(other.neural_asset.source_box) == box:
                setattr(other.neural_asset, layer, image)
                other.update_tag()
    for item in (asset, scene):
        item.update_tag()  # writing custom properties does not tell the depsgraph


def set_plate(scene: bpy.types.Scene, image: bpy.types.Image | None) -> None:
    """Make an image a scene's plate; None: the one that is made up again."""
    scene.neural_assets.plate = image
    scene.update_tag()


def new_layer_image(name: str, pixels: NDArray[np.uint8], *, is_data: bool) -> bpy.types.Image:
    """Return a new packed image.

    Args:
        name: of the image.
        pixels: (H, W) or (H, W, 3), the top row first.
        is_data: whether they are no colours, so that brushes paint the very values.
    """
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False)
    if is_data:
        image.colorspace_settings.name = "Non-Color"
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = (pixels[::-1] / np.float32(255)).reshape(height, width, -1)
    image.pixels.foreach_set(values.ravel())
    image.update()
    image.pack()
    return image


def painted_photo(
    image: bpy.types.Image, layer: Layer, photo: bpy.types.Image, whose: str
) -> tuple[Photo, bytes]:
    """Return the message of a painted layer, as it looks now, and the bytes of its file.

    Args:
        image: that was painted.
        layer: what it is.
        photo: whose layer it is.
        whose: the name of the asset or scene, for errors.

    Raises:
        UserError: it holds no picture, is not of the photo's shape, or is an outline that shows nothing.
    """
    image = image.original
    if (error := unusable_painting(image, layer, photo, whose)) is not None:
        raise error
    what, reset = _wording(image, layer, whose)
    return _kept_file(image, layer, f"{what} is black all over: the object would be gone.", reset)


def unusable_painting(
    image: bpy.types.Image, layer: Layer, photo: bpy.types.Image, whose: str
) -> UserError | None:
    """Return why a painted layer cannot be used, as far as its size tells; None if it does not."""
    what, reset = _wording(image, layer, whose)
    width, height = image.size
    if width == 0 or height == 0:
        return UserError(f"{what} holds no picture.", f"Reload it in the Image Editor, or {reset}.")
    across, down = photo.size
    if across and down and abs(width * down / (height * across) - 1) > SHAPES_DIFFER:
        return UserError(
            f"{what} is {width} x {height} pixels, and its photo {across} x {down}: not of the same shape.",
            f"Scale or crop it to the photo's shape, or {reset}.",
        )
    return None


def _wording(image: bpy.types.Image, layer: Layer, whose: str) -> tuple[str, str]:
    """Return how errors call a painted layer, and the button that forgets it."""
    what = f"The {LABELS[layer].lower()} of '{whose}', the image '{image.name}',"
    return what, f"press Reset {LABELS[layer]}"


def painted_images() -> Iterator[bpy.types.Image]:
    """Yield every image of the file that is a painted layer, each once."""
    groups = [item.neural_asset for item in bpy.data.objects]
    groups += [hidden for scene in bpy.data.scenes for hidden in scene.neural_assets.hidden_boxes]
    images = [getattr(group, layer) for group in groups for layer in ("outline", "shadow_image")]
    images += [view.outline for item in bpy.data.objects for view in item.neural_asset.views]
    images += [scene.neural_assets.plate for scene in bpy.data.scenes]
    yield from dict.fromkeys(image for image in images if image is not None)


def _kept_file(image: bpy.types.Image, layer: Layer, black: str, reset: str) -> tuple[Photo, bytes]:
    """Return the message and the file of an image's pixels, made anew where they have changed."""
    pixels = image_pixels(image)
    if layer == "outline":
        pixels = np.ascontiguousarray(pixels[..., 0])
        if not pixels.any():
            raise UserError(black, f"Paint the object white, disable the asset in renders, or {reset}.")
    key = hashlib.sha256(pixels.tobytes() + repr(pixels.shape).encode()).digest()
    if key not in _files:
        data = png_bytes(pixels)
        _files[key] = Photo(hashlib.sha256(data).hexdigest()), data
    _files.move_to_end(key)
    while len(_files) > KEPT:
        _files.popitem(last=False)
    return _files[key]


def image_pixels(image: bpy.types.Image) -> NDArray[np.uint8]:
    """Return an image's pixels (H, W, 3), the top row first, as 8-bit sRGB or data."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    colours = values.reshape(height, width, image.channels)[::-1, :, :3]
    if colours.shape[2] < 3:
        colours = np.repeat(colours[..., :1], 3, axis=2)
    if image.is_float and image.colorspace_settings.name != "Non-Color":
        colours = srgb_from_linear(colours.clip(0, 1))  # of float images Blender keeps linear light
    return np.rint(255 * colours.clip(0, 1)).astype(np.uint8)


@persistent
def _before_save(*_: object) -> None:
    """Pack what was painted since: Blender writes a packed image as it was packed."""
    for image in painted_images():
        if image.is_dirty and image.library is None:
            image.pack()


def register() -> None:
    """Keep what is painted when a file is saved."""
    bpy.app.handlers.save_pre.append(_before_save)


def unregister() -> None:
    """Keep it no more."""
    bpy.app.handlers.save_pre.remove(_before_save)
