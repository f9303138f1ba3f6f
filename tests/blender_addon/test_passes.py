"""Passes in Blender: what a view layer asks for arrives in multilayer files, cut, numbered and named."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest

from na_core.geometry.camera import pixel_centres, rays

OpenEXR = pytest.importorskip("OpenEXR")

pytestmark = pytest.mark.usefixtures("settings")

SWITCHES = tuple(
    f"use_pass_{name}" for name in ("z", "object_index", "normal", "position", "vector", "shadow")
)
OURS = ("use_pass_plate", "use_pass_proxy", "use_pass_validity", "use_pass_alpha")


def read(path):
    """Return a multilayer file's channels (H, W) by "pass.letter"."""
    with OpenEXR.File(str(path), separate_channels=True) as opened:
        return {
            ".".join(name.split(".")[1:]): channel.pixels.astype(np.float32)
            for part in opened.parts
            for name, channel in part.channels.items()
        }


@pytest.fixture
def layered(table, tmp_path):
    """A scene that writes multilayer files."""
    settings = table.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    table.render.filepath = str(tmp_path / "frame.exr")
    table.neural_assets.preset = "draft"
    table.objects["Cup"].pass_index, table.objects["Jar"].pass_index = 7, 9
    return table


def render(scene):
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return read(scene.render.filepath)


def ask_for_everything(scene):
    layer = scene.view_layers[0]
    for name in SWITCHES:
        setattr(layer, name, True)
    for name in OURS:
        setattr(layer.neural_assets, name, True)


def letters_of(found, name):
    return "".join(sorted(key.removeprefix(f"{name}.") for key in found if key.startswith(f"{name}.")))


def test_a_view_layer_gets_the_passes_that_it_asks_for(layered) -> None:
    layered.view_layers[0].use_pass_z = False
    assert {name.split(".")[0] for name in render(layered)} == {"Combined"}
    ask_for_everything(layered)
    found = render(layered)
    assert letters_of(found, "Depth") in ("Z", "V")
    assert letters_of(found, "Normal") == letters_of(found, "Position") == "XYZ"
    assert letters_of(found, "Vector") == "WXYZ"
    assert letters_of(found, "Plate") == letters_of(found, "Proxy") == "BGR"
    assert "Validity.V" in found
    assert "Alpha Cup.V" in found
    assert "Alpha Jar.V" in found
    for values in found.values():
        assert values.shape == (64, 96)


def test_values_are_those_of_the_frame(api, layered) -> None:
    ask_for_everything(layered)
    found = render(layered)
    depth = found.get("Depth.Z", found.get("Depth.V"))
    index = next(
        values for name, values in found.items() if name.split(".")[0] in ("IndexOB", "Object Index")
    )
    assert set(np.unique(index)) <= {0, 7, 9}
    camera = api.frame(scene=layered).camera
    eye, forward = camera.world_from_camera[:3, 3], -camera.world_from_camera[:3, 2]
    position = np.stack([found[f"Position.{letter}"] for letter in "XYZ"], axis=-1)
    np.testing.assert_allclose((position - eye) @ forward, depth, rtol=1e-4)
    inner = (index == 7) & (found["Alpha Cup.V"] == 1)
    assert inner.sum() > 50
    assert (found["Alpha Cup.V"][index == 9] < 1).all()
    ground = position[(index == 0) & (depth < 4)]
    np.testing.assert_allclose(ground[:, 2], 0, atol=1e-3)
    proxy, combined = (np.stack([found[f"{n}.{c}"] for c in "RGB"], -1) for n in ("Proxy", "Combined"))
    np.testing.assert_allclose(proxy, combined, atol=5e-3)  # the draft shows the proxy, in 8 bits


def test_motion_is_that_of_keyframes(api, layered) -> None:
    cup = layered.objects["Cup"]
    for frame, x in ((1, 0.0), (2, 0.1), (3, 0.3)):
        layered.frame_set(frame)
        cup.location.x += x
        cup.keyframe_insert("location", frame=frame)
    for curve in cup.animation_data.action.fcurves if hasattr(cup.animation_data.action, "fcurves") else ():
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    layered.frame_set(2)
    ask_for_everything(layered)
    found = render(layered)
    assert layered.frame_current == 2
    depth = found.get("Depth.Z", found.get("Depth.V"))
    index = next(
        values for name, values in found.items() if name.split(".")[0] in ("IndexOB", "Object Index")
    )
    camera = api.frame(2, scene=layered).camera
    pixels = camera.fx * 96 / depth
    own = index == 7
    assert own.any()
    right = camera.world_from_camera[0, 0]
    np.testing.assert_allclose(found["Vector.X"][own], -0.1 * right * pixels[own], rtol=0.05)
    np.testing.assert_allclose(found["Vector.Z"][own], -0.3 * right * pixels[own], rtol=0.05)
    np.testing.assert_allclose(found["Vector.X"][index == 9], 0, atol=1e-3)


def test_a_border_cuts_passes_as_it_cuts_the_picture(layered) -> None:
    ask_for_everything(layered)
    whole = render(layered)
    render_settings = layered.render
    render_settings.use_border = render_settings.use_crop_to_border = True
    render_settings.border_min_x, render_settings.border_max_x = 0.25, 0.75
    render_settings.border_min_y, render_settings.border_max_y = 0.25, 0.75
    part = render(layered)
    np.testing.assert_allclose(part["Position.X"], whole["Position.X"][16:48, 24:72], atol=1e-5)


