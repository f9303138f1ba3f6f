"""Thing: an object of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from .objects import Outline


@dataclass(frozen=True)
class Thing:
    """An object of the scene: what Blender renders, and what the labels say of it.

    Attributes:
        tree: of the outline, that rays are cast into.
        size: (3,) metres of its box at scale 1.
        symmetry: see :class:`na_core.data.labels.ObjectLabel`.
    """

    object: bpy.types.Object
    outline: Outline
    tree: BVHTree
    size: NDArray[np.float64]
    family: str
    symmetry: int
