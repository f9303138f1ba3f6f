"""Panels, menus, presets, keys and words: what Blender shows of the add-on."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

import bpy
import pytest

SIDEBAR = ("Photo", "Assets", "Animate", "Render")


@pytest.fixture(scope="module")
def classes(part):
    """Every class that the add-on registers."""
    return part("registration").CLASSES


@pytest.fixture(scope="module")
def calls(addon):
    """Every call in the add-on's sources whose function is an attribute: (its name, the call, the file)."""
    folder = Path(addon.__file__).parent
    return [
        (node.func.attr, node, path)
        for path in folder.rglob("*.py")
        if "dataset" not in path.relative_to(folder).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


class TestPlaces:
    @pytest.fixture
    def panels(self, part):
        return [cls for cls in part("panels").CLASSES if issubclass(cls, bpy.types.Panel)]

    def test_the_sidebar_has_the_order_of_work(self, panels):
        first = [
            panel
            for panel in panels
            if panel.bl_space_type == "VIEW_3D" and not hasattr(panel, "bl_parent_id")
        ]
        assert tuple(panel.bl_label for panel in sorted(first, key=lambda panel: panel.bl_order)) == SIDEBAR
        assert {panel.bl_category for panel in first} == {"Neural Assets"}

    def test_sub_panels_of_the_sidebar_are_closed_at_first(self, panels):
        inner = [
            panel for panel in panels if panel.bl_space_type == "VIEW_3D" and hasattr(panel, "bl_parent_id")
        ]
        assert inner
        for panel in inner:
            assert "DEFAULT_CLOSED" in panel.bl_options, panel

    def test_render_properties_are_this_engines_alone(self, part, panels, scene):
        (sampling,) = [panel for panel in panels if panel.__name__ == "NEURAL_ASSETS_PT_render"]
        scene.render.engine = "BLENDER_WORKBENCH"
        assert not sampling.poll(bpy.context)
        scene.render.engine = part("names").ENGINE
        assert sampling.poll(bpy.context)

    def test_all_operators_are_within_reach(self, calls, classes):
        """Of what the panels held before they were put in order, nothing is lost."""
        named = {
            node.args[0].value
            for name, node, path in calls
            if name == "operator" and path.parent.name in ("panels", "blender_addon", "neural_assets")
            if node.args and isinstance(node.args[0], ast.Constant)
        }
        named |= {"neural_assets.show_in_camera"}  # as a menu
        named |= {
            f"neural_assets.{name}" for name in ("show_assets", "move_asset", "choose_decoder")
        }  # by variable
        ours = {cls.bl_idname for cls in classes if issubclass(cls, bpy.types.Operator)}
        mends = {f"neural_assets.{name}" for name in ("use_photo_camera", "hide_in_frame", "write_passes")}
        mends |= {"neural_assets.keep_colours", "neural_assets.keep_painted_photo"}
        presets = {"neural_assets.add_sampling_preset", "neural_assets.add_pass_preset"}
        assert ours - named - mends - presets == set()


class TestDrawing:
    def test_every_icon_is_blenders(self, calls):
        known = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()
        icons = {
            icon.value
            for _, node, _ in calls
            for keyword in node.keywords
            if keyword.arg == "icon"
            for icon in ast.walk(keyword.value)
            if isinstance(icon, ast.Constant) and isinstance(icon.value, str) and icon.value.isupper()
        }
        assert len(icons) > 30
        assert icons - set(known) == set()

    def test_every_operator_is_there(self, calls):
        for name, node, path in calls:
            if name == "operator" and node.args and isinstance(node.args[0], ast.Constant):
                module, _, operator = node.args[0].value.partition(".")
                assert getattr(getattr(bpy.ops, module), operator).get_rna_type(), path

    def test_no_text_is_put_together(self, calls):
        """What is shown can be translated: texts of buttons and labels are whole."""
        for name, node, path in calls:
            if name in ("operator", "label", "prop", "menu", "operator_menu_enum"):
                for keyword in node.keywords:
                    if keyword.arg == "text":
                        assert not isinstance(keyword.value, ast.BinOp | ast.JoinedStr), (
                            f"{path}:{node.lineno}"
                        )

    def test_text_wraps_at_words_and_breaks_what_is_too_wide_alone(self, part):
        wrapped = part("drawing").wrapped
        assert wrapped("Put the file back", 8, len) == ["Put the", "file", "back"]
        assert wrapped("See /a/long/path now", 6, len) == ["See", "/a/lon", "g/path", "now"]
        assert wrapped("", 6, len) == [""]


class TestWords:
    def test_every_operator_has_a_tooltip_and_every_property_says_what_it_is(self, classes):
        silent = []
        for cls in classes:
            if issubclass(cls, bpy.types.Operator):
                kind = getattr(bpy.ops.neural_assets, cls.bl_idname.split(".")[1]).get_rna_type()
                silent += [] if kind.description else [cls.bl_idname]
            else:
                kind = cls.bl_rna
            if issubclass(cls, bpy.types.Operator | bpy.types.PropertyGroup | bpy.types.AddonPreferences):
                for name in {key for base in cls.__mro__ for key in getattr(base, "__annotations__", ())}:
                    found = kind.properties.get(name)
                    if (
                        found is not None
                        and not found.is_hidden
                        and found.type not in ("COLLECTION", "POINTER")
                    ):
                        silent += [] if found.description else [f"{cls.__name__}.{name}"]
        assert sorted(silent) == []

    def test_labels_are_in_blenders_title_case(self, classes):
        small = {
            "a",
            "an",
            "and",
            "as",
            "at",
            "by",
            "for",
            "from",
            "in",
            "of",
            "on",
            "or",
            "the",
            "to",
            "with",
        }
        for cls in classes:
            label = getattr(cls, "bl_label", "")
            for number, word in enumerate(label.split()):
                assert word[0] in "(" or word[0].isupper() or (number and word in small), f"{cls}: {label}"

    def test_items_of_enumerations_have_their_numbers(self, calls):
        lists = {
            keyword.value.id
            for name, node, _ in calls
            if name == "EnumProperty"
            for keyword in node.keywords
            if keyword.arg == "items" and isinstance(keyword.value, ast.Name)
        }
        assert {"PRESETS", "HOW", "DIRECTIONS", "DEVICES"} <= lists

    @pytest.mark.parametrize("items", ["HOW", "DIRECTIONS"])
    def test_those_numbers_count_up(self, part, items):
        found = getattr(part("operators.asset_list"), items)
        assert [item[3] for item in found] == list(range(len(found)))


class TestPresets:
    @pytest.fixture(autouse=True)
    def forget(self):
        yield
        written = bpy.utils.user_resource("SCRIPTS", path="presets/neural_assets")
        for file in Path(written).rglob("*.py"):
            file.unlink()

    def execute(self, name, kind, menu):
        path = bpy.utils.preset_find(name, f"neural_assets/{kind}")
        assert path, f"{name} was not written"
        bpy.ops.script.execute_preset(filepath=path, menu_idname=menu)

    def test_sampling(self, scene):
        settings = scene.neural_assets
        settings.preset, settings.steps, settings.guidance = "custom", 7, 3.5
        settings.seed, settings.use_animated_seed = 42, True
        assert bpy.ops.neural_assets.add_sampling_preset(name="Seven Steps") == {"FINISHED"}
        settings.preset, settings.steps, settings.guidance = "draft", 1, 1.0
        settings.seed, settings.use_animated_seed = 0, False
        self.execute("Seven_Steps", "sampling", "NEURAL_ASSETS_MT_sampling_presets")
        assert (settings.preset, settings.steps, settings.guidance) == ("custom", 7, 3.5)
        assert (settings.seed, settings.use_animated_seed) == (42, True)

    def test_passes(self, scene):
        layer = bpy.context.view_layer
        layer.use_pass_z = layer.neural_assets.use_pass_plate = True
        bpy.ops.neural_assets.add_pass_preset(name="Depth and Plate")
        layer.use_pass_z = layer.neural_assets.use_pass_plate = False
        layer.use_pass_normal = True
        self.execute("Depth_and_Plate", "passes", "NEURAL_ASSETS_MT_pass_presets")
        assert layer.use_pass_z and layer.neural_assets.use_pass_plate and not layer.use_pass_normal

    def test_some_come_with_the_extension(self, scene):
        self.execute("Best", "sampling", "NEURAL_ASSETS_MT_sampling_presets")
        assert scene.neural_assets.preset == "best"
        layer = bpy.context.view_layer
        self.execute("Compositing", "passes", "NEURAL_ASSETS_MT_pass_presets")
        assert layer.use_pass_z and layer.neural_assets.use_pass_plate and not layer.use_pass_normal
        self.execute("None", "passes", "NEURAL_ASSETS_MT_pass_presets")
        assert not layer.use_pass_z and not layer.neural_assets.use_pass_plate

    def test_those_that_come_know_every_pass(self, part):
        """A pass that is added later is added to them, too."""
        switches = {offer.switch for offer in part("render.passes").OFFERS}
        for folder in bpy.utils.preset_paths("neural_assets/passes"):
            for file in Path(folder).glob("*.py"):
                text = file.read_text(encoding="utf-8")
                assert all(f".{switch} = " in text for switch in switches), file

    def test_one_is_removed_again(self, scene):
        bpy.ops.neural_assets.add_sampling_preset(name="Mine")
        bpy.ops.neural_assets.add_sampling_preset(name="Mine", remove_name=True)
        assert not bpy.utils.preset_find("Mine", "neural_assets/sampling")


class TestKeys:
    def test_they_are_off_until_the_preferences_turn_them_on(self, part, addon):
        keymap = part("keymap")
        entries = keymap.entries()
        if not entries:
            pytest.skip("Blender has no keymaps here")
        assert not any(item.active for item in entries)
        preferences = bpy.context.preferences.addons[addon.__name__].preferences
        preferences.use_keys = True
        try:
            assert all(item.active for item in entries)
        finally:
            preferences.use_keys = False
        assert not any(item.active for item in entries)

    def test_blender_has_nothing_at_them(self, part):
        keymap = part("keymap")
        ours = {(item.type, item.shift, item.ctrl, item.alt) for item in keymap.entries()}
        default = bpy.context.window_manager.keyconfigs.default
        for name in ("Object Mode", "3D View", "Object Non-modal", "Window", "Screen"):
            for item in default.keymaps[name].keymap_items if name in default.keymaps else ():
                assert (item.type, bool(item.shift), bool(item.ctrl), bool(item.alt)) not in ours, item.idname


class TestRegistering:
    def test_twenty_times_leaves_nothing_behind(self, addon, part):
        registration, keymap = part("registration"), part("keymap")
        for scene in bpy.data.scenes:
            scene.render.engine = "BLENDER_WORKBENCH"

        def there():
            gc.collect()
            ours = [name for name in dir(bpy.types) if "neural_assets" in name.lower()]
            handlers = {
                name: len(found)
                for name in dir(bpy.app.handlers)
                if isinstance(found := getattr(bpy.app.handlers, name), list)
            }
            engines = sum(
                "NEURAL_ASSETS" in getattr(panel, "COMPAT_ENGINES", ())
                for panel in bpy.types.Panel.__subclasses__()
            )
            return len(ours), handlers, engines, len(keymap.entries())

        before = there()
        for _ in range(20):
            registration.unregister()
            assert not hasattr(bpy.types.Scene, "neural_assets_active_row")
            assert keymap.entries() == []
            registration.register()
        assert there() == before

    def test_preset_panels_are_among_blenders(self, part):
        for name in ("sampling", "pass"):
            assert hasattr(bpy.types, f"NEURAL_ASSETS_PT_{name}_presets")
            assert hasattr(bpy.types, f"NEURAL_ASSETS_MT_{name}_presets")
