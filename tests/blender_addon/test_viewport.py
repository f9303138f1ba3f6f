"""Rendered shading without a window: what views show, what a real worker is asked, what is given up."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from bpy_extras.view3d_utils import location_3d_to_region_2d
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mathutils import Euler, Matrix, Vector

from na_core.geometry.camera import project_points

REGION = (180, 120)
SECONDS = 120.0
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def depsgraph_of(scene):
    scene.update_tag()  # for what tests write into properties, as the interface does when a user writes
    scene.view_layers[0].update()
    return scene.view_layers[0].depsgraph


def look_freely(eye=(0.0, -0.4, 1.9), turn=(1.35, 0.0, 0.1), lens=50.0, region=REGION):
    """Return the region data that Blender has of a free view: its lens is on 36 mm, doubled."""
    data = bpy.data.cameras.new("free")
    data.lens, data.sensor_width, data.sensor_fit = lens / 2, 36.0, "AUTO"
    item = bpy.data.objects.new("free", data)
    window = item.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=region[0], y=region[1])
    bpy.data.objects.remove(item)
    pose = Matrix.Translation(eye) @ Euler(turn).to_matrix().to_4x4()
    return region_data("PERSP", pose.inverted(), window)


def look_through_camera(scene, zoom=(0.8, 0.8), offset=(0.0, 0.0)):
    """Return the region data of a camera view; its frame takes a share of the region, off its middle."""
    render, camera = scene.render, scene.camera
    window = camera.calc_matrix_camera(
        depsgraph_of(scene),
        x=render.resolution_x,
        y=render.resolution_y,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    shown = Matrix.Diagonal((*zoom, 1, 1))
    shown[0][3], shown[1][3] = offset
    return region_data("CAMERA", camera.matrix_world.inverted(), shown @ window)


def region_data(perspective, view, window):
    return SimpleNamespace(
        view_perspective=perspective,
        view_matrix=view,
        window_matrix=window,
        perspective_matrix=window @ view,
    )


@pytest.fixture
def space():
    return SimpleNamespace(use_local_camera=False, camera=None)


@pytest.fixture
def viewport(part, table, space, settings):
    """A function that draws the viewport once, as Blender would, and its session."""
    table.neural_assets.preset = "standard"
    made = Viewport(part, table, space)
    yield made
    made.session.close()


class Viewport:
    """A viewport's session, driven as Blender drives it: drawn when it asks for it, timers in between."""

    def __init__(self, part, scene, space):
        self._part, self.scene, self._space = part, scene, space
        self.session = part("viewport.session").Session(self._redraw)
        self.data = look_through_camera(scene)
        self.drawn = 0
        self.seen = []
        """Statuses and kinds of pictures, as they came."""
        self._due = True

    def _redraw(self):
        self._due = True

    def change(self, **images):
        self.session.mark_changed(**images)
        self.draw()

    def draw(self):
        """Draw once."""
        self._due = False
        depsgraph = depsgraph_of(self.scene)
        view = self._part("viewport.views").view_of(depsgraph, self._space, self.data, REGION)
        self.session.step(depsgraph, view)
        self.drawn += 1
        if not self.seen or self.seen[-1] != self.session.status:
            self.seen.append(self.session.status)

    def follow(self, until, seconds=SECONDS):
        """Let the timer look and draw until something is so."""
        end = time.monotonic() + seconds
        self.draw()
        while not until():
            assert time.monotonic() < end, (self.session.status, self.seen)
            if self.session._look() is None or self._due:
                self.draw()
            time.sleep(0.01)

    def settle(self):
        self.follow(lambda: self.session._pause() is None)
        return self.session.picture

    @property
    def request(self):
        return self.session._request


def threads():
    return [
        each
        for each in threading.enumerate()
        if each.name in ("neural-assets-viewport", "neural-assets-render")
    ]


def pid_of(part):
    return part("worker.supervisor").status().address.pid


