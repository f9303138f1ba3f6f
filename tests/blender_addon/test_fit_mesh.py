"""Fit Mesh: a mesh of the scene is an asset's shape, wherever the asset goes and however the mesh deforms."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mathutils import Matrix

bpy = pytest.importorskip("bpy")


@pytest.fixture
def cup(table):
    return table.objects["Cup"]


def add_mesh(scene, name="Model", size=(1.0, 2.0, 3.0)):
    """Add a box mesh that is longer than wide, off its origin, somewhere in the scene."""
    points = [(x, y, z) for x in (0, size[0]) for y in (0, size[1]) for z in (0, size[2])]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    item = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(item)
    item.location, item.rotation_euler, item.scale = (5, 6, 7), (0.3, 0.2, 1.0), (2, 2, 2)
    return item


def read_mesh(data):
    """Return the arrays of a mesh's file by their names: what the worker's library reads, in numpy alone."""
    length = int.from_bytes(data[:8], "little")
    kinds = {"F32": "<f4", "I32": "<i4", "I16": "<i2", "U8": "u1"}
    arrays = {}
    for name, each in json.loads(data[8 : 8 + length]).items():
        begin, end = (8 + length + offset for offset in each["data_offsets"])
        arrays[name] = np.frombuffer(data[begin:end], kinds[each["dtype"]]).reshape(each["shape"])
    return SimpleNamespace(**arrays)


def placed(api, scene, name="Cup", number=None):
    frame = api.frame(number, scene=scene)
    return next(each for each in frame.assets if each.asset.name == name)


def bytes_of(part, scene, asset):
    """Return what travels for an asset's mesh: its message, its deformed form's, and the files."""
    scene.view_layers[0].update()
    depsgraph = scene.view_layers[0].depsgraph
    return part("scene.asset_mesh").asset_mesh(asset.evaluated_get(depsgraph), depsgraph)


def vertices_of(part, scene, asset):
    shape = bytes_of(part, scene, asset)
    return read_mesh(shape.files[shape.mesh.file.sha256]).vertices


def test_a_mesh_fills_its_box_with_its_up_and_front_the_boxes(api, part, table, cup) -> None:
    mesh = add_mesh(table)
    api.fit_mesh(cup, mesh, scene=table)
    vertices = vertices_of(part, table, cup)
    expected = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    np.testing.assert_allclose(vertices, expected, atol=1e-5)
    assert mesh.parent == cup
    assert mesh.display_type == "WIRE"
    table.view_layers[0].update()
    corner = np.array(mesh.matrix_world @ mesh.data.vertices[7].co)
    np.testing.assert_allclose(corner, np.array(cup.matrix_world)[:3] @ [0.5, 0.5, 0.5, 1], atol=1e-5)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_mesh_that_faces_another_way_is_turned_by_quarters(api, part, table, cup, turn) -> None:
    api.fit_mesh(cup, add_mesh(table), turn=turn, scene=table)
    vertices = vertices_of(part, table, cup)
    quarter = np.array(Matrix.Rotation(turn * np.pi / 2, 3, "Z"))
    np.testing.assert_allclose(vertices[0], quarter @ [-0.5, -0.5, -0.5], atol=1e-5)
    np.testing.assert_allclose(np.abs(vertices), 0.5, atol=1e-5)


@pytest.mark.parametrize("turn", [0, 1])
def test_proportions_may_be_kept_standing_on_the_boxes_ground(api, table, cup, turn) -> None:
    mesh = add_mesh(table)
    api.fit_mesh(cup, mesh, turn=turn, keep_proportions=True, scene=table)
    table.view_layers[0].update()
    corners = np.array([mesh.matrix_world @ each.co for each in mesh.data.vertices])
    sides = [np.linalg.norm(corners[number] - corners[0]) for number in (4, 2, 1)]
    np.testing.assert_allclose(np.array(sides) / sides[0], [1, 2, 3], rtol=1e-4)
    box = np.linalg.norm(np.array(cup.matrix_world)[:3, :3], axis=0)
    world = np.linalg.inv(np.array(cup.matrix_world))
    local = corners @ world[:3, :3].T + world[:3, 3]
    assert np.isclose(np.ptp(local, axis=0).max(), 1, atol=1e-4), box
    assert np.isclose(local[:, 2].min(), -0.5, atol=1e-4)


def test_the_mesh_stays_the_same_to_the_bit_as_the_asset_moves(api, table, cup) -> None:
    api.fit_mesh(cup, add_mesh(table), scene=table)
    first = placed(api, table)
    for step in range(5):
        cup.location.x += 0.137
        cup.rotation_euler.z += 0.71 * step
        now = placed(api, table)
        assert now.asset.mesh == first.asset.mesh
        assert now.deformed is None
        assert now.box != first.box


def test_adjusting_the_mesh_adjusts_the_shape(api, part, table, cup) -> None:
    mesh = add_mesh(table)
    api.fit_mesh(cup, mesh, scene=table)
    before = vertices_of(part, table, cup)
    mesh.location.x += 0.1
    np.testing.assert_allclose(vertices_of(part, table, cup), before + np.array([0.1, 0, 0]), atol=1e-5)


@pytest.mark.parametrize("hide", [lambda mesh: mesh.hide_set(True), lambda mesh: None])
def test_shape_keys_carry_over_to_the_picture(api, part, table, cup, hide) -> None:
    mesh = add_mesh(table)
    mesh.shape_key_add(name="Basis")
    key = mesh.shape_key_add(name="Bent")
    key.data[7].co.x += 1.0
    key.value = 0
    key.keyframe_insert("value", frame=1)
    key.value = 1
    key.keyframe_insert("value", frame=11)
    table.frame_set(1)
    api.fit_mesh(cup, mesh, scene=table)
    hide(mesh)
    assert placed(api, table, number=1).deformed is None
    table.frame_set(11)
    shape = bytes_of(part, table, cup)
    assert shape.deformed is not None
    still = read_mesh(shape.files[shape.mesh.file.sha256]).vertices
    moved = read_mesh(shape.files[shape.deformed.sha256]).vertices
    np.testing.assert_allclose(moved - still, [[0, 0, 0]] * 7 + [[1, 0, 0]], atol=1e-5)
    api.remember_pose(cup, scene=table)
    assert placed(api, table).deformed is None


def test_an_armature_goes_into_the_box_with_its_mesh(api, part, table, cup) -> None:
    mesh = add_mesh(table)
    data = bpy.data.armatures.new("Bones")
    armature = bpy.data.objects.new("Bones", data)
    table.collection.objects.link(armature)
    mesh.parent = armature
    mesh.modifiers.new("Bones", "ARMATURE").object = armature
    api.fit_mesh(cup, mesh, scene=table)
    assert armature.parent == cup
    assert mesh.parent == armature
    vertices = vertices_of(part, table, cup)
    np.testing.assert_allclose(vertices.min(axis=0), -0.5, atol=1e-4)
    np.testing.assert_allclose(vertices.max(axis=0), 0.5, atol=1e-4)
    assert part("scene.fitted_mesh").deforms(mesh)


def test_a_duplicate_has_the_same_mesh(api, table, cup) -> None:
    api.fit_mesh(cup, add_mesh(table), scene=table)
    copy = cup.copy()
    copy.name = "Second Cup"
    table.collection.objects.link(copy)
    copy.location.x += 0.5
    assert placed(api, table, "Second Cup").asset.mesh == placed(api, table).asset.mesh


@pytest.mark.parametrize("where", ["hide_viewport", "hide_render"])
def test_a_disabled_mesh_counts_as_the_photo_shows_it(api, table, cup, where) -> None:
    mesh = add_mesh(table)
    api.fit_mesh(cup, mesh, scene=table)
    before = placed(api, table).asset.mesh
    setattr(mesh, where, True)
    assert placed(api, table).asset.mesh == before


def test_removing_it_lets_the_photo_tell_the_shape_again(api, table, cup) -> None:
    before = placed(api, table)
    mesh = add_mesh(table)
    api.fit_mesh(cup, mesh, scene=table)
    table.view_layers[0].update()
    place = mesh.matrix_world.copy()
    api.remove_mesh(cup)
    assert placed(api, table) == before
    table.view_layers[0].update()
    np.testing.assert_allclose(mesh.matrix_world, place, atol=1e-5)
    assert mesh.parent is None


def test_another_mesh_takes_its_place(api, part, table, cup) -> None:
    first, second = add_mesh(table), add_mesh(table, name="Other")
    api.fit_mesh(cup, first, scene=table)
    api.fit_mesh(cup, second, scene=table)
    assert (first.parent, second.parent) == (None, cup)
    assert first.display_type == "TEXTURED"
    assert part("scene.fitted_mesh").fitted_mesh(cup) == second
    api.fit_mesh(cup, second, turn=1, scene=table)  # the same again, turned
    assert second.parent == cup


def test_colours_and_textures_travel_with_it(api, part, table, cup) -> None:
    mesh = add_mesh(table)
    for name, colour in (("Red", (1, 0, 0, 1)), ("Painted", (1, 1, 1, 1))):
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = colour
        mesh.data.materials.append(material)
        if name == "Painted":
            node = material.node_tree.nodes.new("ShaderNodeTexImage")
            node.image = bpy.data.images.new("checks", 8, 4)
            mix = material.node_tree.nodes.new("ShaderNodeGamma")
            material.node_tree.links.new(node.outputs["Color"], mix.inputs["Color"])
            material.node_tree.links.new(mix.outputs["Color"], shader.inputs["Base Color"])
    mesh.data.polygons[3].material_index = 1
    mesh.data.uv_layers.new(name="UVMap")
    api.fit_mesh(cup, mesh, scene=table)
    shape = bytes_of(part, table, cup)
    red, painted = shape.mesh.materials
    assert red.colour == pytest.approx((1, 0, 0))
    assert red.texture is None
    assert painted.texture is not None
    assert shape.files[painted.texture.sha256].startswith(b"\x89PNG")
    assert painted.texture in api.frame(scene=table).photos()
    arrays = read_mesh(shape.files[shape.mesh.file.sha256])
    assert arrays.materials.tolist() == [0] * 6 + [1] * 2 + [0] * 4
    assert arrays.uvs.shape == (12, 3, 2)


@examples(max_examples=20, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_normals_stay_at_right_angles_to_their_faces(part, numbers) -> None:
    linear = np.array(numbers).reshape(3, 3) + 4 * np.eye(3)
    place = np.eye(4)
    place[:3, :3] = linear
    mesh = bpy.data.meshes.new("probe")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0.5), (0, 1, 0.2)], [], [(0, 1, 2)])
    _, data = part("scene.meshes").mesh_file(mesh, place)
    arrays = read_mesh(data)
    corners = arrays.vertices.astype(float)
    for side in (corners[1] - corners[0], corners[2] - corners[0]):
        assert abs(arrays.normals[0, 0] / 32767 @ side) < 1e-3 * np.linalg.norm(side)
    bpy.data.meshes.remove(mesh)


class TestErrors:
    def test_a_mesh_without_faces(self, api, table, cup) -> None:
        mesh = bpy.data.objects.new("Empty", bpy.data.meshes.new("Empty"))
        table.collection.objects.link(mesh)
        with pytest.raises(api.UserError, match=r"has no faces.*Choose an object"):
            api.fit_mesh(cup, mesh, scene=table)

    def test_what_is_no_mesh_and_no_asset(self, api, table, cup) -> None:
        with pytest.raises(api.UserError, match="is no mesh"):
            api.fit_mesh(cup, table.camera, scene=table)
        with pytest.raises(api.UserError, match="is not an asset"):
            api.fit_mesh(add_mesh(table), table.camera, scene=table)
        with pytest.raises(api.UserError, match="has no mesh"):
            api.remember_pose(cup, scene=table)

    def test_too_many_triangles(self, api, part, table, cup, monkeypatch) -> None:
        api.fit_mesh(cup, add_mesh(table), scene=table)
        monkeypatch.setattr(part("scene.meshes"), "MAX_TRIANGLES", 11)
        with pytest.raises(api.UserError, match=r"12 triangles, more than 11.*Decimate"):
            api.frame(scene=table)


def test_the_worker_renders_what_deforms(api, table, cup, settings) -> None:
    """Over the real wire: the mesh, its texture and its deformed vertices arrive, each once."""
    mesh = add_mesh(table)
    mesh.shape_key_add(name="Basis")
    key = mesh.shape_key_add(name="Taller")
    for point in (1, 3, 5, 7):
        key.data[point].co.z += 2.0
    key.value = 0
    api.fit_mesh(cup, mesh, scene=table)
    unmoved = api.render_frame(scene=table)
    key.value = 1
    assert placed(api, table).deformed is not None
    taller = api.render_frame(scene=table)
    assert not np.array_equal(unmoved, taller)
    key.value = 0
    np.testing.assert_array_equal(api.render_frame(scene=table), unmoved)
    caches = api.worker_capabilities()["caches"]
    assert caches["meshes"]["entries"] == 2


def test_operators_do_what_the_functions_do(api, table, cup) -> None:
    mesh = add_mesh(table)
    assert not bpy.ops.neural_assets.fit_mesh.poll()
    for item in (mesh, cup):
        item.select_set(True)
    table.view_layers[0].objects.active = cup
    assert bpy.ops.neural_assets.fit_mesh(turn=1) == {"FINISHED"}
    assert cup.neural_asset.mesh == mesh
    assert bpy.ops.neural_assets.show_mesh() == {"FINISHED"}
    assert mesh.hide_get()
    assert bpy.ops.neural_assets.remember_pose() == {"FINISHED"}
    assert bpy.ops.neural_assets.remove_mesh() == {"FINISHED"}
    assert cup.neural_asset.mesh is None
    assert not bpy.ops.neural_assets.remove_mesh.poll()
