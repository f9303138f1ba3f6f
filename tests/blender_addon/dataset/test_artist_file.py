"""Objects out of an artist's .blend: files that a real Blender saved, read by another."""

from __future__ import annotations

import gzip
import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.blender_addon.dataset.conftest import KeptBlender

SETUP = """
import sys
from math import pi
from pathlib import Path
import bpy
folder = Path(sys.argv[1])

def cube(name, location=(0, 0, 0), size=(1, 1, 1), parent=None):
    bpy.ops.mesh.primitive_cube_add(size=1, location=location, scale=size)
    thing = bpy.context.object
    thing.name, thing.parent = name, parent
    return thing

def textured(name, image):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    return material

def save(name="artist.blend", **options):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / name), **options)
"""

# Each object as the generator gets it: bounds, polygons, materials, images that can be read.
REPORT = """
import json, sys
from pathlib import Path
import bpy
from blender_addon.dataset.artist_file.library import load
out = []
for thing in load(Path(sys.argv[1]), json.loads(sys.argv[2])):
    points = [vertex.co for vertex in thing.data.vertices]
    images = [node.image for m in thing.data.materials if m and m.node_tree for node in m.node_tree.nodes
              if node.type == "TEX_IMAGE"]
    out.append({
        "name": thing.name,
        "low": [min(p[i] for p in points) for i in range(3)],
        "high": [max(p[i] for p in points) for i in range(3)],
        "outward": sum(p.center.dot(p.normal) > 0 for p in thing.data.polygons),
        "polygons": len(thing.data.polygons),
        "materials": [m.name if m else None for m in thing.data.materials],
        "pixels": [list(image.pixels[:3]) if len(image.pixels) else None for image in images],
        "mesh": thing.data.name,
        "plain": thing.matrix_world.is_identity and not thing.modifiers and thing.parent is None,
        "linked": bpy.context.scene.objects.get(thing.name) is not None,
    })
print("REPORT" + json.dumps(out))
"""


@dataclass(frozen=True)
class Thing:
    """What arrived of one object."""

    name: str
    low: list[float]
    high: list[float]
    outward: int
    polygons: int
    materials: list[str | None]
    pixels: list[list[float] | None]
    mesh: str
    plain: bool
    linked: bool

    @property
    def size(self) -> list[float]:
        return [high - low for low, high in zip(self.low, self.high, strict=True)]


COLLECT = """
import json, sys
from blender_addon.dataset.artist_file.checks import BlendFileError
from blender_addon.dataset.artist_file.collect import collect
assert "bpy" not in sys.modules
try:
    library = collect(sys.argv[1], sys.argv[2])
    print("RESULT" + json.dumps([library.names, library.warnings]))
except BlendFileError as error:
    print("RESULT" + json.dumps(str(error)))
assert "bpy" not in sys.modules
"""


@dataclass(frozen=True)
class Artist:
    """Saves files with one Blender, collects from them with others, and reads the libraries with another."""

    saving: KeptBlender
    reading: KeptBlender
    run_python: Callable[[str], str]

    def run(self, code: str, *arguments: object) -> str:
        """Run code in a process of its own."""
        return self.run_python(f"import sys; sys.argv = {['-c', *map(str, arguments)]!r}\n{code}")

    def make(self, folder: Path, code: str) -> Path:
        """Save a .blend that ``code`` fills, which may also say how it is saved."""
        code = textwrap.dedent(code)
        self.saving.run(SETUP + code + ("" if "save(" in code else "\nsave()"), folder)
        return folder / "artist.blend"

    def collect(self, source: Path, library: Path) -> tuple[list[str], list[str]]:
        """Collect in a process that has no Blender; return names and warnings."""
        result = json.loads(self.run(COLLECT, source, library).partition("RESULT")[2])
        assert isinstance(result, list), result
        return result[0], result[1]

    def error_of(self, source: Path, library: Path) -> str:
        """Return the error of collecting, which must write nothing."""
        result = json.loads(self.run(COLLECT, source, library).partition("RESULT")[2])
        assert isinstance(result, str), result
        assert not library.exists()
        return result

    def load(self, library: Path, *names: str) -> list[Thing]:
        """Return what the generator gets of the objects of a library."""
        text = self.reading.run(REPORT, library, json.dumps(names))
        return [Thing(**item) for item in json.loads(text.partition("REPORT")[2])]

    def objects(self, folder: Path, code: str) -> tuple[dict[str, Thing], list[str]]:
        """Make a file and return what the generator gets of it, by name, and the warnings."""
        names, warnings = self.collect(self.make(folder, code), folder / "library.blend")
        return {thing.name: thing for thing in self.load(folder / "library.blend", *names)}, warnings


