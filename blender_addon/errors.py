"""The one kind of error that a user can cause: a sentence, what to do, and where possible the button."""

from __future__ import annotations


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


class RenderCancelled(Exception):
    """The user pressed Esc; nothing went wrong and nothing is reported."""
