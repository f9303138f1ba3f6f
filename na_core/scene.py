"""The one message that describes a frame, shared by the add-on, the worker, the data sets and the evaluation.

Frozen dataclasses with a strict JSON form: unknown, missing or malformed fields raise :class:`SceneError`,
whose text names the field. A :class:`Frame` is complete in itself, so any worker can render any frame.

Conventions (see the design page): the world is Blender's (right-handed, Z up, metres); a camera looks along
its local -Z with +Y up; image coordinates are (x right, y down) in [0, 1] with the origin at the top left;
``a_from_b`` maps b-coordinates to a-coordinates. Standard library and numpy only.
"""

import re
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from na_core.message import Message, SceneError, as_integer, as_matrix, as_number, as_rectangle

SCHEMA_VERSION, OLDEST_SCHEMA_VERSION = 5, 1
"""Versions of the JSON schema that is written, and of the oldest that is read; a reader refuses any other.

Version 2 added what artists make of layers: outlines, shadows and plates. Version 3 added meshes, and
assets that several photos show. Version 4 added what refiners are told. Version 5 added the 2D
boxes of hidden objects.
"""

MAX_PROMPT = 1000
"""Characters of a prompt."""

SAMPLING_PRESETS: dict[str, tuple[int, float]] = {
    "draft": (0, 1.0),
    "standard": (1, 1.0),
    "best": (2, 1.0),
}
"""Named recipes: ``preset -> (steps, guidance scale)``, where the checkpoint says nothing else. ``draft`` is
the proxy: no network runs.

One step from zero terminal SNR is the mean over what fits. It is the embedded checkpoint's best on the bench:
so small a decoder's further steps add texture, and error with it.
"""

PASS_NAMES = (
    "depth",
    "index",
    "normal",
    "position",
    "vector",
    "shadow",
    "plate",
    "proxy",
    "validity",
    "alpha",
    "cryptomatte",
)
"""What may be asked for beside a frame's picture."""

MAX_STEPS = 1000

MAX_SIDE = 4096
"""Pixels of the longest side of a picture to render, and of a photo: larger photos are reduced to it."""

MAX_FOCAL = 1e4
"""Focal length in units of the image, and distance of the principal point from its corner; the least focal
length is one over it. No lens comes near."""

MAX_TRIANGLES = 2_000_000
"""Of a mesh; a finer one shows no more in a picture of :data:`MAX_SIDE` pixels."""

MAX_SHADOW_STRENGTH = 2.0
"""Of an asset; a shadow as dark as the square of what the photo shows."""

Picture = NDArray[np.uint8]
"""(height, width, 3) sRGB, top row first."""

Rectangle = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in image coordinates, ordered: x0 <= x1 and y0 <= y1."""


@dataclass(frozen=True, eq=False)
class Camera(Message):
    """A pinhole camera.

    Attributes:
        world_from_camera: (4, 4) rigid transform; the camera looks along its local -Z, +Y is up.
        fx, fy: focal lengths in units of the image's width and height.
        cx, cy: principal point in image coordinates ([0, 1], y down); 0.5, 0.5 without lens shift.
    """

    world_from_camera: NDArray[np.float64]
    fx: float
    fy: float
    cx: float = 0.5
    cy: float = 0.5

    def __post_init__(self) -> None:
        pose = as_matrix(self.world_from_camera, "camera.world_from_camera")
        rotation = pose[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(rotation) < 0:
            raise SceneError("camera.world_from_camera", "must be a rotation and a translation")
        object.__setattr__(self, "world_from_camera", pose)
        for name in ("fx", "fy"):
            focal = as_number(getattr(self, name), f"camera.{name}")
            if focal <= 0:
                raise SceneError(f"camera.{name}", "must be positive")
            as_number(focal, f"camera.{name}", 1 / MAX_FOCAL, MAX_FOCAL)
            object.__setattr__(self, name, focal)
        for name in ("cx", "cy"):
            centre = as_number(getattr(self, name), f"camera.{name}", -MAX_FOCAL, MAX_FOCAL)
            object.__setattr__(self, name, centre)


@dataclass(frozen=True, eq=False)
class Box(Message):
    """A 3D box: the image of the cube [-1/2, 1/2]^3 under ``world_from_box`` (4, 4); shear is legal."""

    world_from_box: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "world_from_box", as_matrix(self.world_from_box, "box.world_from_box"))


@dataclass(frozen=True, eq=False)
class Photo(Message):
    """A photo, named by the SHA-256 of its file's bytes (64 lower-case hexadecimal digits)."""

    sha256: str

    def __post_init__(self) -> None:
        _check_sha256(self.sha256, "photo.sha256")


