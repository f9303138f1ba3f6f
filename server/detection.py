"""Detection behind the worker and the command line: which detector, loaded when first asked for."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from na_core.geometry.camera import pitch_and_roll
from na_core.scene import Camera, Picture
from server.detector_settings import DetectorSettings
from server.failures import Failure, is_out_of_memory
from server.jobs import Cancelled

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from na_core.detection.detection import Detection
    from na_core.detection.metric_depth import DepthNetwork
    from na_core.detection.open_vocabulary import OpenVocabularyDetector


MOST_RECTANGLES = 100


def _holds_something(rectangle: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = rectangle
    if x0 >= x1 or y0 >= y1:
        raise ValueError("a rectangle is left, top, right and bottom, and holds something")
    return rectangle


Edge = Annotated[float, Field(ge=0, le=1)]
Rectangle = Annotated[tuple[Edge, Edge, Edge, Edge], AfterValidator(_holds_something)]


class DetectionRequest(BaseModel):
    """What to find in a photo.

    Attributes:
        photo: its SHA-256.
        focal: length in units of the photo's longer side; None to find it.
        pitch, roll: radians of the camera, downwards and anticlockwise; None to find them.
        camera_height: metres above the ground; None where nothing says it.
        threshold: least score; None for the detector's own.
        prompt: names of what to find, separated by full stops: then the open-vocabulary detector looks; empty
            for the embedded one.
        rectangles: 2D boxes x0, y0, x1, y1 from 0 to 1: find what is in each, in their order, and nothing
            else; the embedded detector does. None to look everywhere.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    photo: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    focal: Annotated[float, Field(gt=0.05, lt=100)] | None = None
    pitch: Annotated[float, Field(gt=-1.6, lt=1.6)] | None = None
    roll: Annotated[float, Field(gt=-3.2, lt=3.2)] | None = None
    camera_height: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    prompt: Annotated[str, Field(max_length=2000)] = ""
    rectangles: Annotated[list[Rectangle], Field(max_length=MOST_RECTANGLES)] | None = None


class Detectors:
    """The detectors of a worker. One photo is looked at at a time."""

    def __init__(self, device: str = "cpu", settings: DetectorSettings | None = None) -> None:
        self._device = device
        self._settings = settings or DetectorSettings()
        self._lock = threading.Lock()
        self._open_vocabulary: OpenVocabularyDetector | None = None
        self._depth: DepthNetwork | None = None

    def detect(self, request: DetectionRequest, picture: Picture) -> Detection:
        """Find the objects and the camera of a photo (H, W, 3) uint8.

        Raises:
            Failure: ``weights_missing``, ``out_of_memory``, or ``detection_failed``.
        """
        from na_core.detection.weights import WeightsError

        try:
            with self._lock:
                named = request.prompt.strip() and request.rectangles is None
                look = self._named if named else self._any
                return look(request, picture)
        except (Failure, Cancelled):
            raise
        except WeightsError as error:
            raise Failure("weights_missing", str(error), status=422) from error
        except Exception as error:
            if is_out_of_memory(error):
                raise Failure(
                    "out_of_memory",
                    "Not enough memory to look for objects: close other programs that use the GPU, or start "
                    "the worker with --device cpu.",
                    status=507,
                ) from error
            logger.exception("a detection failed")
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise Failure(
                "detection_failed",
                f"The photo could not be searched ({type(error).__name__}{': ' if reason else ''}{reason}). "
                "The worker's log has the details.",
                status=500,
            ) from error

    def _any(self, request: DetectionRequest, picture: Picture) -> Detection:
        """Find whatever the embedded detector knows; where there is a depth network, it tells the camera.

        What an object is called is said where that is sure.
        """
        from na_core.detection import embedded, naming

        focal, pitch, roll, height = request.focal, request.pitch, request.roll, request.camera_height
        seen = self._seen_by_depth(picture, focal) if self._settings.depth and pitch is None else None
        if seen is not None:
            focal = seen.fx * picture.shape[1] / max(picture.shape[:2])
            pitch, roll = pitch_and_roll(seen.world_from_camera[2, :3])
            height = float(seen.world_from_camera[2, 3]) if height is None else height
        found = embedded.detect(
            embedded.load_detector(device=self._device),
            embedded.load_refiner(device=self._device),
            picture,
            focal=focal,
            pitch=pitch,
            roll=roll,
            camera_height=height,
            threshold=embedded.THRESHOLD if request.threshold is None else request.threshold,
            rectangles=request.rectangles,
        )
        found = naming.with_names(found, picture, naming.load_classifier(self._device))
        return found if seen is None else replace(found, doubt=None)

    def _seen_by_depth(self, picture: Picture, focal: float | None) -> Camera | None:
        """Return the camera that the user's depth network sees, if it sees one."""
        from na_core.detection.metric_depth import camera_by_depth

        return camera_by_depth(self._depth_network(), picture, focal)

    def _depth_network(self) -> DepthNetwork:
        from na_core.detection.metric_depth import load_depth

        if self._depth is None:
            settings = self._settings
            self._depth = load_depth(settings.depth, self._device, download=settings.download)
        return self._depth

    def _named(self, request: DetectionRequest, picture: Picture) -> Detection:
        """Find what is named, with the user's own weights."""
        if not (self._settings.boxes and self._settings.depth):
            raise Failure(
                "weights_missing",
                "To find things by their names, weights of a detector (such as Grounding DINO) and of a "
                "metric depth network (such as Depth Anything V2 metric) are needed: choose their folders in "
                "the preferences, or start the worker with --boxes and --depth. Without names the embedded "
                "detector looks.",
                status=422,
            )
        from na_core.detection.open_vocabulary import THRESHOLD, OpenVocabularyDetector

        if self._open_vocabulary is None:
            settings = self._settings
            self._open_vocabulary = OpenVocabularyDetector(
                settings.boxes,
                self._depth_network(),
                settings.masks or None,
                self._device,
                download=settings.download,
            )
        found = self._open_vocabulary.detect(
            picture,
            request.prompt,
            focal=request.focal,
            threshold=THRESHOLD if request.threshold is None else request.threshold,
        )
        return found if request.camera_height is None else found.scaled_to(request.camera_height)
