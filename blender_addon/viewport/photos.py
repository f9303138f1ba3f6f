"""Photos and painted layers as a viewport has read them: not anew for every picture while things move."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import bpy

from na_core.scene import Frame, Photo

from ..scene.frame import PhotoStore
from ..scene.painting import Layer

Signature = tuple[object, ...]


@dataclass
class KnownPhotos(PhotoStore):
    """The photos of a viewport's pictures.

    An image is read again when it is seen to be another: its file's size, or, of one that is not packed, its
    file's date. What that overlooks, such as a stroke of a brush, :meth:`forget` takes care of.
    """

    _signatures: dict[bpy.types.Image, Signature] = field(default_factory=dict)
    _painted: dict[tuple[bpy.types.Image, Layer, bpy.types.Image], tuple[Signature, Photo]] = field(
        default_factory=dict
    )

    def photo(self, image: bpy.types.Image) -> Photo:
        """Return the message of an image and keep its bytes.

        Raises:
            UserError: the photo cannot be read.
        """
        original, signature = image.original, _signature(image.original)
        if self._signatures.get(original) != signature:
            self._photos.pop(original, None)
        photo = super().photo(image)
        self._signatures[original] = signature
        return photo

    def painted(
        self, image: bpy.types.Image | None, layer: Layer, photo: bpy.types.Image, whose: str
    ) -> Photo | None:
        """Return the message of a painted layer and keep its bytes; None where none was painted.

        Raises:
            UserError: it cannot be used, see :func:`blender_addon.scene.painting.painted_photo`.
        """
        if image is None:
            return None
        key, signature = (image.original, layer, photo.original), _signature(image.original)
        known = self._painted.get(key)
        if known is not None and known[0] == signature:
            return known[1]
        found = super().painted(image, layer, photo, whose)
        if found is not None:
            self._painted[key] = signature, found
        return found

    def forget(self) -> None:
        """Read every image anew when it is needed next."""
        self.bytes_by_sha256.clear()
        self._photos.clear()
        self._signatures.clear()
        self._painted.clear()

    def files_of(self, frame: Frame) -> dict[str, bytes]:
        """Return the bytes of what a frame uses by SHA-256, and let go of meshes that it does not use."""
        used = {each.sha256 for each in (*frame.photos(), *frame.meshes())}
        used |= {photo.sha256 for photo in self._photos.values()}
        used |= {photo.sha256 for _, photo in self._painted.values()}
        for sha256 in self.bytes_by_sha256.keys() - used:
            del self.bytes_by_sha256[sha256]
        return dict(self.bytes_by_sha256)


def _signature(image: bpy.types.Image) -> Signature:
    """Return what tells an image from what it was, at next to no cost."""
    packed = image.packed_file
    told = (image.session_uid, tuple(image.size), image.is_dirty, packed.size if packed else None)
    if packed is not None:
        return told
    path = bpy.path.abspath(image.filepath, library=image.library)
    try:
        file = os.stat(path)
    except OSError:
        return (*told, path)
    return (*told, path, file.st_mtime_ns, file.st_size)