@dataclass(frozen=True, eq=False)
class MeshFile(Message):
    """A file of :func:`na_core.geometry.mesh_file.mesh_bytes`, named by the SHA-256 of its bytes."""

    sha256: str

    def __post_init__(self) -> None:
        _check_sha256(self.sha256, "meshfile.sha256")


@dataclass(frozen=True, eq=False)
class Material(Message):
    """What a mesh's surface looks like of itself, where no photo shows it.

    Attributes:
        colour: sRGB, each from 0 to 1: its base colour, where it has no texture.
        texture: its base colour, laid out by the mesh's UVs, which repeat it.
    """

    colour: tuple[float, float, float] = (0.8, 0.8, 0.8)
    texture: Photo | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.colour, list | tuple) or len(self.colour) != 3:
            raise SceneError("material.colour", "expected three numbers")
        each = (as_number(value, f"material.colour[{i}]", 0, 1) for i, value in enumerate(self.colour))
        object.__setattr__(self, "colour", tuple(each))


@dataclass(frozen=True, eq=False)
class Mesh(Message):
    """A mesh that is the shape of an asset.

    Attributes:
        file: its triangles, in the coordinates of the asset's source box, which is the cube [-1/2, 1/2]^3;
            they may reach out of it.
        materials: by the numbers that the triangles have; those beyond them are the last. Empty: grey.
    """

    file: MeshFile
    materials: tuple[Material, ...] = ()


@dataclass(frozen=True, eq=False)
class AssetView(Message):
    """An object as a photo shows it, in the words of :class:`Asset`.

    Boxes of one object are the same box in another pose: what is at a place in one is at that place in all.
    """

    photo: Photo
    source_box: Box
    source_camera: Camera
    source_box_2d: Rectangle
    outline: Photo | None = None

    def __post_init__(self) -> None:
        rectangle = as_rectangle(self.source_box_2d, "assetview.source_box_2d")
        object.__setattr__(self, "source_box_2d", rectangle)