@pytest.fixture(scope="module")
def artist(run_python: Callable[[str], str]) -> Iterator[Artist]:
    saving, reading = KeptBlender(), KeptBlender()
    yield Artist(saving, reading, run_python)
    saving.stop()
    reading.stop()


def test_modifiers_are_applied_and_the_origin_is_the_middle(artist, tmp_path):
    found, warnings = artist.objects(
        tmp_path,
        """
        vase = cube("Vase", location=(5, -3, 2), size=(0.2, 0.2, 0.4))
        vase.modifiers.new("copies", "ARRAY").count = 3
        levels = vase.modifiers.new("smooth", "SUBSURF")
        levels.subdivision_type, levels.levels, levels.render_levels = "SIMPLE", 0, 1
        vase.modifiers.new("only in the viewport", "SOLIDIFY").show_render = False
        """,
    )
    vase = found["Vase"]
    assert vase.size == pytest.approx([0.6, 0.2, 0.4], abs=1e-5)
    assert vase.low == pytest.approx([-0.3, -0.1, -0.2], abs=1e-5)
    assert vase.polygons == 3 * 6 * 4  # the subdivision of renders
    assert vase.plain and vase.linked and not warnings


def test_what_is_parented_together_is_one_object_in_the_axes_of_the_world(artist, tmp_path):
    found, _ = artist.objects(
        tmp_path,
        """
        root = bpy.data.objects.new("Lamp", None)
        bpy.context.collection.objects.link(root)
        root.rotation_euler, root.location = (0, 0, pi / 2), (3, 0, 0)
        foot = cube("foot", size=(1, 0.2, 0.1), parent=root)
        arm = cube("arm", location=(0, 0, 1), parent=root)
        shade = cube("shade", location=(0, 0, 2), parent=arm)
        foot.data.materials.append(bpy.data.materials.new("iron"))
        shade.data.materials.append(bpy.data.materials.new("paper"))
        shade.scale.x = -1
        cube("Box", location=(-4, 0, 0))
        """,
    )
    assert sorted(found) == ["Box", "Lamp"]
    lamp = found["Lamp"]
    assert lamp.size[:2] == pytest.approx([1, 1], abs=1e-5)
    assert lamp.polygons == 18
    assert {"iron", "paper"} <= set(lamp.materials)
    assert lamp.low[2] == pytest.approx(-lamp.high[2])


def test_a_mirrored_object_keeps_its_faces_outward(artist, tmp_path):
    found, _ = artist.objects(tmp_path, 'cube("Box").scale = (-1, 1, 2)')
    assert found["Box"].outward == 6


def test_materials_of_the_object_win_over_those_of_the_mesh(artist, tmp_path):
    found, _ = artist.objects(
        tmp_path,
        """
        first, second = cube("First"), cube("Second", location=(3, 0, 0))
        second.data = first.data
        first.data.materials.append(bpy.data.materials.new("red"))
        second.material_slots[0].link = "OBJECT"
        second.material_slots[0].material = bpy.data.materials.new("blue")
        """,
    )
    assert found["First"].materials == ["red"]
    assert found["Second"].materials == ["blue"]


def test_curves_text_metaballs_and_instances_become_meshes(artist, tmp_path):
    found, _ = artist.objects(
        tmp_path,
        """
        bpy.ops.curve.primitive_bezier_circle_add(location=(0, 0, 0))
        bpy.context.object.name, bpy.context.object.data.bevel_depth = "Ring", 0.1
        bpy.context.object.data.materials.append(bpy.data.materials.new("gold"))
        bpy.ops.object.text_add(location=(5, 0, 0))
        bpy.context.object.name, bpy.context.object.data.extrude = "Sign", 0.1
        bpy.ops.object.metaball_add(location=(9, 0, 0))
        bpy.context.object.name = "Drop"
        kit = bpy.data.collections.new("kit")
        kit.objects.link(bpy.data.objects.new("bolt", cube("Bolt", location=(20, 0, 0)).data))
        for i in range(2):
            both = bpy.data.objects.new("Pair", None)
            bpy.context.scene.collection.objects.link(both)
            both.instance_type, both.instance_collection = "COLLECTION", kit
            both.location.x = 30 + 3 * i
        """,
    )
    assert sorted(found) == ["Bolt", "Drop", "Pair", "Pair.001", "Ring", "Sign"]
    assert all(thing.polygons for thing in found.values())
    assert found["Pair"].polygons == 6
    assert found["Ring"].materials == ["gold"]


