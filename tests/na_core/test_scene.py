"""The one message: it survives its JSON unchanged, and everything that is not it is refused by name."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from na_core.message import MAX_ELEMENT
from na_core.scene import (
    MAX_FOCAL,
    MAX_SHADOW_STRENGTH,
    MAX_SIDE,
    MAX_STEPS,
    SAMPLING_PRESETS,
    SCHEMA_VERSION,
    Asset,
    AssetView,
    Background,
    Box,
    Camera,
    Frame,
    LayersRequest,
    Material,
    Mesh,
    MeshFile,
    Photo,
    PlacedAsset,
    RenderJob,
    Sampling,
    SceneError,
)

# Deep messages take a while to draw; examples stay few so that the whole file takes seconds.
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)


@st.composite
def rigid_matrices(draw: st.DrawFn) -> np.ndarray:
    q = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    norm = np.linalg.norm(q)
    w, x, y, z = q / norm if norm > 1e-3 else (1.0, 0.0, 0.0, 0.0)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = draw(st.tuples(numbers, numbers, numbers))
    return matrix


@st.composite
def affine_matrices(draw: st.DrawFn) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3] = np.array(draw(st.tuples(*[numbers] * 12))).reshape(3, 4)
    return matrix


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x0, x1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    y0, y1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    return x0, y0, x1, y1


photos = st.builds(Photo, st.text("0123456789abcdef", min_size=64, max_size=64))
centres = st.floats(-MAX_FOCAL, MAX_FOCAL)
cameras = st.builds(Camera, rigid_matrices(), positive, positive, centres, centres)
boxes = st.builds(Box, affine_matrices())
layers = st.none() | photos
mesh_files = st.builds(MeshFile, st.text("0123456789abcdef", min_size=64, max_size=64))
materials = st.builds(Material, st.tuples(*[st.floats(0, 1)] * 3), layers)
meshes = st.builds(Mesh, mesh_files, st.lists(materials, max_size=2).map(tuple))
asset_views = st.builds(AssetView, photos, boxes, cameras, rectangles(), layers)
assets = st.builds(
    Asset,
    *(st.text(), photos, boxes, cameras, rectangles(), st.integers(0, 3), layers, layers),
    st.none() | meshes,
    st.lists(asset_views, max_size=2).map(tuple),
)
placed_assets = assets.flatmap(
    lambda asset: st.builds(
        PlacedAsset,
        st.just(asset),
        boxes,
        st.floats(0, MAX_SHADOW_STRENGTH),
        deformed=st.none() if asset.mesh is None else st.none() | mesh_files,
    )
)
backgrounds = st.lists(st.tuples(boxes, layers, layers), max_size=2).flatmap(
    lambda hidden: st.builds(
        Background,
        photos,
        cameras,
        st.just(tuple(box for box, *_ in hidden)),
        layers,
        st.sampled_from([(), tuple(outline for _, outline, _ in hidden)]),
        st.sampled_from([(), tuple(shadow for *_, shadow in hidden)]),
    )
)
frames = st.builds(Frame, cameras, st.lists(placed_assets, max_size=2).map(tuple), backgrounds)
samplings = st.builds(
    Sampling,
    steps=st.integers(0, MAX_STEPS),
    guidance=st.floats(0, 30),
    seed=st.integers(0, 2**31 - 1),
    preset=st.sampled_from([*SAMPLING_PRESETS, "custom"]),
    width=st.integers(1, MAX_SIDE),
    height=st.integers(1, MAX_SIDE),
)
jobs = st.builds(RenderJob, st.lists(frames, max_size=2).map(tuple), samplings)
requests = frames.flatmap(
    lambda frame: st.builds(LayersRequest, st.just(frame), st.sampled_from([None, *range(len(frame.assets))]))
)
any_message = st.one_of(
    *(photos, cameras, boxes, mesh_files, materials, meshes, asset_views, assets, placed_assets),
    *(backgrounds, frames, samplings, jobs, requests),
)


def a_camera() -> Camera:
    return Camera(np.eye(4), 1.0, 1.5)


def a_photo(digit: str = "a") -> Photo:
    return Photo(digit * 64)


def a_frame() -> Frame:
    box = Box(np.diag([1.0, 2.0, 3.0, 1.0]))
    asset = Asset("mug", a_photo(), box, a_camera(), (0.1, 0.2, 0.3, 0.4), 1)
    return Frame(a_camera(), (PlacedAsset(asset, box),), Background(a_photo("b"), a_camera(), (box,)))


def a_job() -> RenderJob:
    return RenderJob((a_frame(),), Sampling())


def broken(change: Callable[[dict[str, Any]], None]) -> SceneError:
    """Return the error that a valid job's dictionary gives after a change."""
    data = a_job().to_dict()
    change(data)
    with pytest.raises(SceneError) as caught:
        RenderJob.from_dict(data)
    return caught.value


