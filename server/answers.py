"""What the worker answers where it answers in JSON."""

from __future__ import annotations

from pydantic import BaseModel

import na_core
from na_core.scene import MAX_SIDE, SCHEMA_VERSION
from server.protocol import MAX_FRAMES, MAX_PHOTO_BYTES, PROTOCOL_VERSION


class Health(BaseModel):
    """The answer of /v1/health."""

    status: str = "ok"
    protocol: int = PROTOCOL_VERSION
    version: str = na_core.__version__
    busy: bool
    pid: int


class PeakMemory(BaseModel):
    """Largest memory so far, MiB; null where it is unknown or does not apply."""

    process: float | None
    device: float | None


class CacheState(BaseModel):
    """How full a cache is."""

    entries: int
    bytes: int
    limit: int


class Capabilities(BaseModel):
    """The answer of /v1/capabilities."""

    checkpoint: str
    fingerprint: str
    preset: str | None
    device: str
    dtype: str
    max_side: int = MAX_SIDE
    max_frames: int = MAX_FRAMES
    max_photo_bytes: int = MAX_PHOTO_BYTES
    schema_version: int = SCHEMA_VERSION
    sampling_presets: dict[str, tuple[int, float]]
    peak_memory_mib: PeakMemory
    models: dict[str, str]
    caches: dict[str, CacheState]


class StoredPhoto(BaseModel):
    """The answer to an upload: the picture's size as the worker keeps it, pixels."""

    width: int
    height: int


class StoredMesh(BaseModel):
    """The answer to a mesh's upload; null triangles are those of the mesh that is deformed."""

    vertices: int
    triangles: int | None
