"""Where a decoder matters: what no photo showed, and objects' edges, as labels tell."""

import numpy as np

from na_core.data.pairs import Pair
from na_core.data.scenes import Scene
from na_core.evaluation.label_flow import label_flow, labelled_view
from na_core.evaluation.metrics import Region
from na_core.raster.outlines import near_outlines

EDGE = 3
"""Pixels on either side of an object's outline that belong to its edge."""


def holes(scene: Scene, pair: Pair) -> Region | None:
    """Return the pixels (H, W) of a pair's target whose points no photo shows that it is made from.

    Objects come from the frame that shows how they look, what is behind them from the background's. What is
    farther than depths are stored does not count.

    Returns:
        None where the depth of one of the frames was left out.

    Raises:
        OSError: a mask or a depth cannot be read.
    """
    target = labelled_view(scene, pair.target)
    if target is None:
        return None
    found = np.isfinite(target.depth)
    looks = {0: pair.background}
    for number in range(len(scene.labels.objects)):
        frame = pair.appearance(scene, number)
        if frame is not None:
            looks[number + 1] = frame
    for frame in set(looks.values()):
        view = labelled_view(scene, frame)
        if view is None:
            return None
        shown = [number for number, of in looks.items() if of == frame]
        found &= ~(label_flow(target, view).visible & np.isin(target.mask, shown))
    return found


def edges(scene: Scene, pair: Pair) -> Region:
    """Return the pixels (H, W) of a pair's target that are near an object's outline.

    Raises:
        OSError: the mask cannot be read.
    """
    return near_outlines(scene.mask(pair.target), EDGE)
