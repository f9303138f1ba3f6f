"""A training task: what learns, from what, and what becomes of it. The loop and the driver know no more."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from torch import nn

from na_core.training.randomness import DrawKey
from na_core.training.run import Run
from na_core.training.run_folder import export_folder
from na_core.training.run_log import RunLog
from na_core.training.tables import Optimisation

Settings = TypeVar("Settings", bound=Optimisation)


@dataclass(frozen=True)
class ParameterGroup:
    """Weights that share a learning rate.

    Attributes:
        name: in the log and among the configuration's ``group_rates``.
        module: whose parameters they are.
        decays: whether weight decay is theirs.
    """

    name: str
    module: nn.Module
    decays: bool = True


class TrainingTask(ABC, Generic[Settings]):
    """One training of a run.

    Making a task checks whatever can be checked at once; :meth:`prepare` does what takes long. As it stands
    here a task trains one diffusers model, its only group, and exports that.

    Args:
        run: that the task is a part of.
        settings: its table in the configuration.
        objective: a module whose call with what :meth:`draw` returns gives the loss; its parameters learn.
        groups: all parameters of the objective.

    Attributes:
        name: of the task: its table in the configuration, its folder in the run's.
        validate_every: steps between validations; None for never.
    """

    name: ClassVar[str]
    validate_every: int | None = None

    def __init__(
        self, run: Run, settings: Settings, objective: nn.Module, groups: Sequence[ParameterGroup]
    ) -> None:
        self.run, self.settings = run, settings
        self.objective, self.groups = objective, groups

    @property
    def network(self) -> Any:
        """The model of a task that trains one."""
        return self.groups[0].module

    @property
    def folder(self) -> Path:
        """Where the averaged weights are exported to."""
        return export_folder(self.run.config.output, self.name)

    @property
    def compiled(self) -> Sequence[nn.Module]:
        """The modules that ``compile`` compiles."""
        return [group.module for group in self.groups]

    @abstractmethod
    def prepare(self, begins: bool) -> None:
        """Make ready to train, with the modules on the device.

        Args:
            begins: whether training begins; else a saved state is loaded afterwards.
        """

    @abstractmethod
    def draw(self, key: DrawKey) -> Any:
        """Return a process's part of a batch: a pure function of its key."""

    def validate(self, step: int, log: RunLog) -> Mapping[str, Any]:
        """Measure the averaged weights at a step, in the main process; return a line of the log."""
        return {}

    def export(self, folder: Path) -> None:
        """Write what the task is for into an empty folder; the modules hold the averaged weights."""
        self.network.save_pretrained(folder, safe_serialization=True)

    def load(self, folder: Path) -> None:
        """Read the averaged weights back, in every process, for the tasks that follow."""
        self.network.load_state_dict(load_file(folder / SAFETENSORS_WEIGHTS_NAME))


def save_half(network: Any, folder: Path) -> None:
    """Save a diffusers network in float16, without the place that its run began from."""
    half = type(network).from_config(network.config)
    half.load_state_dict(network.state_dict())
    half.register_to_config(_name_or_path="")
    half.half().save_pretrained(folder, safe_serialization=True)
