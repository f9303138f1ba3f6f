"""Pairs: what to show from what, as one :class:`na_core.scene.Frame` and the picture that it shows.

A pair names the frame whose picture is the truth, the frames that the objects' looks and the background come
from, and, where an object is new, the frame that shows it. Objects are matched by instance.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.data.labels import Edit
from na_core.data.scenes import Scene
from na_core.geometry.boxes import source_quarter_turns
from na_core.scene import Asset, Background, Frame, Photo, PlacedAsset

SEEN = 0.02
"""Objects that show less of their silhouette than this share count as unseen."""


@dataclass(frozen=True)
class Pair:
    """One picture to make, by frame numbers of a scene.

    Attributes:
        source: shows the objects as they look.
        target: the picture to make.
        background: shows the surroundings; of the target's stage.
        donor: shows the objects that the source does not show; None if there is no such frame.
        edit: the controlled edit that the pair is, None for any two frames.
    """

    source: int
    target: int
    background: int
    donor: int | None = None
    edit: Edit | None = None

    def appearance(self, scene: Scene, number: int) -> int | None:
        """Return the frame that shows how an object looks, None where neither source nor donor does."""
        for frame in (self.source, self.donor):
            if frame is not None and scene.labels.frames[frame].visible[number] >= SEEN:
                return frame
        return None


@dataclass(frozen=True)
class PairLists:
    """The usable pairs of a scene, by kind.

    Attributes:
        film: two frames of a stage, in both orders (paper, section 2).
        edits: controlled edits.
        crossed: objects of one stage before the background of another.
    """

    film: tuple[Pair, ...]
    edits: tuple[Pair, ...]
    crossed: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.film) + len(self.edits) + len(self.crossed)


@dataclass(frozen=True)
class DrawnPair:
    """A pair, and the number of its scene."""

    scene: int
    pair: Pair


def video_pairs(scene: Scene) -> list[Pair]:
    """Return the usable ordered pairs of two frames of one stage (paper, section 2)."""
    frames = scene.labels.frames
    found = [
        Pair(source, target, background=source)
        for source, target in itertools.permutations(range(len(frames)), 2)
        if frames[source].stage == frames[target].stage
    ]
    return [pair for pair in found if is_usable(scene, pair)]


def crossed_pairs(scene: Scene) -> list[Pair]:
    """Return the usable triples with objects from one stage, background and target from another."""
    frames = scene.labels.frames
    found = [
        Pair(source, target, background)
        for source, background, target in itertools.permutations(range(len(frames)), 3)
        if frames[source].stage != frames[target].stage == frames[background].stage
    ]
    return [pair for pair in found if is_usable(scene, pair)]


def edit_pairs(scene: Scene) -> list[Pair]:
    """Return the usable controlled edits of a scene, as pairs."""
    found = [edit_pair(edit) for edit in scene.labels.edits]
    return [pair for pair in found if is_usable(scene, pair)]


def edit_pair(edit: Edit) -> Pair:
    """Return the pair that an edit is."""
    if edit.kind == "background" and edit.donor is not None:
        return Pair(edit.source, edit.target, edit.donor, edit=edit)
    return Pair(edit.source, edit.target, edit.source, edit.donor, edit)


def is_usable(scene: Scene, pair: Pair) -> bool:
    """Tell whether the pair says how every object looks that the target shows, and an edit shows at all."""
    shown = scene.labels.frames[pair.target].visible
    if pair.edit is not None and pair.edit.object is not None:
        before = scene.labels.frames[pair.source].visible
        if max(before[pair.edit.object], shown[pair.edit.object]) < SEEN and pair.edit.kind != "transfer":
            return False
    return all(share < SEEN or pair.appearance(scene, i) is not None for i, share in enumerate(shown))


def pair_lists(scene: Scene) -> PairLists:
    """List a scene's usable pairs."""
    return PairLists(tuple(video_pairs(scene)), tuple(edit_pairs(scene)), tuple(crossed_pairs(scene)))


def draw_pairs(
    lists: Sequence[PairLists],
    count: int,
    random: np.random.Generator,
    edit_share: float,
    crossed_share: float,
) -> list[DrawnPair]:
    """Draw pairs for training: a scene, then a kind, then a pair of that kind.

    Scenes, and pairs of a kind, are drawn uniformly.

    Args:
        lists: of each scene; scenes without pairs are never drawn.
        count: how many.
        edit_share, crossed_share: of pairs that are edits, and crossed. The rest are two frames of a stage.
            Where a scene lacks a kind, the others take its share in proportion, or alike if they have none.

    Raises:
        ValueError: no scene has a pair.
    """
    usable = [number for number, kinds in enumerate(lists) if len(kinds)]
    if not usable:
        raise ValueError("no scene has a pair of pictures to train on")
    drawn = []
    for number in random.choice(usable, size=count):
        kinds = (lists[number].film, lists[number].edits, lists[number].crossed)
        filled = [len(kind) > 0 for kind in kinds]
        kind = kinds[int(random.choice(3, p=kind_chances(filled, edit_share, crossed_share)))]
        drawn.append(DrawnPair(int(number), kind[int(random.integers(len(kind)))]))
    return drawn


def kind_chances(filled: Sequence[bool], edit_share: float, crossed_share: float) -> NDArray[np.float64]:
    """Return the probabilities (3,) of a scene's kinds of pairs: film, edits and crossed.

    Args:
        filled: which of them the scene has, at least one; see :func:`draw_pairs` for the shares.
    """
    shares = np.array([1 - edit_share - crossed_share, edit_share, crossed_share])
    weights = np.where(filled, shares, 0)
    weights = weights if weights.sum() > 0 else np.array(filled, float)
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


def frame_message(scene: Scene, pair: Pair) -> tuple[Frame, Mapping[str, int]]:
    """Return the message that asks for a pair's target.

    Returns:
        The frame, and which of the scene's frames each photo is that it names, by SHA-256. Every box of the
        background's frame is hidden from it. Objects that are absent from the target, or that no photo
        shows, are not among the assets, which keep their order.
    """
    frames = scene.labels.frames
    photos: dict[int, Photo] = {}

    def photo_of(frame: int) -> Photo:
        if frame not in photos:
            photos[frame] = Photo(hashlib.sha256(scene.picture_bytes(frame)).hexdigest())
        return photos[frame]

    after, behind = frames[pair.target], frames[pair.background]
    hidden = [
        (box, rectangle)
        for box, rectangle in zip(behind.boxes, behind.boxes_2d, strict=True)
        if box is not None
    ]
    surroundings = Background(
        photo_of(pair.background),
        behind.camera,
        hidden_boxes=tuple(box for box, _ in hidden),
        rectangles=tuple(rectangle for _, rectangle in hidden),
    )
    assets = []
    for i, label in enumerate(scene.labels.objects):
        target_box, shown_in = after.boxes[i], pair.appearance(scene, i)
        if shown_in is None:  # hidden in the photo, yet there: its pose is known
            shown_in = pair.source
        before = frames[shown_in]
        source_box = before.boxes[i]
        if source_box is None or target_box is None:
            continue
        asset = Asset(
            name=label.name,
            photo=photo_of(shown_in),
            source_box=source_box,
            source_camera=before.camera,
            source_box_2d=before.boxes_2d[i],
            quarter_turns=source_quarter_turns(source_box, before.camera),
        )
        assets.append(PlacedAsset(asset, target_box))
    message = Frame(after.camera, tuple(assets), surroundings)
    return message, {photo.sha256: frame for frame, photo in photos.items()}
