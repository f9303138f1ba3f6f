"""The light on a mesh, told by where a photo shows it: what its base colours are multiplied by.

What faces away from a photo's camera is seen in no photo. Its colour is the mesh's own, in the light that the
photo shows on the rest: a constant and a part that follows the normal, per channel, which is the first two
orders of diffuse light (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment
Maps", 2001). Highlights and cast shadows are outliers to it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from na_core.meshes.casting import Array

FEWEST = 24
"""Points from which light has a direction; of fewer, the mean brightness is taken."""

STIFFNESS = 0.006
"""How much of the evidence it takes for light to follow the normals."""

ROUNDS, OUTLIER = 6, 0.25
"""Times that the fit is made, and the relative error from which points count for less."""

DIMMEST, BRIGHTEST = 0.25, 2.0
"""What light there is at least and at most, in units of the constant part."""

SURE, MOST_GAIN = 40, 4.0
"""Points of a material that tell as much of its colour as the mesh does, and the factor up to which they
do."""


@dataclass(frozen=True)
class Tone:
    """Light on a mesh.

    Attributes:
        coefficients: (4, 3) of 1, x, y and z of a normal in the world, per channel.
        gains: (K, 3), what the base colours of each material are multiplied by beside that.
    """

    coefficients: Array
    gains: Array

    def light(self, normals: Array) -> Array:
        """Return what base colours (P, 3) in linear light are multiplied by, of normals (P, 3)."""
        constant = self.coefficients[0]
        found: Array = constant + normals @ self.coefficients[1:]
        return np.clip(found, DIMMEST * constant, BRIGHTEST * constant)


def unlit(materials: int = 1) -> Tone:
    """Return the light on a mesh that no photo shows: its colours are its own."""
    return Tone(np.array([[1.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3]), np.ones((materials, 3)))


def fitted_tone(
    normals: Array, base: Array, seen: Array, material: NDArray[np.integer], materials: int
) -> Tone:
    """Return the light in which a mesh looks as a photo shows it.

    Args:
        normals: (P, 3) unit vectors in the world, of points that the photo shows.
        base: (P, 3) their base colours, linear light, above 0.
        seen: (P, 3) what the photo shows there, linear light.
        material: (P,) of each point, from 0.
        materials: how many there are, K.
    """
    if not len(normals):
        return unlit(materials)
    coefficients = np.zeros((4, 3))
    features = np.concatenate([np.ones((len(normals), 1)), normals], axis=1)
    for channel in range(3):
        albedo, shown = base[:, channel], seen[:, channel]
        constant = np.median(shown / albedo)
        coefficients[0, channel] = max(constant, 1e-3)
        if len(normals) < FEWEST:
            continue
        for _ in range(ROUNDS):
            expected = albedo * (features @ coefficients[:, channel])
            error = (shown - expected) / np.maximum(np.abs(expected), 0.02)
            weight = 1 / (1 + (error / OUTLIER) ** 2) / np.maximum(np.abs(expected), 0.02) ** 2
            design = features * albedo[:, None]
            normal_matrix = design.T @ (weight[:, None] * design)
            evidence = (weight * albedo**2).sum()
            normal_matrix += STIFFNESS * evidence * np.diag([0, 1, 1, 1])
            solved = np.linalg.solve(normal_matrix, design.T @ (weight * shown))
            solved[0] = max(solved[0], 1e-3)
            coefficients[:, channel] = solved
    tone = Tone(coefficients, np.ones((materials, 3)))
    return replace(tone, gains=_gains(tone, normals, base, seen, material, materials))


def _gains(
    tone: Tone, normals: Array, base: Array, seen: Array, material: NDArray[np.integer], materials: int
) -> Array:
    """Return how much brighter each material (K, 3) is than the mesh says, which may be a guess."""
    ratio = np.log(np.maximum(seen, 1e-3) / np.maximum(base * tone.light(normals), 1e-3))
    gains = np.zeros((materials, 3))
    for number in range(materials):
        own = material == number
        if own.any():
            count = own.sum()
            gains[number] = np.median(ratio[own], axis=0) * count / (count + SURE)
    return np.exp(np.clip(gains, -np.log(MOST_GAIN), np.log(MOST_GAIN)))
