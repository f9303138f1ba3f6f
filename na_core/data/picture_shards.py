"""Picture shards: what decoders are trained on of scenes, pictures and labels alone, in little room.

Photos are taken apart anew where such a shard is used. Masks, depths, plates and what else networks of layers
or the bench need are left out; whoever asks for a mask is told that there is no such file.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, features

from na_core.data.labels import LABELS_FILE
from na_core.data.shards import pack, packed_size

QUALITY = 80
"""Of the AVIF pictures, at full resolution of colour: about 41 dB, in half of a JPEG's bytes."""


def pack_pictures(folders: Iterable[str | Path], shard: str | Path, limit: int) -> int:
    """Write the pictures of scene folders, as many as fit, into a shard. Return how many scenes they are.

    Args:
        folders: of scenes, the first ones first.
        shard: the .tar to write.
        limit: of its size in bytes.

    Raises:
        ValueError: not even the first scene fits, or two have the same name.
        OSError: Pillow cannot write AVIF, a file cannot be read, or the shard cannot be written.
    """
    if not features.check("avif"):
        raise OSError("this Pillow writes no AVIF pictures: pip install 'pillow>=11.3'")
    with tempfile.TemporaryDirectory() as scratch:
        made: list[Path] = []
        for folder in folders:
            made.append(_pictures_of(Path(folder), Path(scratch) / f"{len(made)}"))
            if packed_size(made) > limit:
                made.pop()
                break
        if not made:
            raise ValueError(f"{shard}: not one scene fits into {limit:,} bytes")
        return pack(made, shard)


def _pictures_of(folder: Path, place: Path) -> Path:
    """Write a scene's twin of pictures alone into a place and return its folder."""
    twin = place / folder.name
    twin.mkdir(parents=True)
    labels = json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    for frame in labels["frames"]:
        picture = folder / frame["picture"]
        frame |= {"picture": f"{picture.stem}.avif", "depth": None, "far": None, "plate": None, "without": []}
        with Image.open(picture) as image:
            image.convert("RGB").save(twin / frame["picture"], quality=QUALITY, subsampling="4:4:4")
    (twin / LABELS_FILE).write_text(json.dumps(labels, separators=(",", ":")), encoding="utf-8")
    return twin
