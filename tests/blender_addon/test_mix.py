"""Mix with CG: Blender's own objects in the neural picture, by depth, with their shadows on the photo's
ground."""

from __future__ import annotations

import numpy as np
import pytest
from mathutils import Matrix

bpy = pytest.importorskip("bpy")

SIDE = 96


@pytest.fixture
def stage(scene, api, tmp_path):
    """A grey photo of the ground, from above, with an asset in its middle."""
    from PIL import Image

    path = tmp_path / "grey.png"
    Image.fromarray(np.full((SIDE, SIDE, 3), 180, np.uint8)).save(path)
    api.import_photo(path, scene=scene)
    scene.camera.matrix_world = Matrix.Translation((0, -4, 3)) @ Matrix.Rotation(0.95, 4, "X")
    scene.view_layers[0].update()
    api.capture_photo_camera(scene=scene)
    box = np.diag([0.8, 0.4, 0.8, 1.0])
    box[2, 3] = 0.4
    api.add_asset(name="Cup", world_from_box=box, scene=scene)
    scene.neural_assets.preset = "draft"
    scene.render.engine = "NEURAL_ASSETS"
    return scene


def add_cube(scene, place, size=0.5, name="Cube"):
    mesh = bpy.data.meshes.new(name)
    points = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata((np.array(points) * size / 2).tolist(), [], faces)
    material = bpy.data.materials.new("Red")
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (1, 0, 0, 1)
    mesh.materials.append(material)
    item = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(item)
    item.location = place
    return item


def rendered(scene, other, tmp_path):
    """Return the picture (H, W, 3) that F12 writes."""
    from PIL import Image

    other.cycles.samples = 8
    other.cycles.use_denoising = False
    scene.render.filepath = str(tmp_path / "mixed.png")
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return np.asarray(Image.open(scene.render.filepath).convert("RGB")).astype(int)


def reds(picture):
    return (picture[..., 0] - picture[..., 1] > 40).sum()


def test_cg_hides_and_is_hidden_by_depth_and_throws_shadows(api, stage, settings, tmp_path) -> None:
    cube = add_cube(stage, (0, -0.8, 0.25))
    other = api.mix_with_cg(stage)
    in_front = rendered(stage, other, tmp_path)
    darker = (in_front.max(axis=2) < 150) & (np.ptp(in_front, axis=2) < 12)
    assert reds(in_front) > 100
    assert darker.sum() > 30  # its shadow on the photo's ground
    far = (in_front == 180).all(axis=2)
    assert far.mean() > 0.5  # what nothing of it touches is the photo, to the bit
    cube.location.y = 0.9
    behind = rendered(stage, other, tmp_path)
    assert reds(behind) < 0.6 * reds(in_front)  # the asset hides most of it


def test_a_photo_without_objects_has_nothing_to_mix(api, stage) -> None:
    with pytest.raises(api.UserError, match="no object to mix"):
        api.mix_with_cg(stage)


def test_called_again_it_takes_up_what_changed(api, stage) -> None:
    first = add_cube(stage, (1, 0, 0.25))
    other = api.mix_with_cg(stage)
    nodes = len(_tree(stage).nodes)
    second = add_cube(stage, (-1, 0, 0.25), name="Other")
    first.hide_render = True
    stage.render.resolution_percentage = 50
    stage.frame_end = 17
    assert api.mix_with_cg(stage) == other
    assert len(_tree(stage).nodes) == nodes
    shown = bpy.data.collections[f"{stage.name} CG CG"].objects
    assert list(shown) == [second]
    assert (other.render.resolution_percentage, other.frame_end) == (50, 17)
    assert other.camera == stage.camera


def test_fitted_meshes_catch_shadows_and_are_not_shown(api, stage) -> None:
    add_cube(stage, (1, 0, 0.25))
    mesh = add_cube(stage, (0, 0, 0.4), name="Shape")
    api.fit_mesh(stage.objects["Cup"], mesh, scene=stage)
    other = api.mix_with_cg(stage)
    collections = other.collection.children
    assert "Shape" not in collections[f"{other.name} CG"].objects
    assert "Shape" in collections[f"{other.name} Shadow Catcher"].objects
    assert mesh.is_shadow_catcher
    layers = other.view_layers
    assert layers["CG"].layer_collection.children[f"{other.name} Shadow Catcher"].exclude
    assert layers["Shadow"].layer_collection.children[f"{other.name} CG"].indirect_only


def test_lights_of_the_scene_light_it_else_a_sun(api, stage) -> None:
    add_cube(stage, (1, 0, 0.25))
    other = api.mix_with_cg(stage)
    lights = other.collection.children[f"{other.name} Lights"].objects
    assert [item.data.type for item in lights] == ["SUN"]
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    stage.collection.objects.link(lamp)
    api.mix_with_cg(stage)
    assert list(lights) == [lamp]


def test_the_operator_does_what_the_function_does(api, stage) -> None:
    add_cube(stage, (1, 0, 0.25))
    assert bpy.ops.neural_assets.mix_with_cg() == {"FINISHED"}
    assert f"{stage.name} CG" in bpy.data.scenes


def _tree(scene):
    return scene.compositing_node_group if bpy.app.version >= (5, 0, 0) else scene.node_tree
