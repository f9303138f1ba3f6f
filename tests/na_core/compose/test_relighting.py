"""Objects of another photo come into the light of the background's."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from na_core.compose import relighting
from na_core.compose.relighting import Relighting
from na_core.geometry.boxes import box_matrix
from na_core.raster.colour import linear_from_srgb, srgb_from_linear
from na_core.scene import Box, PlacedAsset
from tests.na_core.stage import Stage
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, studio_of

PLACE = Box(box_matrix((0.0, 3.2, 0.3), (0.5, 0.4, 0.6)))
MANY = 2 / (2 + relighting.FEW)
"""What two objects around tell of brightness, of what many would."""


def exposed(photo: NDArray[np.uint8], factors: ArrayLike) -> NDArray[np.uint8]:
    """Return a photo with its channels' light multiplied."""
    light = linear_from_srgb(torch.from_numpy(photo).double() / 255) * torch.tensor(factors)
    return (srgb_from_linear(light) * 255).round().to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def own() -> Studio:
    """Return a photo of two boxes that is nowhere so bright that it clips when it is doubled."""
    dim = build_studio([LEFT, RIGHT], 96, 72)
    return studio_of((40 + dim.photo * 0.4).astype(np.uint8), dim.camera, dim.boxes)


def guest_in(own: Studio, factors: ArrayLike, match: float = 1.0) -> Stage:
    """Bring the photo's left box into another photo of the same scene, in another light."""
    photo = exposed(own.photo, factors)
    photo[0, 0] ^= 1  # another photo, even in the same light
    there = studio_of(photo, own.camera, own.boxes)
    frame = there.frame()
    guest = PlacedAsset(own.assets[0], PLACE, match_light=match)
    frame = dataclasses.replace(frame, assets=(*frame.assets, guest))
    return Stage((frame,), {**there.photos, **own.photos})


def gain(stage: Stage) -> NDArray[np.float64]:
    """Return the logarithms by which the guest's colours change."""
    found = Relighting.of(stage.batch(), stage.layers).gains
    assert found is not None and (found[0, :2] == 1).all()
    return found[0, 2].double().log().numpy()


@pytest.mark.parametrize("factor", [0.4, 0.6, 1.4])
def test_a_guest_takes_over_a_share_of_another_exposure(own: Studio, factor: float) -> None:
    # The guest's own colour is not that of both boxes, whose mean stands for what is there.
    same = gain(guest_in(own, 1.0))
    expected = relighting.BRIGHTNESS * MANY * math.log(factor)
    np.testing.assert_allclose(gain(guest_in(own, factor)) - same, expected, atol=0.03)


def test_a_guest_takes_over_a_share_of_another_lights_colour(own: Studio) -> None:
    factors = np.array([1.3, 1.0, 0.6])
    change = gain(guest_in(own, factors)) - gain(guest_in(own, 1.0))
    cast = np.log(factors) - np.log(factors).mean()
    share = relighting.OBJECT_CAST + relighting.PHOTO_CAST
    np.testing.assert_allclose(change - change.mean(), share * cast, atol=0.03)


def test_no_guest_changes_by_more_than_a_stop(own: Studio) -> None:
    bright = studio_of(np.full_like(own.photo, 250), own.camera, own.boxes)
    change = gain(guest_in(bright, 1e-3))
    assert (np.abs(change) <= relighting.MOST_BRIGHTNESS + relighting.MOST_CAST + 1e-6).all()
    assert change.mean() == pytest.approx(-relighting.MOST_BRIGHTNESS, abs=1e-3)


def test_its_pixels_change_by_that_in_linear_light(own: Studio) -> None:
    stages = [guest_in(own, (0.5, 0.4, 0.6), match) for match in (0.0, 1.0)]
    unchanged, lit = (stage.shown() for stage in stages)
    on_guest = (lit.index == 2) & lit.validity
    assert on_guest.sum() > 50
    expected = srgb_from_linear(
        linear_from_srgb(torch.from_numpy(unchanged.picture[on_guest]).double())
        * torch.from_numpy(gain(stages[1])).exp()
    )
    # Where neighbours show what lies apart, seams are softened: of mixed colours the mean is another.
    assert np.median(np.abs(lit.picture[on_guest] - expected.numpy())) < 1e-3
    elsewhere = (lit.index != 2) & (lit.index == unchanged.index)
    far = elsewhere & ~_grown(lit.index == 2)
    np.testing.assert_array_equal(lit.picture[far], unchanged.picture[far])


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return torch.nn.functional.max_pool2d(torch.from_numpy(mask)[None].float(), 7, 1, 3)[0].numpy() > 0


def test_half_of_a_match_is_half_of_the_logarithm(own: Studio) -> None:
    whole, half = (gain(guest_in(own, 0.4, match)) for match in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)


def test_what_the_backgrounds_photo_shows_keeps_its_colours_wherever_it_goes(own: Studio) -> None:
    stage = Stage((own.frame({0: PLACE.world_from_box}),), own.photos)
    assert Relighting.of(stage.batch(), stage.layers).gains is None


def test_without_objects_there_only_the_photos_tell(own: Studio) -> None:
    stage = guest_in(own, (1.2, 1.0, 0.7))
    (frame,) = stage.frames
    empty = dataclasses.replace(frame.background, hidden_boxes=())
    alone = stage.of(dataclasses.replace(frame, assets=frame.assets[2:], background=empty))
    found = Relighting.of(alone.batch(), alone.layers).gains
    assert found is not None
    change = found[0, 0].double().log().numpy()
    assert change.mean() == pytest.approx(0, abs=1e-6)
    assert change[0] > 0.02 and change[2] < -0.02
