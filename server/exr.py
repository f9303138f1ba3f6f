"""OpenEXR files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.whole_files import written_whole


def write_exr(
    file: Path, channels: Mapping[str, NDArray[np.floating]], texts: Mapping[str, str] | None = None
) -> Path:
    """Write channels and return the file.

    Args:
        file: to write; one of that name is replaced.
        channels: (H, W) float16 or float32 by name, such as ``ViewLayer.Depth.Z``; or (H, W, 3) by ``RGB``.
        texts: attributes of the header.

    Raises:
        OSError: it cannot be written.
    """
    import OpenEXR  # here: not everything that imports this writes

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(texts or {})}
    whole = {name: np.ascontiguousarray(values) for name, values in channels.items()}
    with written_whole(file) as partial:
        OpenEXR.File(header, whole).write(str(partial))
    return file
