"""Base colours of meshes, and the light that photos tell of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import box_matrix
from na_core.meshes.base_colours import DARKEST, BaseColours
from na_core.meshes.casting import Caster
from na_core.meshes.mesh_arrays import read_mesh
from na_core.meshes.placed import key_light
from na_core.meshes.tone import NO_KEY, KeyLight, fitted_tone
from na_core.scene import Material, Photo
from tests.na_core.meshes.shapes import cube, cube_bytes
from tests.na_core.sunlit import DARKNESS, sunlit

NAME = "a" * 64
SIZE = np.ones(3)


def linear(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


def front_hits(points: list[tuple[float, float]]):
    """Return where rays along +y meet a cube's front."""
    ways = np.array([(x / 100, 1.0, z / 100) for x, z in points])
    return Caster(*cube()).cast(np.array([0, -100.5, 0]), ways)


def front_uvs() -> np.ndarray:
    """Return UVs of a cube whose u is x and whose v is z."""
    vertices, triangles = cube()
    return vertices[triangles][..., (0, 2)] + 0.5


def test_a_mesh_without_materials_is_grey() -> None:
    colours = BaseColours(read_mesh(cube_bytes()), (), {}, SIZE).at(front_hits([(0, 0)]), np.zeros(1))
    np.testing.assert_allclose(colours, linear(0.8))


def test_materials_go_by_number_and_the_last_stands_for_those_beyond() -> None:
    mesh = read_mesh(cube_bytes(materials=np.array([0] * 4 + [1, 7] + [0] * 6)))
    materials = (Material((1.0, 0.0, 0.0)), Material((0.0, 0.5, 1.0)))
    hits = front_hits([(0.2, -0.2), (-0.2, 0.2)])
    colours = BaseColours(mesh, materials, {}, SIZE).at(hits, np.zeros(2))
    np.testing.assert_allclose(colours, [[DARKEST, linear(0.5), 1.0]] * 2)


def test_textures_lie_as_blender_lays_them() -> None:
    """UV (0, 0) is the picture's lower left."""
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0], picture[1, 1] = (255, 0, 0), (0, 255, 0)  # upper left, lower right
    mesh = read_mesh(cube_bytes(uvs=front_uvs()))
    base = BaseColours(mesh, (Material(texture=Photo(NAME)),), {NAME: picture}, SIZE)
    colours = base.at(front_hits([(-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)]), np.zeros(3))
    np.testing.assert_allclose(
        colours, [[1, DARKEST, DARKEST], [DARKEST, 1, DARKEST], [DARKEST] * 3], atol=1e-5
    )


def test_fine_textures_are_averaged_over_large_pixels() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:, ::2] = 255
    base = BaseColours(
        read_mesh(cube_bytes(uvs=front_uvs())), (Material(texture=Photo(NAME)),), {NAME: picture}, SIZE
    )
    hits = front_hits([(x, 0.1) for x in np.linspace(-0.4, 0.4, 50)])
    fine, coarse = base.at(hits, np.full(50, 1 / 512)), base.at(hits, np.full(50, 1 / 16))
    assert fine.std() > 0.2
    np.testing.assert_allclose(coarse, 0.5, atol=0.02)


def test_a_texture_without_uvs_counts_for_nothing() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    material = Material((0.5, 0.5, 0.5), Photo(NAME))
    base = BaseColours(read_mesh(cube_bytes()), (material,), {NAME: picture}, SIZE)
    np.testing.assert_allclose(base.at(front_hits([(0, 0)]), np.zeros(1)), linear(0.5))


def test_colours_of_corners_take_the_materials_place() -> None:
    colours = np.zeros((12, 3, 3), np.uint8)
    colours[..., 2] = 255
    base = BaseColours(read_mesh(cube_bytes(colours=colours)), (Material((1.0, 0.0, 0.0)),), {}, SIZE)
    np.testing.assert_allclose(base.at(front_hits([(0.1, 0.2)]), np.zeros(1)), [[DARKEST, DARKEST, 1]])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_light_that_is_diffuse_is_found_in_spite_of_highlights(seed: int) -> None:
    random = np.random.default_rng(seed)
    normals = random.normal(size=(400, 3))
    normals[:, 1] = -np.abs(normals[:, 1])  # the side that the photo shows
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    base = random.uniform(0.05, 0.9, (400, 3))
    towards = random.normal(size=3)
    towards *= 0.3 / np.linalg.norm(towards)
    light = random.uniform(0.4, 1.2, 3) * (1 + normals @ towards)[:, None]
    seen = base * light
    seen[:20] += 1.5  # highlights
    found = fitted_tone(normals, base, seen, np.zeros(400, int), 1).light(normals)
    assert np.median(np.abs(found / light - 1)) < 0.08


def test_one_brightness_where_few_points_tell() -> None:
    tone = fitted_tone(
        np.tile([0, 0, 1.0], (5, 1)), np.full((5, 3), 0.5), np.full((5, 3), 0.2), np.zeros(5, int), 1
    )
    np.testing.assert_allclose(tone.light(np.array([[0, 0, 1.0], [0, 0, -1.0]])), 0.4)


