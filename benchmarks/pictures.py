"""Pictures of the documentation: WebP, no wider than a page shows them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"

PAGE_WIDTH = 1280
"""Pixels of the widest picture."""

QUALITY = 80


def save_for_docs(image: Image.Image, file: Path, width: int = PAGE_WIDTH) -> Path:
    """Save a picture as WebP, made smaller if it is wider than ``width`` pixels; return the file."""
    shown = image.convert("RGB")
    if shown.width > width:
        shown = shown.resize((width, round(shown.height * width / shown.width)), Image.Resampling.LANCZOS)
    file.parent.mkdir(parents=True, exist_ok=True)
    shown.save(file, "WEBP", quality=QUALITY, method=6)
    return file