def test_what_does_not_render_and_what_is_no_thing_is_left_out(artist, tmp_path):
    found, warnings = artist.objects(
        tmp_path,
        """
        cube("Cup")
        bpy.ops.mesh.primitive_plane_add(size=200)
        bpy.context.object.name = "Ground"
        bpy.ops.object.camera_add(location=(0, -6, 2))
        bpy.context.scene.camera = bpy.context.object
        cube("Room", size=(20, 20, 6))
        bpy.ops.object.light_add()
        cube("Reference").hide_render = True
        spare = bpy.data.collections.new("spare")
        bpy.context.scene.collection.children.link(spare)
        spare.objects.link(bpy.data.objects.new("Spare", cube("Jug", location=(3, 0, 0)).data))
        bpy.context.view_layer.layer_collection.children["spare"].exclude = True
        bpy.data.objects["Jug"].hide_viewport = True  # in the viewport only: it renders
        """,
    )
    assert sorted(found) == ["Cup", "Jug"]
    assert warnings == ["Left out (no thickness): Ground.", "Left out (around the camera): Room."]


def test_assets_are_taken_where_there_are_some_and_nothing_else(artist, tmp_path):
    found, _ = artist.objects(
        tmp_path,
        """
        cube("Scaffold")
        mug = cube("Mug", location=(3, 0, 0))
        handle = cube("handle", location=(1, 0, 0), parent=mug)
        mug.asset_mark()
        handle.asset_mark()
        chairs = bpy.data.collections.new("Chair")
        for i in range(2):
            chairs.objects.link(bpy.data.objects.new("part", mug.data))
            chairs.objects[i].location.z = 2 * i
        chairs.asset_mark()
        """,
    )
    assert sorted(found) == ["Chair", "Mug"]
    assert found["Mug"].polygons == found["Chair"].polygons == 12
    assert found["Chair"].size == pytest.approx([1, 1, 3], abs=1e-5)


def test_packed_textures_and_those_beside_the_file_arrive(artist, tmp_path):
    folder = tmp_path / "artist"
    folder.mkdir()
    names, warnings = artist.collect(
        artist.make(
            folder,
            """
            for name, colour in (("packed", (1, 0, 0, 1)), ("beside", (0, 1, 0, 1))):
                image = bpy.data.images.new(name, 4, 4)
                image.pixels[:] = colour * 16
                image.filepath_raw, image.file_format = str(folder / f"{name}.png"), "PNG"
                image.save()
                cube(name).data.materials.append(textured(name, image))
            bpy.data.images["packed"].pack()
            save()
            bpy.ops.file.make_paths_relative()
            assert bpy.data.images["beside"].filepath.startswith("//")
            save()
            (folder / "packed.png").unlink()
            """,
        ),
        tmp_path / "elsewhere/library.blend",
    )
    beside, packed = artist.load(tmp_path / "elsewhere/library.blend", *names)
    assert warnings == []
    assert beside.pixels == [pytest.approx([0, 1, 0])]
    assert packed.pixels == [pytest.approx([1, 0, 0])]


def test_a_missing_texture_is_named_and_the_object_comes_without_it(artist, tmp_path):
    found, warnings = artist.objects(
        tmp_path,
        """
        image = bpy.data.images.new("wood", 4, 4)
        image.filepath_raw, image.file_format = str(folder / "wood.png"), "PNG"
        image.save()
        cube("Table").data.materials.append(textured("wood", image))
        save()
        (folder / "wood.png").unlink()
        """,
    )
    assert found["Table"].materials == ["wood"]
    (warning,) = warnings
    assert "Missing textures" in warning and "wood.png" in warning and "Pack" in warning


