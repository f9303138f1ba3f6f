"""Averages of a network's weights before and after it was trained on.

Trained on from there with few new scenes, a network gains what they show and forgets some of what it knew. On
the straight line between both it may be better than either (Wortsman et al., "Robust fine-tuning of zero-shot
models", 2022). Which point is best is measured on the split validation.

    python -m na_core.training.averaged_weights BEFORE AFTER SHARE OUT
"""

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "diffusion_pytorch_model.safetensors"


def average_weights(before: Path, after: Path, share: float, out: Path) -> None:
    """Write a network whose weights lie between those of two.

    Args:
        before, after: folders of networks of one architecture.
        share: of the weights after; 0 gives those before.
        out: folder of the new network; made if need be.

    Raises:
        ValueError: the networks have different weights.
        OSError: a file cannot be read or written.
    """
    old, new = (load_file(folder / WEIGHTS) for folder in (before, after))
    if {name: w.shape for name, w in old.items()} != {name: w.shape for name, w in new.items()}:
        raise ValueError(f"{before} and {after} are networks of different architectures")
    between = {
        name: old[name].float().lerp(new[name].float(), share).to(new[name].dtype).contiguous()
        for name in new
    }
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(after / "config.json", out / "config.json")
    save_file(between, out / WEIGHTS, {"format": "pt"})


if __name__ == "__main__":
    before, after, share, out = sys.argv[1:]
    average_weights(Path(before), Path(after), float(share), Path(out))