def test_without_asking_nothing_more_is_sent(api, layered, part, monkeypatch) -> None:
    sent = []
    original = part("render.final").render_picture

    def watched(job, *arguments, **options):
        sent.append(job)
        return original(job, *arguments, **options)

    monkeypatch.setattr(part("render.final"), "render_picture", watched)
    layered.view_layers[0].use_pass_z = False
    render(layered)
    assert sent[0].passes == ()
    assert sent[0].before is sent[0].after is None


class TestTransparentFilm:
    """The assets alone, with alpha."""

    def test_over_the_background_it_is_the_frame_again(self, api, layered) -> None:
        ask_for_everything(layered)
        layered.objects["Cup"].location.x += 0.1
        opaque = render(layered)
        layered.render.film_transparent = True
        found = render(layered)
        alpha = found["Combined.A"][..., None]
        assert (opaque["Combined.A"] == 1).all()
        assert 0 < alpha.mean() < 1
        own, whole, plate, shadow = (
            np.stack([source[f"{name}.{letter}"] for letter in "RGB"], axis=-1)
            for source, name in (
                (found, "Combined"),
                (opaque, "Combined"),
                (found, "Plate"),
                (found, "Shadow"),
            )
        )
        assert (own[alpha[..., 0] == 0] == 0).all()
        inside = alpha[..., 0] == 1
        np.testing.assert_allclose(own[inside], whole[inside], atol=1e-6)

        def coded(light):
            light = light.clip(0, 1)
            return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)

        straight = np.divide(own, alpha, out=np.zeros_like(own), where=alpha > 0)
        again = alpha * coded(straight) + (1 - alpha) * coded(plate * shadow)
        error = np.abs(again - coded(whole)).max(axis=-1)
        assert np.quantile(error, 0.99) < 0.02

    def test_without_assets_everything_is_transparent(self, layered) -> None:
        layered.render.film_transparent = True
        for name in ("Cup", "Jar"):
            layered.objects[name].hide_render = True
        found = render(layered)
        assert not found["Combined.A"].any()
        assert not found["Combined.R"].any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_depth_index_and_position_of_meshes_are_blenders_own_ray_casts(api, layered, seed) -> None:
    """Off the edges, to a thousandth; against ``Scene.ray_cast`` through the middle of every pixel."""
    random = np.random.default_rng(seed)
    for number, (name, make) in enumerate(
        (("Cup", bpy.ops.mesh.primitive_monkey_add), ("Jar", bpy.ops.mesh.primitive_torus_add))
    ):
        make()
        asset, mesh = layered.objects[name], bpy.context.active_object
        smooth = mesh.modifiers.new("Smooth", "SUBSURF")
        smooth.levels = smooth.render_levels = 1
        api.fit_mesh(asset, mesh, scene=layered)
        asset.location.x += random.uniform(-0.2, 0.2)
        asset.location.y += random.uniform(-0.3, 0.3) * (number + 1)
        asset.rotation_euler = random.uniform(-1, 1, 3).tolist()
    ask_for_everything(layered)
    found = render(layered)
    depth = found.get("Depth.Z", found.get("Depth.V"))
    index = next(v for name, v in found.items() if name.split(".")[0] in ("IndexOB", "Object Index"))
    position = np.stack([found[f"Position.{letter}"] for letter in "XYZ"], axis=-1)

    camera = api.frame(scene=layered).camera
    eye = camera.world_from_camera[:3, 3]
    numbers = {layered.objects[n].neural_asset.mesh: layered.objects[n].pass_index for n in ("Cup", "Jar")}
    height, width = depth.shape
    ways = rays(camera, pixel_centres(width, height))
    cast, own = np.full(depth.shape, np.inf), np.zeros(depth.shape, int)
    depsgraph = layered.view_layers[0].depsgraph
    for row in range(height):
        for column in range(width):
            way = ways[row, column]
            hit, place, _, _, item, _ = layered.ray_cast(depsgraph, eye, way / np.linalg.norm(way))
            if hit:
                cast[row, column] = np.dot(np.array(place) - eye, way) / np.dot(way, way)
                own[row, column] = numbers[item.original]
    inner = np.ones(own.shape, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(own, step, axis) == own
    assert (own > 0).sum() > 150
    assert (index[inner] == own[inner]).mean() >= 0.999
    shown = inner & (own > 0) & (index == own)
    assert (np.abs(depth[shown] / cast[shown] - 1) <= 1e-3).mean() >= 0.999
    expected = eye + ways * cast[..., None]
    away = np.linalg.norm(position - expected, axis=-1)[shown] / cast[shown]
    assert (away <= 1e-3).mean() >= 0.999


def test_cryptomatte_knows_assets_by_their_names(layered) -> None:
    """As a reader finds them: the manifest in the header, and each name's number with its coverage."""
    layer = layered.view_layers[0]
    layer.use_pass_cryptomatte_object = layer.neural_assets.use_pass_alpha = True
    found = render(layered)
    with OpenEXR.File(layered.render.filepath, separate_channels=True) as opened:
        header = dict(opened.parts[0].header)
    (manifest,) = (value for key, value in header.items() if key.endswith("/manifest"))
    numbers = {name: int(bits, 16) for name, bits in json.loads(manifest).items()}
    assert numbers.keys() == {"Cup", "Jar"}
    letters = [found[f"CryptoObject{n:02d}.{letter}"] for n in range(3) for letter in "RGBA"]
    ranks = np.stack(letters, axis=-1).reshape(*letters[0].shape, 6, 2)
    for name, bits in numbers.items():
        number = np.array([bits], np.uint32).view(np.float32)[0]
        coverage = np.where(ranks[..., 0] == number, ranks[..., 1], 0).sum(axis=-1)
        np.testing.assert_allclose(coverage, found[f"Alpha {name}.V"], atol=1e-6)
        assert coverage.max() > 0.9