# -- what views show --------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    eye=st.tuples(*[st.floats(-8, 8)] * 3),
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    lens=st.floats(8, 250),
    region=st.tuples(st.integers(40, 2000), st.integers(40, 2000)),
    ahead=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.5, 30)),
)
def test_a_free_views_camera_sees_points_where_blender_draws_them(part, eye, turn, lens, region, ahead):
    data = look_freely(eye, turn, lens, region)
    view = part("viewport.views").view_of(
        bpy.context.evaluated_depsgraph_get(), SimpleNamespace(use_local_camera=False), data, region
    )
    x, y, depth = ahead
    point = data.view_matrix.inverted() @ Vector((x * depth, y * depth, -depth))
    u, v, found = project_points(view.camera, point)
    drawn = location_3d_to_region_2d(SimpleNamespace(width=region[0], height=region[1]), data, point)
    assert (u * region[0], (1 - v) * region[1]) == pytest.approx(tuple(drawn), abs=0.05)
    assert found == pytest.approx(depth, rel=1e-3)
    assert view.place == (0, 0, *region)
    assert not view.through_camera


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    lens=st.floats(15, 200),
    shift=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)),
    fit=st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"]),
    resolution=st.tuples(st.integers(20, 3000), st.integers(20, 3000)),
    aspect=st.tuples(st.floats(1, 2), st.floats(1, 2)),
    zoom=st.floats(0.2, 3),
    offset=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_the_cameras_frame_is_where_blender_draws_it(
    part, addon, lens, shift, fit, resolution, aspect, zoom, offset
):
    scene = bpy.data.scenes.new("framed")
    camera = bpy.data.objects.new("framing", bpy.data.cameras.new("framing"))
    try:
        scene.collection.objects.link(camera)
        scene.camera = camera
        camera.data.lens, camera.data.sensor_fit = lens, fit
        camera.data.shift_x, camera.data.shift_y = shift
        camera.location, camera.rotation_euler = (1, -2, 3), (1.1, 0.2, 0.4)
        render = scene.render
        render.resolution_x, render.resolution_y = resolution
        render.pixel_aspect_x, render.pixel_aspect_y = aspect
        depsgraph_of(scene)
        data = look_through_camera(scene, (zoom, zoom * 0.9), offset)
        view = part("viewport.views").view_of(
            depsgraph_of(scene), SimpleNamespace(use_local_camera=False), data, REGION
        )
        left, bottom, right, top = view.place
        region = SimpleNamespace(width=REGION[0], height=REGION[1])
        for corner in camera.data.view_frame(scene=scene):
            place = location_3d_to_region_2d(region, data, camera.matrix_world @ corner)
            across, up, _ = world_to_camera_view(scene, camera, camera.matrix_world @ corner)
            expected = left + across * (right - left), bottom + up * (top - bottom)
            assert tuple(place) == pytest.approx(expected, abs=0.05)
            assert (round(across), round(up)) == pytest.approx((across, up), abs=1e-3)
        assert max(view.size) <= max(resolution)
        assert view.through_camera and view.is_scene_camera
    finally:
        bpy.data.objects.remove(camera)
        bpy.data.scenes.remove(scene)


def test_an_orthographic_view_says_that_it_is_not_shown(part, api, table, space):
    data = region_data("ORTHO", Matrix(), Matrix())
    with pytest.raises(api.UserError, match=r"Orthographic views are not shown\. Press Numpad 5"):
        part("viewport.views").view_of(depsgraph_of(table), space, data, REGION)


def test_an_orthographic_camera_says_what_to_do(part, api, table, space):
    data = look_through_camera(table)
    table.camera.data.type = "ORTHO"
    with pytest.raises(api.UserError, match=r"not a perspective camera"):
        part("viewport.views").view_of(depsgraph_of(table), space, data, REGION)


def test_a_viewports_own_camera_counts(part, table, space):
    own = table.camera.copy()
    own.data = own.data.copy()
    table.collection.objects.link(own)
    own.location.x += 1
    depsgraph_of(table)
    space.use_local_camera, space.camera = True, own
    data = look_through_camera(table)
    view = part("viewport.views").view_of(depsgraph_of(table), space, data, REGION)
    assert view.camera.world_from_camera[0, 3] == pytest.approx(own.location.x)
    assert not view.is_scene_camera


def test_what_is_behind_a_free_view_is_left_out(part, table, space):
    message, photos = part("viewport.message"), part("viewport.photos").KnownPhotos()
    views = part("viewport.views")
    ahead = views.view_of(depsgraph_of(table), space, look_freely(), REGION)
    back = views.view_of(depsgraph_of(table), space, look_freely(turn=(1.35, 0, 3.2)), REGION)
    assert len(message.view_message(depsgraph_of(table), ahead, photos).frame.assets) == 2
    assert len(message.view_message(depsgraph_of(table), back, photos).frame.assets) == 0


