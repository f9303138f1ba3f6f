"""Composing: another photo's object in this box, another photo's object beside, another scene's background.

Duplicating and removing are Blender's own (Shift D, X): an asset carries its photo along wherever it goes.
"""

from __future__ import annotations

import bpy
from mathutils import Matrix, Vector

from ..errors import UserError
from .stored import copy_camera, has_camera
from .thumbnails import set_thumbnail
from .views import copy_views


def replace_asset(asset: bpy.types.Object, donor: bpy.types.Object, *, keep_proportions: bool = True) -> None:
    """Show the donor's object in an asset's box. What the photo showed there stays out of the background.

    Args:
        asset: whose place, motion and name stay.
        donor: an asset, of any photo or scene; it stays as it is.
        keep_proportions: give the box the donor's proportions, at the asset's volume and on its support; else
            the object is stretched to the box as it is.

    Raises:
        UserError: one of the two is no asset, or both are the same.
    """
    for item in (asset, donor):
        if not item.neural_asset.is_asset:
            raise UserError(f"'{item.name}' is not an asset.", "Choose the empties of two assets.")
    if asset == donor:
        raise UserError("An asset cannot replace itself.", "Select the other asset as well.")
    if keep_proportions:
        _take_proportions(asset, donor)
    mine, theirs = asset.neural_asset, donor.neural_asset
    mine.photo = theirs.photo
    mine.source_box = tuple(theirs.source_box)
    mine.source_box_2d = tuple(theirs.source_box_2d)
    mine.quarter_turns = theirs.quarter_turns
    mine.outline, mine.shadow_image = theirs.outline, theirs.shadow_image
    mine.mesh, mine.mesh_pose = theirs.mesh, theirs.mesh_pose
    copy_views(mine, theirs)
    copy_camera(mine.source_camera, theirs.source_camera)
    set_thumbnail(asset)
    asset.update_tag()


def append_asset(
    donor: bpy.types.Object, *, name: str | None = None, scene: bpy.types.Scene | None = None
) -> bpy.types.Object:
    """Put another asset's object into a scene, where the donor stands, and return its empty.

    Args:
        donor: an asset, of any photo or scene; it stays as it is.
        name: of the new empty; the donor's if None.
        scene: the current one if None.

    Raises:
        UserError: the donor is no asset.
    """
    if not donor.neural_asset.is_asset:
        raise UserError(f"'{donor.name}' is not an asset.", "Choose the empty of an asset.")
    scene = scene or bpy.context.scene
    copy = donor.copy()
    copy.animation_data_clear()
    copy.parent = None
    copy.matrix_world = donor.matrix_world.copy()
    copy.name = name or donor.name
    scene.collection.objects.link(copy)
    scene.view_layers[0].update()
    return copy


def swap_background(other: bpy.types.Scene, *, scene: bpy.types.Scene | None = None) -> None:
    """Show another scene's surroundings, without its objects, behind this scene's assets.

    The other photo is seen as its own camera saw it; this scene's camera, assets and their motion stay.

    Args:
        other: a scene with a photo.
        scene: the current one if None.

    Raises:
        UserError: the other scene has no photo, or is this one.
    """
    scene = scene or bpy.context.scene
    mine, theirs = scene.neural_assets, other.neural_assets
    if other == scene:
        raise UserError("The background is this scene's already.", "Choose another scene.")
    if theirs.photo is None or not has_camera(theirs.source_camera):
        raise UserError(f"The scene '{other.name}' has no photo.", "Import one there first.")
    mine.photo = theirs.photo
    copy_camera(mine.source_camera, theirs.source_camera)
    mine.focal_length_assumed = theirs.focal_length_assumed
    mine.focal_length_doubt = theirs.focal_length_doubt
    mine.camera_matched = theirs.camera_matched
    mine.plate = theirs.plate
    mine.hidden_boxes.clear()
    for box in theirs.hidden_boxes:
        hidden = mine.hidden_boxes.add()
        hidden.name = box.name
        hidden.world_from_box, hidden.rectangle = tuple(box.world_from_box), tuple(box.rectangle)
        hidden.outline, hidden.shadow_image = box.outline, box.shadow_image
    scene.update_tag()


def _take_proportions(asset: bpy.types.Object, donor: bpy.types.Object) -> None:
    """Scale an asset's box to the donor's proportions; its volume and its underside's middle stay."""
    mine, theirs = asset.scale.copy(), _dimensions(donor)
    volume = abs(mine.x * mine.y * mine.z)
    other = theirs.x * theirs.y * theirs.z
    if not other > 0:
        return
    factor = (volume / other) ** (1 / 3)
    underside = asset.matrix_basis @ Vector((0.0, 0.0, -0.5))
    asset.scale = factor * theirs
    asset.location += underside - asset.matrix_basis @ Vector((0.0, 0.0, -0.5))


def _dimensions(asset: bpy.types.Object) -> Vector:
    """Return the source box's dimensions in metres: what the photo shows, whatever was done to it since."""
    numbers = tuple(asset.neural_asset.source_box)
    return Matrix([numbers[i : i + 4] for i in range(0, 16, 4)]).to_scale()
