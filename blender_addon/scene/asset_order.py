"""The order in which the list shows assets: yours, not that of their names.

Each asset holds its position. What is linked from another file can't hold one that you give it, and comes
last; library overrides can.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import bpy

from ..errors import UserError
from .assets import asset_objects

Direction = Literal["UP", "DOWN", "TOP", "BOTTOM"]

NUMBERS = re.compile(r"(\d+)")


def position_key(asset: bpy.types.Object) -> tuple[Any, ...]:
    """Return what sorts assets: your order; then those without a position, by name; then linked ones."""
    position = asset.neural_asset.position
    return not is_editable(asset), position == 0, position, name_key(asset), asset.name


def name_key(asset: bpy.types.Object) -> list[tuple[bool, int, str]]:
    """Return what sorts assets by name as Blender's own lists do: case is ignored, and 2 comes before 10."""
    parts = NUMBERS.split(asset.name.casefold())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


def is_editable(asset: bpy.types.Object) -> bool:
    """Tell whether this file holds the asset, or overrides it."""
    return asset.library is None


def ordered_assets(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the scene's assets in the order of the list."""
    return sorted(asset_objects(scene), key=position_key)


def move_asset(scene: bpy.types.Scene, asset: bpy.types.Object, direction: Direction) -> bool:
    """Move an asset in the list, and tell whether it could go that way.

    Raises:
        UserError: it is linked from another file.
    """
    if not is_editable(asset):
        raise UserError(
            f"'{asset.name}' is linked from another file: linked assets come last in the list.",
            "Make a library override of it: Object > Library Override > Make.",
        )
    assets = [item for item in ordered_assets(scene) if is_editable(item)]
    old = assets.index(asset)
    last = len(assets) - 1
    new = {"UP": max(0, old - 1), "DOWN": min(last, old + 1), "TOP": 0, "BOTTOM": last}[direction]
    if new == old:
        return False
    assets.insert(new, assets.pop(old))
    _number(assets)
    return True


def order_by_name(scene: bpy.types.Scene) -> None:
    """Put the scene's assets in the order of their names."""
    assets = [item for item in asset_objects(scene) if is_editable(item)]
    _number(sorted(assets, key=name_key))


def listed(
    objects: Sequence[bpy.types.Object], pattern: str, *, by_name: bool
) -> tuple[list[bool], list[int]]:
    """Return which of a scene's objects the list shows, and where each of them stands.

    Args:
        objects: all objects of the scene, as Blender numbers them.
        pattern: a part of the names, with ``*`` and ``?``; empty for all.
        by_name: sort by name instead of your order.
    """
    shown = [item.neural_asset.is_asset for item in objects]
    if pattern:  # as Blender's own lists find names
        found = re.compile(fnmatch.translate(f"*{pattern}*"), re.IGNORECASE)
        matches = (found.match(item.name) is not None for item in objects)
        shown = [here and match for here, match in zip(shown, matches, strict=True)]

    def key(number: int) -> tuple[Any, ...]:
        item = objects[number]
        return (name_key(item), number) if by_name else (*position_key(item), number)

    numbers = range(len(objects))
    rows = sorted((number for number in numbers if shown[number]), key=key)
    rows += [number for number in numbers if not shown[number]]
    places = [0] * len(objects)
    for place, number in enumerate(rows):
        places[number] = place
    return shown, places


def _number(assets: Iterable[bpy.types.Object]) -> None:
    for number, item in enumerate(assets, start=1):
        if item.neural_asset.position != number:
            item.neural_asset.position = number
