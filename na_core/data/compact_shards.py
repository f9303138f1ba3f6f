"""Compact shards: scenes whose masks and depths are lossless WebP, for what is kept in a repository.

    python -m na_core.data.compact_shards bench/test test.tar

Pictures stay the files that they are, since a photo is named by the SHA-256 of its bytes; one that several
frames show is kept once.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from na_core.data.index_pictures import indices_webp, read_indices, read_steps, steps_webp
from na_core.data.labels import LABELS_FILE
from na_core.data.scenes import scene_folders
from na_core.data.shards import pack


def pack_compactly(folders: Iterable[str | Path], shard: str | Path) -> int:
    """Write scene folders into a shard, masks and depths as WebP where that is smaller. Return how many.

    Raises:
        ValueError: two folders have the same name, or a mask or depth has another form.
        OSError: a file cannot be read, or the shard cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made = [_compact(Path(folder), Path(scratch)) for folder in folders]
        return pack(made, shard)


def _compact(folder: Path, scratch: Path) -> Path:
    """Write a scene's smaller twin into ``scratch`` and return its folder."""
    twin = scratch / f"{len(list(scratch.iterdir()))}" / folder.name
    twin.mkdir(parents=True)
    text = (folder / LABELS_FILE).read_text(encoding="utf-8")
    pictures: dict[bytes, str] = {}
    for frame in json.loads(text)["frames"]:
        for name in (frame.get("plate"), *(each["picture"] for each in frame.get("without", ()))):
            if name is not None:
                shutil.copyfile(folder / name, twin / name)
        photo = (folder / frame["picture"]).read_bytes()
        first = pictures.setdefault(photo, frame["picture"])
        (twin / first).write_bytes(photo)
        text = text.replace(json.dumps(frame["picture"]), json.dumps(first))
        for kind in ("mask", "depth", "far"):
            if frame[kind] is None:
                continue
            name, data = _smaller(folder / frame[kind], kind)
            (twin / name).write_bytes(data)
            text = text.replace(json.dumps(frame[kind]), json.dumps(name))
    (twin / LABELS_FILE).write_text(text, encoding="utf-8")
    return twin


def _smaller(file: Path, kind: str) -> tuple[str, bytes]:
    """Return the name and the bytes of a mask's or depth's smaller form."""
    before = file.read_bytes()
    with Image.open(file) as image:
        after = indices_webp(read_indices(image)) if kind == "mask" else steps_webp(read_steps(image))
    return (f"{file.stem}.webp", after) if len(after) < len(before) else (file.name, before)


def main(arguments: Any = None) -> None:
    """Read the arguments and write the shard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("split", type=Path, help="a folder of scenes")
    parser.add_argument("shard", type=Path, help="the .tar to write")
    options = parser.parse_args(arguments)
    print(pack_compactly(scene_folders(options.split), options.shard), "scenes")


if __name__ == "__main__":
    main()