@dataclass(frozen=True, eq=False)
class Asset(Message):
    """An object as one photo shows it, and perhaps others.

    Attributes:
        name: shown to the user, not used by the model.
        photo: the picture that the appearance comes from.
        source_box: the object's box in the world of the source camera.
        source_camera: the camera that took the photo.
        source_box_2d: (x0, y0, x1, y1) in [0, 1], tight around the object in the photo; may be empty
            (x0 = x1) when the photo does not show the object.
        quarter_turns: the frozen relabelling k in {0, 1, 2, 3} of corners (design, section 4.3).
        outline: a picture by hand of what is seen of it, white where the photo shows it; its red channel
            counts, stretched over the photo. None: a network finds it.
        shadow_image: likewise of its shadow, as sRGB colours that the ground is multiplied by in linear
            light; white where there is none.
        mesh: its shape as the photo shows it; None: what a network makes of the photo.
        views: of other photos that show it, too: of its other sides. Its surface is seen where any of them
            shows it best.
    """

    name: str
    photo: Photo
    source_box: Box
    source_camera: Camera
    source_box_2d: Rectangle
    quarter_turns: int = 0
    outline: Photo | None = None
    shadow_image: Photo | None = None
    mesh: Mesh | None = None
    views: tuple[AssetView, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise SceneError("asset.name", f"expected a string, got {self.name!r}")
        object.__setattr__(self, "source_box_2d", as_rectangle(self.source_box_2d, "asset.source_box_2d"))
        turns = as_integer(self.quarter_turns, "asset.quarter_turns", 0, 3)
        object.__setattr__(self, "quarter_turns", turns)

    def all_views(self) -> tuple[AssetView, ...]:
        """Return every view of the object, that of its own photo first."""
        source = self.photo, self.source_box, self.source_camera, self.source_box_2d, self.outline
        return AssetView(*source), *self.views


@dataclass(frozen=True, eq=False)
class PlacedAsset(Message):
    """An asset in the frame to render.

    Attributes:
        asset: what stands there.
        box: that it fills.
        shadow_strength: how much of its shadow it throws there, from 0 (none) over 1 (as its photo shows it)
            to :data:`MAX_SHADOW_STRENGTH`; a factor of the shadow's logarithm.
        match_light: how far its colours follow the light of the background's photo, if it comes from another
            one: from 0 (as its photo shows it) to 1 (as far as the two photos tell).
        deformed: the vertices of the asset's mesh here, in this box's coordinates; None: as in the photo.
    """

    asset: Asset
    box: Box
    shadow_strength: float = 1.0
    match_light: float = 1.0
    deformed: MeshFile | None = None

    def __post_init__(self) -> None:
        strength = as_number(self.shadow_strength, "placedasset.shadow_strength", 0, MAX_SHADOW_STRENGTH)
        object.__setattr__(self, "shadow_strength", strength)
        match = as_number(self.match_light, "placedasset.match_light", 0, 1)
        object.__setattr__(self, "match_light", match)
        if self.deformed is not None and self.asset.mesh is None:
            raise SceneError("placedasset.deformed", "the asset has no mesh")


@dataclass(frozen=True, eq=False)
class Background(Message):
    """The photo without its objects.

    Attributes:
        photo: the picture that the background comes from.
        source_camera: the camera that took it.
        hidden_boxes: source boxes of every object to take out of it.
        plate: a picture by hand of what is behind them, stretched over the photo. None: it is made up.
        outlines, shadow_images: of the hidden boxes, in their order, as an :class:`Asset` has them: an object
            that is in no frame any more leaves along its outline. Empty: there are none.
        rectangles: 2D boxes of the hidden boxes' objects, in their order, so that the photo is taken apart
            alike in frames with them and without. Empty, or None for a box: its asset's, where there is one.
    """

    photo: Photo
    source_camera: Camera
    hidden_boxes: tuple[Box, ...] = ()
    plate: Photo | None = None
    outlines: tuple[Photo | None, ...] = ()
    shadow_images: tuple[Photo | None, ...] = ()
    rectangles: tuple[Rectangle | None, ...] = ()

    def __post_init__(self) -> None:
        for name in ("outlines", "shadow_images", "rectangles"):
            if len(getattr(self, name)) not in (0, len(self.hidden_boxes)):
                raise SceneError(f"background.{name}", f"expected none or {len(self.hidden_boxes)} of them")
        checked = tuple(
            None if each is None else as_rectangle(each, f"background.rectangles[{number}]")
            for number, each in enumerate(self.rectangles)
        )
        object.__setattr__(self, "rectangles", checked)


@dataclass(frozen=True, eq=False)
class Frame(Message):
    """One picture to render, complete in itself."""

    camera: Camera
    assets: tuple[PlacedAsset, ...]
    background: Background

    def photos(self) -> tuple[Photo, ...]:
        """Return every picture that the frame needs, each once: photos in order of first use, then others."""
        background, assets = self.background, [placed.asset for placed in self.assets]
        used: list[Photo | None] = [background.photo, *(asset.photo for asset in assets)]
        used += [background.plate, *background.outlines, *background.shadow_images]
        used += [layer for asset in assets for layer in (asset.outline, asset.shadow_image)]
        used += [each for asset in assets for view in asset.views for each in (view.photo, view.outline)]
        meshes = [asset.mesh for asset in assets if asset.mesh is not None]
        used += [material.texture for mesh in meshes for material in mesh.materials]
        return tuple(photo for photo in dict.fromkeys(used) if photo is not None)

    def meshes(self) -> tuple[MeshFile, ...]:
        """Return every file of a mesh that the frame needs, each once."""
        used = [placed.asset.mesh.file for placed in self.assets if placed.asset.mesh is not None]
        used += [placed.deformed for placed in self.assets if placed.deformed is not None]
        return tuple(dict.fromkeys(used))


@dataclass(frozen=True, eq=False)
class Sampling(Message):
    """How to sample: the same frame, checkpoint and sampling give the same picture.

    Attributes:
        steps: denoising steps; 0 returns the proxy picture without running the network.
        guidance: classifier-free guidance scale; 1 runs the conditional branch alone.
        seed: of the initial noise.
        preset: the recipe that steps and guidance came from, or "custom". Unchanged, a checkpoint replaces
            them by what it means by the recipe.
        width, height: of the picture in pixels; any size, the worker pads.
        prompt: for a refiner, what frames show, in words; may be empty.
        strength: how far a refiner leaves the proxy, in [0, 1]; 0 for what suits it.
        reach: where a refiner writes: 0 in what no photo showed, 0.5 on edges and shadows, too, 1 on all that
            has moved.
    """

    steps: int = SAMPLING_PRESETS["standard"][0]
    guidance: float = SAMPLING_PRESETS["standard"][1]
    seed: int = 0
    preset: str = "standard"
    width: int = 256
    height: int = 256
    prompt: str = ""
    strength: float = 0.0
    reach: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str) or len(self.prompt) > MAX_PROMPT:
            raise SceneError("sampling.prompt", f"expected text of at most {MAX_PROMPT} characters")
        checked = {
            "steps": as_integer(self.steps, "sampling.steps", 0, MAX_STEPS),
            "seed": as_integer(self.seed, "sampling.seed", 0, 2**31 - 1),
            "width": as_integer(self.width, "sampling.width", 1, MAX_SIDE),
            "height": as_integer(self.height, "sampling.height", 1, MAX_SIDE),
            "guidance": as_number(self.guidance, "sampling.guidance", 0, 30),
            "strength": as_number(self.strength, "sampling.strength", 0, 1),
            "reach": as_number(self.reach, "sampling.reach", 0, 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.preset not in (*SAMPLING_PRESETS, "custom"):
            names = ", ".join((*SAMPLING_PRESETS, "custom"))
            raise SceneError("sampling.preset", f"expected one of {names}, got {self.preset!r}")

    @classmethod
    def from_preset(cls, preset: str, *, seed: int = 0, width: int = 256, height: int = 256) -> Self:
        """Return the sampling that a named preset stands for.

        Raises:
            SceneError: no preset of that name.
        """
        if preset not in SAMPLING_PRESETS:
            raise SceneError("sampling.preset", f"expected one of {', '.join(SAMPLING_PRESETS)}")
        steps, guidance = SAMPLING_PRESETS[preset]
        return cls(steps=steps, guidance=guidance, seed=seed, preset=preset, width=width, height=height)


@dataclass(frozen=True, eq=False)
class LayersRequest(Message):
    """A frame's photo to take apart: the body of a layers request.

    Attributes:
        frame: its boxes say what the photos show.
        asset: the placed asset, by number, whose photo it is; None: the background's.
    """

    frame: Frame
    asset: int | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema_version", _version(self.schema_version, "layersrequest"))
        if self.asset is not None:
            last = len(self.frame.assets) - 1
            object.__setattr__(self, "asset", as_integer(self.asset, "layersrequest.asset", 0, last))


@dataclass(frozen=True, eq=False)
class RenderJob(Message):
    """Frames to render with one sampling: the body of a render request, and of a frames file.

    Attributes:
        frames: in their order: motion is from each to the next.
        sampling: of all of them.
        passes: of :data:`PASS_NAMES`, that are wanted beside the pictures.
        before, after: the frames before the first and after the last, if there are any, for motion.
    """

    frames: tuple[Frame, ...]
    sampling: Sampling = field(default=Sampling())
    schema_version: int = SCHEMA_VERSION
    passes: tuple[str, ...] = ()
    before: Frame | None = None
    after: Frame | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema_version", _version(self.schema_version, "renderjob"))
        for number, name in enumerate(self.passes):
            if name not in PASS_NAMES:
                expected = f"expected one of {', '.join(PASS_NAMES)}"
                raise SceneError(f"renderjob.passes[{number}]", f"{expected}, got {name!r}")

    def beside(self, index: int) -> tuple[Frame | None, Frame | None]:
        """Return the frames before and after one of the job's."""
        frames = (self.before, *self.frames, self.after)
        return frames[index], frames[index + 2]


def _version(version: object, message: str) -> int:
    """Return the version that a message has here, where it was written in one that is read."""
    if type(version) is not int or not OLDEST_SCHEMA_VERSION <= version <= SCHEMA_VERSION:
        spoken = f"{OLDEST_SCHEMA_VERSION} to {SCHEMA_VERSION}"
        raise SceneError(f"{message}.schema_version", f"this side speaks {spoken}, got {version!r}")
    return SCHEMA_VERSION


def _check_sha256(value: object, path: str) -> None:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise SceneError(path, "expected 64 lower-case hexadecimal digits")
