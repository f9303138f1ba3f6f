"""Meshes as they stand in frames: the shape there, the shape in the photo, colours and light."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.camera import rays
from na_core.layers.layers import Layers
from na_core.layers.store import Photos, cached
from na_core.meshes.base_colours import BaseColours, linear_from_srgb
from na_core.meshes.casting import Array, Caster, MeshHits
from na_core.meshes.mesh_arrays import MeshArrays, check_deformed
from na_core.meshes.tone import NO_KEY, KeyLight, Tone, fitted_tone
from na_core.scene import Asset, AssetView, Camera, Frame, PlacedAsset
from na_core.tensors.views import SourceView, source_views

MeshFiles = Mapping[str, MeshArrays]
"""What the files of meshes hold, by SHA-256."""

SHAPES, SURFACES = 24, 48
"""Shapes, and colours with their light, that are kept, least recently used first out."""

SAMPLES = 96
"""Points along each side of an object in its photo that tell the light on it."""

FACING = 0.3
"""Cosine between normal and view from which a point tells of light: less is mixed with what is beside it."""

DEEP, FULL, FEWEST_DEEP = -0.15, 0.25, 50
"""Logarithm below which ground is in shadow, the quantile of such pixels that is in full shadow, and how many
there are at least, for the shadows to tell how strong the light is."""

LOWEST_SINE = 0.2
"""Of the light's elevation: lower ones are not told well enough to divide by."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh that stands still.

    Attributes:
        caster: of its triangles, in box coordinates.
        normals: (T, 3, 3) of the triangles' corners, of any length, in box coordinates.
        bounds: (2, 3) least and greatest coordinates.
    """

    caster: Caster
    normals: NDArray[np.float32]
    bounds: Array

    def normals_at(self, hits: MeshHits, world_from_box: Array) -> Array:
        """Return the normals (P, 3) in the world of points on the mesh, whose box stands there."""
        local = (self.normals[hits.triangle] * hits.weights[..., None]).sum(axis=1)
        turned = local @ np.linalg.inv(world_from_box[:3, :3])  # by the inverse's transpose
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        found: Array = turned / np.maximum(length, 1e-12)
        return found


@dataclass(frozen=True, eq=False)
class PlacedMesh:
    """The mesh of an asset in a frame.

    Attributes:
        asset: whose it is. world_from_box: (4, 4) where that stands.
        shape: in the frame. source: in the photo, of the same triangles.
        base: its colours. tones: the light on them in each photo of the asset, its own first.
    """

    asset: Asset
    world_from_box: Array
    shape: Shape
    source: Shape
    base: BaseColours
    tones: tuple[Tone, ...]

    @property
    def reach(self) -> Array:
        """The bounds of the mesh as a box, (4, 4) ``world_from_box``, a little larger than it."""
        low, high = self.shape.bounds
        margin = 1e-3 * (high - low).max()
        bounds = np.eye(4)
        bounds[:3, :3] = np.diag(high - low + 2 * margin)
        bounds[:3, 3] = (low + high) / 2
        found: Array = self.world_from_box @ bounds
        return found

    def seen(self, camera: Camera, ways: Array) -> MeshHits:
        """Return where a camera's rays first meet the mesh, in units of their ways (P, 3) in the world."""
        box_from_world = np.linalg.inv(self.world_from_box)
        eye = box_from_world[:3, :3] @ camera.world_from_camera[:3, 3] + box_from_world[:3, 3]
        return self.shape.caster.cast(eye, ways @ box_from_world[:3, :3].T)

    def normals_at(self, hits: MeshHits, ways: Array) -> Array:
        """Return the normals (P, 3) in the world of what rays meet of the mesh, turned to their start."""
        return facing_viewer(self.shape.normals_at(hits, self.world_from_box), ways)


class MeshStore:
    """Meshes by content, kept for many frames."""

    def __init__(self) -> None:
        self._shapes: OrderedDict[Hashable, Shape] = OrderedDict()
        self._surfaces: OrderedDict[Hashable, tuple[BaseColours, tuple[Tone, ...]]] = OrderedDict()

    def clear(self) -> None:
        """Forget everything; it only frees memory."""
        self._shapes.clear()
        self._surfaces.clear()

    def placed(
        self, frame: Frame, files: MeshFiles, photos: Photos, layers_of: Callable[[SourceView], Layers]
    ) -> dict[int, PlacedMesh]:
        """Return the meshes of a frame's assets by their slots, of those that have one.

        Args:
            frame: that they stand in.
            files: of the meshes.
            photos: that the frame names.
            layers_of: takes a view's photo apart at its own size, on the CPU.

        Raises:
            KeyError: a file or a photo is missing.
            MeshError: a deformed mesh has other vertices.
        """
        views = source_views(frame)
        found = {}
        for slot, placed in enumerate(frame.assets):
            asset = placed.asset
            if asset.mesh is not None:
                keys = [(view.photo.sha256, view.source_camera) for view in asset.all_views()]
                shown_in = [next(v for v in views if (v.sha256, v.camera) == key) for key in keys]
                source = self._shape(asset.mesh.file.sha256, None, files)
                base, tones = self._surface(asset, shown_in, source, files, photos, layers_of)
                shape = self._shape_of(placed, files)
                found[slot] = PlacedMesh(asset, placed.box.world_from_box, shape, source, base, tones)
        return found

    def _shape_of(self, placed: PlacedAsset, files: MeshFiles) -> Shape:
        assert placed.asset.mesh is not None
        deformed = None if placed.deformed is None else placed.deformed.sha256
        return self._shape(placed.asset.mesh.file.sha256, deformed, files)

    def _shape(self, name: str, deformed: str | None, files: MeshFiles) -> Shape:
        def make() -> Shape:
            mesh = files[name]
            if deformed is None:
                return shape_of(mesh)
            other = files[deformed]
            check_deformed(mesh, other)
            return shape_of(mesh, other)

        return cached(self._shapes, (name, deformed), make, SHAPES)

    def _surface(
        self,
        asset: Asset,
        views: Sequence[SourceView],
        source: Shape,
        files: MeshFiles,
        photos: Photos,
        layers_of: Callable[[SourceView], Layers],
    ) -> tuple[BaseColours, tuple[Tone, ...]]:
        mesh = asset.mesh
        assert mesh is not None

        def make() -> tuple[BaseColours, tuple[Tone, ...]]:
            size = np.linalg.norm(asset.source_box.world_from_box[:3, :3], axis=0)
            base = BaseColours(files[mesh.file.sha256], mesh.materials, photos, size)
            each = zip(views, asset.all_views(), strict=True)
            return base, tuple(
                measured_tone(layers_of(view), view.boxes.index(shown.source_box), shown, source, base)
                for view, shown in each
            )

        return cached(self._surfaces, (asset, tuple(views)), make, SURFACES)


