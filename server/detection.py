"""Detection behind the worker and the command line: which detector, loaded when first asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from server.failures import Failure, is_out_of_memory
from server.jobs import Picture

if TYPE_CHECKING:
    from na_core.detection.detection import Detection


class DetectionRequest(BaseModel):
    """What to find in a photo.

    Attributes:
        photo: its SHA-256.
        focal: length in units of the photo's longer side; None to find it.
        pitch, roll: radians of the camera, downwards and anticlockwise; None to find them.
        camera_height: metres above the ground; None where nothing says it.
        threshold: least score; None for the detector's own.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    photo: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    focal: Annotated[float, Field(gt=0.05, lt=100)] | None = None
    pitch: Annotated[float, Field(gt=-1.6, lt=1.6)] | None = None
    roll: Annotated[float, Field(gt=-3.2, lt=3.2)] | None = None
    camera_height: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class Detectors:
    """The detectors of a worker. One photo is looked at at a time."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._lock = threading.Lock()

    def detect(self, request: DetectionRequest, picture: Picture) -> Detection:
        """Find the objects and the camera of a photo (H, W, 3) uint8.

        Raises:
            Failure: ``out_of_memory``, or ``detection_failed``.
        """
        try:
            from na_core.detection import embedded

            with self._lock:
                return embedded.detect(
                    embedded.load_detector(device=self._device),
                    picture,
                    focal=request.focal,
                    pitch=request.pitch,
                    roll=request.roll,
                    camera_height=request.camera_height,
                    threshold=embedded.THRESHOLD if request.threshold is None else request.threshold,
                )
        except Exception as error:
            if is_out_of_memory(error):
                raise Failure(
                    "out_of_memory",
                    "Not enough memory to look for objects: close other programs that use the GPU, or start "
                    "the worker with --device cpu.",
                    status=507,
                ) from error
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise Failure(
                "detection_failed",
                f"The photo could not be searched ({type(error).__name__}{': ' if reason else ''}{reason}). "
                "The worker's log has the details.",
                status=500,
            ) from error
