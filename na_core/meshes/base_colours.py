"""What a mesh's surface looks like of itself: its materials' colours and textures, in linear light."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.meshes.casting import Array, MeshHits
from na_core.meshes.mesh_arrays import MeshArrays
from na_core.scene import Material, Picture

GREY = (0.8, 0.8, 0.8)
"""sRGB of a mesh without materials, as Blender's own default."""

DARKEST = 0.01
"""Linear light that anything throws back: black that is multiplied by light would stay black."""


class BaseColours:
    """The base colours of a mesh.

    Args:
        mesh: with triangles.
        materials: of them, see :class:`na_core.scene.Mesh`.
        photos: the materials' textures, by SHA-256.
        size: (3,) metres of the box that the mesh's coordinates are of.

    Raises:
        KeyError: a texture is missing.
    """

    def __init__(
        self,
        mesh: MeshArrays,
        materials: Sequence[Material],
        photos: Mapping[str, Picture],
        size: NDArray[np.float64],
    ) -> None:
        assert mesh.triangles is not None and mesh.materials is not None
        used = list(materials) or [Material(GREY)]
        self._material = mesh.materials.clip(max=len(used) - 1)
        self._plain = np.array([linear_from_srgb(np.array(each.colour)) for each in used])
        self._corner_colours = mesh.colours
        self._uvs = mesh.uvs
        self._levels = [_pyramid(photos[m.texture.sha256]) if m.texture else None for m in used]
        if mesh.uvs is None:
            self._levels = [None] * len(used)
        else:
            corners = (mesh.vertices.astype(np.float64) * size)[mesh.triangles]
            area = np.linalg.norm(_cross(corners), axis=1).clip(1e-15)
            spread = np.pad(mesh.uvs.astype(np.float64), ((0, 0), (0, 0), (0, 1)))
            self._density = np.sqrt(np.abs(_cross(spread)[:, 2]) / area)

    @property
    def count(self) -> int:
        """How many materials there are."""
        return len(self._plain)

    def material_at(self, hits: MeshHits) -> NDArray[np.int32]:
        """Return the number of the material (P,) of points on the mesh."""
        found: NDArray[np.int32] = self._material[hits.triangle]
        return found

    def at(self, hits: MeshHits, pixel: Array) -> Array:
        """Return the base colours (P, 3) of points in linear light.

        Args:
            hits: of the points, all of which are on the mesh.
            pixel: (P,), how wide a pixel is there, in metres: textures are averaged over that.
        """
        material = self._material[hits.triangle]
        colours: Array = self._plain[material]
        if self._corner_colours is not None:
            corners = linear_from_srgb(self._corner_colours[hits.triangle] / 255)
            return np.maximum((corners * hits.weights[..., None]).sum(axis=1), DARKEST)
        for number, levels in enumerate(self._levels):
            own = material == number
            if levels is None or self._uvs is None or not own.any():
                continue
            uv = (self._uvs[hits.triangle[own]] * hits.weights[own, :, None]).sum(axis=1)
            texels = self._density[hits.triangle[own]] * pixel[own] * max(levels[0].shape[:2])
            colours[own] = _textured(levels, uv, np.log2(texels.clip(1)))
        return np.maximum(colours, DARKEST)


def _textured(levels: Sequence[NDArray[np.float32]], uv: Array, level: Array) -> Array:
    """Return the colours (P, 3) of a texture that repeats, between the two levels around each (P,)."""
    level = level.clip(0, len(levels) - 1)
    found = np.zeros((len(uv), 3))
    for number, picture in enumerate(levels):
        share = 1 - np.abs(level - number)
        some = np.flatnonzero(share > 0)
        if len(some):
            found[some] += share[some, None] * _bilinear(picture, uv[some])
    return found


def _bilinear(picture: NDArray[np.float32], uv: Array) -> Array:
    height, width = picture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = (x - left)[:, None], (y - top)[:, None]
    columns = [np.mod(left + step, width).astype(np.int64) for step in (0, 1)]
    rows = [np.mod(top + step, height).astype(np.int64) for step in (0, 1)]
    upper, lower = (
        picture[row, columns[0]] * (1 - across) + picture[row, columns[1]] * across for row in rows
    )
    found: Array = upper * (1 - down) + lower * down
    return found


def _pyramid(picture: Picture) -> list[NDArray[np.float32]]:
    """Return a texture in linear light at its size, at half of it, and so on to a few texels."""
    levels = [linear_from_srgb(picture / 255).astype(np.float32)]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        size = max(1, width // 2), max(1, height // 2)
        levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
    return levels


def _cross(corners: Array) -> Array:
    """Return the vectors (T, 3) across triangles, of twice their areas."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def linear_from_srgb(srgb: Array) -> Array:
    """Return the linear light of sRGB values in [0, 1], of any shape (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
