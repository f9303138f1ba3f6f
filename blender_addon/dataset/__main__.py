"""The command line: ``python -m blender_addon.dataset render --out DIR --scenes N``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .farm import render
from .streams import SPLITS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m blender_addon.dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("render", help="render scenes; those already there are skipped")
    command.add_argument("--out", required=True, metavar="DIR", help="the data set's folder")
    command.add_argument("--scenes", type=int, required=True, metavar="N", help="how many scenes")
    command.add_argument("--frames", type=int, default=4, metavar="K", help="pictures of each scene (4)")
    command.add_argument(
        "--size", type=int, default=256, metavar="PX", help="side of the square picture (256)"
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the first scene (0)")
    command.add_argument(
        "--split", choices=SPLITS, default="train", help="no two splits share an object (train)"
    )
    command.add_argument("--jobs", type=int, metavar="J", help="worker processes (one per core)")
    command.add_argument("--samples", type=int, default=6, help="Cycles samples per pixel (6)")
    options = parser.parse_args(arguments)
    try:
        fresh = render(
            options.out,
            scenes=options.scenes,
            frames=options.frames,
            size=options.size,
            seed=options.seed,
            split=options.split,
            jobs=options.jobs,
            samples=options.samples,
        )
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{fresh} scenes rendered, {options.scenes - fresh} were there already")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # some bpy wheels crash or hang while the interpreter shuts down
