"""The passes that a view layer asks for: as Blender switches, registers and receives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.cryptomatte import LEVELS, OBJECTS, metadata
from na_core.scene import Frame

from ..errors import UserError
from ..scene.assets import asset_objects
from ..scene.frame import PhotoStore, frame_message
from .border import border_cut
from .colour import working_from_rec709

Kind = Literal["VALUE", "VECTOR", "COLOR"]

ALPHA = "Alpha "
"""What the names of assets' alpha passes begin with."""

LONGEST_NAME = 63
"""Characters of a pass's name that Blender keeps."""


@dataclass(frozen=True)
class Offer:
    """A pass that a view layer may ask for.

    Attributes:
        key: of :data:`na_core.scene.PASS_NAMES`.
        name, letters, kind: as Blender registers it.
        switch: property of the view layer that asks for it; of its ``neural_assets`` if ``ours``.
    """

    key: str
    name: str
    letters: str
    kind: Kind
    switch: str
    ours: bool = False


OFFERS = (
    Offer("depth", "Depth", "Z", "VALUE", "use_pass_z"),
    Offer("index", "IndexOB", "X", "VALUE", "use_pass_object_index"),
    Offer("normal", "Normal", "XYZ", "VECTOR", "use_pass_normal"),
    Offer("position", "Position", "XYZ", "VECTOR", "use_pass_position"),
    Offer("vector", "Vector", "XYZW", "VECTOR", "use_pass_vector"),
    Offer("shadow", "Shadow", "RGB", "COLOR", "use_pass_shadow"),
    Offer("plate", "Plate", "RGB", "COLOR", "use_pass_plate", ours=True),
    Offer("proxy", "Proxy", "RGB", "COLOR", "use_pass_proxy", ours=True),
    Offer("validity", "Validity", "V", "VALUE", "use_pass_validity", ours=True),
    Offer("alpha", ALPHA, "V", "VALUE", "use_pass_alpha", ours=True),
    Offer("cryptomatte", OBJECTS, "RGBA", "COLOR", "use_pass_cryptomatte_object"),
)

LIT = {"Plate", "Proxy"}
"""Passes that are colours of the picture, in its light."""


def asked_for(view_layer: bpy.types.ViewLayer) -> tuple[Offer, ...]:
    """Return the passes that a view layer asks for."""
    return tuple(
        offer
        for offer in OFFERS
        if getattr(view_layer.neural_assets if offer.ours else view_layer, offer.switch)
    )


def registered(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Iterator[tuple[str, str, Kind]]:
    """Yield name, letters and kind of every pass that a view layer's result has beside Combined."""
    for offer in asked_for(view_layer):
        if offer.key == "alpha":
            for asset in asset_objects(scene):
                yield alpha_name(asset.name), offer.letters, offer.kind
        elif offer.key == "cryptomatte":
            for number in range(LEVELS):
                yield f"{OBJECTS}{number:02d}", offer.letters, offer.kind
        else:
            yield offer.name, offer.letters, offer.kind


def alpha_name(asset: str) -> str:
    """Return the name of an asset's alpha pass."""
    return f"{ALPHA}{asset}"[:LONGEST_NAME]


def register_passes(
    engine: bpy.types.RenderEngine, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer
) -> None:
    """Tell Blender which passes a view layer's result will have: the compositor's sockets."""
    engine.register_pass(scene, view_layer, "Combined", 4, "RGBA", "COLOR")
    for name, letters, kind in registered(scene, view_layer):
        engine.register_pass(scene, view_layer, name, len(letters), letters, kind)


def add_passes(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    """Make room for the passes in the result that was begun."""
    for name, letters, _ in registered(depsgraph.scene, depsgraph.view_layer):
        engine.add_pass(name, len(letters), letters, layer=depsgraph.view_layer.name)


def fill_passes(
    layer: bpy.types.RenderLayer,
    found: Mapping[str, NDArray[np.float32]],
    frame: Frame,
    depsgraph: bpy.types.Depsgraph,
    size: tuple[int, int],
) -> None:
    """Write what the worker sent into a result's passes; one that it did not send stays empty.

    Args:
        layer: of the result.
        found: (H, W, C) by Blender's names, the top row first.
        frame: that was rendered, whose assets are numbered.
        depsgraph: of the render.
        size: columns and rows of the result.
    """
    scene = depsgraph.scene
    for name, values in found.items():
        room: bpy.types.RenderPass | None = layer.passes.get(name[:LONGEST_NAME])
        if room is None:
            continue
        if name == "IndexOB":
            values = _pass_indices(values, frame, scene)
        elif name in LIT:
            values = values @ working_from_rec709().T
        cut = border_cut(values, depsgraph.scene_eval.render, *size)
        room.rect.foreach_set(np.ascontiguousarray(cut[::-1], np.float32).ravel())


def tell_names(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    """Write into the result's metadata which asset each number of Cryptomatte stands for."""
    if depsgraph.view_layer.use_pass_cryptomatte_object:
        names = [asset.name for asset in asset_objects(depsgraph.scene)]
        for key, text in metadata(depsgraph.view_layer.name, names).items():
            engine.get_result().stamp_data_add_field(key, text)


def neighbours(
    engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph, photos: PhotoStore
) -> tuple[Frame | None, Frame | None]:
    """Return the frames before and after the one that is rendered; None of one that cannot be.

    The depsgraph stands at its own frame again afterwards.
    """
    scene = depsgraph.scene
    current, subframe = scene.frame_current, scene.frame_subframe
    found: list[Frame | None] = []
    try:
        for step in (-1, 1):
            engine.frame_set(current + step, subframe)
            try:
                found.append(frame_message(depsgraph, photos))
            except UserError:  # such as an asset behind the camera: in that frame nothing else is rendered
                found.append(None)
    finally:
        engine.frame_set(current, subframe)
    before, after = found
    return before, after


def _pass_indices(numbers: NDArray[np.float32], frame: Frame, scene: bpy.types.Scene) -> NDArray[np.float32]:
    """Return the objects' pass indices, as Blender's own Object Index, of assets' numbers (H, W, 1)."""
    indices = [0.0]
    for placed in frame.assets:
        item: bpy.types.Object | None = scene.objects.get(placed.asset.name)
        indices.append(0.0 if item is None else float(item.pass_index))
    return np.array(indices, np.float32)[numbers.astype(np.int64)]
