"""Turn the bytes of an image file from outside into pixels, safely."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps

from na_core.geometry.camera import focal_from_35mm
from na_core.scene import MAX_SIDE, Picture
from server.failures import Failure
from server.protocol import MAX_PHOTO_BYTES

MAX_PIXELS = 150_000_000
"""A photo with more pixels is refused before its pixels are decoded (a 108-megapixel phone photo passes)."""
MAX_PIXELS_AT_ONCE = {"WEBP": 60_000_000, "AVIF": 60_000_000, "JPEG2000": 40_000_000}
"""The same for formats whose decoders hold several copies of the whole picture."""
STRIP_PIXELS = 2**22
"""Of a large photo, that are converted at a time."""
TRANSPARENT = (128, 128, 128)
"""What shows through transparent pixels: mid grey, the decoder's zero, so that no edge of a cut-out glows."""
FOCAL_LENGTH_35MM = ExifTags.Base.FocalLengthIn35mmFilm.value
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "TGA", "PPM")
"""What is tried. Pillow's other readers are left out: some call programs, few photos need them."""

# Pillow warns above its own limit; ours is checked below, before anything is decoded.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def decode_photo(data: bytes | bytearray) -> Picture:
    """Return the picture that an image file holds: (height, width, 3) uint8 sRGB, read-only.

    EXIF rotation is applied, transparency laid over mid grey, 16 bits reduced to 8, and a picture whose
    longer side exceeds MAX_SIDE pixels made smaller. Colour profiles are ignored, as Blender does.

    Raises:
        Failure: ``photo_too_large`` (file or pixels) or ``photo_unreadable``.
    """
    if not data:
        raise Failure("photo_unreadable", "The photo's file is empty: export or copy it again.")
    if len(data) > MAX_PHOTO_BYTES:
        raise file_too_large()
    try:
        with Image.open(io.BytesIO(data), formats=[name for name in FORMATS if _available(name)]) as image:
            width, height = image.size
            most = MAX_PIXELS_AT_ONCE.get(str(image.format), MAX_PIXELS)
            if width * height > most:
                raise Failure(
                    "photo_too_large",
                    f"The photo has {width} x {height} pixels, more than {most // 10**6} million: "
                    "save it smaller, or as JPEG.",
                    status=413,
                )
            # A JPEG is decoded at 1/2, 1/4 or 1/8 of its size when that still is large enough.
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            picture = _reduced_to_rgb(image)
            picture.getexif()[ExifTags.Base.Orientation] = orientation
            ImageOps.exif_transpose(picture, in_place=True)
            pixels = np.array(picture, dtype=np.uint8)
    except Failure:
        raise
    except MemoryError as error:
        raise Failure(
            "photo_too_large", "Not enough memory to decode the photo: save it smaller.", status=413
        ) from error
    # Pillow's readers raise nearly anything on damaged files (SyntaxError, struct.error, KeyError, ...).
    except Exception as error:
        raise Failure(
            "photo_unreadable",
            "The file is no photo that can be read: save it as JPEG or PNG. (It may be damaged, or a format "
            "such as HEIC or RAW.)",
        ) from error
    pixels.flags.writeable = False
    return pixels


def focal_length(data: bytes) -> float | None:
    """Return the focal length that a photo's EXIF says, in units of its longer side; None if it is silent."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            said = float(image.getexif().get_ifd(ExifTags.IFD.Exif).get(FOCAL_LENGTH_35MM) or 0)
    except Exception:  # what is no photo is refused where it is decoded
        return None
    return focal_from_35mm(said, width, height) / max(width, height) if said > 0 else None


def file_too_large() -> Failure:
    """Return the failure of a file beyond the limit on uploads."""
    return Failure(
        "photo_too_large",
        f"The photo's file is larger than {MAX_PHOTO_BYTES // 2**20} MiB: save it smaller, or as JPEG.",
        status=413,
    )


def _available(name: str) -> bool:
    Image.init()
    return name in Image.OPEN


def _reduced_to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB, its longer side at most MAX_SIDE pixels.

    A large one is converted and reduced in strips: of 144 million pixels each copy takes half a gigabyte.
    """
    width, height = image.size
    factor = max(1, max(width, height) // MAX_SIDE)  # of the rest, a good filter makes the picture
    picture = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    strip = factor * max(1, STRIP_PIXELS // (width * factor))
    for top in range(0, height, strip):
        part = image.crop((0, top, width, min(top + strip, height)))
        picture.paste(_to_rgb(part).reduce(factor), (0, top // factor))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return picture


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16 bits to 255 instead of scaling them.
        values = np.asarray(image, dtype=np.float64)
        scale = 255.0 if image.mode == "F" else 255.0 / 65535.0
        grey = np.nan_to_num(values * scale, nan=0.0).clip(0, 255).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        cut_out = image.convert("RGBA")
        ground = Image.new("RGBA", cut_out.size, (*TRANSPARENT, 255))
        return Image.alpha_composite(ground, cut_out).convert("RGB")
    return image.convert("RGB")
