"""Turn the bytes of a mesh's file from outside into arrays, safely."""

from __future__ import annotations

from na_core.meshes.mesh_arrays import MeshArrays, MeshError, read_mesh
from server.failures import Failure
from server.protocol import MAX_MESH_BYTES


def decode_mesh(data: bytes | bytearray) -> MeshArrays:
    """Return the mesh that a file of :func:`na_core.geometry.mesh_file.mesh_bytes` holds.

    Raises:
        Failure: ``mesh_too_large`` or ``mesh_unusable``.
    """
    if len(data) > MAX_MESH_BYTES:
        raise mesh_too_large()
    try:
        return read_mesh(bytes(data))
    except MeshError as error:
        raise mesh_unusable(error) from error
    except MemoryError as error:
        raise Failure(
            "mesh_too_large",
            "Not enough memory for the mesh: reduce it with a Decimate modifier.",
            status=413,
        ) from error


def mesh_unusable(error: MeshError) -> Failure:
    """Return the failure of a mesh that cannot be used."""
    return Failure("mesh_unusable", str(error), status=422)


def mesh_too_large() -> Failure:
    """Return the failure of a file beyond the limit on uploads."""
    return Failure(
        "mesh_too_large",
        f"The mesh's file is larger than {MAX_MESH_BYTES // 2**20} MiB: reduce it with a Decimate modifier.",
        status=413,
    )
