"""``python -m na_core.training --config FILE``: what ``accelerate launch -m`` starts on every device."""

import argparse
import os
import sys
from pathlib import Path

from na_core.data.shards import ShardError
from na_core.scene import SceneError
from na_core.threads import wait_passively
from na_core.training.errors import TrainingError
from na_core.training.train import launch

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="na_core.training", description="Train a checkpoint.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", action="store_true", help="go on from the newest saved state")
    parser.add_argument("--step", type=int, help="go on from the state that was saved at this step")
    options = parser.parse_args()
    wait_passively()
    try:
        launch(options.config, options.resume, options.step)
    except (TrainingError, SceneError, ShardError, OSError) as error:
        where = f"process {os.environ['RANK']}: " if "RANK" in os.environ else ""
        sys.exit(f"{where}{error}")
