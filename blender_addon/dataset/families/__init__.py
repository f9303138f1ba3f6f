"""Object families: each draws one random shape as a list of surfaces.

A family is a function of a random generator. Its object stands on the ground in its usual attitude with
its front towards -Y; absolute size does not matter, objects are resized later. Nearly all lack rotational
symmetry, so that a picture shows which way they face.
"""

from __future__ import annotations

from .belongings import books, camera_body, crate, hammer, laptop, shoe, watering_can
from .family import Family
from .furniture import armchair, cabinet, chair, clock, lamp, pot_plant
from .solids import block, elbow, letterform, pebble, twisted
from .tableware import bottle, bowl, mug, spoon, teapot, vase
from .toys import aeroplane, animal, car, house, tower

FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        mug,
        bottle,
        spoon,
        car,
        house,
        chair,
        lamp,
        shoe,
        crate,
        books,
        teapot,
        elbow,
        tower,
        aeroplane,
        animal,
        camera_body,
        laptop,
        cabinet,
        armchair,
        pot_plant,
        hammer,
        pebble,
        watering_can,
        clock,
        letterform,
        vase,
        bowl,
        block,
        twisted,
    )
}
"""The families that numpy alone can make, by name."""

CARVED = ("suzanne", "solid_text", "carving")
"""The families that need Blender to make their mesh, by name; see :mod:`.carved`."""

FAMILY_NAMES = (*FAMILIES, *CARVED)

SYMMETRY = {"vase": 0, "bowl": 0, "block": 2}
"""Turns about the up axis that leave a family's shape as it was, 0 for any; 1 for families not listed."""
