"""What would fail is known before anything is rendered, with the button that mends it."""

from __future__ import annotations

import os
import sys

import bpy
import pytest


@pytest.fixture
def problems(part, monkeypatch):
    """A function that returns what a panel tells of the current scene, with a worker's Python that exists."""
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", sys.executable)
    module = part("render.problems")
    looks = part("render.looks")
    settings = part("preferences").worker_settings

    def told(place):
        looks.look_again()
        return module.problems_of(
            [place], module.Looked(bpy.context.scene, bpy.context.view_layer, settings())
        )

    return told


@pytest.fixture
def press():
    """A function that presses the button of a problem."""

    def do(problem):
        module, name = problem.operator.split(".")
        assert getattr(getattr(bpy.ops, module), name)(**problem.properties) == {"FINISHED"}

    return do


PLACES = ("photo", "assets", "animate", "render")


def test_a_scene_that_is_well_tells_nothing_that_fails(table, problems):
    assert [problem for place in PLACES for problem in problems(place) if problem.fails] == []


def test_checks_change_nothing(table, problems, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "table.blend"))
    before = set(table.keys()), bpy.data.is_dirty
    for place in PLACES:
        problems(place)
    assert (set(table.keys()), bpy.data.is_dirty) == before


class TestPhoto:
    def test_there_is_none(self, scene, problems):
        (problem,) = problems("photo")
        assert "No photo has been imported" in problem.sentence
        assert problem.operator == "neural_assets.import_photo"

    def test_its_file_is_gone(self, table, problems, tmp_path):
        photo = table.neural_assets.photo
        photo.filepath_raw = str(tmp_path / "photo.png")
        photo.save()
        photo.unpack(method="REMOVE")
        photo.filepath = str(tmp_path / "photo.png")
        assert not any(problem.fails for problem in problems("photo"))
        os.remove(tmp_path / "photo.png")
        (problem,) = [problem for problem in problems("photo") if problem.fails]
        assert "photo.png' is missing" in problem.sentence

    def test_another_picture_is_in_its_place(self, table, problems):
        table.neural_assets.photo.scale(64, 64)
        told = [problem.sentence for problem in problems("photo")]
        assert any("64 x 64 now: another shape than was imported" in sentence for sentence in told)

    def test_it_was_painted_on(self, table, problems, press):
        photo = table.neural_assets.photo
        photo.pixels[0] = 0.5
        (problem,) = [problem for problem in problems("photo") if "painted on" in problem.sentence]
        assert not problem.fails
        press(problem)
        assert not any("painted on" in problem.sentence for problem in problems("photo"))
        assert photo.packed_file is not None


class TestAssets:
    def test_there_is_none(self, api, scene, make_photo, problems):
        api.import_photo(make_photo(), scene=scene)
        (problem,) = problems("assets")
        assert problem.operator == "neural_assets.add_asset_from_box"

    def test_first_things_first(self, scene, problems):
        assert problems("assets") == []

    def test_one_has_no_photo(self, table, problems, press):
        bpy.data.objects["Jar"].neural_asset.photo = None
        (problem,) = problems("assets")
        assert problem.sentence == "The asset 'Jar' has no photo."
        press(problem)
        assert bpy.context.active_object.name == "Jar"
        assert not problem.mends and "Box Fits Photo" in problem.cure

    def test_the_photo_of_one_from_elsewhere_is_gone(self, table, problems, tmp_path):
        other = bpy.data.images.new("Elsewhere", 96, 64)
        other.source, other.filepath = "FILE", str(tmp_path / "gone.png")
        bpy.data.objects["Jar"].neural_asset.photo = other
        (problem,) = problems("assets")
        assert "gone.png' is missing" in problem.sentence

    def test_a_painted_outline_has_another_shape(self, table, problems):
        bpy.data.objects["Cup"].neural_asset.outline = bpy.data.images.new("Square", 64, 64)
        (problem,) = problems("assets")
        assert "not of the same shape" in problem.sentence

    def test_those_hidden_in_renders_do_not_count(self, table, problems):
        jar = bpy.data.objects["Jar"]
        jar.neural_asset.photo, jar.hide_render = None, True
        assert problems("assets") == []

    def test_there_are_more_than_decoders_know(self, table, api, problems):
        for number in range(23):
            api.add_asset((0.3, 0.4, 0.4, 0.8), name=f"Can {number}", scene=table)
        (problem,) = problems("assets")
        assert "25 assets are more" in problem.sentence and not problem.fails


