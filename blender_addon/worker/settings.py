"""What to start: the worker's Python, device and checkpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import UserError

PREFERENCE = "Edit > Preferences > Add-ons > Neural Assets"


OPTIONS = ("checkpoint", "boxes", "masks", "depth", "outlines", "surfaces", "plates", "refiner")
"""Settings that are options of the same name on the worker's command line."""


@dataclass(frozen=True)
class WorkerSettings:
    """Settings that a worker process is started with; another value means another process.

    Attributes:
        python: path of the interpreter that has neural-assets installed; empty if nobody chose one.
        device: "auto" or a PyTorch device.
        checkpoint: folder of a checkpoint; empty for the built-in one.
        boxes, masks, depth: weights with which things are found by name; empty for none.
        outlines, surfaces, plates: models that take photos apart; empty for the embedded network.
        refiner: folder of an image model that finishes frames; empty for the checkpoint's own decoder.
        download: whether the worker may fetch such weights.
    """

    python: str = ""
    device: str = "auto"
    checkpoint: str = ""
    boxes: str = ""
    masks: str = ""
    depth: str = ""
    outlines: str = ""
    surfaces: str = ""
    plates: str = ""
    refiner: str = ""
    download: bool = False

    def check(self) -> None:
        """Check what can be known before a process is started.

        Raises:
            UserError: no Python chosen, no such file, or no such checkpoint.
        """
        self.check_python()
        self.check_decoder()

    def check_decoder(self) -> None:
        """Check that what finishes frames is where the settings say.

        Raises:
            UserError: it is not.
        """
        if self.checkpoint and not os.path.exists(self.checkpoint):
            raise UserError(
                f"The checkpoint '{self.checkpoint}' does not exist.",
                f"Choose another under {PREFERENCE} > Checkpoint, or leave it empty for the built-in one.",
            )
        if self.refiner and not os.path.isdir(self.refiner):
            raise UserError(
                f"The refiner's folder '{self.refiner}' does not exist.",
                f"Choose another under {PREFERENCE} > Refiner, or leave it empty.",
            )

    def check_python(self) -> None:
        """Check the Python alone, which is all that a process without a network needs.

        Raises:
            UserError: no Python chosen, or no such file.
        """
        if not self.python:
            raise UserError(
                "No worker Python is set.",
                f"Choose the Python that has neural-assets installed under {PREFERENCE} > Worker Python, "
                "or set NEURAL_ASSETS_WORKER_PYTHON.",
            )
        if not os.path.isfile(self.python):
            raise UserError(
                f"The worker's Python '{self.python}' does not exist.",
                f"Choose another under {PREFERENCE} > Worker Python.",
            )

    def command(self) -> list[str]:
        """Return the command line. It holds no secret: the token goes through the environment."""
        command = [self.python, "-m", "server", "worker", "--device", self.device]
        for name in OPTIONS:
            if value := getattr(self, name):
                command += [f"--{name}", value]
        return command + (["--download"] if self.download else [])