def test_photos_are_read_once_while_things_move(part, table, space, monkeypatch):
    message, photos = part("viewport.message"), part("viewport.photos").KnownPhotos()
    view = part("viewport.views").view_of(depsgraph_of(table), space, look_freely(), REGION)
    read = []
    module = part("scene.frame")
    reading = module.photo_of
    monkeypatch.setattr(module, "photo_of", lambda image: read.append(image.name) or reading(image))
    first = message.view_message(depsgraph_of(table), view, photos)
    table.objects["Cup"].location.x += 0.1
    second = message.view_message(depsgraph_of(table), view, photos)
    assert len(read) == 1
    assert first.key != second.key
    assert first.files == second.files
    photos.forget()
    message.view_message(depsgraph_of(table), view, photos)
    assert len(read) == 2


def test_another_file_of_a_photo_is_noticed(part, table, space, make_photo):
    photos = part("viewport.photos").KnownPhotos()
    image = table.neural_assets.photo
    before = photos.photo(image)
    assert photos.photo(image) == before
    image.unpack(method="REMOVE")
    image.filepath = str(make_photo(96, 64, "other.jpg"))
    image.reload()
    assert photos.photo(image) != before


# -- what is asked for -----------------------------------------------------------------------------------


def test_a_proxy_comes_first_and_then_the_scenes_own_picture(viewport, api, part):
    viewport.follow(lambda: viewport.session.picture is not None)
    assert viewport.session.picture.is_proxy
    picture = viewport.settle()
    assert not picture.is_proxy
    assert viewport.session.status == "Rendered"
    assert viewport.seen[-1] == "Rendered"
    pixels = picture.pixels[::-1]
    assert pixels.shape == (64, 96, 4)
    assert (pixels[..., 3] == 1).all()
    assert (
        np.abs(pixels[..., :3] - part("render.colour").scene_linear(api.render_frame())[..., :3]).max() == 0
    )


def test_a_draft_is_finished_with_its_proxy(viewport):
    viewport.scene.neural_assets.preset = "draft"
    viewport.settle()
    assert viewport.session.picture.is_proxy
    assert viewport.session.status == "Proxy"


def test_nothing_is_asked_for_while_nothing_changes(viewport):
    picture = viewport.settle()
    viewport.change()  # such as a selection
    assert viewport.request is None
    viewport.data = look_through_camera(viewport.scene, (0.8, 0.8), (0.3, -0.2))  # moved in the region
    viewport.draw()
    assert viewport.request is None
    assert viewport.session.picture is picture


def test_the_latest_change_wins(viewport):
    viewport.settle()
    cup = viewport.scene.objects["Cup"]
    asked = []
    for _ in range(12):
        cup.location.x += 0.02
        viewport.change()
        if viewport.request is not None and (not asked or asked[-1] is not viewport.request):
            asked.append(viewport.request)
        time.sleep(0.005)
    assert len(asked) < 12  # the states between are never asked for
    picture = viewport.settle()
    placed = {each.asset.name: each.box for each in asked[-1]._message.frame.assets}
    assert picture.key == viewport.session._message.key
    shown = {each.asset.name: each.box for each in viewport.session._message.frame.assets}
    assert shown["Cup"].world_from_box[0, 3] == pytest.approx(cup.location.x)
    assert set(placed) == set(shown)


def test_a_change_gives_up_the_decoder_and_its_worker_goes_on(viewport, part):
    settings = viewport.scene.neural_assets
    settings.preset, settings.steps = "custom", 1000
    viewport.follow(lambda: viewport.session.status.startswith("Rendering step"))
    decoding, pid = viewport.request, pid_of(part)
    assert not decoding.is_proxy
    began = time.monotonic()
    viewport.scene.objects["Cup"].location.x += 0.05
    viewport.change()
    assert time.monotonic() - began < 0.5  # it waits for nothing
    assert decoding.is_stopped()
    assert viewport.request.is_proxy
    settings.preset = "standard"
    viewport.change()
    viewport.settle()
    assert not decoding.is_running()
    assert pid_of(part) == pid


def test_freely_seen_what_no_photo_showed_fades(viewport, part):
    viewport.data = look_freely(turn=(1.35, 0.0, 0.4))
    picture = viewport.settle()
    opacity = picture.pixels[::-1, :, 3]
    assert picture.pixels.shape == (REGION[1], REGION[0], 4)
    faintest = part("viewport.picture").FAINTEST
    assert opacity.min() == pytest.approx(faintest, abs=0.01)
    assert opacity.max() == pytest.approx(1.0, abs=1e-3)
    assert not picture.is_proxy
    assert (picture.pixels[..., :3] <= picture.pixels[..., 3:] + 1e-6).all()  # colours times alpha


