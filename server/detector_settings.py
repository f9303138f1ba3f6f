"""Where weights of the user's for detection are. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectorSettings:
    """Where weights of the user's are: folders, or names on the hub; empty for none.

    Attributes:
        boxes, masks: see :class:`na_core.detection.open_vocabulary.OpenVocabularyDetector`.
        depth: see :func:`na_core.detection.metric_depth.load_depth`. With it alone the embedded detector
            looks, under the camera that it tells.
        download: fetch from the hub what is not on this disk.
    """

    boxes: str = ""
    masks: str = ""
    depth: str = ""
    download: bool = False
