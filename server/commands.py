"""The commands of ``neural-assets``. Each is thin: it reads options and calls one function elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Neural Assets: photographed objects as handles in Blender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dataset = typer.Typer(help="Data sets rendered in Blender.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")

Checkpoint = Annotated[str, typer.Option(help="A checkpoint's folder, or 'mini'.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of torch; default: all.")]


@app.command()
def worker(
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    dtype: Dtype = "auto",
    port: Annotated[int, typer.Option(help="0: any free one; the ready line says which.")] = 0,
    threads: Threads = None,
) -> None:
    """Serve the renderer on 127.0.0.1 for the add-on. The token comes from NEURAL_ASSETS_TOKEN."""
    from server.worker import WorkerSettings, run_worker

    sys.exit(run_worker(WorkerSettings(checkpoint, device, dtype, port, threads)))


@app.command()
def render(
    frames: Annotated[Path, typer.Argument(metavar="FRAMES.json", help="A na_core.scene.RenderJob as JSON.")],
    out: Annotated[Path, typer.Option(help="Folder for frame_0001.png and so on.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder with the photos; default: that of FRAMES.json.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Render frames that are there already.")
    ] = False,
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = None,
) -> None:
    """Render a file of frames to PNG pictures, without Blender."""
    from server import worker

    worker.check_packages()
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from server import offline

    job = offline.read_job(frames)
    needed = {photo.sha256 for frame in job.frames for photo in frame.photos()}
    files = offline.find_photos(needed, photos or frames.absolute().parent)
    settings = worker.WorkerSettings(checkpoint, device, dtype, threads=threads)
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Rendering", total=len(job.frames))
        written = 0
        for _, rendered in offline.render_job(
            job, files, out, lambda: worker.load_renderer(settings), overwrite=overwrite
        ):
            written += rendered
            progress.advance(bar)
    print(f"{written} of {len(job.frames)} frames rendered to {out}", file=sys.stderr)


@app.command()
def demo(
    photo: Annotated[
        Path | None, typer.Option(help="A photo; default: the one that comes with the project.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(help="Its 3D boxes as JSON; needed with --photo.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the animation and summary.json.")] = Path("out/demo"),
) -> None:
    """Import a photo, move its objects and render an animation in a headless Blender."""
    from server.demo import run  # type: ignore[import-not-found,unused-ignore]

    run(photo, boxes, out)


@dataset.command(
    "render",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def dataset_render(context: typer.Context) -> None:
    """Render training scenes in Blender (options: see --help)."""
    sys.exit(_run_with_blender("blender_addon.dataset", ["render", *context.args]))


@dataset.command("show")
def dataset_show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `dataset render` wrote.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")],
) -> None:
    """Write a contact sheet of a data set."""
    from na_core.data.contact_sheet import contact_sheet

    contact_sheet(folder, out)


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="The training's configuration.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last saved state.")] = False,
) -> None:
    """Train a checkpoint."""
    from na_core.training.config import load_config
    from na_core.training.train import main
    from server.failures import Failure

    try:
        load_config(config)
    except ValueError as error:
        raise Failure("config_invalid", str(error)) from error
    main(config, resume)


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")],
    checkpoint: Annotated[list[str] | None, typer.Option(help="A checkpoint; may be repeated.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="A suite's name or 'all'; may be repeated.")] = None,
    scenes: Annotated[Path | None, typer.Option(help="Folder with the data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many scenes per suite.")] = None,
) -> None:
    """Measure checkpoints on the benchmark suites."""
    from na_core.evaluation.evaluate import main  # type: ignore[import-not-found,unused-ignore]

    main(checkpoints=checkpoint or [], suites=suite or ["all"], scenes=scenes, limit=limit, out=out)


def _run_with_blender(module: str, arguments: list[str]) -> int:
    """Run a module of the add-on in a process of its own, which may import bpy; returns its exit status."""
    from server.failures import Failure

    root = Path(__file__).resolve().parent.parent
    if not (root / "blender_addon").is_dir():
        raise Failure("addon_missing", "This command needs the add-on's sources: run it from a checkout.")
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run([sys.executable, "-m", module, *arguments], env=environment, check=False).returncode
