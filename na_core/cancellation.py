"""Long work that can be called off from outside, at any moment and not only between steps.

Whoever starts the work says how to find out that nobody wants it any more; the work asks often. The question
travels with the thread, not through every signature on the way.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_question: ContextVar[Callable[[], None] | None] = ContextVar("question", default=None)


@contextmanager
def cancelled_by(question: Callable[[], None]) -> Iterator[None]:
    """Let work in this context ask a question now and then; what it raises ends the work and passes through.

    Args:
        question: raises where the work is to end, and returns where it is to go on. It is asked at least
            every half second on the machines that this is made for, thousands of times a frame: be quick.
    """
    token = _question.set(question)
    try:
        yield
    finally:
        _question.reset(token)


def poll() -> None:
    """Ask whether the work at hand is still wanted; raises what whoever started it said."""
    question = _question.get()
    if question is not None:
        question()
