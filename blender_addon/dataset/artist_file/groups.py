"""Groups: which objects of a .blend belong together, and how a render would show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Group:
    """What becomes one object: its name, and the objects of the file that belong to it."""

    name: str
    members: frozenset[bpy.types.Object]


def find_groups() -> tuple[list[Group], NDArray[np.float64] | None]:
    """Return what may become objects, and where the scene's camera is (3,): None for assets."""
    assets = [Group(item.name, frozenset(_family(item))) for item in bpy.data.objects if item.asset_data]
    marked = [collection for collection in bpy.data.collections if collection.asset_data]
    assets += [Group(collection.name, frozenset(collection.all_objects)) for collection in marked]
    if assets:  # one inside another is a part of it
        return [group for group in assets if not any(group.members < other.members for other in assets)], None
    shown = frozenset(_rendered(bpy.context.view_layer.layer_collection))
    camera = bpy.context.scene.camera
    roots = [thing for thing in bpy.context.scene.objects if thing.parent is None]
    return [Group(root.name, frozenset(_family(root)) & shown) for root in roots], (
        np.array(camera.matrix_world.translation) if camera else None
    )


def show_as_rendered(groups: Sequence[Group]) -> None:
    """Make the viewport, the only evaluation that a script gets, show the groups as a render would."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    active = layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    scene.render.use_simplify = False
    # One collection that nothing hides, for all of them: assets may be in no scene.
    stage = bpy.data.collections.new("collected")
    scene.collection.children.link(stage)
    for thing in frozenset().union(*(group.members for group in groups)):
        stage.objects.link(thing)
    for thing in bpy.data.objects:
        thing.hide_viewport = False
        thing.show_instancer_for_viewport = thing.show_instancer_for_render
        for modifier in thing.modifiers:
            modifier.show_viewport = modifier.show_render
            if hasattr(modifier, "render_levels"):
                modifier.levels = modifier.render_levels
    layer.update()
    for thing in stage.objects:
        thing.hide_set(False)


def _family(root: bpy.types.Object) -> list[bpy.types.Object]:
    return [root, *root.children_recursive]


def _rendered(layer: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
    """Yield the objects of a view layer's collection that are rendered as far as collections say."""
    if not layer.exclude and not layer.collection.hide_render:
        yield from layer.collection.objects
        for child in layer.children:
            yield from _rendered(child)