def place(data: dict[str, Any], route: tuple[str | int, ...], value: object) -> None:
    here: Any = data
    for step in route[:-1]:
        here = here[step]
    here[route[-1]] = value


def dotted(route: tuple[str | int, ...]) -> str:
    return "renderjob" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in route)


NUMBER_FIELDS: list[tuple[str | int, ...]] = [
    ("frames", 0, "camera", "fx"),
    ("frames", 0, "camera", "cy"),
    ("frames", 0, "camera", "world_from_camera", 0, 1),
    ("frames", 0, "assets", 0, "box", "world_from_box", 2, 3),
    ("frames", 0, "assets", 0, "asset", "source_box_2d", 2),
    ("frames", 0, "assets", 0, "asset", "quarter_turns"),
    ("frames", 0, "background", "hidden_boxes", 0, "world_from_box", 1, 1),
    ("sampling", "steps"),
    ("sampling", "guidance"),
    ("sampling", "width"),
]


class TestRoundTrip:
    @FEW
    @given(any_message)
    def test_json_gives_the_same_message_back(self, message: Any) -> None:
        again = type(message).from_json(message.to_json())
        assert again == message
        assert hash(again) == hash(message)
        assert again.to_json() == message.to_json()

    @FEW
    @given(any_message)
    def test_dict_is_plain_json(self, message: Any) -> None:
        assert json.loads(json.dumps(message.to_dict(), allow_nan=False)) == message.to_dict()

    def test_every_dataclass_of_the_schema_is_drawn(self) -> None:
        import na_core.scene as schema

        kinds = {c for c in vars(schema).values() if dataclasses.is_dataclass(c)}
        assert kinds == {
            Asset, AssetView, Background, Box, Camera, Frame, LayersRequest, Material, Mesh, MeshFile,
            Photo, PlacedAsset, RenderJob, Sampling,
        }  # fmt: skip

    def test_bytes_are_read_too(self) -> None:
        assert RenderJob.from_json(a_job().to_json().encode()) == a_job()

    def test_fields_with_a_default_may_be_absent(self) -> None:
        camera = Camera.from_dict({"world_from_camera": np.eye(4).tolist(), "fx": 1, "fy": 2})
        assert (camera.cx, camera.cy) == (0.5, 0.5)

    def test_nested_messages_are_dataclasses_again(self) -> None:
        frame = Frame.from_json(a_frame().to_json())
        assert isinstance(frame.assets, tuple)
        assert isinstance(frame.assets[0].asset.source_camera, Camera)
        assert isinstance(frame.background.hidden_boxes[0], Box)

    def test_every_matrix_element_keeps_all_its_digits(self) -> None:
        matrix = np.eye(4)
        matrix[0, 3] = math.pi * 1e5
        assert Box.from_json(Box(matrix).to_json()).world_from_box[0, 3] == matrix[0, 3]


