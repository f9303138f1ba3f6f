"""The job of taking a frame's photo apart, for people to look at the layers and to correct them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from na_core.scene import LayersRequest, Picture
from server.failures import Failure, is_out_of_memory, out_of_memory, render_failed
from server.jobs import Job, Renderer

if TYPE_CHECKING:
    from na_core.layers.pictures import LayerPictures
    from na_core.tensors.views import SourceView


@dataclass(eq=False)
class LayersJob(Job):
    """A request for the layers of one of a frame's photos.

    It posts a ``view`` record, which says what the objects' source boxes are, and a ``layer`` record with the
    pixels of each layer: for each object ``outline`` and ``shadow``, cut to where there is any, then
    ``plate``, ``depth`` and ``normals``.

    Attributes:
        request: which photo.
        photos: of the frame, by SHA-256.
    """

    request: LayersRequest
    photos: Mapping[str, Picture]

    def work(self, renderer: Renderer) -> None:
        """Take the photo apart and post its layers."""
        from na_core.layers.pictures import layer_pictures
        from na_core.tensors.views import source_views

        view = self._view(source_views(self.request.frame))
        pictures = layer_pictures(renderer.layers(view, self.photos), view)
        height, width = pictures.owner.shape
        boxes = [box.to_dict()["world_from_box"] for box in view.boxes]
        self.mailbox.post(
            {"event": "view", "photo": view.sha256, "width": width, "height": height, "boxes": boxes}
        )
        for record, values in _layers(pictures):
            self.check()
            self.mailbox.post({"event": "layer", **record}, values.tobytes())

    def _view(self, views: Sequence[SourceView]) -> SourceView:
        """Return the view that was asked for, of a frame's."""
        if self.request.asset is None:
            return views[0]
        asset = self.request.frame.assets[self.request.asset].asset
        photo, camera = asset.photo.sha256, asset.source_camera
        return next(view for view in views if (view.sha256, view.camera) == (photo, camera))

    def explain(self, error: BaseException) -> Failure:
        """Return what to say of an error that nobody foresaw."""
        if is_out_of_memory(error):
            height, width = max(picture.shape[:2] for picture in self.photos.values())
            return out_of_memory(width, height)
        return render_failed(error)


def _layers(pictures: LayerPictures) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
    """Yield each layer's record and values (H, W) or (H, W, C)."""
    for number in range(pictures.objects):
        outline, shadow = pictures.outline(number), pictures.shadow(number)
        yield _cut("outline", number, outline, outline > 0)
        yield _cut("shadow", number, shadow, (shadow != 1).any(axis=-1))
    for name in ("plate", "depth", "normals"):
        values = getattr(pictures, name)
        if name == "normals":
            values = values.astype(np.float16)
        yield _cut(name, None, values, np.ones(values.shape[:2], bool))


def _cut(
    name: str, number: int | None, values: NDArray[Any], there: NDArray[np.bool_]
) -> tuple[dict[str, Any], NDArray[Any]]:
    """Return a layer's record and the part of its values that holds all of it."""
    window = []
    for axis in (1, 0):
        at = np.flatnonzero(there.any(axis=axis))
        window.append(slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0))
    rows, columns = window
    part = np.ascontiguousarray(values[rows, columns])
    record = {
        "layer": name,
        "object": number,
        "left": columns.start,
        "top": rows.start,
        "width": part.shape[1],
        "height": part.shape[0],
        "channels": 1 if part.ndim == 2 else part.shape[2],
        "type": part.dtype.name,
    }
    return record, part
