"""The commands of ``neural-assets``. Each is thin: it reads options and calls one function elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.options import (
    Boxes,
    Checkpoint,
    Depth,
    Device,
    Download,
    Dtype,
    Masks,
    Outlines,
    Plates,
    RefinerFolder,
    Surfaces,
    Threads,
)

if TYPE_CHECKING:
    from na_core.scene import RenderJob
    from server.app import LoadedRenderer
    from server.worker import WorkerSettings

app = typer.Typer(
    help="Neural Assets: photographed objects as handles in Blender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dataset = typer.Typer(help="Data sets rendered in Blender.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")


@app.command()
def worker(
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    dtype: Dtype = "auto",
    port: Annotated[int, typer.Option(help="0: any free one; the ready line says which.")] = 0,
    threads: Threads = None,
    boxes: Boxes = "",
    masks: Masks = "",
    depth: Depth = "",
    outlines: Outlines = "",
    surfaces: Surfaces = "",
    plates: Plates = "",
    refiner: RefinerFolder = "",
    download: Download = False,
) -> None:
    """Serve the renderer on 127.0.0.1 for the add-on. The token comes from NEURAL_ASSETS_TOKEN."""
    from server.worker import DetectorSettings, ModelSettings, WorkerSettings, run_worker

    detectors = DetectorSettings(boxes, masks, depth, download)
    models = ModelSettings(outlines, surfaces, plates, refiner, download)
    sys.exit(run_worker(WorkerSettings(checkpoint, device, dtype, port, threads, detectors, models)))


@app.command()
def render(
    frames: Annotated[Path, typer.Argument(metavar="FRAMES.json", help="A na_core.scene.RenderJob as JSON.")],
    out: Annotated[Path, typer.Option(help="Folder for frame_0001.png and so on.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder with the photos and meshes; default: that of FRAMES.json.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Render frames that are there already.")
    ] = False,
    passes: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Write them to frame_0001.exr, too: all, or some of depth, index, normal, position, vector, "
            "shadow, plate, proxy, validity, alpha, cryptomatte, with commas between.",
        ),
    ] = "",
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = None,
    outlines: Outlines = "",
    surfaces: Surfaces = "",
    plates: Plates = "",
    refiner: RefinerFolder = "",
) -> None:
    """Render a file of frames to PNG pictures, without Blender."""
    from server import worker

    worker.check_packages()
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from server import offline
    from server.passes import chosen_passes

    names = chosen_passes(passes)
    job = offline.read_job(frames)
    files = offline.find_files(job, photos or frames.absolute().parent)
    models = worker.ModelSettings(outlines, surfaces, plates, refiner)
    settings = worker.WorkerSettings(checkpoint, device, dtype, threads=threads, models=models)
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
            job, files, out, lambda: worker.load_renderer(settings), overwrite=overwrite, passes=names
        ):
            written += rendered
            progress.advance(bar)
    print(f"{written} of {len(job.frames)} frames rendered to {out}", file=sys.stderr)


def _opened(
    frames: Path, photos: Path | None, settings: WorkerSettings
) -> tuple[RenderJob, dict[str, Path], LoadedRenderer]:
    """Return a file's frames, the files of their photos and meshes, and what shows them."""
    from server import offline, worker

    job = offline.read_job(frames)
    files = offline.find_files(job, photos or frames.absolute().parent)
    return job, files, worker.load_renderer(settings)


@app.command()
def steady(
    frames: Annotated[Path, typer.Argument(metavar="FRAMES.json", help="A na_core.scene.RenderJob as JSON.")],
    pictures: Annotated[Path, typer.Option(help="Folder of what 'render' made of them.")],
    out: Annotated[Path, typer.Option(help="Another folder, for the steady frames.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder with the photos and meshes; default: that of FRAMES.json.")
    ] = None,
    reach: Annotated[int, typer.Option(min=1, max=8, help="Frames before and after each.")] = 1,
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    threads: Threads = None,
    outlines: Outlines = "",
    surfaces: Surfaces = "",
    plates: Plates = "",
) -> None:
    """Blend what was made up in rendered frames with the frames around, against flicker."""
    from server import worker

    worker.check_packages()
    from rich.console import Console
    from rich.progress import track

    from server.steady import steady_job

    models = worker.ModelSettings(outlines, surfaces, plates)
    settings = worker.WorkerSettings(checkpoint, device, threads=threads, models=models)
    job, files, renderer = _opened(frames, photos, settings)
    done = steady_job(job, files, pictures, out, renderer, reach)
    for _ in track(done, "Steadying", total=len(job.frames), console=Console(stderr=True)):
        pass
    print(f"{len(job.frames)} frames written to {out}", file=sys.stderr)


