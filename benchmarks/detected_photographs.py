"""What the embedded detector finds in photographs that it has never seen the like of: a sheet.

    .venv/bin/python benchmarks/detected_photographs.py [PHOTO ...]

The photographs come with scikit-image and scikit-learn (pip install scikit-learn, if it is not there), and
whatever others you name. Writes docs/images/detected.webp, and prints of each what was found, which camera,
and how long it took (median of five).
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from pictures import IMAGES, save_for_docs
from PIL import Image
from skimage import data

from na_core.data.contact_sheet import draw_boxes, laid_out
from na_core.detection.embedded import detect, load_detector, load_refiner
from na_core.detection.naming import load_classifier, with_names
from na_core.geometry.camera import pitch_and_roll
from na_core.scene import Picture

SHEET = IMAGES / "detected.webp"
NAMES = ("coffee", "stereo_motorcycle", "rocket", "camera", "chelsea", "astronaut", "coins", "clock")
SAMPLES = ("china.jpg", "flower.jpg")
"""Photographs of scikit-learn."""

EMPTY = ("page", "text", "brick", "moon")
"""Photographs without objects."""

SIDE = 384
COLUMNS = 5
ROUNDS = 5


def photograph(name: str) -> Picture:
    """Return one of scikit-image's photographs, (H, W, 3)."""
    picture = getattr(data, name)()
    picture = np.asarray(picture[0] if isinstance(picture, tuple) else picture)
    return np.ascontiguousarray(picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1))


def main(files: list[str]) -> None:
    """Detect, print and draw."""
    from sklearn.datasets import load_sample_image

    detector, refiner, classifier = load_detector(), load_refiner(), load_classifier()
    photos = {name: photograph(name) for name in NAMES}
    photos |= {Path(name).stem: np.array(load_sample_image(name)) for name in SAMPLES}
    photos |= {name: photograph(name) for name in EMPTY}
    photos |= {Path(file).stem: np.array(Image.open(file).convert("RGB")) for file in files}
    cells = []
    for name, picture in photos.items():
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = with_names(detect(detector, refiner, picture), picture, classifier)
            seconds.append(time.perf_counter() - start)
        pitch, roll = np.degrees(pitch_and_roll(found.camera.world_from_camera[2, :3]))
        field = 2 * math.degrees(math.atan(0.5 / found.camera.fx))
        scores = ", ".join(f"{thing.name} {thing.score:.2f}" for thing in found.objects) or "none"
        doubt = found.doubt.focal if found.doubt else 0
        print(
            f"{name}: {scores}; {field:.0f} degrees across (focal length ± {doubt:.0%}), "
            f"pitch {pitch:.0f}, roll {roll:.0f}; {median(seconds):.2f} s"
        )
        image = Image.fromarray(picture)
        image.thumbnail((SIDE, SIDE))
        draw_boxes(image, found.camera, [thing.box for thing in found.objects])
        cell = Image.new("RGB", (SIDE, SIDE), "white")
        cell.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
        cells.append(cell)
    save_for_docs(laid_out([cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]), SHEET)


if __name__ == "__main__":
    main(sys.argv[1:])
