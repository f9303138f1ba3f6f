"""A photo is taken apart once, whatever is asked of it, and anew where anything of it changes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from na_core.layers.layers import Layers
from na_core.layers.store import PHOTOS, LayerStore, cached, sampled_size
from na_core.layers.take_apart import TakingApart
from na_core.scene import MAX_SIDE
from na_core.tensors.views import SourceView, source_views
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio

CPU = torch.device("cpu")


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what counts how often photos were taken apart."""
    import na_core.layers.store as store

    calls: list[None] = []
    take_apart = store.take_apart

    def counted(*arguments: object, **options: object) -> Layers:
        calls.append(None)
        return take_apart(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "take_apart", counted)
    return lambda: len(calls)


def view_of(studio: Studio) -> SourceView:
    return source_views(studio.frame())[0]


class TestOnce:
    def test_for_every_size(self, studio: Studio, times: Callable[[], int]) -> None:
        store = LayerStore()
        for side in (64, 32, 128, 64):
            layers = store.sampled([view_of(studio)], studio.photos, side, TakingApart(), CPU)
            assert layers.picture.shape == (1, side, side, 3)
        assert times() == 1

    def test_wherever_its_objects_stand(self, studio: Studio, times: Callable[[], int]) -> None:
        store = LayerStore()
        for frame in (studio.frame(), studio.frame({0: studio.boxes[1]}), studio.frame({1: studio.boxes[0]})):
            store.sampled(source_views(frame), studio.photos, 64, TakingApart(), CPU)
        assert times() == 1

    def test_two_assets_from_one_photo_are_one_view(self, studio: Studio, times: Callable[[], int]) -> None:
        twice = studio.frame(assets=[*studio.assets, *studio.assets])
        LayerStore().sampled(source_views(twice), studio.photos, 64, TakingApart(), CPU)
        assert times() == 1

    def test_what_is_kept_is_what_was_made(self, studio: Studio, network: UNet2DModel) -> None:
        warm, how = LayerStore(), TakingApart(network, 64)
        for side in (64, 96, 64):
            first = warm.sampled([view_of(studio)], studio.photos, side, how, CPU)
            again = LayerStore().sampled([view_of(studio)], studio.photos, side, how, CPU)
            for name in ("picture", "cover", "plate", "real"):
                assert torch.equal(getattr(first, name), getattr(again, name)), name
            assert torch.equal(first.surfaces.packed, again.surfaces.packed)


class TestAnew:
    @pytest.mark.parametrize("change", ["photo", "camera", "box", "rectangle", "hidden"])
    def test_where_the_view_is_another(self, change: str, studio: Studio, times: Callable[[], int]) -> None:
        view = view_of(studio)
        other = {
            "photo": replace(view, sha256="f" * 64),
            "camera": replace(view, camera=replace(view.camera, fx=1.3)),
            "box": replace(view, boxes=view.boxes[::-1]),
            "rectangle": replace(view, rectangles=(None, *view.rectangles[1:])),
            "hidden": replace(view, hidden=1),
        }[change]
        store, photos = LayerStore(), {view.sha256: studio.photo, "f" * 64: studio.photo}
        for each in (view, other, view):
            store.sampled([each], photos, 64, TakingApart(), CPU)
        assert times() == 2

    def test_where_it_is_done_another_way(
        self, studio: Studio, network: UNet2DModel, times: Callable[[], int]
    ) -> None:
        store = LayerStore()
        ways = (
            TakingApart(),
            TakingApart(network, 64),
            TakingApart(network, 32),
            TakingApart(network, 64, texture=True),
            TakingApart(deepcopy(network), 64),
        )
        for how in (*ways, *ways):
            found = store.sampled([view_of(studio)], studio.photos, 64, how, CPU)
            expected = LayerStore().sampled([view_of(studio)], studio.photos, 64, how, CPU)
            assert torch.equal(found.surfaces.packed, expected.surfaces.packed)
            assert torch.equal(found.plate, expected.plate)
        assert times() == len(ways) + 2 * len(ways)  # the second, of the stores that forget

    def test_where_the_network_has_another_precision(
        self, studio: Studio, network: UNet2DModel, times: Callable[[], int]
    ) -> None:
        store, how = LayerStore(), TakingApart(deepcopy(network), 64)
        store.sampled([view_of(studio)], studio.photos, 64, how, CPU)
        assert how.network is not None
        how.network.to(torch.bfloat16)
        store.sampled([view_of(studio)], studio.photos, 64, how, CPU)
        assert times() == 2

    def test_after_it_has_been_cleared(self, studio: Studio, times: Callable[[], int]) -> None:
        store = LayerStore()
        for _ in range(2):
            store.sampled([view_of(studio)], studio.photos, 64, TakingApart(), CPU)
            store.clear()
        assert times() == 2


class TestSizes:
    @pytest.mark.parametrize(
        ("side", "photo", "size"),
        [
            (64, (200, 100), (64, 32)),
            (64, (100, 200), (32, 64)),
            (300, (200, 100), (300, 150)),
            (64, (1000, 3), (64, 1)),
            (1e6, (200, 100), (MAX_SIDE, MAX_SIDE // 2)),
        ],
    )
    def test_a_photo_keeps_its_shape(
        self, side: float, photo: tuple[int, int], size: tuple[int, int]
    ) -> None:
        assert sampled_size(side, *photo) == size

    def test_every_photo_has_the_longer_side_asked_for(self, studio: Studio) -> None:
        guest = build_studio([RIGHT], 90, 30, seed=4)
        views = view_of(studio), view_of(guest)
        layers = LayerStore().sampled(views, studio.photos | guest.photos, 60, TakingApart(), CPU)
        assert layers.extents is not None
        assert layers.extents.tolist() == [[60, 60], [60, 20]]


def test_a_missing_photo_is_named(studio: Studio) -> None:
    with pytest.raises(KeyError, match=studio.name.sha256):
        LayerStore().sampled([view_of(studio)], {}, 64, TakingApart(), CPU)


def test_the_photo_itself_is_not_written_to() -> None:
    studio = build_studio([LEFT, RIGHT])
    before = studio.photo.copy()
    studio.photo.flags.writeable = False
    LayerStore().sampled([view_of(studio)], studio.photos, 64, TakingApart(), CPU)
    np.testing.assert_array_equal(studio.photo, before)


def test_of_more_photos_than_are_kept_the_least_recently_used_goes() -> None:
    from collections import OrderedDict

    store: OrderedDict[object, int] = OrderedDict()
    made: list[int] = []

    def make(number: int) -> Callable[[], int]:
        return lambda: made.append(number) or number

    for number in range(PHOTOS):
        assert cached(store, number, make(number), PHOTOS) == number
    cached(store, 0, make(0), PHOTOS)  # used again: 1 is the oldest now
    cached(store, PHOTOS, make(PHOTOS), PHOTOS)
    assert 0 in store and 1 not in store
    assert len(store) == PHOTOS
    assert made == [*range(PHOTOS + 1)]
