"""Start the worker: check, load, listen, say ready, serve until told to end."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from na_core.threads import use_threads
from server import lifecycle
from server.detector_settings import DetectorSettings
from server.failures import Failure
from server.log import log_to_stderr
from server.own_models import ModelSettings
from server.protocol import PROTOCOL_VERSION, TOKEN_VARIABLE

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from server.app import LoadedRenderer

REQUIRED = (
    "torch",
    "numpy",
    "diffusers",
    "transformers",
    "safetensors",
    "fastapi",
    "uvicorn",
    "pydantic",
    "PIL",
    "embreex",
    "typer",
)
DISTRIBUTIONS = {"PIL": "Pillow"}


@dataclass(frozen=True)
class WorkerSettings:
    """The worker's options, as given on the command line."""

    checkpoint: str = "mini"
    device: str = "auto"
    dtype: str = "auto"
    port: int = 0
    threads: int | None = None
    detectors: DetectorSettings = field(default_factory=DetectorSettings)
    models: ModelSettings = field(default_factory=ModelSettings)


def run_worker(
    settings: WorkerSettings, load: Callable[[WorkerSettings], LoadedRenderer] | None = None
) -> int:
    """Serve until the process is ended; returns 1 after a failed start, with its error line on stdout."""
    stdout = lifecycle.claim_stdout()
    if lifecycle.is_supervised():
        lifecycle.die_with_parent()
    log_to_stderr()
    try:
        _start(settings, load or load_renderer, stdout)
    except Failure as failure:
        logging.getLogger(__name__).error("%s: %s", failure.code, failure.message)
        lifecycle.announce(stdout, {"event": "error", **failure.to_dict()})
        return 1
    except BaseException as error:
        logging.getLogger(__name__).exception("the worker failed")
        message = f"The worker failed to start ({type(error).__name__}: {error}). Its log has the details."
        lifecycle.announce(stdout, {"event": "error", "code": "start_failed", "message": message})
        return 1
    return 0


def check_packages() -> None:
    """Check, without importing them, that the packages of the worker are installed.

    Raises:
        Failure: ``torch_missing``, which also stands for the others.
    """
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise packages_missing(missing)


def packages_missing(names: list[str]) -> Failure:
    """Return the failure that tells how to install what this Python lacks."""
    # Whoever lacks torch lacks the whole extra; one name says it better than ten.
    shown = ["torch"] if "torch" in names else [DISTRIBUTIONS.get(name, name) for name in names]
    listed = " and no ".join(", ".join(shown).rsplit(", ", 1))
    return Failure(
        "torch_missing",
        f"The worker's Python at {sys.executable} has no {listed}. Install it with: "
        f"{sys.executable} -m pip install 'neural-assets[worker]'",
        packages=names,
    )


def take_token() -> str:
    """Return the bearer token from the environment and remove it there, so that no child process sees it.

    On a terminal, where a person starts the worker, a missing token is generated and shown on stderr.

    Raises:
        Failure: ``token_missing``.
    """
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if token and token.isascii() and token.isprintable() and " " not in token:
        return token
    if not token and sys.stdin is not None and sys.stdin.isatty():
        token = secrets.token_urlsafe(32)
        print(f"The token of this worker: {token}", file=sys.stderr)
        return token
    problem = "is not set" if not token else "holds a character other than visible ASCII"
    raise Failure(
        "token_missing",
        f"The environment variable {TOKEN_VARIABLE} {problem}: set it to a long random text that the "
        "client knows too.",
    )


def load_renderer(settings: WorkerSettings) -> LoadedRenderer:
    """Load the pipeline that the settings name.

    Raises:
        Failure: the checkpoint, the device or the memory does not allow it.
    """
    # The worker renders what lies on this disk; it downloads weights only on request.
    if not (settings.detectors.download or settings.models.download):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        use_threads(settings.threads)
        from server.inference import PipelineRenderer

        return PipelineRenderer.load(
            settings.checkpoint, settings.device, settings.dtype, models=settings.models
        )
    except ModuleNotFoundError as error:
        raise packages_missing([error.name or str(error)]) from error


def _start(
    settings: WorkerSettings, load: Callable[[WorkerSettings], LoadedRenderer], stdout: TextIO
) -> None:
    token = take_token()
    check_packages()
    listener = lifecycle.bind(settings.port)
    renderer = load(settings)

    from server.app import create_app
    from server.detection import Detectors

    port = listener.getsockname()[1]
    detectors = Detectors(renderer.device, settings.detectors)
    app = create_app(renderer, token=token, port=port, detectors=detectors)

    import na_core

    ready = {
        "event": "ready",
        "port": port,
        "pid": os.getpid(),
        "protocol": PROTOCOL_VERSION,
        "version": na_core.__version__,
        "device": renderer.device,
        "checkpoint": renderer.name,
    }
    _serve(app, listener, lambda: lifecycle.announce(stdout, ready))


def _serve(app: FastAPI, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    import uvicorn

    from server.connections import PromptConnection

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            when_ready()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn would wait for open connections; a render is not worth waiting for.
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, lifecycle.leave)
            yield

    config = uvicorn.Config(
        app,
        http=PromptConnection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=3600,
        server_header=False,
    )
    Server(config).run(sockets=[listener])
