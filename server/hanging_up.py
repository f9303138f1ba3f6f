"""Blocking work for a request, which nobody does any more once its client has hung up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from na_core.cancellation import cancelled_by
from server.jobs import Cancelled

LOOK_SECONDS = 0.1
"""Between looks at whether the client is still there."""

Answer = TypeVar("Answer")


class Desk:
    """A thread of its own that does the work of requests, one after the other.

    The server's other threads stay free for what is short.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def answer(self, request: Request, work: Callable[[], Answer]) -> Answer:
        """Return what the work returns.

        Args:
            request: that asks for it; its body has been read.
            work: asks :func:`na_core.cancellation.poll` now and then.

        Raises:
            Cancelled: the client is gone; the work ends at its next question, or never begins.
        """
        gone = threading.Event()

        def ask() -> None:
            if gone.is_set():
                raise Cancelled

        def done() -> Answer:
            ask()
            with cancelled_by(ask):
                return work()

        future = asyncio.get_running_loop().run_in_executor(self._thread, done)
        while not future.done():
            await asyncio.wait({future}, timeout=LOOK_SECONDS)
            if not future.done() and await request.is_disconnected():
                gone.set()
                future.add_done_callback(lambda ended: ended.exception())  # nobody else will look at it
                raise Cancelled
        return future.result()
