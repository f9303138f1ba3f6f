"""Pairs that are composed once and kept in files, of which parts are learnt.

Taking photos apart and composing pairs takes far longer than learning from parts of them. A file holds all
that decoders of pixels learn from a scene; nothing else of the scene is needed then.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import tqdm
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from na_core.data.pairs import Pair, PairLists, pair_lists
from na_core.data.scenes import Scene
from na_core.evaluation.suite_pairs import spread
from na_core.model.box_channels import box_channels
from na_core.model.encoder import background_pictures, encode_features, object_pictures
from na_core.model.latents import PATCH
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.pixel_decoder import pass_channels
from na_core.tensors.cameras import Cameras
from na_core.tensors.frames import FrameBatch
from na_core.training.atomic_folder import disk_errors
from na_core.training.labelled import labelled_frames, pair_frames
from na_core.training.pair_batches import all_layers, augmented, augmented_passes, taking_apart
from na_core.training.tables import AugmentationConfig, DecoderConfig

VERSION = 2
"""Of the files: what is composed otherwise is another folder's."""

SLOTS = 12
"""Objects of a frame at most."""

CROSSED = 4
"""Pairs of a scene, at most, that are crossed; all others of a scene are kept."""

TURNS = 3
"""Ways to turn the colour channels of a pair: red, green, blue; blue, red, green; green, blue, red."""

KINDS = ("film", "edits", "crossed")
"""Of pairs, by their numbers in the files."""

CAMERAS = ("camera", "view_camera")
"""Fields of frames that are cameras; the others are tensors."""

AT_ONCE, PHOTOS = 8, 3
"""Pairs that are composed together, and photos that each thread takes apart together."""


