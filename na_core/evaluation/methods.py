"""What is measured: two references that need no network, and checkpoints; each renders a pair once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from na_core.compose.compose import compose
from na_core.data.pairs import Pair, frame_message
from na_core.data.scenes import Scene
from na_core.evaluation.films import Film, film_of
from na_core.layers.layers import Layers
from na_core.layers.store import LayerStore
from na_core.layers.take_apart import FILLED_BOXES, take_apart
from na_core.meshes.placed import MeshFiles
from na_core.model.checkpoints import fingerprint, load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline, to_bytes
from na_core.model.sampling import resolved
from na_core.model.working_size import photo_side
from na_core.scene import Frame, Picture, Sampling
from na_core.tensors.frames import frame_batch
from na_core.tensors.views import SourceViews, source_views


@dataclass(frozen=True)
class RenderRequest:
    """One picture to render, as large as the photos, which are of one scene.

    Attributes:
        frame: what is asked for.
        photos: every photo that the frame names, by SHA-256.
        source: the picture that shows the objects before the edit; not always the background's photo.
        scene: its name.
        meshes: every mesh that the frame names, by SHA-256.
    """

    frame: Frame
    photos: Mapping[str, Picture]
    source: Picture
    scene: str = ""
    meshes: MeshFiles = field(default_factory=dict)


class Method(Protocol):
    """Anything that renders.

    Attributes:
        name: the method's key in ``results.json``.
        identity: changes with everything that changes its pictures, but for the code and the seed.
        sampled: whether its pictures depend on the seed.
    """

    name: str
    identity: str
    sampled: bool

    def render(self, request: RenderRequest, seed: int) -> Picture:
        """Return the picture (H, W, 3)."""
        ...


class LayersMethod(Method, Protocol):
    """A method whose pictures are made of layers."""

    def take_apart(self, views: SourceViews) -> Layers:
        """Return what it takes photos apart into."""
        ...


class Copy:
    """The source photo: what doing nothing scores."""

    name = identity = "copy"
    sampled = False

    def render(self, request: RenderRequest, seed: int) -> Picture:
        """Return the source."""
        return request.source


class ProxyOnly:
    """Objects that fill their boxes over the plate, without any network.

    Its holes are filled smoothly and from mirrored faces, as for the decoder. OpenCV's inpainting of every
    pixel that no photo showed was measured in its stead, on 30 rendered scenes: as good over objects on
    average, but 0.9 dB worse on half turns and 2 to 3 dB on what objects vacate.
    """

    name = identity = "proxy"
    sampled = False

    def render(self, request: RenderRequest, seed: int) -> Picture:
        """Return the proxy picture."""
        frame, (height, width) = request.frame, request.source.shape[:2]
        views = source_views(frame)
        side = photo_side(frame, width, height, width, height)
        layers = LayerStore().sampled(views, request.photos, side, FILLED_BOXES, torch.device("cpu"))
        batch = frame_batch([frame])
        return to_bytes(compose(layers, batch, width, height).proxy)[0]

    def take_apart(self, views: SourceViews) -> Layers:
        """Return layers whose objects fill their boxes."""
        return take_apart(views, FILLED_BOXES)


class Rendered:
    """A pipeline with one sampling.

    Args:
        name, identity: see :class:`Method`.
        pipeline: that renders, as it is at the time.
        sampling: steps and guidance.
    """

    sampled = True

    def __init__(self, name: str, identity: str, pipeline: NeuralAssetsPipeline, sampling: Sampling) -> None:
        self.name, self.identity = name, identity
        self.pipeline = pipeline
        self.sampling = sampling

    def render(self, request: RenderRequest, seed: int) -> Picture:
        """Return the pipeline's picture."""
        height, width = request.source.shape[:2]
        sampling = replace(self.sampling, seed=seed, width=width, height=height)
        return self.pipeline([request.frame], request.photos, sampling, meshes=request.meshes).images[0]

    def take_apart(self, views: SourceViews) -> Layers:
        """Return the layers that the pipeline's pictures are made of."""
        return take_apart(views.to(self.pipeline.device), self.pipeline.taking_apart)


def method_name(checkpoint: str | Path) -> str:
    """Return what a checkpoint is called: its folder's name, or its run's if that is just "checkpoint"."""
    folder = Path(checkpoint).absolute()
    return folder.parent.name if folder.name == "checkpoint" else folder.name


class Checkpoint(Rendered):
    """A checkpoint with one sampling.

    Args:
        checkpoint: its folder, or the name of an embedded one; see :func:`method_name`.
        sampling: steps and guidance.
        device: that computes.

    Raises:
        CheckpointError: it is missing or damaged.
    """

    def __init__(self, checkpoint: str | Path, sampling: Sampling, device: str = "cpu") -> None:
        pipeline = load_checkpoint(checkpoint, device)
        sampling = resolved(sampling, pipeline.samplings)
        identity = f"{fingerprint(checkpoint)} {sampling.steps} {sampling.guidance}"
        super().__init__(method_name(checkpoint), identity, pipeline, sampling)


class SceneRenderer:
    """A scene's pictures, and what methods made of its pairs, kept while the scene is measured.

    Suites share pairs: a half turn is also a rotation, and a film's frames are video pairs too.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._results: dict[tuple[str, int, int, int, int, int | None], Picture] = {}

    @cached_property
    def pictures(self) -> list[Picture]:
        """The true pictures of all frames; raises OSError for one that cannot be read."""
        return [self.scene.picture(i) for i in range(len(self.scene.labels.frames))]

    @cached_property
    def film(self) -> Film | None:
        """The scene's film, None if it is none."""
        return film_of(self.scene, self.pictures)

    def render(self, method: Method, seed: int, pair: Pair) -> Picture:
        """Return a method's picture of a pair's target, (H, W, 3)."""
        used = seed if method.sampled else 0
        key = (method.name, used, pair.source, pair.target, pair.background, pair.donor)
        if key not in self._results:
            frame, photos = frame_message(self.scene, pair)
            shown = {sha256: self.pictures[number] for sha256, number in photos.items()}
            request = RenderRequest(frame, shown, self.pictures[pair.source], self.scene.name)
            self._results[key] = method.render(request, used)
        return self._results[key]