class TestAnimate:
    def test_there_is_no_camera_and_the_photos_is_made_again(self, table, problems, press, part):
        fits = part("scene.photo_import").camera_fits_photo
        bpy.data.objects.remove(table.camera)
        (problem,) = problems("animate")
        assert problem.sentence == "The scene has no camera."
        press(problem)
        assert problems("animate") == []
        assert fits(table)

    def test_the_camera_that_shows_the_photo_is_taken_if_it_is_there(self, table, press, problems):
        camera, table.camera = table.camera, None
        press(problems("animate")[0])
        assert table.camera == camera

    def test_it_is_no_perspective_camera(self, table, problems, press):
        table.camera.data.type = "ORTHO"
        (problem,) = problems("animate")
        assert "is not a perspective camera" in problem.sentence
        press(problem)
        assert table.camera.data.type == "PERSP"

    def test_an_asset_is_behind_the_camera_in_this_frame_alone(self, table, problems, press):
        jar = bpy.data.objects["Jar"]
        jar.keyframe_insert("location", frame=1)
        jar.location.y = -50
        jar.keyframe_insert("location", frame=2)
        table.frame_set(1)
        assert problems("animate") == []
        table.frame_set(2)
        (problem,) = problems("animate")
        assert problem.sentence == "The asset 'Jar' is behind the camera in frame 2."
        press(problem)
        assert problems("animate") == []

    def test_it_is_hidden_by_a_keyframe_where_its_visibility_has_some(self, table, press, problems):
        jar = bpy.data.objects["Jar"]
        jar.keyframe_insert("hide_render", frame=1)
        jar.location.y = -50
        table.frame_set(5)
        press(problems("animate")[0])
        table.frame_set(1)
        assert not jar.hide_render
        table.frame_set(5)
        assert jar.hide_render

    def test_one_in_a_collection_that_is_not_rendered_does_not_count(self, table, problems):
        away = bpy.data.collections.new("Away")
        table.collection.children.link(away)
        jar = bpy.data.objects["Jar"]
        table.collection.objects.unlink(jar)
        away.objects.link(jar)
        away.hide_render = True
        jar.location.y = -50
        bpy.context.view_layer.update()
        assert problems("animate") == []

    def test_the_render_says_the_same(self, table, problems, api):
        bpy.data.objects["Jar"].location.y = -50
        bpy.context.view_layer.update()
        (problem,) = problems("animate")
        with pytest.raises(Exception, match="behind the camera") as caught:
            api.frame(scene=table)
        assert caught.value.message == problem.sentence


