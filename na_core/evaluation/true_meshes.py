"""A checkpoint that is given the true meshes of the scenes' objects, as an artist would bring them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from na_core.data.labels import MESHES_FILE
from na_core.evaluation.methods import Rendered, RenderRequest
from na_core.meshes.mesh_arrays import MeshArrays, read_mesh
from na_core.scene import Frame, Mesh, Picture

SCENES_KEPT = 4


@dataclass(frozen=True)
class SceneMeshes:
    """The meshes of a scene.

    Attributes:
        meshes: by their objects' names.
        files: what their files hold, by SHA-256. textures: their pictures, likewise.
    """

    meshes: Mapping[str, Mesh]
    files: Mapping[str, MeshArrays]
    textures: Mapping[str, Picture]


class WithMeshes(Rendered):
    """A checkpoint whose assets have meshes.

    Args:
        checkpoint: that renders.
        folder: what ``dataset meshes`` wrote.
    """

    def __init__(self, checkpoint: Rendered, folder: Path) -> None:
        name, identity = f"{checkpoint.name} with meshes", f"{checkpoint.identity} {folder.absolute()}"
        super().__init__(name, identity, checkpoint.pipeline, checkpoint.sampling)
        self._folder = folder

    def render(self, request: RenderRequest, seed: int) -> Picture:
        """Return the pipeline's picture.

        Raises:
            OSError: the scene's meshes cannot be read.
        """
        scene = read_meshes(self._folder / request.scene)
        frame = with_meshes(request.frame, scene.meshes)
        photos = {**request.photos, **scene.textures}
        return super().render(replace(request, frame=frame, photos=photos, meshes=scene.files), seed)


def with_meshes(frame: Frame, meshes: Mapping[str, Mesh]) -> Frame:
    """Return a frame whose assets have the meshes of their names."""
    assets = [replace(p, asset=replace(p.asset, mesh=meshes[p.asset.name])) for p in frame.assets]
    return replace(frame, assets=tuple(assets))


@lru_cache(maxsize=SCENES_KEPT)
def read_meshes(folder: Path) -> SceneMeshes:
    """Return what ``dataset meshes`` wrote of a scene.

    Raises:
        OSError: there is nothing.
    """
    listed: dict[str, Any] = json.loads((folder / MESHES_FILE).read_text(encoding="utf-8"))
    meshes = {name: Mesh.from_dict(each) for name, each in listed.items()}
    names = {mesh.file.sha256 for mesh in meshes.values()}
    textures = {m.texture.sha256 for mesh in meshes.values() for m in mesh.materials if m.texture is not None}
    return SceneMeshes(
        meshes,
        {name: read_mesh((folder / name).read_bytes()) for name in names},
        {name: np.asarray(Image.open(folder / name).convert("RGB")) for name in textures},
    )