def shape_of(mesh: MeshArrays, deformed: MeshArrays | None = None) -> Shape:
    """Return a mesh's shape, with the vertices and normals of its deformed form where there is one."""
    assert mesh.triangles is not None
    now = deformed or mesh
    caster = Caster(now.vertices, mesh.triangles)
    normals = now.normals
    if normals is None or normals.shape != (len(mesh.triangles), 3, 3):
        corners = caster.corners
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).astype(np.float32)
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-20)
        normals = np.repeat(flat[:, None], 3, axis=1)
    every = caster.corners.reshape(-1, 3)
    return Shape(caster, normals, np.stack([every.min(axis=0), every.max(axis=0)]))


def measured_tone(layers: Layers, entry: int, shown: AssetView, source: Shape, base: BaseColours) -> Tone:
    """Return the light on an asset's mesh, as a photo shows it.

    Args:
        layers: of the photo alone, on the CPU.
        entry: the asset's box among the photo's.
        shown: the asset there.
        source: the mesh there.
        base: its colours.
    """
    height, width = layers.picture.shape[1:3]
    x0, y0, x1, y1 = shown.source_box_2d
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
    columns = np.floor((x0 + (x1 - x0) * steps) * width).clip(0, width - 1).astype(np.int64)
    rows = np.floor((y0 + (y1 - y0) * steps) * height).clip(0, height - 1).astype(np.int64)
    row, column = (grid.ravel() for grid in np.meshgrid(np.unique(rows), np.unique(columns), indexing="ij"))
    shows = (layers.owner[0].numpy()[row, column] == entry) & (layers.alpha[0].numpy()[row, column] == 255)
    row, column = row[shows], column[shows]

    camera, world_from_box = shown.source_camera, shown.source_box.world_from_box
    ways = rays(camera, np.stack([(column + 0.5) / width, (row + 0.5) / height], axis=-1))
    box_from_world = np.linalg.inv(world_from_box)
    eye = box_from_world[:3, :3] @ camera.world_from_camera[:3, 3] + box_from_world[:3, 3]
    hits = source.caster.cast(eye, ways @ box_from_world[:3, :3].T)
    met = hits.triangle >= 0
    hits = MeshHits(hits.triangle[met], hits.weights[met], hits.distance[met])
    row, column, ways = row[met], column[met], ways[met]
    normals = facing_viewer(source.normals_at(hits, world_from_box), ways)
    faces = -(normals * ways).sum(axis=1) / np.linalg.norm(ways, axis=1) > FACING
    hits = MeshHits(hits.triangle[faces], hits.weights[faces], hits.distance[faces])
    shown_there = layers.foreground[0].numpy()[row[faces], column[faces]] / 255
    linear = linear_from_srgb(shown_there)
    pixel = hits.distance / (camera.fx * width)
    colours = base.at(hits, pixel)
    materials = base.material_at(hits)
    return fitted_tone(normals[faces], colours, linear, materials, base.count, key_light(layers))


def key_light(layers: Layers) -> KeyLight:
    """Return the lamp or sun that throws a photo's shadows, and how strong it is, as they tell.

    Ground in full shadow has all light but the key light's.

    Args:
        layers: of the photo alone, on the CPU.
    """
    direction = layers.light[0].double().numpy()
    shadow = layers.shadow[0].float().mean(dim=-1).numpy()
    deep = shadow[shadow < DEEP]
    if not direction.any() or len(deep) < FEWEST_DEEP:
        return NO_KEY
    share = np.exp(np.quantile(deep, FULL))
    return KeyLight(direction, float((1 / share - 1) / max(direction[2], LOWEST_SINE)))


def facing_viewer(normals: Array, ways: Array) -> Array:
    """Return normals (P, 3) turned to where rays (P, 3) come from: an open mesh is seen from both sides."""
    away = (normals * ways).sum(axis=1, keepdims=True) > 0
    found: Array = np.where(away, -normals, normals)
    return found
