"""Lamps: what the labels say of the lights of a stage."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from na_core.data.labels import Light

from .stage import Stage


def lights(stage: Stage, number: int) -> list[Light]:
    """Return the lamps of a stage, in the order of their names; ``number`` is the stage's."""
    lamps = [thing for thing in stage.collection.objects if thing.type == "LIGHT"]
    return [_light(lamp, number) for lamp in sorted(lamps, key=lambda lamp: lamp.name)]


def _light(lamp: bpy.types.Object, stage: int) -> Light:
    data: Any = lamp.data
    if data.type == "SUN":
        towards = np.array(lamp.matrix_world)[:3, 2]
        return Light(stage, "sun", _rounded(towards), None, float(data.angle), float(data.energy))
    at = np.array(lamp.matrix_world)[:3, 3]
    distance = float(np.linalg.norm(at))
    irradiance = float(data.energy) / (math.pi * distance**2)  # of a small area lamp that faces the middle
    return Light(stage, "area", _rounded(at / distance), distance, float(data.size), irradiance)


def _rounded(direction: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(np.clip(round(float(each), 6), -1, 1)) for each in direction)
    return x, y, z
