"""The demo from outside Blender: the installed extension in a headless Blender, then the contact sheet."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from na_core.data.contact_sheet import draw_boxes
from na_core.scene import Frame, RenderJob
from server.failures import Failure

ROOT = Path(__file__).resolve().parent.parent
CELL = 256

# Runs in a fresh Blender: installs the zip as a user would, then hands over to the installed add-on.
IN_BLENDER = """
import os, sys, pathlib, traceback
import bpy, addon_utils
archive, photo, boxes, out = sys.argv[1:]
code = 1
try:
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    from bl_ext.user_default.neural_assets import api
    from bl_ext.user_default.neural_assets.demo.animate import run
    try:
        run(*(pathlib.Path(path) if path else None for path in (photo, boxes)), pathlib.Path(out))
        code = 0
    except api.UserError as error:
        print(f"neural-assets: {error}", file=sys.stderr)
    api.stop_worker()
except Exception:
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # some bpy wheels crash or hang when Python ends with an engine registered
"""


@dataclass(frozen=True)
class Job:
    """One demo: a photo (None for the side file's own), the side file if any, and the folder to fill."""

    photo: Path | None
    boxes: Path | None
    out: Path


def run(photo: Path | None, boxes: Path | None, out: Path) -> None:
    """Run the demo.

    Without boxes the photo's objects are detected. Without a photo as well: the project's own two subjects, a
    rendered table whose objects are detected in ``out``, and in ``out/coffee`` the photograph of a cup of
    coffee, with boxes by hand.

    Raises:
        Failure: a file is missing, Blender is missing, or the add-on reported an error.
    """
    if importlib.util.find_spec("bpy") is None:
        raise Failure(
            "blender_missing",
            "The demo runs in Blender as a Python package, which this Python lacks. Install it with: "
            f"{sys.executable} -m pip install 'neural-assets[blender]'",
        )
    archive = _archive()
    if photo is not None or boxes is not None:
        jobs = [Job(photo, boxes, out)]
    else:
        jobs = [Job(ROOT / "demo" / "tabletop.png", None, out)]
        jobs.append(Job(_coffee(out / "coffee"), ROOT / "demo" / "coffee.json", out / "coffee"))
    for job in jobs:
        _run_in_blender(job, archive)
        contact_sheet(job.out)
    for job in jobs:
        _tell(job.out)


def _archive() -> Path:
    found = sorted((ROOT / "dist").glob("neural_assets-*.zip"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise Failure("demo_failed", "The extension is not built yet. Run: make extension")
    return found[-1]


def _coffee(folder: Path) -> Path:
    """Write scikit-image's photograph of a coffee cup to a file."""
    try:
        import skimage.data
    except ImportError as error:
        raise Failure(
            "demo_failed",
            "The coffee photograph comes with scikit-image. Install it with: pip install scikit-image",
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "coffee.png"
    Image.fromarray(skimage.data.coffee()).save(path)
    return path


def _run_in_blender(job: Job, archive: Path) -> None:
    for name in ("frames", "proxies"):
        shutil.rmtree(job.out / name, ignore_errors=True)
    job.out.mkdir(parents=True, exist_ok=True)
    paths = [str(path.resolve()) if path else "" for path in (archive, job.photo, job.boxes, job.out)]
    with tempfile.TemporaryDirectory(prefix="neural-assets-demo-") as resources:
        environment = {
            **os.environ,
            "BLENDER_USER_RESOURCES": resources,
            "NEURAL_ASSETS_WORKER_PYTHON": os.environ.get("NEURAL_ASSETS_WORKER_PYTHON", sys.executable),
        }
        done = subprocess.run([sys.executable, "-c", IN_BLENDER, *paths], env=environment, check=False)
    if done.returncode != 0:
        raise Failure("demo_failed", "The demo stopped in Blender; its message is above.")


def contact_sheet(out: Path) -> Path:
    """Lay out the photo with its boxes and six frames with the proxy under each: ``contact_sheet.png``."""
    job = RenderJob.from_json((out / "frames.json").read_bytes())
    photo = Image.open(out / "photo.png").convert("RGB")
    proxies = sorted((out / "proxies").glob("*.png"))
    source = _labelled(_source(photo, job.frames[0]), "photo", photo)
    width, height = source.size
    sheet = Image.new("RGB", ((len(proxies) + 1) * width, 2 * height), (24, 24, 24))
    sheet.paste(source, (0, 0))
    for number, proxy in enumerate(proxies, start=1):
        frame = Image.open(out / "frames" / proxy.name).convert("RGB")
        sheet.paste(_labelled(frame, proxy.stem.replace("_", " "), photo), (number * width, 0))
        sheet.paste(_labelled(Image.open(proxy).convert("RGB"), "proxy", photo), (number * width, height))
    path = out / "contact_sheet.png"
    sheet.save(path)
    return path


def _source(photo: Image.Image, frame: Frame) -> Image.Image:
    """Draw the source boxes over the photo, each front face thick."""
    drawn = photo.copy()
    draw_boxes(drawn, frame.background.source_camera, frame.background.hidden_boxes)
    return drawn


def _labelled(picture: Image.Image, text: str, photo: Image.Image) -> Image.Image:
    cell = picture.resize((round(CELL * photo.width / photo.height), CELL), Image.Resampling.LANCZOS)
    ImageDraw.Draw(cell).text((4, 3), text, fill="white", stroke_width=1, stroke_fill="black")
    return cell


def _tell(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    stages = ", ".join(
        f"{name.replace('_', ' ')} {value:.1f} s" for name, value in summary["seconds"].items()
    )
    print(f"\n{out}: {summary['frames']} frames, {summary['seconds_per_frame']:.2f} s each; {stages}")
    print(f"  worker's peak memory {summary['worker_peak_mib']:.0f} MiB")
    for name in ("frames", "animation.mp4", "demo.blend", "contact_sheet.png", "summary.json"):
        print(f"  {out / name}")