class TestRender:
    @pytest.fixture
    def told(self, table, problems):
        """A function that returns the problem of a kind that the Render panel tells, or None."""

        def of(part_of_it):
            found = [problem for problem in problems("render") if part_of_it in problem.sentence]
            assert len(found) < 2
            return found[0] if found else None

        return of

    def test_no_worker_was_set_up(self, told, monkeypatch):
        monkeypatch.delenv("NEURAL_ASSETS_WORKER_PYTHON")
        problem = told("No worker Python is set")
        assert problem.operator == "preferences.addon_show"
        assert (
            problem.properties["module"] in bpy.context.preferences.addons
            or "addon" in problem.properties["module"]
        )

    def test_the_worker_is_not_where_it_was(self, told, monkeypatch):
        monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", "/no/such/python")
        assert told("'/no/such/python' does not exist").fails

    def test_the_decoders_folder_is_gone(self, told, part, press, tmp_path, monkeypatch):
        monkeypatch.delenv("NEURAL_ASSETS_CHECKPOINT", raising=False)
        decoders = part("decoders")
        folder = tmp_path / "sdxl"
        folder.mkdir()
        (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline"}')
        decoders.choose_decoder(str(folder))
        try:
            assert told("does not exist") is None
            (folder / "model_index.json").unlink()
            folder.rmdir()
            press(told("does not exist"))
            assert decoders.decoder_name() == "Embedded"
        finally:
            decoders.forget_decoder(str(folder))

    def test_a_picture_far_larger_than_the_decoder_works_at(self, table, told, press):
        table.render.resolution_x, table.render.resolution_y = 3000, 2000
        problem = told("the decoder works at 512 pixels")
        assert not problem.fails
        press(problem)
        assert table.render.resolution_percentage == 17
        assert told("the decoder works at") is None

    def test_a_picture_of_about_that_size_tells_nothing(self, table, told):
        table.render.resolution_x, table.render.resolution_y = 900, 600
        assert told("the decoder works at") is None

    def test_a_picture_that_the_worker_does_not_render(self, table, told):
        table.render.resolution_x = 5000
        assert told("larger than 4096 pixels").fails

    def test_the_size_of_a_chosen_decoder_is_its_own(self, part, tmp_path):
        decoders = part("decoders")
        settings = part("worker.settings").WorkerSettings(refiner=str(tmp_path / "sdxl"))
        (tmp_path / "sdxl" / "unet").mkdir(parents=True)
        (tmp_path / "sdxl" / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline"}')
        (tmp_path / "sdxl" / "unet" / "config.json").write_text('{"sample_size": 128}')
        assert decoders.decoder_side(settings) == 0  # nobody has looked yet
        decoders.choose_decoder(str(tmp_path / "sdxl"))
        try:
            assert decoders.decoder_side(settings) == 1024
        finally:
            decoders.forget_decoder(str(tmp_path / "sdxl"))

    def test_a_full_disk_shows_the_output_path(self, table, told, part, monkeypatch):
        monkeypatch.setattr(part("render.disk_space"), "largest_file", lambda _: 1 << 60)
        monkeypatch.setattr(part("render.problems"), "largest_file", lambda _: 1 << 60)
        problem = told("is full")
        assert problem.fails and problem.setting == "render.filepath"

    def test_passes_that_no_file_would_hold(self, table, told, press):
        bpy.context.view_layer.use_pass_z = True
        problem = told("PNG files hold no passes")
        press(problem)
        assert table.render.image_settings.file_format == "OPEN_EXR_MULTILAYER"
        assert told("hold no passes") is None

    def test_another_engine(self, table, told, press):
        table.render.engine = "CYCLES" if "CYCLES" in engines() else "BLENDER_WORKBENCH"
        press(told("Another engine renders this scene"))
        assert table.render.engine == "NEURAL_ASSETS"

    def test_colours_that_would_be_bent(self, table, told, press):
        table.view_settings.view_transform = "AgX"
        press(told("Colours differ"))
        assert table.view_settings.view_transform == "Standard"
        table.render.dither_intensity = 1
        press(told("Dither"))
        assert table.render.dither_intensity == 0


def engines():
    return {item.identifier for item in bpy.types.RenderSettings.bl_rna.properties["engine"].enum_items}


def test_the_disk_is_asked_once_in_a_while(part):
    looks = part("render.looks")
    looks.look_again()
    asked = []
    for _ in range(5):
        assert looks.look("key", lambda: asked.append(1) or "answer") == "answer"
    assert len(asked) == 1
    looks.look_again()
    looks.look("key", lambda: asked.append(1))
    assert len(asked) == 2


def test_those_that_fail_come_first(part, table, problems):
    table.view_settings.view_transform = "AgX"
    table.render.resolution_x = 5000
    told = [problem.fails for problem in problems("render")]
    assert told == sorted(told, reverse=True) and True in told and False in told