@app.command()
def export(
    frames: Annotated[Path, typer.Argument(metavar="FRAMES.json", help="A na_core.scene.RenderJob as JSON.")],
    out: Annotated[Path, typer.Option(help="Folder for depth.mp4, mask.mp4, camera.json and so on.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder with the photos and meshes; default: that of FRAMES.json.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Frames a second.")] = 24,
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    threads: Threads = None,
    outlines: Outlines = "",
    surfaces: Surfaces = "",
    plates: Plates = "",
    progress: Annotated[str, typer.Option(help="bar, or json: a line on stdout for each frame.")] = "bar",
) -> None:
    """Write frames as control clips for video models: depth, normals, masks, edges, background, camera."""
    from server import worker

    worker.check_packages()
    from rich.console import Console
    from rich.progress import track

    from server import lifecycle, offline

    models = worker.ModelSettings(outlines, surfaces, plates)
    settings = worker.WorkerSettings(checkpoint, device, threads=threads, models=models)
    job, files, renderer = _opened(frames, photos, settings)
    done = offline.export_job(job, files, out, renderer, rate)
    bar = Console(stderr=True, quiet=progress == "json")
    for number, _ in enumerate(track(done, "Exporting", total=len(job.frames), console=bar), 1):
        if progress == "json":
            lifecycle.announce(sys.stdout, {"event": "frame", "done": number, "total": len(job.frames)})
    print(f"{len(job.frames)} frames exported to {out}", file=sys.stderr)


@app.command()
def detect(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="A photo, or many.")],
    json: Annotated[Path | None, typer.Option(help="Where to write it; default: print it.")] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least score; default: the detector's own.")
    ] = None,
    camera_height: Annotated[
        float | None, typer.Option(min=0, help="Metres above the ground, if known: lengths are metric then.")
    ] = None,
    prompt: Annotated[
        str, typer.Option(help="What to find: 'mug. laptop. plant'. Needs --boxes and --depth.")
    ] = "",
    boxes: Boxes = "",
    masks: Masks = "",
    depth: Depth = "",
    download: Download = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Find the objects of photos, their 3D boxes and the cameras. A broken photo stops no other."""
    from na_core.threads import use_threads
    from server import offline, worker
    from server.detection import Detectors
    from server.failures import Failure
    from server.inference import choose_device

    worker.check_packages()
    use_threads(threads)
    detectors = Detectors(choose_device(device), worker.DetectorSettings(boxes, masks, depth, download))
    found = {}
    for photo in photos:
        try:
            found[photo] = offline.detect(photo, detectors, threshold, camera_height, prompt)
        except (Failure, OSError) as error:
            if len(photos) == 1:
                raise
            print(f"{photo}: {error}", file=sys.stderr)
        else:
            print(f"{len(found[photo].objects)} object(s) found in {photo}", file=sys.stderr)
    if found:
        text = offline.detections_json(found)
        if json is None:
            print(text)
        else:
            json.write_text(text + "\n", encoding="utf-8")
    if len(found) < len(photos):
        sys.exit(1)


@app.command()
def layers(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo.")],
    out: Annotated[Path, typer.Option(help="Folder for outlines, plate, shadows, depth, normals and sheet.")],
    boxes: Annotated[
        Path | None, typer.Option(help="Its boxes, from `detect --json`; without them they are detected.")
    ] = None,
    checkpoint: Checkpoint = "mini",
    device: Device = "auto",
    threads: Threads = None,
    outlines: Outlines = "",
    surfaces: Surfaces = "",
    plates: Plates = "",
) -> None:
    """Take a photo apart: what is seen of each object, what is behind, shadows and depth, as PNG and EXR."""
    from server import offline, worker

    worker.check_packages()
    from rich.console import Console

    models = worker.ModelSettings(outlines, surfaces, plates)
    settings = worker.WorkerSettings(checkpoint, device, threads=threads, models=models)
    found = None if boxes is None else offline.read_boxes(boxes)
    with Console(stderr=True).status("Taking the photo apart"):
        renderer = worker.load_renderer(settings)
        if found is None:
            from server.detection import Detectors

            found = offline.detect(photo, Detectors(renderer.device, settings.detectors))
        files = offline.take_apart(photo, found, renderer, out)
    print(f"{len(found.objects)} object(s), {len(files)} files in {out}", file=sys.stderr)


@app.command()
def demo(
    photo: Annotated[
        Path | None, typer.Option(help="A photo; default: the one that comes with the project.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="Its 3D boxes as JSON; without it they are detected.")
    ] = None,
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
    from server import blender, lifecycle
    from server.failures import Failure

    try:
        sys.exit(blender.run("blender_addon.dataset", ["render", *context.args]))
    except Failure as failure:
        if "json" in context.args or "--progress=json" in context.args:
            lifecycle.announce(sys.stdout, {"event": "error", **failure.to_dict()})
        raise


@dataset.command(
    "meshes",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def dataset_meshes(context: typer.Context) -> None:
    """Write the meshes of rendered scenes' objects, for `evaluate --meshes` (options: see --help)."""
    from server import blender

    sys.exit(blender.run("blender_addon.dataset", ["meshes", *context.args]))


