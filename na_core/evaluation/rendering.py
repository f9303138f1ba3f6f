"""Rendering a scene's pairs, each by each method once."""

from __future__ import annotations

from functools import cached_property

from na_core.data.pairs import Pair, frame_message
from na_core.data.scenes import Scene
from na_core.evaluation.films import Film, film_of
from na_core.evaluation.methods import Method, RenderRequest
from na_core.scene import Picture


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
            request = RenderRequest(
                frame=frame,
                photos={sha256: self.pictures[number] for sha256, number in photos.items()},
                source=self.pictures[pair.source],
                width=self.scene.labels.width,
                height=self.scene.labels.height,
            )
            self._results[key] = method.render(request, used)
        return self._results[key]
