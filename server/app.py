"""The HTTP interface under /v1: health, capabilities, photos, meshes, detect, layers and render."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from na_core.meshes.mesh_arrays import MeshArrays
from na_core.scene import (
    Frame,
    Picture,
)
from server.access import AccessGate
from server.answers import (
    CacheState,
    Capabilities,
    Health,
    PeakMemory,
    StoredMesh,
    StoredPhoto,
)
from server.caches import ByteLimitedCache
from server.detection import DetectionRequest, Detectors
from server.failures import Failure
from server.frames_job import FramesJob
from server.hanging_up import Desk
from server.jobs import Cancelled, Job, Renderer, RenderQueue
from server.layers_job import LayersJob
from server.meshes import decode_mesh, mesh_too_large
from server.photos import decode_photo, file_too_large
from server.protocol import (
    HEARTBEAT_SECONDS,
    MAX_DETECTION_BYTES,
    MAX_JOB_BYTES,
    MAX_MESH_BYTES,
    MAX_PHOTO_BYTES,
    MEDIA_TYPE,
    PREVIEW_HEADER,
    encode_record,
)
from server.request_bodies import parse_job, parse_layers_request, read_body, shortened

logger = logging.getLogger(__name__)

HUNG_UP = 499
"""Status of a request whose client is gone, which only the log may see; nginx has it."""


class LoadedRenderer(Renderer, Protocol):
    """A renderer that can also tell what it is."""

    name: str
    preset: str | None
    samplings: dict[str, tuple[int, float]]
    device: str
    dtype: str
    licences: dict[str, str]

    def peak_memory_mib(self) -> dict[str, float | None]:
        """Return the peaks of ``process`` and ``device`` memory so far, MiB."""
        ...


@dataclass(frozen=True)
class Limits:
    """How much the worker's caches may hold, in bytes."""

    photo_cache_bytes: int = 512 * 2**20
    mesh_cache_bytes: int = 512 * 2**20
    frame_cache_bytes: int = 512 * 2**20