class TestStrictness:
    @pytest.mark.parametrize(
        "route",
        [
            ("extra",),
            ("frames", 0, "extra"),
            ("frames", 0, "camera", "extra"),
            ("frames", 0, "assets", 0, "asset", "photo", "extra"),
            ("sampling", "extra"),
        ],
    )
    def test_unknown_field(self, route: tuple[str | int, ...]) -> None:
        error = broken(lambda data: place(data, route, 1))
        assert error.path == dotted(route)
        assert error.problem == "unknown field"
        assert str(error) == f"{dotted(route)}: unknown field"

    @pytest.mark.parametrize(
        "route",
        [
            ("frames",),
            ("frames", 0, "background"),
            ("frames", 0, "assets", 0, "asset", "name"),
            ("frames", 0, "assets", 0, "box", "world_from_box"),
            ("frames", 0, "background", "source_camera", "fy"),
        ],
    )
    def test_missing_field(self, route: tuple[str | int, ...]) -> None:
        def remove(data: dict[str, Any]) -> None:
            here: Any = data
            for step in route[:-1]:
                here = here[step]
            del here[route[-1]]

        error = broken(remove)
        assert (error.path, error.problem) == (dotted(route), "missing")

    @pytest.mark.parametrize("route", NUMBER_FIELDS, ids=dotted)
    @pytest.mark.parametrize(
        "value",
        [math.nan, math.inf, -math.inf, True, False, "1", None, [1], {}, 10**400],
        ids=["nan", "inf", "-inf", "true", "false", "text", "null", "list", "object", "huge"],
    )
    def test_only_finite_numbers_are_numbers(self, route: tuple[str | int, ...], value: object) -> None:
        assert broken(lambda data: place(data, route, value)).path == dotted(route)

    @pytest.mark.parametrize("route", NUMBER_FIELDS[5:6] + NUMBER_FIELDS[7:8] + NUMBER_FIELDS[9:], ids=dotted)
    def test_whole_numbers_are_whole(self, route: tuple[str | int, ...]) -> None:
        assert broken(lambda data: place(data, route, 1.0)).path == dotted(route)

    @pytest.mark.parametrize(
        ("route", "value"),
        [
            (("frames",), "x"),
            (("frames",), {}),
            (("frames", 0), []),
            (("frames", 0, "camera"), None),
            (("frames", 0, "assets"), None),
            (("frames", 0, "assets", 0), 3),
            (("frames", 0, "assets", 0, "asset", "name"), 3),
            (("frames", 0, "background", "hidden_boxes"), "boxes"),
            (("sampling",), []),
            (("sampling", "preset"), 4),
            (("frames", 0, "background", "photo", "sha256"), 4),
        ],
    )
    def test_wrong_type(self, route: tuple[str | int, ...], value: object) -> None:
        assert broken(lambda data: place(data, route, value)).path == dotted(route)

    @pytest.mark.parametrize("size", [0, 3, 5])
    def test_lists_of_the_wrong_length(self, size: int) -> None:
        rectangle = ("frames", 0, "assets", 0, "asset", "source_box_2d")
        assert broken(lambda data: place(data, rectangle, [0.5] * size)).path == dotted(rectangle)
        matrix = ("frames", 0, "camera", "world_from_camera")
        rows = np.eye(max(size, 4))[:size].tolist()
        assert broken(lambda data: place(data, matrix, rows)).path == dotted(matrix)
        row = [[0.0] * size, *np.eye(4)[1:].tolist()]
        assert broken(lambda data: place(data, matrix, row)).path == dotted(matrix)

    def test_a_message_that_is_no_object(self) -> None:
        for data in (None, [], "frame", 3):
            with pytest.raises(SceneError, match=r"^frame: expected an object"):
                Frame.from_dict(data)

    @pytest.mark.parametrize("text", ["", "{", "\xff", b"\xff\xfe{", "[" * 100_000])
    def test_text_that_is_no_json(self, text: str | bytes) -> None:
        with pytest.raises(SceneError, match=r"^frame: not JSON"):
            Frame.from_json(text)

    def test_nan_written_into_the_text(self) -> None:
        text = a_camera().to_json().replace('"fx":1.0', '"fx":NaN')
        with pytest.raises(SceneError, match=r"^camera\.fx: "):
            Camera.from_json(text)

    def test_the_error_is_a_value_error(self) -> None:
        assert issubclass(SceneError, ValueError)

    @pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, str(SCHEMA_VERSION), None, True, 1.0])
    def test_another_schema_version_is_refused(self, version: object) -> None:
        error = broken(lambda data: place(data, ("schema_version",), version))
        assert error.path == "renderjob.schema_version"
        assert str(SCHEMA_VERSION) in error.problem

    def test_a_job_of_the_first_version_is_read(self) -> None:
        data = a_job().to_dict() | {"schema_version": 1}
        for placed in data["frames"][0]["assets"]:
            del placed["asset"]["outline"], placed["asset"]["shadow_image"]
        for name in ("plate", "outlines", "shadow_images", "rectangles"):
            del data["frames"][0]["background"][name]
        assert RenderJob.from_dict(data) == a_job()