def test_a_mesh_that_no_photo_shows_keeps_its_colours() -> None:
    empty = np.zeros((0, 3))
    tone = fitted_tone(empty, empty, empty, np.zeros(0, int), 2)
    np.testing.assert_array_equal(tone.light(np.array([[0, 1.0, 0]])), 1)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_light_never_vanishes_nor_blinds(level: float) -> None:
    normals = np.array([[np.cos(a), np.sin(a), 0] for a in np.linspace(0, 3, 60)])
    seen = np.full((60, 3), level) * (normals[:, :1] > 0)
    light = fitted_tone(normals, np.full((60, 3), 0.5), seen, np.zeros(60, int), 1).light(-normals)
    assert (light > 0).all()
    assert np.isfinite(light).all()


def test_each_material_is_brought_to_what_the_photo_shows_of_it() -> None:
    """A mesh that says red where the photo shows blue is wrong: the photo counts, by how much it shows."""
    random = np.random.default_rng(0)
    normals = random.normal(size=(900, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    material = np.repeat([0, 1, 2], [600, 290, 10])
    said = np.array([[0.5, 0.5, 0.5], [0.6, 0.1, 0.1], [0.2, 0.2, 0.2]])
    true = np.array([[0.5, 0.5, 0.5], [0.2, 0.1, 0.3], [0.8, 0.8, 0.8]])
    tone = fitted_tone(normals, said[material], 0.7 * true[material], material, 4)
    found = said * tone.gains[:3] * tone.light(np.array([[0, 0, 1.0]]))
    np.testing.assert_allclose(found[:2], 0.7 * true[:2], rtol=0.3)
    assert (found[2] > 0.7 * 0.2).all()
    assert (found[2] < 0.7 * 0.8).all()  # ten points tell a little
    np.testing.assert_array_equal(tone.gains[3], 1)


def front_half(random: np.random.Generator) -> np.ndarray:
    """Return normals (400, 3) of what a photo shows that looks along +Y."""
    normals = random.normal(size=(400, 3))
    normals[:, 1] = -np.abs(normals[:, 1])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 6))
def test_a_sun_behind_lights_the_side_that_no_photo_shows(seed: int, strength: float) -> None:
    random = np.random.default_rng(seed)
    normals, sun = front_half(random), np.array([0.3, 0.8, 0.52])
    sun /= np.linalg.norm(sun)
    base = random.uniform(0.05, 0.9, (400, 3))

    def lit(of: np.ndarray) -> np.ndarray:
        return 0.3 * (1 + strength * np.maximum(of @ sun, 0))[:, None] * np.ones(3)

    material = np.zeros(400, int)
    known = fitted_tone(normals, base, base * lit(normals), material, 1, KeyLight(sun, strength))
    unknown = fitted_tone(normals, base, base * lit(normals), material, 1)
    errors = [np.abs(tone.light(-normals) / lit(-normals) - 1).mean() for tone in (known, unknown)]
    assert errors[0] < 0.1
    assert errors[0] < errors[1]


def test_what_the_photo_shows_corrects_what_the_shadows_say() -> None:
    random = np.random.default_rng(0)
    normals = random.normal(size=(2000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sun, base = np.array([0, -0.6, 0.8]), np.full((2000, 3), 0.5)
    light = 0.3 * (1 + 2 * np.maximum(normals @ sun, 0))[:, None] * np.ones(3)
    for said in (1.0, 2.0, 4.0):
        tone = fitted_tone(normals, base, base * light, np.zeros(2000, int), 1, KeyLight(sun, said))
        assert np.abs(tone.gains[0] * tone.light(normals) / light - 1).mean() < 0.15


def test_shadows_tell_how_strong_the_light_is() -> None:
    made = sunlit([box_matrix((0.2, 4.0, 0.4), (0.8, 0.6, 0.8), 0.5)], 320, 240)
    layers = made.layers(made.shot.frame({}))
    found = key_light(layers)
    np.testing.assert_allclose(found.direction, layers.light[0])
    expected = (np.exp(-DARKNESS.mean()) - 1) / found.direction[2]
    assert found.strength == pytest.approx(expected, rel=0.1)
    unlit = replace(layers, light=torch.zeros_like(layers.light))
    assert key_light(unlit) == NO_KEY


def test_the_colour_of_the_light_on_one_side_is_not_carried_far_to_the_other() -> None:
    random = np.random.default_rng(0)
    normals, base = front_half(random), np.full((400, 3), 0.5)
    warm = 0.5 + 0.2 * normals[:, :1] * np.array([1.0, 0, -1.0])  # red from the right, blue from the left
    light = fitted_tone(normals, base, base * warm, np.zeros(400, int), 1).light(np.array([[-1.0, 0, 0]]))
    assert 1 < light[0, 2] / light[0, 0] < 0.7 / 0.3