def create_app(
    renderer: LoadedRenderer,
    *,
    token: str,
    port: int,
    limits: Limits | None = None,
    detectors: Detectors | None = None,
) -> FastAPI:
    """Return the ASGI application that serves a renderer to whoever holds ``token`` at ``port``."""
    limits = limits or Limits()
    photos: ByteLimitedCache[Picture] = ByteLimitedCache(
        limits.photo_cache_bytes, lambda picture: picture.nbytes
    )
    meshes: ByteLimitedCache[MeshArrays] = ByteLimitedCache(limits.mesh_cache_bytes, lambda mesh: mesh.nbytes)
    finished: ByteLimitedCache[bytes] = ByteLimitedCache(limits.frame_cache_bytes, len)
    queue = RenderQueue(renderer)
    looking, desk = detectors or Detectors(renderer.device), Desk("detection")
    app = FastAPI(title="Neural Assets worker", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(AccessGate, token=token, port=port)
    app.add_exception_handler(Failure, _answer_failure)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    for gone in (Cancelled, ClientDisconnect):
        app.add_exception_handler(gone, _answer_nobody)
    app.add_exception_handler(Exception, _answer_bug)

    def held(
        frames: Sequence[Frame], beside: Sequence[Frame] = ()
    ) -> tuple[dict[str, Picture], dict[str, MeshArrays]]:
        """Return what frames use, and the meshes of those beside them, which tell motion.

        A job keeps it: later uploads may push it out of the caches.
        """
        pictures, missing_photos = photos.among(photo.sha256 for frame in frames for photo in frame.photos())
        needed = (mesh.sha256 for frame in (*frames, *beside) for mesh in frame.meshes())
        shapes, missing_meshes = meshes.among(needed)
        if missing_photos or missing_meshes:
            raise _files_missing(missing_photos, missing_meshes)
        return pictures, shapes

    @app.get("/v1/health")
    async def health() -> Health:
        return Health(busy=queue.busy, pid=os.getpid())

    @app.get("/v1/capabilities")
    async def capabilities() -> Capabilities:
        return Capabilities(
            checkpoint=renderer.name,
            fingerprint=renderer.fingerprint,
            preset=renderer.preset,
            device=renderer.device,
            dtype=renderer.dtype,
            sampling_presets=dict(renderer.samplings),
            peak_memory_mib=PeakMemory(**renderer.peak_memory_mib()),
            models=renderer.licences,
            caches={
                name: CacheState(entries=len(cache), bytes=cache.size, limit=cache.limit)
                for name, cache in (("photos", photos), ("meshes", meshes), ("frames", finished))
            },
        )

    @app.put("/v1/photos/{sha256}")
    async def store_photo(sha256: str, request: Request) -> StoredPhoto:
        _check_name(sha256)
        picture = photos.get(sha256)
        if picture is None:
            data = await read_body(request, MAX_PHOTO_BYTES, file_too_large())
            picture = await asyncio.to_thread(_decode_checked, data, sha256)
            photos.put(sha256, picture)
        return StoredPhoto(width=picture.shape[1], height=picture.shape[0])

    @app.get("/v1/photos/{sha256}")
    @app.head("/v1/photos/{sha256}")
    async def find_photo(sha256: str) -> StoredPhoto:
        _check_name(sha256)
        picture = photos.get(sha256)
        if picture is None:
            raise _files_missing([sha256], [])
        return StoredPhoto(width=picture.shape[1], height=picture.shape[0])

    @app.put("/v1/meshes/{sha256}")
    async def store_mesh(sha256: str, request: Request) -> StoredMesh:
        _check_name(sha256)
        mesh = meshes.get(sha256)
        if mesh is None:
            data = await read_body(request, MAX_MESH_BYTES, mesh_too_large())
            mesh = await asyncio.to_thread(_mesh_checked, data, sha256)
            meshes.put(sha256, mesh)
        count = None if mesh.triangles is None else len(mesh.triangles)
        return StoredMesh(vertices=len(mesh.vertices), triangles=count)

    @app.post("/v1/detect")
    async def detect(request: Request) -> Response:
        body = await read_body(request, MAX_DETECTION_BYTES, _invalid_detection("it is too long"))
        try:
            wanted = DetectionRequest.model_validate_json(bytes(body))
        except ValidationError as error:
            first = error.errors()[0]
            field = shortened(".".join(map(str, first["loc"])) or "request")
            raise _invalid_detection(f"{field}: {shortened(first['msg'])}", field=field) from error
        picture = photos.get(wanted.photo)
        if picture is None:
            raise _files_missing([wanted.photo], [])
        found = await desk.answer(request, lambda: looking.detect(wanted, picture))
        return JSONResponse(found.to_dict())

    @app.post("/v1/render")
    async def render(request: Request) -> Response:
        body = await read_body(request, MAX_JOB_BYTES, _job_too_large())
        job = await asyncio.to_thread(parse_job, bytes(body))
        queue.check_room()
        wants_previews = request.headers.get(PREVIEW_HEADER) == "1"
        pictures, shapes = held(job.frames, [each for each in (job.before, job.after) if each is not None])
        return JobResponse(queue, FramesJob(job, pictures, finished, wants_previews, shapes))

    @app.post("/v1/layers")
    async def layers(request: Request) -> Response:
        body = await read_body(request, MAX_JOB_BYTES, _job_too_large())
        wanted = await asyncio.to_thread(parse_layers_request, bytes(body))
        queue.check_room()
        return JobResponse(queue, LayersJob(wanted, held([wanted.frame])[0]))

    return app


class JobResponse(StreamingResponse):
    """Streams a job's records; when the connection closes, the job is withdrawn."""

    media_type = MEDIA_TYPE

    def __init__(self, queue: RenderQueue, job: Job) -> None:
        super().__init__(_stream(job), headers={"Cache-Control": "no-store"})
        self._queue = queue
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the records until the job or the connection ends."""
        self._queue.submit(self._job)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._queue.withdraw(self._job)


async def _stream(job: Job) -> AsyncIterator[bytes]:
    while True:
        item = await job.mailbox.take(HEARTBEAT_SECONDS)
        if item is None:
            yield encode_record({"event": "heartbeat"})
            continue
        record, payload = item
        yield encode_record(record, payload)
        if payload is not None:
            yield payload
        if record["event"] in ("done", "error"):
            return


def _decode_checked(data: bytearray, sha256: str) -> Picture:
    _check_hash(data, sha256)
    return decode_photo(data)


def _mesh_checked(data: bytearray, sha256: str) -> MeshArrays:
    _check_hash(data, sha256)
    return decode_mesh(data)


def _check_hash(data: bytearray, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Failure(
            "hash_mismatch",
            f"The upload's SHA-256 is {found[:12]}…, not {sha256[:12]}… as announced: the file changed "
            "meanwhile, try again.",
        )


def _check_name(sha256: str) -> None:
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise Failure(
            "photo_name_invalid", "A file is named by its SHA-256: 64 lower-case hexadecimal digits."
        )


def _job_too_large() -> Failure:
    return Failure(
        "job_too_large",
        f"The frames take more than {MAX_JOB_BYTES // 2**20} MiB: ask for fewer at once.",
        status=413,
    )


def _invalid_detection(problem: str, **details: str) -> Failure:
    return Failure("request_invalid", f"The request is malformed: {problem}.", status=422, **details)


def _files_missing(photos: list[str], meshes: list[str]) -> Failure:
    count = len(photos) + len(meshes)
    return Failure(
        "photos_missing",
        f"{count} photo(s) or meshes must be uploaded first.",
        status=404,
        photos=photos,
        meshes=meshes,
    )


async def _answer_failure(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Failure)
    # The rest of a body that stopped is not waited for.
    headers = {"Connection": "close"} if failure.status == HTTPStatus.REQUEST_TIMEOUT else {}
    if "retry_seconds" in failure.details:
        headers["Retry-After"] = str(failure.details["retry_seconds"])
    return JSONResponse({"error": failure.to_dict()}, failure.status, headers)


async def _answer_nobody(request: Request, _error: Exception) -> Response:
    logger.info("%s %s: the client hung up", request.method, request.url.path)
    return Response(status_code=HUNG_UP)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = HTTPStatus(error.status_code).name.lower()
    return JSONResponse(
        {"error": {"code": name, "message": f"{request.method} {request.url.path}: {error.detail}."}},
        status_code=error.status_code,
        headers=error.headers,
    )


async def _answer_bug(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = (
        f"The worker failed on {request.method} {request.url.path} ({type(error).__name__}); see its log."
    )
    return JSONResponse({"error": {"code": "internal", "message": message}}, status_code=500)
