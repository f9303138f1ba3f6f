"""The light on a mesh, told by where a photo shows it: what its base colours are multiplied by.

What faces away from a photo's camera is seen in no photo. Its colour is the mesh's own, in the light that the
photo shows on the rest: a constant and a part that follows the normal, per channel, which is the first two
orders of diffuse light (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment
Maps", 2001). Where the photo's shadows tell of a lamp or the sun, that lights what faces it, seen or not: by
as much as the ground is brighter beside the shadows. Highlights and cast shadows are outliers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from na_core.meshes.casting import Array

FEWEST = 24
"""Points from which light has a direction; of fewer, the mean brightness is taken."""

STIFFNESS, KEY_STIFFNESS = 0.006, 0.1
"""How much of the evidence it takes for light to follow the normals, and for the key light to be other than
the shadows say."""

CHROMA_STIFFNESS = 0.1
"""How much of the evidence it takes for a channel's light to differ from that of all channels together: what
one side shows of the light's colour says little of that on the other."""

FIXED = 1e3
"""Stiffness of what cannot be told."""

ROUNDS, OUTLIER = 6, 0.25
"""Times that the fit is made, and the relative error from which points count for less."""

DIMMEST, BRIGHTEST = 0.25, 2.0
"""What light there is at least and at most but for the key light's, in units of the constant part."""

SURE, MOST_GAIN = 40, 4.0
"""Points of a material that tell as much of its colour as the mesh does, and the factor up to which they
do."""


@dataclass(frozen=True)
class KeyLight:
    """The lamp, or the sun, that throws a photo's shadows.

    Attributes:
        direction: (3,) unit vector to it, in the world.
        strength: its light on what faces it, in units of all other light.
    """

    direction: Array
    strength: float


NO_KEY = KeyLight(np.zeros(3), 0.0)
"""Of a photo that shows no shadows."""


@dataclass(frozen=True)
class Tone:
    """Light on a mesh.

    Attributes:
        coefficients: (5, 3) of 1, x, y and z of a normal in the world, and of its cosine to the key light,
            per channel.
        direction: (3,) unit vector to the key light; zeros if there is none.
        gains: (K, 3), what the base colours of each material are multiplied by beside that.
    """

    coefficients: Array
    direction: Array
    gains: Array

    @property
    def exposure(self) -> Array:
        """Return the light (3,) on a surface of all directions."""
        mean: Array = self.coefficients[0] + self.coefficients[4] / 4
        return mean

    def light(self, normals: Array) -> Array:
        """Return what base colours (P, 3) in linear light are multiplied by, of normals (P, 3)."""
        constant = self.coefficients[0]
        around = constant + normals @ self.coefficients[1:4]
        key = np.maximum(normals @ self.direction, 0)[:, None] * self.coefficients[4]
        found: Array = np.clip(around, DIMMEST * constant, BRIGHTEST * constant) + key
        return found


def unlit(materials: int = 1) -> Tone:
    """Return the light on a mesh that no photo shows: its colours are its own."""
    coefficients = np.zeros((5, 3))
    coefficients[0] = 1
    return Tone(coefficients, NO_KEY.direction, np.ones((materials, 3)))


def fitted_tone(
    normals: Array,
    base: Array,
    seen: Array,
    material: NDArray[np.integer],
    materials: int,
    key: KeyLight = NO_KEY,
) -> Tone:
    """Return the light in which a mesh looks as a photo shows it.

    Args:
        normals: (P, 3) unit vectors in the world, of points that the photo shows.
        base: (P, 3) their base colours, linear light, above 0.
        seen: (P, 3) what the photo shows there, linear light.
        material: (P,) of each point, from 0.
        materials: how many there are, K.
        key: what the photo's shadows tell.
    """
    if not len(normals):
        return unlit(materials)
    facing = np.maximum(normals @ key.direction, 0)
    expected = np.array([1.0, 0, 0, 0, key.strength])
    level = np.maximum(np.median(seen / (base * (1 + key.strength * facing)[:, None]), axis=0), 1e-3)
    coefficients = expected[:, None] * level
    if len(normals) >= FEWEST:
        features = np.column_stack([np.ones(len(normals)), normals, facing])
        as_told = KEY_STIFFNESS if key.strength else FIXED
        stiffness = np.array([0, STIFFNESS, STIFFNESS, STIFFNESS, as_told])
        albedo = base * level
        grey = _fitted(features, albedo.mean(axis=1), seen.mean(axis=1), expected, stiffness)
        stiffness[1:4], stiffness[4] = CHROMA_STIFFNESS, max(CHROMA_STIFFNESS, as_told)
        channels = [_fitted(features, albedo[:, c], seen[:, c], grey, stiffness) for c in range(3)]
        coefficients = np.stack(channels, axis=1) * level
    tone = Tone(coefficients, key.direction, np.ones((materials, 3)))
    return replace(tone, gains=_gains(tone, normals, base, seen, material, materials))


def _fitted(features: Array, albedo: Array, shown: Array, expected: Array, stiffness: Array) -> Array:
    """Return the coefficients (5,) of features (P, 5) of the light: robust, and near what is expected."""
    found = expected
    for _ in range(ROUNDS):
        predicted = albedo * np.maximum(features @ found, 0.05)
        floor = np.maximum(predicted, 0.02)
        weight = 1 / (1 + ((shown - predicted) / floor / OUTLIER) ** 2) / floor**2
        design = features * albedo[:, None]
        pull = stiffness * (weight * albedo**2).sum()
        matrix = design.T @ (weight[:, None] * design) + np.diag(pull)
        found = np.linalg.solve(matrix, design.T @ (weight * shown) + pull * expected)
        found[0], found[4] = max(found[0], 1e-3), max(found[4], 0.0)
    return found


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
