"""A shadow that reaches another object's outline fades under it."""

from __future__ import annotations

import numpy as np

from na_core.layers.shadow_ends import REACH, faded_under_objects

SIDE = 100


def photo() -> tuple[np.ndarray, np.ndarray]:
    """Return object 0's shadow left of object 1, and who throws and shows what."""
    thrower, objects = np.full((SIDE, SIDE), -1, np.int16), np.full((SIDE, SIDE), -1, np.int32)
    thrower[20:80, 10:50] = 0
    objects[10:90, 50:80] = 1
    return thrower, objects


def test_it_goes_on_and_fades() -> None:
    thrower, objects = photo()
    found, share = faded_under_objects(thrower, objects)
    reach = REACH * SIDE
    across = share[50, 50:80] * (found[50, 50:80] == 0)
    expected = np.clip(1 - (np.arange(30) + 1) / reach, 0, 1)
    np.testing.assert_allclose(across, expected, atol=0.02)
    assert (np.diff(across) <= 0).all() and across[0] > 0.8


def test_where_the_photo_shows_the_ground_nothing_changes() -> None:
    thrower, objects = photo()
    found, share = faded_under_objects(thrower, objects)
    shown = objects < 0
    np.testing.assert_array_equal(found[shown], thrower[shown])
    assert (share[shown] == 1).all()


def test_an_objects_own_shadow_under_it_stays_whole() -> None:
    thrower, objects = photo()
    thrower[40:60, 60:70] = 1
    found, share = faded_under_objects(thrower, objects)
    assert (found[40:60, 60:70] == 1).all() and (share[40:60, 60:70] == 1).all()


def test_it_is_gone_before_the_objects_own_begins() -> None:
    thrower, objects = photo()
    thrower[40:60, 53:70] = 1
    found, share = faded_under_objects(thrower, objects)
    across = share[50, 50:53] * (found[50, 50:53] == 0)
    assert across[0] > 0.5 and (np.diff(across) < 0).all() and across[-1] < 0.3


def test_of_two_shadows_the_nearer_goes_on() -> None:
    thrower, objects = photo()
    thrower[20:80, 80:95] = 2
    found, _ = faded_under_objects(thrower, objects)
    assert found[50, 51] == 0 and found[50, 78] == 2 and found[50, 65] == -1


def test_without_shadows_or_objects_there_is_nothing_to_do() -> None:
    nothing = np.full((SIDE, SIDE), -1, np.int16)
    thrower, objects = photo()
    for a, b in ((nothing, objects), (thrower, nothing.astype(np.int32))):
        found, share = faded_under_objects(a, b)
        np.testing.assert_array_equal(found, a)
        assert (share == 1).all()