class TestValues:
    @pytest.mark.parametrize("name", ["outlines", "shadow_images"])
    def test_each_hidden_box_has_its_layer_or_none_has(self, name: str) -> None:
        background = a_frame().background
        for count in (2, 3):
            with pytest.raises(SceneError, match=rf"^background\.{name}: expected none or 1 of them"):
                dataclasses.replace(background, **{name: (a_photo(),) * count})

    def test_each_hidden_box_has_its_rectangle_or_none_has(self) -> None:
        background = a_frame().background
        with pytest.raises(SceneError, match=r"^background\.rectangles: expected none or 1 of them"):
            dataclasses.replace(background, rectangles=(None, None))
        with pytest.raises(SceneError, match=r"^background\.rectangles\[0\]: expected x0 <= x1"):
            dataclasses.replace(background, rectangles=((0.5, 0.0, 0.2, 1.0),))
        for rectangle in (None, (0.1, 0.2, 0.3, 0.4)):
            told = dataclasses.replace(background, rectangles=(rectangle,))
            assert Background.from_json(told.to_json()) == told

    def test_camera_must_be_rigid(self) -> None:
        for bad in (np.diag([2.0, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.zeros((4, 4))):
            with pytest.raises(SceneError, match=r"^camera\.world_from_camera"):
                Camera(bad, 1, 1)

    def test_focal_lengths_are_positive(self) -> None:
        for name in ("fx", "fy"):
            for value in (0.0, -1.0):
                with pytest.raises(SceneError, match=rf"^camera\.{name}: must be positive"):
                    Camera(np.eye(4), **{"fx": 1.0, "fy": 1.0, name: value})

    @pytest.mark.parametrize("name", ["fx", "fy"])
    @pytest.mark.parametrize("value", [1e-320, 0.9 / MAX_FOCAL, 1.1 * MAX_FOCAL, 1e308])
    def test_no_lens_is_so_short_or_so_long(self, name: str, value: float) -> None:
        with pytest.raises(SceneError, match=rf"^camera\.{name}: expected a number from"):
            Camera(np.eye(4), **{"fx": 1.0, "fy": 1.0, name: value})

    @pytest.mark.parametrize("name", ["cx", "cy"])
    @pytest.mark.parametrize("value", [-1e308, 1.1 * MAX_FOCAL])
    def test_no_lens_is_shifted_so_far(self, name: str, value: float) -> None:
        with pytest.raises(SceneError, match=rf"^camera\.{name}: expected a number from"):
            Camera(np.eye(4), 1.0, 1.0, **{name: value})

    def test_no_matrix_reaches_to_the_stars(self) -> None:
        far = np.eye(4)
        for value in (MAX_ELEMENT, -MAX_ELEMENT):
            far[0, 3] = value
            assert Box(far).world_from_box[0, 3] == value
        far[0, 3] = 1e59
        for message in (Box, lambda matrix: Camera(matrix, 1.0, 1.0)):
            with pytest.raises(SceneError, match="holds a number beyond 1e\\+09"):
                message(far)

    def test_box_takes_shear_mirror_and_flat(self) -> None:
        shear = np.eye(4)
        shear[0, 1] = 0.7
        for matrix in (shear, np.diag([-1.0, 1, 1, 1]), np.diag([1.0, 1, 0, 1])):
            assert np.array_equal(Box(matrix).world_from_box, matrix)

    def test_last_row_is_fixed(self) -> None:
        matrix = np.eye(4)
        matrix[3, 0] = 1
        with pytest.raises(SceneError, match="last row"):
            Box(matrix)

    @pytest.mark.parametrize("dtype", [bool, str, object, complex])
    def test_arrays_of_other_kinds_are_no_matrices(self, dtype: type) -> None:
        with pytest.raises(SceneError, match=r"^box\.world_from_box: expected a 4x4 matrix"):
            Box(np.eye(4).astype(dtype))

    @pytest.mark.parametrize(
        "name",
        ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 63 + "\n", "a" * 64 + "\n", "../" + "a" * 61],
    )
    def test_photo_is_a_lower_case_sha256(self, name: str) -> None:
        with pytest.raises(SceneError, match=r"^photo\.sha256"):
            Photo(name)

    @pytest.mark.parametrize(
        "rectangle", [(0.5, 0, 0.4, 1), (0, 0.5, 1, 0.4), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)]
    )
    def test_rectangle_is_ordered_and_inside(self, rectangle: tuple[float, ...]) -> None:
        with pytest.raises(SceneError, match=r"^asset\.source_box_2d"):
            Asset("a", a_photo(), Box(np.eye(4)), a_camera(), rectangle)  # type: ignore[arg-type]

    @pytest.mark.parametrize("strength", [-0.1, 2.1, float("nan"), True, "1"])
    def test_shadow_strength_is_a_number_from_0_to_2(self, strength: object) -> None:
        route = ("frames", 0, "assets", 0, "shadow_strength")
        assert broken(lambda data: place(data, route, strength)).path == dotted(route)

    def test_a_file_without_shadow_strengths_has_shadows_as_in_the_photo(self) -> None:
        data = a_job().to_dict()
        del data["frames"][0]["assets"][0]["shadow_strength"]
        assert RenderJob.from_dict(data) == a_job()
        assert a_frame().assets[0].shadow_strength == 1

    @pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "1"])
    def test_match_light_is_a_share(self, share: object) -> None:
        route = ("frames", 0, "assets", 0, "match_light")
        assert broken(lambda data: place(data, route, share)).path == dotted(route)

    def test_a_file_that_does_not_say_so_matches_light(self) -> None:
        data = a_job().to_dict()
        del data["frames"][0]["assets"][0]["match_light"]
        assert RenderJob.from_dict(data) == a_job()
        assert a_frame().assets[0].match_light == 1

    def test_empty_rectangle_means_not_in_the_photo(self) -> None:
        unseen = Asset("a", a_photo(), Box(np.eye(4)), a_camera(), (0, 0, 0, 0))
        assert unseen.source_box_2d == (0.0, 0.0, 0.0, 0.0)
        assert Asset.from_json(unseen.to_json()) == unseen

    @pytest.mark.parametrize("turns", [-1, 4])
    def test_quarter_turns(self, turns: int) -> None:
        with pytest.raises(SceneError, match=r"^asset\.quarter_turns"):
            Asset("a", a_photo(), Box(np.eye(4)), a_camera(), (0, 0, 1, 1), turns)

    @pytest.mark.parametrize(
        ("name", "allowed", "refused"),
        [
            ("steps", (0, MAX_STEPS), (-1, MAX_STEPS + 1)),
            ("seed", (0, 2**31 - 1), (-1, 2**31)),
            ("width", (1, MAX_SIDE), (0, MAX_SIDE + 1)),
            ("height", (1, MAX_SIDE), (0, MAX_SIDE + 1)),
            ("guidance", (0, 30), (-0.1, 30.1)),
            ("preset", ("custom", *SAMPLING_PRESETS), ("", "paper")),
        ],
    )
    def test_sampling_ranges(self, name: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
        for value in allowed:
            assert getattr(Sampling(**{name: value}), name) == value
        for value in refused:
            with pytest.raises(SceneError, match=rf"^sampling\.{name}: expected"):
                Sampling(**{name: value})

    def test_sampling_presets(self) -> None:
        for preset, (steps, guidance) in SAMPLING_PRESETS.items():
            sampling = Sampling.from_preset(preset, seed=3, width=5, height=7)
            assert sampling == Sampling(steps, guidance, 3, preset, 5, 7)
        assert Sampling.from_preset("standard") == Sampling()
        with pytest.raises(SceneError, match=r"^sampling\.preset: expected one of draft, standard"):
            Sampling.from_preset("high")

    def test_only_an_asset_with_a_mesh_is_deformed(self) -> None:
        frame = a_frame()
        with pytest.raises(SceneError, match="the asset has no mesh"):
            dataclasses.replace(frame.assets[0], deformed=MeshFile("c" * 64))

    @pytest.mark.parametrize("colour", [(0.1, 0.2), (0.1, 0.2, 1.5), (0.1, 0.2, "x"), 0.5])
    def test_a_materials_colour_is_three_shares(self, colour: Any) -> None:
        with pytest.raises(SceneError, match=r"material\.colour"):
            Material(colour)

    def test_a_frame_lists_its_meshes_and_their_textures_once(self) -> None:
        frame = a_frame()
        mesh = Mesh(MeshFile("c" * 64), (Material(texture=a_photo("d")), Material()))
        asset = dataclasses.replace(frame.assets[0].asset, mesh=mesh)
        placed = PlacedAsset(asset, frame.assets[0].box, deformed=MeshFile("e" * 64))
        frame = dataclasses.replace(frame, assets=(placed, placed))
        assert frame.meshes() == (MeshFile("c" * 64), MeshFile("e" * 64))
        assert frame.photos()[-1] == a_photo("d")
        assert Frame.from_json(frame.to_json()) == frame

    def test_photos_of_a_frame_are_listed_once_background_first(self) -> None:
        frame = a_frame()
        twice = dataclasses.replace(frame, assets=frame.assets * 2)
        assert twice.photos() == (a_photo("b"), a_photo("a"))


class TestIdentity:
    def test_equal_by_value_and_usable_as_keys(self) -> None:
        assert a_frame() == a_frame()
        assert {a_frame(): 1}[a_frame()] == 1
        assert len({a_photo(), a_photo(), a_photo("b")}) == 2

    def test_different_values_and_types_differ(self) -> None:
        assert a_frame() != dataclasses.replace(a_frame(), assets=())
        assert Box(np.eye(4)) != Box(2 * np.eye(4) - np.diag([0, 0, 0, 1.0]))
        assert a_photo() != "a" * 64

    def test_numpy_numbers_and_dtypes_do_not_matter(self) -> None:
        plain, other = Camera(np.eye(4), 1.0, 2.0), Camera(np.eye(4, dtype=np.float32), np.float32(1), 2)
        assert plain == other
        assert Box(np.eye(4).tolist()) == Box(np.eye(4, dtype=int))
        assert Sampling(steps=np.int64(4)) == Sampling(steps=4)

    def test_negative_zero_is_zero(self) -> None:
        matrix = np.eye(4)
        matrix[0, 1] = -0.0
        assert Box(matrix) == Box(np.eye(4))
        assert Camera(np.eye(4), 1, 1, cx=-0.0) == Camera(np.eye(4), 1, 1, cx=0.0)

    def test_frozen(self) -> None:
        for message, name in ((a_camera(), "fx"), (a_frame(), "assets"), (Sampling(), "seed")):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(message, name, 1)

    def test_matrices_are_read_only_copies(self) -> None:
        matrix = np.eye(4)
        box, camera = Box(matrix), Camera(matrix, 1, 1)
        matrix[0, 3] = 5
        assert box.world_from_box[0, 3] == camera.world_from_camera[0, 3] == 0
        for held in (box.world_from_box, camera.world_from_camera):
            with pytest.raises(ValueError, match="read-only"):
                held[0, 0] = 2