@dataset.command("show")
def dataset_show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `dataset render` or `pack` wrote.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")],
    frames: Annotated[
        int | None, typer.Option(min=1, help="So many random frames in a grid, in place of rows of scenes.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of random frames.")] = 0,
    labels: Annotated[bool, typer.Option(help="Draw 3D boxes, 2D boxes, numbers and visible shares.")] = True,
    side: Annotated[int, typer.Option(min=16, help="Pixels of each picture's longer side.")] = 256,
) -> None:
    """Write a contact sheet of a data set, with or without its labels."""
    from na_core.data.contact_sheet import contact_sheet

    contact_sheet(folder, out, frames=frames, seed=seed, labels=labels, side=side)


@dataset.command("pack")
def dataset_pack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A split that `dataset render` wrote.")],
    out: Annotated[Path, typer.Option(help="The shard to write, a tar file.")],
) -> None:
    """Pack the finished scenes of a split into one tar file, which reads like the folder."""
    from na_core.data.scenes import scene_folders
    from na_core.data.shards import pack
    from server.failures import Failure

    folders = scene_folders(folder)
    if not folders:
        raise Failure(
            "no_scenes", f"{folder}: no complete scene here. Give a folder that `dataset render` wrote."
        )
    names = [path.name for path in folders]
    if len(set(names)) < len(names):
        raise Failure(
            "several_splits",
            f"{folder}: holds several splits. Pack each into a shard of its own: {folder}/train",
        )
    if out.suffix != ".tar":
        raise Failure("shard_name", f"{out}: shards are found by their suffix. Let the name end with .tar.")
    count = pack(folders, out)
    print(f"{count} scenes packed into {out}, {out.stat().st_size / 2**20:.1f} MiB", file=sys.stderr)


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="The training's configuration, see docs/training.md.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest saved state.")] = False,
    step: Annotated[
        int | None, typer.Option(min=1, help="Go on from the state that was saved at this step.")
    ] = None,
) -> None:
    """Train a checkpoint, on the CPU or on every GPU of this machine."""
    from na_core.training.train import launch

    launch(config, resume, step)


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")],
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="A checkpoint; may be repeated. Without one, mini is measured.")
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="video, translate, rotate, turn180, scale, remove, add, camera, background, transfer, "
            "duplicate, orbit, reconstruct, vae, layers, detection, or all (the default); may be repeated."
        ),
    ] = None,
    scenes: Annotated[
        Path | None, typer.Option(help="Folder or .tar with held-out scenes; default: the embedded ones.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many scenes per suite.")] = None,
    preset: Annotated[str, typer.Option(help="The sampling: draft, standard or best.")] = "standard",
    steps: Annotated[int | None, typer.Option(min=0, help="Denoising steps, in the preset's stead.")] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Guidance scale, in the preset's stead.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Average over so many seeds.")] = 1,
    meshes: Annotated[
        Path | None,
        typer.Option(help="What `dataset meshes` wrote: measure checkpoints with the objects' meshes, too."),
    ] = None,
) -> None:
    """Measure checkpoints on the benchmark suites."""
    from na_core.evaluation.evaluate import main

    main(
        checkpoints=checkpoint or ["mini"],
        suites=suite or ["all"],
        scenes=scenes,
        limit=limit,
        out=out,
        preset=preset,
        steps=steps,
        guidance=guidance,
        seeds=seeds,
        meshes=meshes,
    )