def test_what_is_wrong_is_said_and_a_change_puts_it_right(viewport):
    photo, viewport.scene.neural_assets.photo = viewport.scene.neural_assets.photo, None
    viewport.change()
    assert viewport.session.status.startswith("No photo has been imported into this scene.\nUse")
    assert viewport.session.picture is None
    assert viewport.session._pause() is None
    viewport.scene.neural_assets.photo = photo
    viewport.change()
    assert not viewport.settle().is_proxy


def test_without_a_worker_it_says_so_in_words(viewport, part, monkeypatch, no_settings):
    part("worker.supervisor").stop()
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", "/nowhere/python")
    viewport.settle()
    assert viewport.session.status.startswith("The worker's Python '/nowhere/python' does not exist.\nChoose")


@POSIX
def test_a_worker_that_died_is_replaced_with_the_next_change(viewport, part):
    viewport.settle()
    pid = pid_of(part)
    os.kill(pid, signal.SIGKILL)
    part("worker.supervisor")._current._process.wait()
    viewport.scene.objects["Cup"].location.x += 0.07
    viewport.change()
    viewport.settle()
    assert viewport.session.status == "Rendered"
    assert pid_of(part) != pid
    assert "Starting the worker" in viewport.seen


@POSIX
def test_a_worker_killed_in_the_decoder_is_replaced(viewport, part):
    settings = viewport.scene.neural_assets
    settings.preset, settings.steps = "custom", 60
    viewport.follow(lambda: viewport.session.status.startswith("Rendering step"))
    pid = pid_of(part)
    os.kill(pid, signal.SIGKILL)
    viewport.settle()
    assert pid_of(part) != pid
    assert not viewport.session.picture.is_proxy


def test_two_viewports_show_what_each_looks_at(part, table, space, settings):
    one, two = Viewport(part, table, space), Viewport(part, table, space)
    two.data = look_freely()
    one.draw()
    two.draw()
    pictures = one.settle(), two.settle()
    assert pictures[0].view.through_camera and not pictures[1].view.through_camera
    one.session.close()
    two.scene.objects["Cup"].location.x += 0.03
    two.change()
    assert two.settle() is not pictures[1]
    two.session.close()


def test_closing_leaves_no_thread_and_no_timer(part, table, space, settings):
    table.neural_assets.preset, table.neural_assets.steps = "custom", 1000
    viewport = Viewport(part, table, space)
    viewport.follow(lambda: viewport.session.status.startswith("Rendering step"))
    began = time.monotonic()
    viewport.session.close()
    assert time.monotonic() - began < 0.5
    end = time.monotonic() + 10
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert not threads()
    assert viewport.session.picture is None


def test_another_file_lets_go_of_everything(viewport, part):
    viewport.settle()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    assert viewport.session.picture is None
    assert not viewport.session._photos.bytes_by_sha256


# -- how large proxies are ---------------------------------------------------------------------------------


def test_proxies_shrink_until_they_come_quickly_and_grow_again(part):
    pace = part("viewport.pace").Pace()
    full = (1600, 900)
    assert pace.size_for(full) == full
    pace.learn(full, 3.0)  # the photo is taken apart
    pace.learn(full, 0.4)
    small = pace.size_for(full)
    assert small[0] / small[1] == pytest.approx(16 / 9, rel=0.01)
    assert 0.2 < small[0] / 1600 <= 0.51
    for _ in range(5):
        pace.learn(small, 0.001)
    assert pace.size_for(full) == full


def test_proxies_do_not_shrink_where_it_would_not_help(part):
    pace = part("viewport.pace").Pace()
    pace.learn((200, 150), 2.0)
    pace.learn((200, 150), 2.0)
    assert pace.size_for((200, 150)) == (200, 150)


def test_opacity_is_soft_and_of_the_pictures_size(part):
    picture = part("viewport.picture")
    validity = np.zeros((60, 100), np.float32)
    validity[:, 50:] = 1
    found = picture.opacity(validity, (120, 200))
    assert found.shape == (120, 200)
    assert found[60, 0] == pytest.approx(picture.FAINTEST)
    assert found[60, -1] == pytest.approx(1)
    steps = np.diff(found[60])
    assert (steps >= -1e-4).all() and steps.max() < 0.4
