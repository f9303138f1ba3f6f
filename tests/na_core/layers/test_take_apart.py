"""Photos are taken apart at their own resolution, though networks see them at theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from na_core.geometry.boxes import box_matrix
from na_core.layers.photo_network import Inputs, PhotoNetwork, network_inputs
from na_core.layers.plate import PLATE_MARGIN, strip_radius
from na_core.layers.take_apart import LOOKS, TakingApart, take_apart, working_pictures
from na_core.model.checkpoints import load_checkpoint
from na_core.raster.morphology import widened
from na_core.tensors.views import SourceViews, source_views, views_as_tensors
from tests.na_core.reference import nearest_boxes
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, by_area
from tests.na_core.sunlit import sunlit


class TestFilledBoxes:
    """Without a network an object fills its box."""

    def test_a_pixel_shows_the_nearest_box_along_its_ray(self, studio: Studio) -> None:
        layers = take_apart(studio.views())
        expected = nearest_boxes(studio.camera, studio.boxes, 64, 64)
        np.testing.assert_array_equal(layers.owner[0], expected.index)
        np.testing.assert_array_equal(layers.cover[0], expected.index)

    def test_surfaces_are_the_boxs_own(self, studio: Studio) -> None:
        surfaces = take_apart(studio.views()).surfaces
        expected = nearest_boxes(studio.camera, studio.boxes, 64, 64)
        shown = expected.index >= 0
        np.testing.assert_allclose(surfaces.near[0].numpy()[shown], expected.depth[shown], rtol=1e-4)
        np.testing.assert_allclose(surfaces.far[0].numpy()[shown], expected.far[shown], rtol=2e-4)

    def test_beside_an_objects_2d_box_the_ray_goes_on(self) -> None:
        """What the nearer box's 2D box leaves out shows the farther one."""
        before, behind = box_matrix((0.0, 4.0, 0.3), (0.8, 0.5, 0.6)), box_matrix((0.05, 6, 1), (3, 0.5, 2))
        studio = build_studio([before, behind])
        views = studio.views()
        narrow = views.rectangles.clone()
        narrow[0, 0, 2] = narrow[0, 0, [0, 2]].mean()
        owner = take_apart(replace(views, rectangles=narrow)).owner[0].numpy()
        first, second = (nearest_boxes(studio.camera, [box], 64, 64).index == 0 for box in (before, behind))
        right = (np.arange(64) + 0.5 > float(narrow[0, 0, 2]) * 64)[None]
        np.testing.assert_array_equal(owner == 0, first & ~right)
        np.testing.assert_array_equal(owner == 1, second & ~(first & ~right))

    def test_a_box_around_the_camera_shows_the_inside_of_its_far_faces(self, studio: Studio) -> None:
        room = build_studio([box_matrix((0.1, 0.2, 1.5), (6, 6, 4))])
        layers = take_apart(room.views())
        assert (layers.owner == 0).all()
        torch.testing.assert_close(layers.surfaces.near, layers.surfaces.far, rtol=1e-4, atol=0)
        assert (layers.surfaces.near > 1).all()


class TestPlates:
    def test_a_plate_is_the_photo_but_for_hidden_objects_and_a_strip_around_them(
        self, studio: Studio
    ) -> None:
        layers = take_apart(studio.views())
        hole = widened((layers.owner >= 0).float(), strip_radius(64, 64)) > 0
        assert torch.equal(layers.real, ~hole)
        assert torch.equal(layers.plate[~hole], layers.picture[~hole])
        assert (layers.plate[hole] != layers.picture[hole]).float().mean() > 0.8

    def test_the_strip_is_as_wide_as_the_photo_is_large(self) -> None:
        assert strip_radius(1000, 500) == strip_radius(500, 1000) == round(1000 * PLATE_MARGIN)
        assert strip_radius(10, 10) == 1

    def test_what_is_not_hidden_stays_on_the_plate(self, studio: Studio) -> None:
        views = replace(studio.views(), hidden=torch.tensor([[True, False]]))
        layers = take_apart(views)
        far_from_left = widened((layers.owner == 0).float(), strip_radius(64, 64)) == 0
        right = (layers.owner == 1) & far_from_left
        assert right.sum() > 50
        assert torch.equal(layers.plate[right], layers.picture[right])

    def test_smooth_plates_have_no_seam_to_the_photo(self) -> None:
        """In front of one colour nothing is left of what stood there."""
        studio = build_studio([LEFT, RIGHT])
        views = studio.views()
        plain = torch.full_like(views.pictures, 90)
        owner = take_apart(views).owner
        plain[owner >= 0] = 240
        layers = take_apart(replace(views, pictures=plain))
        assert (layers.plate == 90).all()

    def test_texture_is_for_what_a_plate_has_to_guess_alone(self) -> None:
        studio = build_studio([LEFT], 96, 96, coarse=3)
        smooth, textured = (
            take_apart(studio.views(), TakingApart(texture=texture)) for texture in (False, True)
        )
        assert torch.equal(smooth.real, textured.real)
        real = smooth.real[0]
        assert torch.equal(smooth.plate[0][real], textured.plate[0][real])
        spread = [layers.plate[0][~real].float().std(dim=0).mean() for layers in (smooth, textured)]
        assert spread[1] > 1.15 * spread[0]


