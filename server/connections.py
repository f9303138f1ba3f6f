"""Connections that have to get to the point: whoever connects and then says nothing is not waited for.

uvicorn waits for ever for a request that never comes, or never ends, and takes any number of connections.
"""

from __future__ import annotations

import asyncio
import sys
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""From the first byte of a request, or from connecting, until its headers are there."""

MOST_CONNECTIONS = 200
"""At a time, fewer where the process may open fewer files; the one that has waited longest makes room."""


class PromptConnection(H11Protocol):
    """An HTTP connection with a limit on how long a request takes to begin, and on how many there are."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; of too many connections one goes."""
        super().connection_made(transport)
        self._since = time.monotonic()
        self._header_timer: asyncio.TimerHandle | None = None
        self._await_headers()
        if len(self.connections) > _most_connections():
            idle = [c for c in self.connections if isinstance(c, PromptConnection) and c._is_idle()]
            min(idle, key=lambda each: each._since).transport.abort()  # this one at least is idle

    def data_received(self, data: bytes) -> None:
        """Take some of a request."""
        super().data_received(data)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._header_timer is not None:
            self._header_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with one that is there already."""
        self._since = time.monotonic()
        super().on_response_complete()

    def _is_idle(self) -> bool:
        """Tell whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_headers(self) -> None:
        """Start the clock where a request has not begun or its headers are not all there; else stop it."""
        waits = self._is_idle() and not self.transport.is_closing()
        if waits and self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self._hang_up)
        elif not waits and self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _hang_up(self) -> None:
        self._header_timer = None
        if self._is_idle():
            self.transport.abort()


def _most_connections() -> int:
    """Return the limit, which leaves half of the files that the process may open to everything else."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft // 2))
