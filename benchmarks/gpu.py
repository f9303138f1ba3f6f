"""Train and measure on a GPU in ten minutes: one command, which travels in less than 64 MiB.

    python benchmarks/gpu.py pack     # at home: rendered scenes into data/gpu/shard.tar, at most 15 MB
    python benchmarks/gpu.py check    # at home: what travels with that, and what need not
    python benchmarks/gpu.py run      # where the GPU is: everything, into out/gpu

`run` measures frames per second beside plain diffusers, composes pairs, trains a decoder of pixels on with
them, and measures it on pairs of the bench; see gpu_steps.py. Each step is a process of its own, has its
share of the minutes, and leaves its figures in --out, whatever becomes of the others. Given again, the
command goes on with what is not done. Without a GPU it can be tried:

    python benchmarks/gpu.py run --device cpu --minutes 5 --scenes 1 --batch 1 --pairs 2
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import gpu_tree  # noqa: E402
from gpu_kit import Kit, figures_table, run_steps  # noqa: E402

from na_core.threads import wait_passively  # noqa: E402

NEEDED = {
    "torch": "torch",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "accelerate": "accelerate",
    "safetensors": "safetensors",
    "pydantic": "pydantic",
    "tqdm": "tqdm",
    "tensorboard": "tensorboard",
    "torchmetrics": "torchmetrics",
    "PIL": "pillow>=11.3",
    "cv2": "opencv-python-headless",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "embreex": "embreex",
}
"""What `run` imports, and the packages that have it."""

SHARD, SHARD_BYTES = Path("data/gpu/shard.tar"), 15_000_000


def pack(options: argparse.Namespace) -> None:
    """Write the shard."""
    from na_core.data.picture_shards import pack_pictures
    from na_core.data.scenes import scene_folders

    folders = scene_folders(options.scenes)
    if not folders:
        sys.exit(
            f"{options.scenes} holds no complete scene. Make some with: neural-assets dataset render --out "
            f"{options.scenes.parent} --split {options.scenes.name} --scenes 200 --frames 6 --without 0"
        )
    try:
        count = pack_pictures(folders, options.out, options.limit)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"{count} of {len(folders)} scenes, {options.out.stat().st_size / 1e6:.1f} MB: {options.out}")


def check(options: argparse.Namespace) -> None:
    """Print what travels and how to make it less; exits with 1 where it is too much."""
    fits, report = gpu_tree.report(ROOT, [options.shard, *options.carry])
    print(report)
    sys.exit(0 if fits else 1)


def missing_packages() -> list[str]:
    """Return the packages that `run` needs and this Python lacks."""
    return [package for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]


def refusal(kit: Kit) -> str | None:
    """Return why a run cannot begin and what to do, None if it can."""
    if missing := missing_packages():
        return f"This Python lacks {', '.join(missing)}: {sys.executable} -m pip install {' '.join(missing)}"
    if not kit.shard.is_file():
        return f"There is no {kit.shard}: make it with `python benchmarks/gpu.py pack`, and bring it along."
    import torch

    from na_core.model.checkpoints import CheckpointError, resolve_checkpoint

    if kit.device == "cuda" and not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} sees no GPU with CUDA: install a torch built for CUDA, and a driver "
            "with which nvidia-smi lists the GPU. To try this without one: --device cpu --minutes 5 "
            "--scenes 1 --batch 1 --pairs 2"
        )
    try:
        index = json.loads((resolve_checkpoint(kit.start) / "model_index.json").read_text(encoding="utf-8"))
    except CheckpointError as error:
        return str(error)
    if (index.get("vae") or [None])[0] is not None:
        return (
            f"The checkpoint '{kit.start}' has a VAE, and this trains decoders of pixels: give --from the "
            "checkpoint of one, such as runs/mini-pixels-whole-cpu/checkpoint"
        )
    return None


def run(options: argparse.Namespace) -> None:
    """Run what is not done yet, and print the figures; exits with 1 if a step failed."""
    kit = Kit(
        shard=options.shard,
        out=options.out,
        start=str(options.start),
        device=options.device,
        minutes=options.minutes,
        scenes=options.scenes,
        batch=options.batch,
        steps=options.steps,
        pairs=options.pairs,
        rounds=options.rounds,
    )
    if kit.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # training would take a GPU that it sees
    if (problem := refusal(kit) or kit.claim()) is not None:
        sys.exit(problem)
    failed = run_steps(kit)
    print(figures_table(kit))
    sys.exit(1 if failed else 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="pack | check | run")
    packing = commands.add_parser("pack", help="pack scenes, as many as fit")
    packing.add_argument("--scenes", type=Path, default=Path("data/pairs/train"))
    packing.add_argument("--out", type=Path, default=SHARD)
    packing.add_argument("--limit", type=int, default=SHARD_BYTES, help="bytes of the shard at most")
    packing.set_defaults(command=pack)
    checking = commands.add_parser("check", help="say what travels")
    checking.add_argument("--shard", type=Path, default=SHARD)
    checking.add_argument("--carry", type=Path, nargs="*", default=[], help="what else travels: wheels, say")
    checking.set_defaults(command=check)
    running = commands.add_parser("run", help="train and measure")
    running.add_argument("--shard", type=Path, default=SHARD)
    running.add_argument("--out", type=Path, default=Path("out/gpu"))
    running.add_argument(
        "--from", dest="start", default="mini", help="checkpoint to go on from, without a VAE"
    )
    running.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    running.add_argument("--minutes", type=float, default=10.0, help="of all that is left to do")
    running.add_argument("--scenes", type=int, help="at most so many; all by default")
    running.add_argument("--batch", type=int, help="pairs a step; the configuration's by default")
    running.add_argument("--steps", type=int, help="at most so many; what the minutes allow by default")
    running.add_argument("--pairs", type=int, default=24, help="of the bench, for quality")
    running.add_argument("--rounds", type=int, default=30, help="times that each size is measured at most")
    running.set_defaults(command=run)
    options = parser.parse_args(arguments)
    options.command(options)


if __name__ == "__main__":
    wait_passively()
    main()
