"""EXIF of a photo: orientation and what tells the focal length. Standard library only, no bpy.

Blender reads neither, and its Python has no Pillow. JPEG, PNG, WebP and TIFF carry the same TIFF structure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from na_core.geometry.camera import focal_from_35mm

ORIENTATION, EXIF_IFD = 0x0112, 0x8769
FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PIXEL_X, PIXEL_Y = 0xA002, 0xA003
FOCAL_PLANE_X_RESOLUTION, FOCAL_PLANE_UNIT = 0xA20E, 0xA210

MILLIMETRES_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
CROP_TOLERANCE = 0.02
"""A file whose aspect differs by more than this from what the camera wrote was cropped."""

_FORMATS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 13: "I"}
_RATIONALS = (5, 10)


@dataclass(frozen=True)
class Exif:
    """What a photo says of itself; None where it says nothing.

    Attributes:
        orientation: 1 to 8; 1 is upright.
        focal_35mm: 35 mm equivalent focal length in millimetres.
        focal_mm: focal length in millimetres.
        pixels_per_mm: of the sensor, horizontally.
        pixel_x, pixel_y: size that the camera wrote, before any later cropping.
    """

    orientation: int = 1
    focal_35mm: float | None = None
    focal_mm: float | None = None
    pixels_per_mm: float | None = None
    pixel_x: int | None = None
    pixel_y: int | None = None


def read_exif(data: bytes) -> Exif:
    """Return the EXIF of a photo's file. Damaged or missing EXIF is no error: it just says nothing."""
    try:
        return _parse(_tiff_block(data))
    except (struct.error, IndexError, ValueError, ZeroDivisionError, OverflowError):
        return Exif()


def focal_pixels(exif: Exif, width: int, height: int) -> float | None:
    """Return the focal length in pixels of a photo of width x height, or None if the EXIF cannot be trusted.

    Either side may be the longer: the camera's own size may be that before rotation.
    """
    written = sorted((exif.pixel_x or 0, exif.pixel_y or 0))
    aspect = max(width, height) / min(width, height)
    if written[0] > 0 and abs(written[1] / written[0] / aspect - 1) > CROP_TOLERANCE:
        return None
    if exif.focal_35mm:
        return focal_from_35mm(exif.focal_35mm, width, height)
    if exif.focal_mm and exif.pixels_per_mm:
        resized = max(width, height) / written[1] if written[0] > 0 else 1.0
        return exif.focal_mm * exif.pixels_per_mm * resized
    return None


def _tiff_block(data: bytes) -> bytes:
    """Return the TIFF structure inside a photo's file, empty if there is none."""
    if data[:2] == b"\xff\xd8":
        return _jpeg_block(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return next((body for kind, body in _png_chunks(data) if kind == b"eXIf"), b"")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        body = next((body for kind, body in _riff_chunks(data) if kind == b"EXIF"), b"")
        return body[6:] if body[:6] == b"Exif\0\0" else body
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    return b""


def _jpeg_block(data: bytes) -> bytes:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # the picture begins, or ends
            break
        size = struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 10 : at + 2 + size]
        at += 2 + size
    return b""


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _parse(tiff: bytes) -> Exif:
    if len(tiff) < 8:
        return Exif()
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return Exif()
    main = _directory(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
    detail = _directory(tiff, order, int(main[EXIF_IFD])) if EXIF_IFD in main else {}
    orientation = int(main.get(ORIENTATION, 1))
    unit = MILLIMETRES_PER_UNIT.get(int(detail.get(FOCAL_PLANE_UNIT, 2)))
    resolution = detail.get(FOCAL_PLANE_X_RESOLUTION)
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        focal_35mm=_positive(detail.get(FOCAL_LENGTH_35MM)),
        focal_mm=_positive(detail.get(FOCAL_LENGTH)),
        pixels_per_mm=_positive(resolution / unit if resolution and unit else None),
        pixel_x=int(detail[PIXEL_X]) if PIXEL_X in detail else None,
        pixel_y=int(detail[PIXEL_Y]) if PIXEL_Y in detail else None,
    )


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _directory(tiff: bytes, order: str, at: int) -> dict[int, float]:
    """Return the first number of every numeric tag of one directory."""
    values: dict[int, float] = {}
    for entry in range(struct.unpack_from(order + "H", tiff, at)[0]):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, at + 2 + entry * 12)
        if kind not in _FORMATS or count < 1:
            continue
        form = order + _FORMATS[kind]
        where = at + 2 + entry * 12 + 8
        if struct.calcsize(form) * count > 4:
            where = struct.unpack_from(order + "I", tiff, where)[0]
        try:
            numbers = struct.unpack_from(form, tiff, where)
        except struct.error:
            continue  # one damaged tag does not spoil the others
        if kind in _RATIONALS:
            if numbers[1] == 0:
                continue
            values[tag] = numbers[0] / numbers[1]
        else:
            values[tag] = numbers[0]
    return values