class TestLargePhotos:
    """A photo that is larger than the working size."""

    WORKING_SIZE = 64

    @pytest.fixture
    def large(self) -> Studio:
        return build_studio([LEFT, RIGHT], 200, 150)

    @pytest.mark.parametrize("with_network", [False, True])
    def test_it_keeps_its_own_pixels_and_gets_maps_as_fine(
        self, with_network: bool, large: Studio, network: PhotoNetwork
    ) -> None:
        layers = take_apart(large.views(), TakingApart(network if with_network else None, self.WORKING_SIZE))
        np.testing.assert_array_equal(layers.picture[0], large.photo)
        assert layers.owner.shape == layers.cover.shape == layers.real.shape == (1, 150, 200)
        assert layers.surfaces.near.shape == (1, 150, 200)
        assert layers.plate.shape == (1, 150, 200, 3)

    def test_the_network_looks_at_the_working_size_and_at_half_of_it(
        self, large: Studio, network: PhotoNetwork
    ) -> None:
        seen: list[Inputs] = []
        handle = network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        take_apart(large.views(), TakingApart(network, self.WORKING_SIZE))
        handle.remove()
        for inputs, share in zip(seen, LOOKS, strict=True):
            expected = by_area(large.photo, round(share * 64), round(share * 48))
            np.testing.assert_allclose(inputs.colours[0].movedim(0, -1) * 255, expected, atol=1e-3)

    def test_every_object_is_within_its_box_in_depth_and_about_in_the_picture(
        self, large: Studio, network: PhotoNetwork
    ) -> None:
        layers = take_apart(large.views(), TakingApart(network, self.WORKING_SIZE))
        for number, box in enumerate(large.boxes):
            alone = nearest_boxes(large.camera, [box], 200, 150)
            shown = layers.owner[0].numpy() == number
            assert shown.sum() > 0.3 * (alone.index == 0).sum()
            around = widened(torch.from_numpy(alone.index == 0).float()[None], 4)[0].numpy() > 0
            assert around[shown].all()
            within = shown & (alone.index == 0)
            near, far = (values[0].numpy()[within] for values in (layers.surfaces.near, layers.surfaces.far))
            inner = alone.depth[alone.index == 0].min(), alone.far[alone.index == 0].max()
            assert (near >= inner[0] * 0.999).all()
            assert (far <= inner[1] * 1.001).all()
            assert (near <= far).all()

    def test_an_owner_covers_its_pixels(self, large: Studio, network: PhotoNetwork) -> None:
        layers = take_apart(large.views(), TakingApart(network, self.WORKING_SIZE))
        owned = layers.owner >= 0
        assert torch.equal(layers.cover[owned].int(), layers.owner[owned])

    def test_a_photo_of_the_working_size_is_seen_as_it_is(
        self, studio: Studio, network: PhotoNetwork
    ) -> None:
        pictures = studio.views().pictures
        assert working_pictures(pictures, 64) is pictures
        seen: list[Inputs] = []
        handle = network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        take_apart(studio.views(), TakingApart(network, 64))
        handle.remove()
        assert torch.equal(seen[0].planes, network_inputs(studio.views()).planes)


class TestManyPhotos:
    def test_a_photo_is_taken_apart_alike_in_any_company(self, network: PhotoNetwork) -> None:
        first, second = (build_studio([LEFT, RIGHT], seed=seed).views() for seed in (1, 2))
        both = SourceViews(
            torch.cat([first.pictures, second.pictures]),
            replace(
                first.camera,
                world_from_camera=first.camera.world_from_camera.expand(2, -1, -1),
                intrinsics=first.camera.intrinsics.expand(2, -1),
            ),
            *(
                torch.cat([getattr(first, name), getattr(second, name)])
                for name in ("boxes", "rectangles", "known", "filled", "hidden")
            ),
        )
        for chosen in (None, network):
            together = take_apart(both, TakingApart(chosen, 64))
            for number, views in enumerate((first, second)):
                alone = take_apart(views, TakingApart(chosen, 64))
                same = together.owner[number] == alone.owner[0]
                assert same.float().mean() > 0.999
                assert torch.equal(together.picture[number], alone.picture[0])
                difference = (together.plate[number].int() - alone.plate[0].int()).abs()
                assert difference[same].float().mean() < 0.1

    def test_the_same_photo_gives_the_same_layers(self, studio: Studio, network: PhotoNetwork) -> None:
        one, two = (take_apart(studio.views(), TakingApart(network, 64)) for _ in range(2))
        for name in ("picture", "cover", "plate", "real"):
            assert torch.equal(getattr(one, name), getattr(two, name)), name
        assert torch.equal(one.surfaces.packed, two.surfaces.packed)
        assert torch.equal(one.surfaces.thickness, two.surfaces.thickness)


class TestShadowsUnderObjects:
    """What `mini` finds in a photo of boxes in the sun."""

    def test_go_on_as_they_are_beside_them(self) -> None:
        of = sunlit([box_matrix((0.2, 4.0, 0.4), (0.8, 0.6, 0.8), 0.5)], 256, 192)
        mini = load_checkpoint("mini")
        views = views_as_tensors(source_views(of.moved({})), torch.from_numpy(of.shot.photo)[None])
        layers = take_apart(views, mini.taking_apart)
        shows, dark = (layers.owner[0] == 0).float(), layers.shadow[0].float().mean(dim=-1)
        shaded = widened(((dark < -0.3) & (shows == 0)).float()[None], 2)[0] > 0
        # The object's pixels beside the shadow that it throws.
        edge = shaded & (shows > 0)
        assert edge.sum() > 50
        assert (dark[edge] < -0.2).float().mean() > 0.9
        assert (layers.shadow_owner[0][edge] == 0).float().mean() > 0.9
