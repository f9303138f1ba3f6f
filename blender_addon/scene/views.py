"""Other photos of an asset: what its own does not show of it, they do."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix

from ..errors import UserError
from .properties import AssetProperties
from .stored import copy_camera, flat, has_camera, matrix_of


def add_view(asset: bpy.types.Object, donor: bpy.types.Object, *, turn: int = 0) -> None:
    """Let an asset be seen as another asset's photo shows it, too: the same object from another side.

    Both boxes are boxes of one object: their fronts must be its front. The donor stays as it is, and may be
    deleted.

    Args:
        asset: that gets the view.
        donor: an asset of another photo, whose box fits the object there.
        turn: quarter turns about the up axis that bring the donor's front to the object's front.

    Raises:
        UserError: one of the two is no asset, both are the same, or of the same photo and box.
    """
    for item in (asset, donor):
        if not item.neural_asset.is_asset or not has_camera(item.neural_asset.source_camera):
            raise UserError(f"'{item.name}' is not an asset.", "Choose an asset of the other photo.")
    mine, theirs = asset.neural_asset, donor.neural_asset
    if asset == donor or (mine.photo == theirs.photo and tuple(mine.source_box) == tuple(theirs.source_box)):
        raise UserError(
            f"'{donor.name}' is seen in the same photo.",
            "Import the other photo in a scene of its own, add the object there, and choose that asset.",
        )
    view = mine.views.add()
    view.name, view.photo, view.outline = theirs.photo.name, theirs.photo, theirs.outline
    quarter = np.array(Matrix.Rotation(turn * math.pi / 2, 4, "Z"))
    view.source_box = flat(matrix_of(theirs.source_box) @ quarter)
    view.source_box_2d = tuple(theirs.source_box_2d)
    copy_camera(view.source_camera, theirs.source_camera)
    asset.update_tag()


def remove_view(asset: bpy.types.Object, number: int) -> None:
    """Let an asset be seen in one of its other photos no longer.

    Args:
        asset: with views.
        number: of the view, from 0.

    Raises:
        UserError: it has no such view.
    """
    views = asset.neural_asset.views
    if not 0 <= number < len(views):
        raise UserError(f"'{asset.name}' has no view number {number}.", "Choose one that the panel lists.")
    views.remove(number)
    asset.update_tag()


def copy_views(target: AssetProperties, source: AssetProperties) -> None:
    """Give an asset another's views in place of its own."""
    target.views.clear()
    for theirs in source.views:
        view = target.views.add()
        view.name, view.photo, view.outline = theirs.name, theirs.photo, theirs.outline
        view.source_box, view.source_box_2d = tuple(theirs.source_box), tuple(theirs.source_box_2d)
        copy_camera(view.source_camera, theirs.source_camera)