def test_what_is_linked_from_another_file_comes_along(artist, tmp_path):
    found, warnings = artist.objects(
        tmp_path,
        """
        image = bpy.data.images.new("glaze", 4, 4)
        image.pixels[:] = (0, 0, 1, 1) * 16
        (folder / "shared").mkdir()
        image.filepath_raw, image.file_format = str(folder / "shared/glaze.png"), "PNG"
        image.save()
        cube("Pot").data.materials.append(textured("glaze", image))
        save("shared/pots.blend")
        bpy.ops.file.make_paths_relative()
        save("shared/pots.blend")
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with bpy.data.libraries.load(str(folder / "shared/pots.blend"), link=True, relative=False) as (a, b):
            b.objects = ["Pot"]
        bpy.context.scene.collection.objects.link(b.objects[0])
        save()
        """,
    )
    assert warnings == []
    assert found["Pot"].materials == ["glaze"] and found["Pot"].pixels == [pytest.approx([0, 0, 1])]


def test_a_file_saved_in_edit_mode_gives_its_objects(artist, tmp_path):
    found, _ = artist.objects(
        tmp_path,
        """
        copies = cube("Cup").modifiers.new("copies", "ARRAY")
        copies.show_in_editmode = False
        bpy.ops.object.mode_set(mode="EDIT")
        save()
        """,
    )
    assert found["Cup"].polygons == 12


def test_an_object_may_be_loaded_twice_and_shares_its_mesh(artist, tmp_path):
    artist.make(tmp_path, 'cube("Cup")')
    artist.collect(tmp_path / "artist.blend", tmp_path / "library.blend")
    first, second = artist.load(tmp_path / "library.blend", "Cup", "Cup")
    assert first.name != second.name and first.mesh == second.mesh


@pytest.fixture(scope="module")
def saved(artist, tmp_path_factory) -> Path:
    """A sound file, uncompressed."""
    return artist.make(tmp_path_factory.mktemp("saved"), 'cube("Cup"); save(compress=False)')


def test_files_that_blender_compressed_are_read(artist, saved, tmp_path):
    path = tmp_path / "old.blend"
    path.write_bytes(gzip.compress(saved.read_bytes()))
    assert artist.collect(path, tmp_path / "library.blend")[0] == ["Cup"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_an_error_that_says_so(artist, saved, tmp_path, compressed):
    data = saved.read_bytes()
    data = gzip.compress(data) if compressed else data
    path = tmp_path / "cut.blend"
    path.write_bytes(data[: len(data) // 2])
    text = artist.error_of(path, tmp_path / "library.blend")
    assert text.startswith(f"{path}: damaged or cut off") and "Copy it again" in text


def test_a_file_from_a_newer_blender_is_an_error_that_names_both(artist, saved, tmp_path):
    data = saved.read_bytes()
    if not data.startswith(b"BLENDER17-01v"):
        pytest.skip("this Blender writes the older header, which every Blender reads")
    path = tmp_path / "new.blend"
    path.write_bytes(data.replace(data[:17], b"BLENDER17-02v0901", 1))
    text = artist.error_of(path, tmp_path / "library.blend")
    assert "it is from Blender 9.1" in text and "Save it from Blender" in text


@pytest.mark.parametrize(
    ("content", "problem"), [(b"just some words", "not a .blend file"), (b"", "not a .blend file")]
)
def test_a_file_that_is_no_blend_is_an_error(artist, tmp_path, content, problem):
    path = tmp_path / "notes.blend"
    path.write_bytes(content)
    assert problem in artist.error_of(path, tmp_path / "library.blend")


def test_a_missing_file_and_a_folder_are_errors(artist, tmp_path):
    assert "there is no such file" in artist.error_of(tmp_path / "none.blend", tmp_path / "library.blend")
    assert "cannot be read" in artist.error_of(tmp_path, tmp_path / "library.blend")


def test_a_file_without_meshes_says_what_it_holds(artist, tmp_path):
    path = artist.make(
        tmp_path,
        """
        bpy.ops.object.camera_add()
        bpy.ops.object.light_add()
        bpy.ops.mesh.primitive_plane_add()
        """,
    )
    text = artist.error_of(path, tmp_path / "library.blend")
    assert text.startswith(f"{path}: holds no object to render, only 1 x camera, 1 x light, 1 x mesh")
    assert "Left out (no thickness): Plane." in text
