"""Where the open-vocabulary detector's weights are. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectorSettings:
    """Where the open-vocabulary detector's weights are: folders, or names on the hub; empty for none.

    Attributes:
        boxes, masks, depth: see :class:`na_core.detection.open_vocabulary.OpenVocabularyDetector`.
        download: fetch from the hub what is not on this disk.
    """

    boxes: str = ""
    masks: str = ""
    depth: str = ""
    download: bool = False