class ComposedPairs:
    """The composed pairs of scenes, in a folder beside these.

    Args:
        scenes: that the pairs are of.
        folder: for the files, one for each scene; those that are there stay.
        pipeline: whose layers and encoder are used.
        settings, augmentation: how pairs are made.
        autocast: makes contexts in which networks compute.

    Raises:
        DiskFull: the disk is full.
        ValueError: a scene has too many objects; the text names it.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        folder: Path,
        pipeline: NeuralAssetsPipeline,
        settings: DecoderConfig,
        augmentation: AugmentationConfig,
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._files: list[Any] = []
        self.kinds: list[Tensor] = []
        for scene in tqdm(scenes, desc="composing", unit="scene"):
            file = folder / f"{scene.name}.safetensors"
            if not file.is_file():
                composed = compose_scene(scene, pipeline, settings, augmentation, autocast)
                partial = file.with_suffix(".partial")
                with disk_errors(folder):
                    save_file(composed, partial)
                    partial.replace(file)
            # Files stay open: what is read of them is what a step needs.
            opened: Any = safe_open(file, framework="pt")
            if len(kinds := opened.get_tensor("kind")):
                self._files.append(opened)
                self.kinds.append(kinds)

    def __len__(self) -> int:
        return len(self._files)

    def read(self, scene: int, name: str, row: int, *part: slice) -> Tensor:
        """Return a row of what is stored of a scene, or a part of it.

        Args:
            scene: its number.
            name: see :func:`compose_scene`.
            row: a pair's number, or a picture's or feature's.
            part: of each dimension of the row, from the first.
        """
        return self._files[scene].get_slice(name)[(slice(row, row + 1), *part)][0]

    def frames(self, pairs: Sequence[tuple[int, int]]) -> FrameBatch:
        """Return the frames that ask for pairs, by their scenes and numbers."""

        def stored(name: str) -> Tensor:
            return torch.stack([self.read(scene, f"frame.{name}", pair) for scene, pair in pairs])

        joined: dict[str, Any] = {}
        for field in dataclasses.fields(FrameBatch):
            if field.name in CAMERAS:
                joined[field.name] = Cameras(
                    stored(f"{field.name}.world_from_camera"), stored(f"{field.name}.intrinsics")
                )
            else:
                joined[field.name] = stored(field.name)
        return FrameBatch(**joined)


def composed_folder(
    scenes: Path, pipeline: NeuralAssetsPipeline, settings: DecoderConfig, augmentation: AugmentationConfig
) -> Path:
    """Return where the composed pairs of a data set are kept: another place for whatever changes them."""
    digest = hashlib.sha256()
    texture = taking_apart(pipeline, settings).texture
    how = {"version": VERSION, "texture": texture, **dataclasses.asdict(augmentation)}
    digest.update(json.dumps(how, sort_keys=True).encode())
    for module in (pipeline.photo_network, pipeline.encoder):
        if module is not None:
            for weight in module.state_dict().values():
                digest.update(weight.float().cpu().numpy().tobytes())
    return scenes.parent / f"{scenes.stem}-composed-{digest.hexdigest()[:12]}"


def chosen_pairs(lists: PairLists) -> list[tuple[int, Pair]]:
    """Return the pairs of a scene that are composed, with the numbers of their kinds."""
    kinds = (lists.film, lists.edits, spread(lists.crossed, CROSSED))
    return [(number, pair) for number, kind in enumerate(kinds) for pair in kind]


@torch.no_grad()
def compose_scene(
    scene: Scene,
    pipeline: NeuralAssetsPipeline,
    settings: DecoderConfig,
    augmentation: AugmentationConfig,
    autocast: Callable[[], AbstractContextManager[Any]],
) -> dict[str, Tensor]:
    """Return what decoders of pixels learn from a scene of P pairs and M pictures.

    Returns:
        By name: ``pictures`` (M, H, W, 3) uint8; ``features`` (F, :data:`TURNS`, h, w, C) float16 of the
        encoder's pictures, by how often their channels are turned; and of each pair ``kind`` and ``target``
        (P,), ``proxy`` (P, 3, H, W) uint8, ``maps`` (P, C, H / 8, W / 8) float16, ``matters`` (P, H, W)
        bool, ``shown`` (P, V) and ``behind`` (P,), rows of the features or -1, and ``frame.*``, the fields of
        its :class:`na_core.tensors.frames.FrameBatch`.

    Raises:
        ValueError: it has too many objects.
    """
    if len(scene.labels.objects) > SLOTS:
        raise ValueError(f"scene {scene.name}: {len(scene.labels.objects)} objects, {SLOTS} at most")
    device = pipeline.unet.device
    frames_of_scene = range(len(scene.labels.frames))
    pictures = torch.stack([torch.tensor(scene.picture(number)) for number in frames_of_scene]).to(device)
    chosen = chosen_pairs(pair_lists(scene))
    found: dict[str, list[Tensor]] = {}
    features: list[Tensor] = []
    known: dict[bytes, int] = {}

    def feature(seen: Tensor) -> int:
        """Return the row of the features of a picture (3, H, W)."""
        key = hashlib.sha256(seen.mul(255).to(torch.uint8).cpu().numpy().tobytes()).digest()
        if key not in known:
            known[key] = len(features)
            with autocast():
                turned = torch.stack([seen.roll(turn, 0) for turn in range(TURNS)])
                features.append(encode_features(pipeline.encoder, turned).half().cpu())
        return known[key]

    if chosen:
        labels = labelled_frames([scene], pictures, SLOTS)
        how = taking_apart(pipeline, settings)
        layers = all_layers(how, labels, device, autocast, batch_size=PHOTOS, title=None)
    for first in range(0, len(chosen), AT_ONCE):
        part = chosen[first : first + AT_ONCE]
        rows = [
            (pair.source, pair.target, pair.background, -1 if pair.donor is None else pair.donor)
            for _, pair in part
        ]
        source, target, background, donor = torch.tensor(rows).unbind(1)
        labelled = pair_frames(labels, source, target, background, donor).to(device)
        words = hashlib.sha256(f"{scene.name} {first}".encode()).digest()
        random = torch.Generator().manual_seed(int.from_bytes(words[:7], "big"))
        unseen = ~labels.seen[target].to(device)
        frames, mine, composed = augmented(labelled, layers, unseen, augmentation, random)
        assert mine is not None
        passes = augmented_passes(mine, composed, augmentation, random)
        boxes = box_channels(composed, passes, PATCH, guided=True)
        looks, behind = object_pictures(frames, pictures), background_pictures(frames, pictures)
        shown = torch.full(frames.photo.shape, -1)
        for row, (present, views) in enumerate(zip(frames.present, frames.asset_view, strict=True)):
            for view in sorted(set(views[present].tolist()) or {0}):
                shown[row, view] = feature(looks[row, view])
        made = {
            "kind": torch.tensor([kind for kind, _ in part], dtype=torch.uint8),
            "target": target,
            "proxy": (passes.proxy * 255).round().to(torch.uint8),
            "maps": torch.cat([boxes, pass_channels(passes)], dim=1).half(),
            "matters": ~passes.validity | (passes.index >= 0),
            "shown": shown,
            "behind": torch.tensor([feature(picture) for picture in behind]),
            **_fields(frames),
        }
        for name, value in made.items():
            found.setdefault(name, []).append(value.cpu())
    stacked = {name: torch.cat(values).contiguous() for name, values in found.items()}
    if not chosen:
        return {"kind": torch.zeros(0, dtype=torch.uint8)}
    return {"pictures": pictures.cpu(), "features": torch.stack(features), **stacked}


def _fields(frames: FrameBatch) -> dict[str, Tensor]:
    """Return the fields of frames by name."""
    fields: dict[str, Tensor] = {}
    for field in dataclasses.fields(frames):
        value = getattr(frames, field.name)
        if field.name in CAMERAS:
            fields[f"frame.{field.name}.world_from_camera"] = value.world_from_camera
            fields[f"frame.{field.name}.intrinsics"] = value.intrinsics
        else:
            fields[f"frame.{field.name}"] = value
    return fields
