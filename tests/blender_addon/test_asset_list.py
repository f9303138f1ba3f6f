"""The list of assets: what it shows, in which order, and whose row is active."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def shelf(table, api):
    """A scene with the assets Cup, Jar and Bowl, a cube that is none, and its camera."""
    api.add_asset((0.42, 0.4, 0.58, 0.8), name="Bowl", scene=table)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    table.collection.objects.link(cube)
    return table


@pytest.fixture
def order(part):
    return part("scene.asset_order")


@pytest.fixture
def names(shelf, order):
    """A function that returns what the list shows, from top to bottom."""

    def shown(pattern="", *, by_name=False):
        objects = list(shelf.objects)
        visible, places = order.listed(objects, pattern, by_name=by_name)
        rows = sorted(range(len(objects)), key=lambda number: places[number])
        return [objects[number].name for number in rows if visible[number]]

    return shown


def activate(item):
    for other in bpy.context.view_layer.objects.selected:
        other.select_set(False)
    item.select_set(True)
    bpy.context.view_layer.objects.active = item


class TestRows:
    def test_they_are_the_scenes_assets_by_name_at_first(self, names):
        assert names() == ["Bowl", "Cup", "Jar"]

    def test_each_object_has_a_place_of_its_own(self, shelf, order):
        _, places = order.listed(list(shelf.objects), "", by_name=False)
        assert sorted(places) == list(range(len(shelf.objects)))

    def test_a_part_of_the_name_filters_them_whatever_its_case(self, names):
        assert names("U") == ["Cup"]
        assert names("?ar") == ["Jar"]
        assert names("cube") == []

    def test_they_follow_deleting_and_renaming(self, shelf, names):
        bpy.data.objects["Jar"].name = "Amphora"
        bpy.data.objects.remove(bpy.data.objects["Bowl"])
        assert names() == ["Amphora", "Cup"]

    def test_another_scene_has_its_own(self, shelf, names, order):
        other = bpy.data.scenes.new("Other")
        other.collection.objects.link(bpy.data.objects["Jar"])
        assert [item.name for item in order.ordered_assets(other)] == ["Jar"]
        assert names() == ["Bowl", "Cup", "Jar"]


class TestOrder:
    def test_up_down_top_and_bottom(self, shelf, names, order):
        jar = bpy.data.objects["Jar"]
        for direction, expected in [
            ("UP", ["Bowl", "Jar", "Cup"]),
            ("TOP", ["Jar", "Bowl", "Cup"]),
            ("DOWN", ["Bowl", "Jar", "Cup"]),
            ("BOTTOM", ["Bowl", "Cup", "Jar"]),
        ]:
            assert order.move_asset(shelf, jar, direction)
            assert names() == expected

    def test_no_further_than_the_ends(self, shelf, order):
        assert not order.move_asset(shelf, bpy.data.objects["Bowl"], "UP")
        assert not order.move_asset(shelf, bpy.data.objects["Jar"], "DOWN")

    def test_sorting_by_name_leaves_it_as_it_is(self, shelf, names, order):
        order.move_asset(shelf, bpy.data.objects["Jar"], "TOP")
        assert names(by_name=True) == ["Bowl", "Cup", "Jar"]
        assert names() == ["Jar", "Bowl", "Cup"]

    def test_a_new_asset_comes_after_those_that_were_ordered(self, shelf, names, order, api):
        order.move_asset(shelf, bpy.data.objects["Jar"], "TOP")
        api.add_asset((0.3, 0.4, 0.4, 0.8), name="Ashtray", scene=shelf)
        assert names() == ["Jar", "Bowl", "Cup", "Ashtray"]

    def test_numbers_in_names_count_as_numbers(self, shelf, names, api):
        for name in ("Jar 10", "Jar 2", "jar 1"):
            api.add_asset((0.3, 0.4, 0.4, 0.8), name=name, scene=shelf)
        assert names("jar") == names("jar", by_name=True) == ["Jar", "jar 1", "Jar 2", "Jar 10"]

    def test_ordering_by_name_forgets_it(self, shelf, names, order):
        order.move_asset(shelf, bpy.data.objects["Jar"], "TOP")
        order.order_by_name(shelf)
        assert names() == ["Bowl", "Cup", "Jar"]

    def test_it_is_kept_in_the_file(self, shelf, order, tmp_path):
        order.move_asset(shelf, bpy.data.objects["Jar"], "TOP")
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shelf.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shelf.blend"), load_ui=False)
        assert [item.name for item in order.ordered_assets(bpy.context.scene)] == ["Jar", "Bowl", "Cup"]


class TestActiveRow:
    def test_it_is_the_active_object(self, shelf):
        activate(bpy.data.objects["Cup"])
        assert shelf.objects[shelf.neural_assets_active_row].name == "Cup"
        bpy.data.objects["Cup"].name = "Mug"
        assert shelf.objects[shelf.neural_assets_active_row].name == "Mug"

    @pytest.mark.parametrize("name", ["Cube", "Photo Camera"])
    def test_there_is_none_while_something_else_is_active(self, shelf, name):
        activate(shelf.objects[name])
        assert shelf.neural_assets_active_row == -1

    def test_there_is_none_after_the_asset_was_deleted(self, shelf):
        activate(bpy.data.objects["Cup"])
        bpy.data.objects.remove(bpy.data.objects["Cup"])
        assert shelf.neural_assets_active_row == -1

    def test_a_click_selects_the_asset_alone(self, shelf):
        activate(bpy.data.objects["Cube"])
        shelf.neural_assets_active_row = shelf.objects.find("Jar")
        assert [item.name for item in bpy.context.selected_objects] == ["Jar"]
        assert bpy.context.active_object.name == "Jar"

    def test_a_click_leaves_edit_mode(self, shelf):
        activate(bpy.data.objects["Cube"])
        bpy.ops.object.mode_set(mode="EDIT")
        shelf.neural_assets_active_row = shelf.objects.find("Jar")
        assert bpy.data.objects["Cube"].mode == "OBJECT"
        assert bpy.context.active_object.name == "Jar"

    def test_a_row_that_the_view_layer_leaves_out_stays_unselected(self, shelf, capsys):
        away = bpy.data.collections.new("Away")
        shelf.collection.children.link(away)
        jar = bpy.data.objects["Jar"]
        shelf.collection.objects.unlink(jar)
        away.objects.link(jar)
        bpy.context.view_layer.layer_collection.children["Away"].exclude = True
        activate(bpy.data.objects["Cup"])
        shelf.neural_assets_active_row = shelf.objects.find("Jar")
        assert bpy.context.active_object.name == "Cup"
        assert "leaves out" in capsys.readouterr().out

    def test_asking_for_it_writes_nothing(self, shelf):
        activate(bpy.data.objects["Cup"])
        before = set(shelf.keys())
        assert shelf.neural_assets_active_row >= 0
        assert set(shelf.keys()) == before

    def test_it_survives_undo_and_redo(self, shelf):
        bpy.ops.ed.undo_push(message="Before")
        bpy.ops.neural_assets.select_asset(name="Cup")
        bpy.ops.ed.undo_push(message="Cup")
        bpy.ops.neural_assets.select_asset(name="Jar")
        bpy.ops.ed.undo_push(message="Jar")

        def active():
            scene = bpy.context.scene
            return scene.objects[scene.neural_assets_active_row].name

        assert active() == "Jar"
        bpy.ops.ed.undo()
        assert active() == "Cup"
        bpy.ops.ed.redo()
        assert active() == "Jar"


class TestSelecting:
    @pytest.fixture
    def select(self, shelf):
        def do(name, how="ALONE"):
            assert bpy.ops.neural_assets.select_asset(name=name, how=how) == {"FINISHED"}
            return sorted(item.name for item in bpy.context.selected_objects)

        return do

    def test_ctrl_adds_and_takes_out(self, select):
        assert select("Cup") == ["Cup"]
        assert select("Jar", "TOGGLE") == ["Cup", "Jar"]
        assert select("Jar", "TOGGLE") == ["Cup"]

    def test_shift_selects_all_between_as_the_list_has_them(self, shelf, select, order):
        order.move_asset(shelf, bpy.data.objects["Jar"], "TOP")
        select("Jar")
        assert select("Bowl", "RANGE") == ["Bowl", "Jar"]

    def test_all(self, shelf, select):
        bpy.ops.neural_assets.select_all_assets()
        assert sorted(item.name for item in bpy.context.selected_objects) == ["Bowl", "Cup", "Jar"]

    def test_who_is_no_asset_is_refused(self, shelf):
        with pytest.raises(RuntimeError, match="There is no asset 'Cube' in this scene"):
            bpy.ops.neural_assets.select_asset(name="Cube")


class TestRemoving:
    def test_the_next_one_is_selected(self, shelf, names):
        bpy.ops.neural_assets.select_asset(name="Cup")
        bpy.ops.neural_assets.remove_asset()
        assert names() == ["Bowl", "Jar"]
        assert bpy.context.active_object.name == "Jar"
        assert "Cup" not in bpy.data.objects

    def test_its_object_stays_out_of_the_background(self, shelf):
        bpy.ops.neural_assets.select_asset(name="Cup")
        bpy.ops.neural_assets.remove_asset()
        assert "Cup" in [hidden.name for hidden in shelf.neural_assets.hidden_boxes]

    def test_what_another_scene_shows_is_kept_there(self, shelf, names):
        other = bpy.data.scenes.new("Other")
        other.collection.objects.link(bpy.data.objects["Cup"])
        bpy.ops.neural_assets.select_asset(name="Cup")
        bpy.ops.neural_assets.remove_asset()
        assert names() == ["Bowl", "Jar"]
        assert [item.name for item in other.objects] == ["Cup"]


class TestLinked:
    @pytest.fixture
    def library(self, shelf, tmp_path):
        """A file with the asset Cup in a collection of its own."""
        cups = bpy.data.collections.new("Cups")
        cups.objects.link(bpy.data.objects["Cup"])
        path = str(tmp_path / "cups.blend")
        bpy.data.libraries.write(path, {cups})
        bpy.data.objects.remove(bpy.data.objects["Cup"])
        bpy.data.collections.remove(cups)
        return path

    @pytest.fixture
    def linked(self, shelf, library):
        with bpy.data.libraries.load(library, link=True) as (_, target):
            target.collections = ["Cups"]
        shelf.collection.children.link(target.collections[0])
        return target.collections[0]

    def test_it_comes_last_and_can_be_selected(self, shelf, linked, names):
        assert names() == ["Bowl", "Jar", "Cup"]
        shelf.neural_assets_active_row = shelf.objects.find("Cup")
        assert bpy.context.active_object == linked.objects[0]

    def test_two_of_one_name_are_told_apart(self, shelf, linked, api):
        mine = api.add_asset((0.3, 0.4, 0.4, 0.8), name="Cup", scene=shelf)
        for item in (mine, linked.objects[0]):
            activate(item)
            assert shelf.objects[shelf.neural_assets_active_row] == item

    def test_it_cannot_be_moved_or_removed(self, shelf, linked):
        bpy.ops.neural_assets.select_asset(name="Cup")
        with pytest.raises(RuntimeError, match="linked from another file"):
            bpy.ops.neural_assets.move_asset(direction="UP")
        with pytest.raises(RuntimeError, match="linked from another file"):
            bpy.ops.neural_assets.remove_asset()
        assert linked.objects[0].name in shelf.objects

    def test_an_override_is_ordered_and_keeps_its_shadow(self, shelf, linked, names, tmp_path):
        linked.override_hierarchy_create(shelf, bpy.context.view_layer)
        (cup,) = [item for item in shelf.objects if item.override_library is not None]
        cup.neural_asset.show_shadow = False
        activate(cup)
        bpy.ops.neural_assets.move_asset(direction="TOP")
        assert names()[0] == cup.name
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "overridden.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "overridden.blend"), load_ui=False)
        (cup,) = [item for item in bpy.context.scene.objects if item.override_library is not None]
        assert cup.neural_asset.position == 1
        assert cup.neural_asset.shadow_strength == 0


class TestIcons:
    @pytest.fixture
    def icon(self, part):
        return part("panels.asset_list").outline_icon

    def test_it_tells_found_painted_and_mesh_apart(self, shelf, api, icon):
        cup = bpy.data.objects["Cup"]
        assert icon(cup) == "IMAGE_ALPHA"
        cup.neural_asset.outline = bpy.data.images.new("Painted", 96, 64)
        assert icon(cup) == "BRUSH_DATA"
        cup.neural_asset.mesh = bpy.data.objects["Cube"]
        assert icon(cup) == "OUTLINER_OB_MESH"
        cup.neural_asset.photo = None
        assert icon(cup) == "ERROR"

    def test_the_shadow_is_switched_off_and_on(self, shelf):
        cup = bpy.data.objects["Cup"].neural_asset
        cup.shadow_strength = 0.5
        cup.show_shadow = True
        assert cup.shadow_strength == 0.5
        cup.show_shadow = False
        assert cup.shadow_strength == 0
        cup.show_shadow = True
        assert cup.shadow_strength == 1


def test_all_or_only_the_selected_assets_are_rendered(shelf):
    bpy.ops.neural_assets.select_asset(name="Cup")
    bpy.ops.neural_assets.show_assets(selected_only=True)
    assert [bpy.data.objects[name].hide_render for name in ("Bowl", "Cup", "Jar")] == [True, False, True]
    bpy.ops.neural_assets.show_assets()
    assert not any(bpy.data.objects[name].hide_render for name in ("Bowl", "Cup", "Jar"))
