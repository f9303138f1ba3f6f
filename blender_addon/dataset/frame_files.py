"""Frame files: renders a frame as it stands in Blender, and writes its pictures and what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.data.scenes import DEPTH_UNIT
from na_core.scene import Camera

from .annotations import mask_palette
from .capture import Response, develop, keep_synced, render_labels, render_picture, response
from .far_side import far_side
from .order import Order
from .streams import stream
from .thing import Thing

Focus = tuple[float, float] | None
"""Metres in focus, and the f-number; None for a sharp picture."""


@dataclass
class FrameFiles:
    """Writes the files of one scene's frames.

    Attributes:
        order, seed: of the scene.
        folder: of its files.
        things: its objects.
    """

    order: Order
    seed: int
    folder: Path
    things: Sequence[Thing]
    _responses: dict[int, Response] = field(default_factory=dict)
    _plates: dict[tuple[int, str], str] = field(default_factory=dict)

    def write(
        self, number: int, stage: int, camera: Camera, focus: Focus, same_stage_next: bool
    ) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """Render the frame as Blender's scene shows it now, and write its files.

        Args:
            number: of the frame.
            stage: number of its stage, which is shown.
            camera: of the labels, as Blender's camera stands.
            focus: of Blender's camera.
            same_stage_next: whether the next frame shows the same stage.

        Returns:
            The labels that name the files, and (H, W) which object each pixel shows, 0 for none.

        Raises:
            OSError, RuntimeError: a file cannot be written, or Blender failed.
        """
        keep_synced(True)
        colour = render_picture(self.order.samples, focus, self.folder)
        if stage not in self._responses:
            random = stream(self.order.split, self.seed, "response", stage)
            self._responses[stage] = response(colour, random)
        labels: dict[str, Any] = {"picture": f"frame_{number:03d}.jpg", "mask": f"mask_{number:03d}.png"}
        self._save(colour, stage, labels["picture"])

        def develop_into(name: str) -> None:
            self._save(render_picture(self.order.samples, focus, self.folder), stage, name)

        index_first = self._labels(number, camera, labels)
        labels["without"] = [*self._without(number, develop_into)]
        labels["plate"] = self._plate(number, stage, camera, develop_into) if self.order.plates else None
        keep_synced(same_stage_next)
        return labels, index_first

    def _save(self, colour: NDArray[np.float32], stage: int, name: str) -> None:
        from PIL import Image

        picture = Image.fromarray(develop(colour, self._responses[stage]))
        picture.save(self.folder / name, quality=self.order.quality, subsampling=0)

    def _labels(self, number: int, camera: Camera, labels: dict[str, Any]) -> NDArray[np.uint8]:
        from PIL import Image

        index, depth = render_labels(self.folder)
        mask = Image.fromarray(index, mode="P")
        mask.putpalette(mask_palette(len(self.things)))
        mask.save(self.folder / labels["mask"])
        labels |= {"depth": None, "far": None}
        if self.order.depth:
            labels |= {"depth": f"depth_{number:03d}.png", "far": f"far_{number:03d}.png"}
            Image.fromarray(_steps(depth)).save(self.folder / labels["depth"])
            far = _far_steps(self.things, camera, index, depth)
            Image.fromarray(far).save(self.folder / labels["far"])
        return index

    def _without(self, number: int, develop_into: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        """Render the frame without some of its objects, each time without one."""
        random = stream(self.order.split, self.seed, "without", number)
        there = [i for i, thing in enumerate(self.things) if not thing.object.hide_render]
        for i in sorted(random.permutation(there)[: self.order.without].tolist()):
            name = f"without_{number:03d}_{i:02d}.jpg"
            with _hidden([self.things[i]]):
                develop_into(name)
            yield {"object": i, "picture": name}

    def _plate(self, number: int, stage: int, camera: Camera, develop_into: Callable[[str], None]) -> str:
        """Render the stage without objects, unless another frame looks at it alike."""
        key = stage, camera.to_json()
        if key not in self._plates:
            self._plates[key] = f"plate_{number:03d}.jpg"
            with _hidden(self.things):
                develop_into(self._plates[key])
        return self._plates[key]


@contextmanager
def _hidden(things: Sequence[Thing]) -> Iterator[None]:
    """Hide objects from renders for a while."""
    shown = [thing.object for thing in things if not thing.object.hide_render]
    for each in shown:
        each.hide_render = True
    try:
        yield
    finally:
        for each in shown:
            each.hide_render = False


def _steps(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.minimum(np.rint(depth / DEPTH_UNIT), 65535).astype(np.uint16)


def _far_steps(
    things: Sequence[Thing], camera: Camera, index: NDArray[np.uint8], depth: NDArray[np.float32]
) -> NDArray[np.uint16]:
    """Return how far the far side of what each pixel shows is, in steps; 65535 where it shows no object."""
    far = np.full(depth.shape, np.inf, np.float32)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for i, thing in enumerate(things):
        shown = index == i + 1
        if shown.any():
            matrix = np.array(thing.object.evaluated_get(depsgraph).matrix_world, dtype=np.float64)
            diagonal = float(np.linalg.norm(matrix[:3, :3] @ thing.size))
            far[shown] = far_side(thing.tree, matrix, diagonal, camera, shown, depth)
    return _steps(far)
