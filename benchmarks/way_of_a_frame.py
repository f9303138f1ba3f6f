"""The pictures of docs/how-it-works.md: every intermediate of one frame.

    .venv/bin/python benchmarks/way_of_a_frame.py

The photograph of a cup of coffee, which has moved over its table, by ``mini``. Writes docs/images/way-*.webp.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.pictures import save_for_docs  # noqa: E402
from benchmarks.sizes import coffee_frame  # noqa: E402
from na_core.compose.background import plate_weight  # noqa: E402
from na_core.compose.compose import compose  # noqa: E402
from na_core.data.contact_sheet import colour_of, draw_boxes  # noqa: E402
from na_core.model.blend import kept_share  # noqa: E402
from na_core.model.checkpoints import load_checkpoint  # noqa: E402
from na_core.model.working_size import photo_side  # noqa: E402
from na_core.scene import Picture, Sampling  # noqa: E402
from na_core.tensors.frames import frame_batch  # noqa: E402
from na_core.tensors.views import source_views  # noqa: E402

SIZE = (384, 256)
IMAGES = ROOT / "docs" / "images"


def shades(values: torch.Tensor, shown: torch.Tensor) -> Picture:
    """Return depths (H, W) as grey, the nearest white, black where nothing is shown."""
    depths = torch.where(shown, values, torch.nan).numpy()
    near, far = np.nanmin(depths), np.nanmax(depths)
    grey = np.nan_to_num(1 - 0.8 * (depths - near) / max(far - near, 1e-6))
    return np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=-1)


def colours(index: torch.Tensor, picture: Picture) -> Picture:
    """Return a picture with each object (H, W), -1 for none, in its own colour."""
    tinted = picture.astype(float) * 0.4
    for number in range(int(index.max()) + 1):
        tinted[index.numpy() == number] += 0.6 * np.array(Image.new("RGB", (1, 1), colour_of(number)))[0, 0]
    return tinted.astype(np.uint8)


def grey(share: torch.Tensor) -> Picture:
    """Return shares (H, W) in [0, 1] as grey."""
    return np.repeat(np.rint(255 * share.float().clamp(0, 1).numpy()).astype(np.uint8)[..., None], 3, axis=-1)


def boxed(picture: Picture, camera, boxes) -> Picture:  # type: ignore[no-untyped-def]
    """Return a picture with boxes drawn over it."""
    image = Image.fromarray(picture)
    draw_boxes(image, camera, boxes)
    return np.asarray(image)


def main() -> None:
    """Write the pictures."""
    pipeline = load_checkpoint("mini")
    frame, photo = coffee_frame()
    photos = {frame.background.photo.sha256: photo}
    views = source_views(frame)
    side = photo_side(frame, *photo.shape[1::-1], *SIZE)
    layers = pipeline.layers.sampled(views, photos, side, pipeline.taking_apart, pipeline.device)
    batch = frame_batch([frame])
    passes = compose(layers, batch, *SIZE)
    picture, owner, surfaces = layers.picture[0].numpy(), layers.owner[0], layers.surfaces
    config = pipeline.config
    trusts = {name: getattr(config, name) for name in ("proxy_trust", "plate_trust", "object_trust")}
    keep = kept_share(passes, 256 / side, keep_unmoved=config.keep_unmoved, **trusts)[0]
    proxy, final = (
        pipeline([frame], photos, Sampling(steps, 1.0, 0, "custom", *SIZE)).images[0] for steps in (0, 1)
    )
    correction = np.clip(128 + 4 * (final.astype(int) - proxy), 0, 255).astype(np.uint8)
    for name, made in {
        "photo": boxed(picture, views[0].camera, views[0].boxes),
        "outlines": colours(owner, picture),
        "near": shades(surfaces.near[0], owner >= 0),
        "far": shades(surfaces.far[0], owner >= 0),
        "plate": layers.plate[0].numpy(),
        "boxes": boxed(picture, frame.camera, [placed.box for placed in frame.assets]),
        "box-map": colours(passes.boxes.index[0][0], np.zeros_like(picture)),
        "gone": grey(plate_weight(batch, layers)[0]),
        "index": colours(passes.index[0], np.zeros_like(picture)),
        "depth": shades(passes.depth[0], passes.index[0] >= 0),
        "validity": grey(passes.validity[0]),
        "proxy": proxy,
        "keep": grey(keep),
        "correction": correction,
        "final": final,
    }.items():
        save_for_docs(Image.fromarray(made), IMAGES / f"way-{name}.webp")


if __name__ == "__main__":
    main()
