"""The command line: ``python -m blender_addon.dataset render --out DIR --scenes N``, or ``meshes``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from na_core.data.labels import CLIP_KINDS, CYCLE_KINDS

from .farm import render, tell_in_json, warn_in_json
from .order import EACH, MAXIMUM_OBJECTS, MINIMUM_OBJECTS, Order
from .streams import SPLITS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    return _meshes(options) if options.command == "meshes" else _render(options)


def _meshes(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from na_core.data.scenes import scenes

    from .true_meshes import write_meshes

    try:
        every = list(scenes(options.scenes))
        if not every:
            raise ValueError(f"{options.scenes}: no complete scene here")
        count = sum(write_meshes(scene, Path(options.out)) for scene in tqdm(every, unit="scene"))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{count} meshes written to {options.out}")
    return 0


def _render(options: argparse.Namespace) -> int:
    in_json = options.progress == "json"
    try:
        order = Order(
            out=Path(options.out),
            split=options.split,
            clip=options.clip,
            frames=options.frames,
            width=options.size,
            height=options.height or options.size,
            samples=options.samples,
            quality=options.quality,
            objects=options.objects,
            families=tuple(options.families) if options.families else None,
            depth=options.depth,
            plates=options.plates,
            without=options.without,
            lenses=options.lenses,
            unusual=options.unusual,
        )
        fresh = render(
            order,
            scenes=options.scenes,
            seed=options.seed,
            jobs=options.jobs,
            blend=options.blend,
            tell=tell_in_json if in_json else None,
            warn=warn_in_json if in_json else None,
        )
    except (ValueError, RuntimeError, OSError) as error:
        if in_json:
            print(json.dumps({"event": "error", "message": str(error)}), flush=True)
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    skipped = options.scenes - fresh
    if in_json:
        print(json.dumps({"event": "finished", "rendered": fresh, "skipped": skipped}), flush=True)
    else:
        print(f"{fresh} scenes rendered, {skipped} were there already")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="neural-assets dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("render", help="render scenes; those already there are skipped").add_argument
    add("--out", required=True, metavar="DIR", help="the data set's folder")
    add("--scenes", type=int, required=True, metavar="N", help="how many scenes")
    add("--frames", type=int, default=8, metavar="K", help="pictures of each scene at most (8)")
    add("--size", type=int, default=256, metavar="PX", help="side of the square picture (256)")
    add("--height", type=int, metavar="PX", help="height, where the picture is not square")
    add("--seed", type=int, default=0, metavar="S", help="seed of the first scene (0)")
    add("--split", choices=SPLITS, default="train", help="no two splits share an object (train)")
    add(
        "--clip",
        choices=(*CLIP_KINDS, EACH),
        metavar="KIND",
        help=f"what the frames are: {', '.join(CLIP_KINDS)}, or {EACH}: {', '.join(CYCLE_KINDS)} in turn "
        f"(train: mixed; other splits: {EACH})",
    )
    add("--jobs", type=int, metavar="J", help="worker processes (one per core)")
    add("--samples", type=int, default=8, help="Cycles samples per pixel, before denoising (8)")
    add("--quality", type=int, default=92, help="of the pictures' JPEG compression, 1 to 100 (92)")
    add(
        "--objects",
        type=int,
        metavar="N",
        help=f"in each scene ({MINIMUM_OBJECTS} to {MAXIMUM_OBJECTS}, drawn by the seed)",
    )
    add("--families", nargs="+", metavar="NAME", help="only objects of these families (all)")
    add("--blend", metavar="FILE", help="use the meshes of a .blend as objects")
    add("--no-depth", dest="depth", action="store_false", help="leave out the depth pictures")
    add("--no-plates", dest="plates", action="store_false", help="leave out the stages without objects")
    add("--lenses", action="store_true", help="see each frame through a lens of its own")
    add(
        "--unusual",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="with --lenses: of the cameras, that look down from anywhere and from near (0)",
    )
    add("--without", type=int, default=1, metavar="N", help="objects to leave out, one at a time (1)")
    add("--progress", choices=("bar", "json"), default="bar", help="json: a line for each finished scene")
    add = commands.add_parser("meshes", help="write the meshes of rendered scenes' objects").add_argument
    add("scenes", metavar="DIR", help="a split that `dataset render` wrote, or a shard")
    add("--out", required=True, metavar="DIR", help="gets a folder for each scene")
    return parser


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # some bpy wheels crash or hang while the interpreter shuts down
