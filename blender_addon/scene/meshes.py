"""Meshes of the scene as they travel to the worker: their files, materials and textures."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.geometry.mesh_file import mesh_bytes
from na_core.scene import MAX_TRIANGLES, Material, MeshFile, Photo

from ..errors import UserError
from .painting import image_pixels
from .photo import photo_of
from .png import png_bytes
from .srgb import srgb_from_linear

KEPT = 24
"""Files of meshes, and of textures, that are kept, so that each is made once and not for every frame."""

Array = NDArray[np.float64]

_files: OrderedDict[bytes, bytes] = OrderedDict()


def mesh_file(
    mesh: bpy.types.Mesh, box_from_mesh: Array, *, whole: bool = True, corner_colours: bool = False
) -> tuple[MeshFile, bytes]:
    """Return the message and the file of a mesh.

    Args:
        mesh: evaluated or not.
        box_from_mesh: (4, 4), from the mesh's coordinates to those of its asset's box, a unit cube.
        whole: with triangles, texture coordinates and colours; else the vertices and normals alone, of a mesh
            that is deformed.
        corner_colours: whether the mesh's colour attribute is its colour.

    Raises:
        UserError: it has no faces, or too many.
    """
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    if count == 0:
        raise UserError(f"The mesh '{mesh.name}' has no faces.", "Choose an object with a surface.")
    if count > MAX_TRIANGLES:
        raise UserError(
            f"The mesh '{mesh.name}' has {count:,} triangles, more than {MAX_TRIANGLES:,}.",
            "Give it a Decimate modifier, and apply it.",
        )
    arrays = _arrays(mesh, box_from_mesh, whole=whole, corner_colours=corner_colours)
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    data = _kept(digest.digest(), lambda: mesh_bytes(**arrays))
    return MeshFile(hashlib.sha256(data).hexdigest()), data


def materials_of(item: bpy.types.Object) -> tuple[tuple[Material, ...], dict[str, bytes]]:
    """Return the materials of an object's slots, and the files of their textures by SHA-256."""
    found, textures = [], {}
    for slot in item.material_slots:
        colour, image = base_colour(slot.material)
        photo = None
        if image is not None and 0 not in image.size:
            photo, data = _texture(image)
            textures[photo.sha256] = data
        found.append(Material(colour, photo))
    return tuple(found), textures


def base_colour(
    material: bpy.types.Material | None,
) -> tuple[tuple[float, float, float], bpy.types.Image | None]:
    """Return the colour of a material, sRGB, and the image that it takes its colour from, if there is one.

    Of a node tree it is the Base Color of the first shader that has one, or its Color, and the first image
    that leads there.
    """
    if material is None:
        return (0.8, 0.8, 0.8), None
    socket = _colour_socket(material)
    if socket is None:
        return _srgb(material.diffuse_color), None
    image = next((node.image for node in _upstream(socket) if node.type == "TEX_IMAGE" and node.image), None)
    return _srgb(socket.default_value), image


def wears_corner_colours(item: bpy.types.Object) -> bool:
    """Tell whether an object's first material takes its colour from the mesh's colour attribute."""
    material = item.material_slots[0].material if item.material_slots else None
    socket = None if material is None else _colour_socket(material)
    if socket is None:
        return False
    kinds = [node.type for node in _upstream(socket)]
    return "TEX_IMAGE" not in kinds and bool({"VERTEX_COLOR", "ATTRIBUTE"} & set(kinds))


def _arrays(
    mesh: bpy.types.Mesh, box_from_mesh: Array, *, whole: bool, corner_colours: bool
) -> dict[str, NDArray[Any]]:
    """Return the arrays of :func:`na_core.geometry.mesh_file.mesh_bytes`."""
    vertices = _read(mesh.vertices, "co", np.float32, 3).astype(np.float64)
    vertices = vertices @ box_from_mesh[:3, :3].T + box_from_mesh[:3, 3]
    corners = _read(mesh.loop_triangles, "loops", np.int32, 3)
    normals = _read(mesh.corner_normals, "vector", np.float32, 3)[corners].astype(np.float64)
    normals = normals @ np.linalg.inv(box_from_mesh[:3, :3])  # by the inverse's transpose
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    arrays: dict[str, NDArray[Any]] = {"vertices": vertices.astype(np.float32), "normals": normals}
    if not whole:
        return arrays
    arrays["triangles"] = _read(mesh.loop_triangles, "vertices", np.int32, 3)
    arrays["materials"] = _read(mesh.loop_triangles, "material_index", np.int32, 1)[:, 0]
    if mesh.uv_layers.active is not None:
        arrays["uvs"] = _read(mesh.uv_layers.active.data, "uv", np.float32, 2)[corners]
    colours = mesh.color_attributes.active_color if corner_colours else None
    if colours is not None and colours.domain in ("POINT", "CORNER"):
        each = _read(colours.data, "color_srgb", np.float32, 4)[:, :3]
        where = corners if colours.domain == "CORNER" else arrays["triangles"]
        arrays["colours"] = np.rint(255 * each[where].clip(0, 1)).astype(np.uint8)
    return arrays


def _read(items: Any, name: str, dtype: type, width: int) -> NDArray[Any]:
    values: NDArray[Any] = np.empty(len(items) * width, dtype)
    items.foreach_get(name, values)
    return values.reshape(-1, width)


def _colour_socket(material: bpy.types.Material) -> Any:
    """Return the input that a material's colour comes in by, None if it has no nodes or no such shader."""
    tree: Any = material.node_tree
    if tree is None:
        return None
    for name in ("Base Color", "Color"):
        for node in tree.nodes:
            if node.type.startswith(("BSDF", "EMISSION")) and name in node.inputs:
                return node.inputs[name]
    return None


def _upstream(socket: Any) -> Iterator[Any]:
    """Yield the nodes that lead to an input, the nearest first."""
    waiting, seen = deque(socket.links), set()
    while waiting:
        node = waiting.popleft().from_node
        if node.name in seen:
            continue
        seen.add(node.name)
        yield node
        for item in node.inputs:
            waiting.extend(item.links)


def _texture(image: bpy.types.Image) -> tuple[Photo, bytes]:
    """Return a texture's message and file: its own if the worker reads that, else a PNG of its pixels."""
    if image.source == "FILE" and image.file_format in ("JPEG", "PNG", "WEBP") and not image.is_dirty:
        try:
            return photo_of(image)
        except UserError:
            pass  # its file is gone, but Blender may hold its pixels
    pixels = image_pixels(image)
    data = _kept(
        hashlib.sha256(pixels.tobytes() + repr(pixels.shape).encode()).digest(), lambda: png_bytes(pixels)
    )
    return Photo(hashlib.sha256(data).hexdigest()), data


def _kept(key: bytes, make: Any) -> bytes:
    """Return a file that was made before, or made now."""
    if key not in _files:
        _files[key] = make()
    _files.move_to_end(key)
    while len(_files) > KEPT:
        _files.popitem(last=False)
    return _files[key]


def _srgb(linear: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in srgb_from_linear(np.clip(np.array(linear[:3], np.float64), 0, 1)))
    return red, green, blue
