"""The one kind of error that a user can cause: a sentence, what to do, and where possible the button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Place = Literal["photo", "assets", "animate", "render"]
"""The panel of the sidebar that a problem is shown in."""


class UserError(Exception):
    """Something that the user can put right.

    Attributes:
        message: what happened, one sentence.
        fix: what to do about it, one sentence; empty when the message says it.
        operator: identifier of the operator that does it ("neural_assets.import_photo"), or "".
    """

    def __init__(self, message: str, fix: str = "", *, operator: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.message = message
        self.fix = fix
        self.operator = operator


@dataclass(frozen=True)
class Problem:
    """What would fail, or look other than you expect, if the scene were rendered now.

    Attributes:
        place: the panel that shows it.
        sentence: what is wrong.
        cure: what to do about it; empty where the button says it.
        operator: identifier of the operator that mends it, or "".
        properties: of that operator.
        label: text of its button; the operator's own if empty.
        setting: path from the scene to a property that you may change instead, such as "render.filepath".
        mends: whether the operator is all that it takes; else the panel shows the cure beside its button.
        fails: whether the render stops; else the picture only differs.
    """

    place: Place
    sentence: str
    cure: str = ""
    operator: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    setting: str = ""
    mends: bool = True
    fails: bool = True

    @classmethod
    def of(cls, place: Place, error: UserError, **button: Any) -> Problem:
        """Return the problem whose render ends in an error; ``button`` replaces what the error names."""
        return cls(
            place, **({"sentence": error.message, "cure": error.fix, "operator": error.operator} | button)
        )

    def error(self) -> UserError:
        """Return the error that the render ends in."""
        return UserError(self.sentence, self.cure, operator=self.operator)


class RenderCancelled(Exception):
    """The user pressed Esc; nothing went wrong and nothing is reported."""
