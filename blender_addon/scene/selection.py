"""Choosing assets: the list and the viewport show one and the same choice, Blender's selection."""

from __future__ import annotations

from typing import Literal

import bpy

from ..errors import UserError
from .asset_order import ordered_assets

How = Literal["ALONE", "TOGGLE", "RANGE"]
"""As a click, one with Ctrl, and one with Shift choose in Blender's Outliner."""


def active_asset(view_layer: bpy.types.ViewLayer) -> bpy.types.Object | None:
    """Return the active object if it is an asset."""
    active = view_layer.objects.active
    return active if active is not None and active.neural_asset.is_asset else None


def selected_assets(view_layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """Return the selected assets."""
    return [item for item in view_layer.objects.selected if item.neural_asset.is_asset]


def choose_asset(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, asset: bpy.types.Object, how: How = "ALONE"
) -> None:
    """Select an asset and make it active, as a click on it would.

    Args:
        scene: whose assets are listed.
        view_layer: whose selection it is.
        asset: that was clicked.
        how: alone; add it to the selection or take it out; or all from the active asset to this one.

    Raises:
        UserError: the view layer does not hold it.
    """
    if not is_in(view_layer, asset):
        raise UserError(
            f"'{asset.name}' is in a collection that the view layer '{view_layer.name}' leaves out.",
            "Tick the collection in the Outliner.",
        )
    before = active_asset(view_layer)
    if how == "TOGGLE":
        if asset.select_get(view_layer=view_layer) and asset == before:
            asset.select_set(False, view_layer=view_layer)
            return
    else:
        for item in list(view_layer.objects.selected):
            item.select_set(False, view_layer=view_layer)
    if how == "RANGE" and before is not None:
        assets = ordered_assets(scene)
        first, last = sorted((assets.index(before), assets.index(asset)))
        for item in assets[first : last + 1]:
            if is_in(view_layer, item):
                item.select_set(True, view_layer=view_layer)
    asset.select_set(True, view_layer=view_layer)
    view_layer.objects.active = asset


def is_in(view_layer: bpy.types.ViewLayer, item: bpy.types.Object) -> bool:
    """Tell whether a view layer holds an object: it can be selected there."""
    number = view_layer.objects.find(item.name)
    return number >= 0 and (view_layer.objects[number] == item or item in list(view_layer.objects))
