"""Layers as pictures: what people look at, correct, and take to other programs."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.geometry.camera import pixel_centres, rays
from na_core.layers.layers import Layers
from na_core.raster.backdrop import backdrop_points, backdrops
from na_core.scene import Camera
from na_core.tensors.views import SourceView, views_as_tensors

SPAN_SHARE = 1 / 512
"""Of a photo's longer side, how far apart the points are that a normal is taken from: depths are no finer."""


@dataclass(frozen=True)
class LayerPictures:
    """What one photo was taken apart into, at the photo's size.

    Attributes:
        objects: how many.
        photo: (H, W, 3) uint8 sRGB.
        owner: (H, W) int32, the object that each pixel shows, -1 for none.
        alpha: (H, W) uint8, how much of a pixel its owner covers.
        plate: (H, W, 3) uint8 sRGB, the photo without its objects and their shadows.
        thrower: (H, W) int16, the object that throws a shadow there, -1 for none.
        light: (H, W, 3) float16, what the plate is multiplied by there, in linear light; 1 where none is.
        depth: (H, W) float32, metres along the viewing direction: objects, and the ground or dome behind.
        normals: (H, W, 3) float32, unit vectors in the world, towards the camera.
    """

    objects: int
    photo: NDArray[np.uint8]
    owner: NDArray[np.int32]
    alpha: NDArray[np.uint8]
    plate: NDArray[np.uint8]
    thrower: NDArray[np.int16]
    light: NDArray[np.float16]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]

    def outline(self, number: int) -> NDArray[np.uint8]:
        """Return how much of each pixel (H, W) an object covers; 255 all of it."""
        return np.where(self.owner == number, self.alpha, 0).astype(np.uint8)

    def shadow(self, number: int) -> NDArray[np.float16]:
        """Return what an object's shadow multiplies the plate by (H, W, 3); see :attr:`light`."""
        return np.where((self.thrower == number)[..., None], self.light, 1).astype(np.float16)


def layer_pictures(layers: Layers, view: SourceView) -> LayerPictures:
    """Return the layers of one photo as pictures.

    Args:
        layers: of that photo alone, at its own size.
        view: its camera and boxes; objects are in their order.
    """
    owner = layers.owner[0].cpu().numpy()
    depth = np.where(owner >= 0, layers.surfaces.near[0].cpu().numpy(), background_depth(layers, view))
    return LayerPictures(
        objects=len(view.boxes),
        photo=layers.picture[0].cpu().numpy(),
        owner=owner,
        alpha=layers.alpha[0].cpu().numpy(),
        plate=layers.plate[0].cpu().numpy(),
        thrower=layers.shadow_owner[0].cpu().numpy(),
        light=layers.shadow[0].float().exp().half().cpu().numpy(),
        depth=depth,
        normals=_normals(layers, view.camera, depth, owner),
    )


def background_depth(layers: Layers, view: SourceView) -> NDArray[np.float32]:
    """Return how far (H, W) the ground is, or the dome beyond it, in metres along the viewing direction."""
    views = views_as_tensors([view], layers.picture.cpu())
    surfaces = backdrops(views.camera, views.boxes, views.filled)
    height, width = layers.picture.shape[1:3]
    with torch.no_grad():
        *_, z = backdrop_points(surfaces, views.camera, views.camera, width, height)
    depth: NDArray[np.float32] = -z[0].float().numpy()
    return depth


def _normals(
    layers: Layers, camera: Camera, depth: NDArray[np.floating], owner: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the normals (H, W, 3) that a network saw; where it saw none, those of the depths."""
    seen = layers.normals[0].cpu().numpy()
    known = seen.any(axis=-1, keepdims=True)
    world = seen.astype(np.float32) @ camera.world_from_camera[:3, :3].T.astype(np.float32)
    length = np.linalg.norm(world, axis=-1, keepdims=True)
    world /= np.where(known, length, 1)
    return np.where(known, world, normals_of(camera, depth, owner))


def normals_of(
    camera: Camera, depth: NDArray[np.floating], owner: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the unit normals (H, W, 3), in the world and towards the camera, of what a picture shows.

    They come from neighbouring points of the same owner; a pixel without any faces the camera.

    Args:
        camera: that took the picture.
        depth: (H, W) metres along the viewing direction.
        owner: (H, W), the object that each pixel shows.
    """
    height, width = owner.shape
    directions = rays(camera, pixel_centres(width, height)).astype(np.float32)
    points = directions * depth[..., None].astype(np.float32)
    span = max(1, round(SPAN_SHARE * max(height, width)))

    def along(axis: int) -> NDArray[np.float32]:
        """Return the way (H, W, 3) from before to after each pixel, as far as its owner reaches."""
        numbers = np.arange(owner.shape[axis])
        ends = []
        for step in (span, -span):
            beside = (numbers + step).clip(0, owner.shape[axis] - 1)
            same = owner.take(beside, axis) == owner
            ends.append(np.where(same[..., None], points.take(beside, axis), points))
        return ends[0] - ends[1]

    normal = np.cross(along(0), along(1))
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    flat = length < 1e-12
    normal = np.where(flat, -directions, normal / np.where(flat, 1, length))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    away = (normal * directions).sum(axis=-1, keepdims=True) > 0
    return np.where(away, -normal, normal).astype(np.float32)
