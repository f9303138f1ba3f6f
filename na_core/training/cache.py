"""The conditions of every training pair, computed once per scene and kept in a file.

The proxy and the box map of a pair cost as much on a CPU as a training step does, and never change.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from na_core.data.labels import load_labels
from na_core.data.pairs import frame_message, pairs
from na_core.data.scenes import Scene, read_picture, scene_folders
from na_core.geometry.boxes import bounds_2d
from na_core.geometry.proxy import clean_plate, hidden_rectangles
from na_core.model.conditioning import conditions
from na_core.model.pipeline import to_bytes


@dataclass(frozen=True)
class ScenePairs:
    """All usable pairs of one scene; S is the scene's number of objects.

    Attributes:
        frames: (K, H, W, 3) uint8 pictures.
        hidden: (K, S, 4) 2D bounds of each frame's boxes, zeros for none.
        order: (P, 2) source and target frame of each pair.
        proxies: (P, H, W, 3) uint8. maps: (P, 11, h, w) float16.
        poses: (P, S, 12 or 24), background_poses: (P, 12), rectangles: (P, S, 4) float32.
        counts: (P,) assets of each pair; later slots are zero.
    """

    frames: NDArray[np.uint8]
    hidden: NDArray[np.float32]
    order: NDArray[np.int32]
    proxies: NDArray[np.uint8]
    maps: NDArray[np.float16]
    poses: NDArray[np.float32]
    background_poses: NDArray[np.float32]
    rectangles: NDArray[np.float32]
    counts: NDArray[np.int32]


def scene_pairs(scene: Scene, guided: bool, factor: int) -> ScenePairs | None:
    """Compute a scene's pairs, or None if it has no usable one."""
    labels = scene.labels
    order = pairs(scene)
    if not order:
        return None
    pictures = [read_picture(scene.picture_path(i)) for i in range(len(labels.frames))]
    slots = len(labels.objects)
    hidden = np.zeros((len(pictures), slots, 4), np.float32)
    for i, frame in enumerate(labels.frames):
        for j, box in enumerate(frame.boxes):
            if box is not None:
                hidden[i, j] = bounds_2d(frame.camera, box)
    columns: dict[str, list[NDArray]] = {
        name: [] for name in ("proxies", "maps", "poses", "background_poses", "rectangles", "counts")
    }
    plates = {}
    for source, target in order:
        message, photos = frame_message(scene, source, target)
        floats = {sha256: pictures[source].astype(np.float32) / 255 for sha256 in photos}
        rectangles = hidden_rectangles(message)
        if (source, rectangles) not in plates:
            photo = next(iter(floats.values()))
            plates[source, rectangles] = clean_plate(photo, message.background, rectangles)
        c = conditions(
            message,
            floats,
            labels.width,
            labels.height,
            factor=factor,
            guided=guided,
            plate=plates[source, rectangles],
        )
        pad = ((0, slots - len(c.poses)), (0, 0))
        columns["proxies"].append(to_bytes(c.proxy.picture))
        columns["maps"].append(c.map_channels.astype(np.float16))
        columns["poses"].append(np.pad(c.poses, pad))
        columns["background_poses"].append(c.background_pose)
        columns["rectangles"].append(np.pad(c.rectangles, pad))
        columns["counts"].append(np.array(len(c.poses), np.int32))
    stacked = {name: np.stack(values) for name, values in columns.items()}
    return ScenePairs(frames=np.stack(pictures), hidden=hidden, order=np.array(order, np.int32), **stacked)


def _cache_one(folder: Path, out: Path, guided: bool, factor: int) -> None:
    made = scene_pairs(Scene(folder, load_labels(folder)), guided, factor)
    partial = out.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, **({} if made is None else vars(made)))
    partial.replace(out)


def complete_scenes(scenes: Path) -> list[Path]:
    """Return the folders of the complete scenes below ``scenes``, in order.

    Raises:
        FileNotFoundError: there is none; the text says how to make some.
    """
    folders = scene_folders(scenes)
    if not folders:
        raise FileNotFoundError(
            f"{scenes}: no complete scene. Make some with: "
            f"neural-assets dataset render --out {scenes.parent} --split {scenes.name} --scenes 300"
        )
    return folders


def cache_pairs(scenes: Path, cache: Path, *, guided: bool, factor: int, jobs: int) -> list[Path]:
    """Compute the pairs of every complete scene below ``scenes`` that ``cache`` does not hold yet.

    Resumes: a killed run leaves only whole files behind. Returns the cache files, in the scenes' order.

    Raises:
        FileNotFoundError: there is no scene.
    """
    folders = complete_scenes(scenes)
    cache.mkdir(parents=True, exist_ok=True)
    files = {folder: cache / f"{folder.name}.npz" for folder in folders}
    missing = [folder for folder, file in files.items() if not file.is_file()]
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(_cache_one, folder, files[folder], guided, factor) for folder in missing]
        for done in tqdm(as_completed(waiting), total=len(waiting), desc="pairs", unit="scene"):
            done.result()
    return [files[folder] for folder in folders]


def load_pairs(file: Path) -> ScenePairs | None:
    """Read a cache file, or None for a scene without usable pairs."""
    with np.load(file) as stored:
        return ScenePairs(**{name: stored[name] for name in stored.files}) if stored.files else None
