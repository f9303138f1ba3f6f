"""Who may talk to the worker: this machine's own programs that hold the token and speak the protocol.

A web page in the user's browser can reach 127.0.0.1 too. It is kept out three times: it does not know the
token, its requests carry an Origin, and a rebound DNS name shows in Host.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.failures import Failure
from server.protocol import PROTOCOL_HEADER, PROTOCOL_VERSION


def check_access(headers: Headers, token: str, port: int) -> None:
    """Check a request's headers.

    Raises:
        Failure: 403 for a foreign Host or any Origin, 401 for a wrong token, 426 for another protocol.
    """
    if headers.get("host", "").lower() not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise Failure(
            "host_refused", f"Only http://127.0.0.1:{port} is served, no other host name.", status=403
        )
    if "origin" in headers:
        raise Failure("origin_refused", "Requests from web pages are refused.", status=403)
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise Failure(
            "token_refused",
            "The token is missing or belongs to another worker: restart the worker.",
            status=401,
        )
    version = headers.get(PROTOCOL_HEADER)
    if version != str(PROTOCOL_VERSION):
        raise Failure(
            "protocol_mismatch",
            f"The worker speaks protocol {PROTOCOL_VERSION}, the request {version or 'none'}: install the "
            "add-on and the worker in the same version.",
            status=426,
            worker=PROTOCOL_VERSION,
            request=version,
        )


class AccessGate:
    """ASGI middleware: refuses a request by its headers, before any of its body is read."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            try:
                check_access(Headers(scope=scope), self._token, self._port)
            except Failure as failure:
                body = {"error": failure.to_dict()}
                response = JSONResponse(body, failure.status, headers={"Connection": "close"})
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
