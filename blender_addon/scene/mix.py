"""Mix with CG: Blender's own objects in the neural picture, which hide each other by depth.

A second scene renders them with Cycles: one view layer shows the objects, the other what they throw on a
shadow catcher, which lies where the photo's ground is and has the shapes of fitted meshes. The compositor of
the first scene puts both into its picture. Everything that is made is Blender's own, and yours to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..errors import UserError
from .assets import asset_objects, require_photo
from .fitted_mesh import fitted_mesh, mesh_root
from .stored import box_of, camera_of

KINDS = ("MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "VOLUME", "LIGHT", "POINTCLOUD")
"""Types of objects that Cycles shows."""

SUN, STRENGTH = (-0.6, 0.15, 0.8), 3.0
"""Where the sun is, to the right of the camera, behind it and up, and its strength in W/m², where the scene
has
no light: turn it as the photo's shadows lie."""

SOFTNESS = 0.05
"""Angle of the sun in radians: how soft its shadows are."""

SKY = (0.35, 0.35, 0.35)
"""Light from everywhere, where the scene has no world: it fills the shadows."""

GROUND_SIZE = 200.0
"""Sides of the shadow catcher, in units of the median height of the photo's boxes."""

SAME_DEPTH = 0.03
"""Relative difference in depth up to which the catcher and the picture show the same: shadows fall there."""

SAMPLES = 64

NODE_GROUPS = bpy.app.version >= (5, 0, 0)
"""Whether a scene's compositor is a node group, whose nodes are partly the shaders'."""

PREFIX = "Mix: "
"""What the labels of the nodes begin with that this made."""

RENDER_SETTINGS = (
    *("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y"),
    *("fps", "fps_base", "use_border", "border_min_x", "border_min_y", "border_max_x", "border_max_y"),
)


def mix_with_cg(
    scene: bpy.types.Scene | None = None, objects: Sequence[bpy.types.Object] | None = None
) -> bpy.types.Scene:
    """Set up the scene so that its renders show Blender's own objects, too, and return the scene of those.

    Called again it takes up what has changed: objects, resolution, range of frames.

    Args:
        scene: with a photo and a camera; the current one if None.
        objects: to show; None for all of the scene that Cycles can, but for fitted meshes.

    Raises:
        UserError: no photo, no camera, or nothing to show.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    if scene.camera is None:
        raise UserError("The scene has no camera.", "Import the photo again, or set a camera.")
    meshes = [mesh for asset in asset_objects(scene) if (mesh := fitted_mesh(asset)) is not None]
    shown = list(_cg_objects(scene, meshes) if objects is None else objects)
    if not any(item.type != "LIGHT" for item in shown):
        raise UserError(
            "There is no object to mix with the picture.", "Add a mesh, text or another object of Blender's."
        )
    name = f"{scene.name} CG"
    other = bpy.data.scenes.get(name) or bpy.data.scenes.new(name)
    _copy_settings(scene, other)
    cg, ground, lights = (_collection(other, label) for label in ("CG", "Shadow Catcher", "Lights"))
    _fill(cg, (item for item in shown if item.type != "LIGHT"))
    catcher = _catcher(scene, f"{name} Ground")
    for mesh in meshes:
        mesh.is_shadow_catcher = True
    _fill(ground, [catcher, *meshes])
    lamps = [item for item in shown if item.type == "LIGHT"]
    _fill(lights, lamps or [_sun(scene, f"{name} Sun")])
    _set_layers(other, cg.name, ground.name)
    scene.view_layers[0].use_pass_z = True
    _compose(scene, other)
    return other


def _cg_objects(scene: bpy.types.Scene, meshes: Sequence[bpy.types.Object]) -> Iterable[bpy.types.Object]:
    """Yield the objects of a scene that Cycles shows, but for those that are assets' shapes."""
    own = set(meshes)
    for asset in asset_objects(scene):
        mesh = fitted_mesh(asset)
        if mesh is not None:
            root = mesh_root(mesh, asset)
            own |= {root, *root.children_recursive}
    return (item for item in scene.objects if item.type in KINDS and item not in own and not item.hide_render)


def _copy_settings(scene: bpy.types.Scene, other: bpy.types.Scene) -> None:
    """Give the CG scene the camera, size, frames and colours of the neural one."""
    other.camera = scene.camera
    if scene.camera.name not in other.collection.objects:
        other.collection.objects.link(scene.camera)
    for name in RENDER_SETTINGS:
        setattr(other.render, name, getattr(scene.render, name))
    for name in ("frame_start", "frame_end", "frame_step"):
        setattr(other, name, getattr(scene, name))
    other.frame_set(scene.frame_current)
    other.render.engine = "CYCLES"
    other.cycles.samples = SAMPLES
    if not other.cycles.denoiser:  # of a Blender that was built without any: it would render nothing
        other.cycles.use_denoising = False
    other.render.film_transparent = True
    other.view_settings.view_transform = scene.view_settings.view_transform
    if other.world is None:
        other.world = scene.world
    if other.world is None:
        other.world = bpy.data.worlds.new(f"{other.name} World")
        other.world.color = SKY


def _collection(other: bpy.types.Scene, label: str) -> bpy.types.Collection:
    name = f"{other.name} {label}"
    found: bpy.types.Collection | None = other.collection.children.get(name)
    if found is None:
        found = bpy.data.collections.get(name) or bpy.data.collections.new(name)
        other.collection.children.link(found)
    return found


def _fill(collection: bpy.types.Collection, items: Iterable[bpy.types.Object]) -> None:
    """Let a collection hold some objects, and no others."""
    wanted = list(items)
    for item in list(collection.objects):
        if item not in wanted:
            collection.objects.unlink(item)
    for item in wanted:
        if item.name not in collection.objects:
            collection.objects.link(item)


def _catcher(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """Return the plane that lies where the photo's ground is: at the median of the boxes' undersides."""
    boxes = [box_of(item.world_from_box).world_from_box for item in scene.neural_assets.hidden_boxes]
    camera = camera_of(scene.neural_assets.source_camera)
    undersides = [box[2, 3] - np.abs(box[2, :3]).sum() / 2 for box in boxes]
    heights = [np.linalg.norm(box[:3, 2]) for box in boxes]
    height, scale = (
        float(np.median(values)) if boxes else fallback
        for values, fallback in ((undersides, 0.0), (heights, 1.0))
    )
    item: bpy.types.Object | None = bpy.data.objects.get(name)
    if item is None:
        mesh = bpy.data.meshes.new(name)
        corners = [(-0.5, -0.5, 0), (0.5, -0.5, 0), (0.5, 0.5, 0), (-0.5, 0.5, 0)]
        mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
        item = bpy.data.objects.new(name, mesh)
    middle = np.mean([box[:2, 3] for box in boxes], axis=0) if boxes else camera.world_from_camera[:2, 3]
    item.location = (float(middle[0]), float(middle[1]), height)
    item.scale = (GROUND_SIZE * scale, GROUND_SIZE * scale, 1.0)
    item.is_shadow_catcher = True
    return item


def _sun(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    item: bpy.types.Object | None = bpy.data.objects.get(name)
    if item is None:
        lamp = bpy.data.lights.new(name, "SUN")
        lamp.energy, lamp.angle = STRENGTH, SOFTNESS
        item = bpy.data.objects.new(name, lamp)
        axes = camera_of(scene.neural_assets.source_camera).world_from_camera[:3, :3]
        across = np.array([axes[0, 0], axes[1, 0], 0.0])
        across /= max(float(np.linalg.norm(across)), 1e-9)
        back = np.cross(across, (0.0, 0.0, 1.0))
        towards = SUN[0] * across + SUN[1] * back + SUN[2] * np.array([0.0, 0.0, 1.0])
        item.rotation_euler = Vector(towards.tolist()).to_track_quat("Z", "Y").to_euler()
    return item


def _set_layers(other: bpy.types.Scene, cg: str, ground: str) -> None:
    """Let one view layer show the objects, the other what they throw on the catcher."""
    first = other.view_layers[0]
    first.name = "CG"
    second = other.view_layers.get("Shadow") or other.view_layers.new("Shadow")
    first.use_pass_z = second.use_pass_z = True
    first.layer_collection.children[ground].exclude = True
    second.layer_collection.children[cg].indirect_only = True


def _compose(scene: bpy.types.Scene, other: bpy.types.Scene) -> None:
    """Build the scene's compositor; nodes of an earlier set-up are replaced, others stay."""
    tree = _tree(scene)
    for node in [node for node in tree.nodes if node.label.startswith(PREFIX)]:
        tree.nodes.remove(node)
    neural = _render_layer(tree, scene, scene.view_layers[0].name, (-900, 200))
    cg = _render_layer(tree, other, "CG", (-900, -200))
    shadow = _render_layer(tree, other, "Shadow", (-900, -600))
    apart = _math(tree, "SUBTRACT", shadow.outputs["Depth"], neural.outputs["Depth"], (-600, -500))
    apart = _math(tree, "ABSOLUTE", apart, None, (-450, -500))
    apart = _math(tree, "DIVIDE", apart, neural.outputs["Depth"], (-300, -500))
    ground = _math(tree, "LESS_THAN", apart, SAME_DEPTH, (-150, -500))
    dark = _math(tree, "MULTIPLY", ground, shadow.outputs["Alpha"], (0, -400))
    below = _over(tree, neural.outputs["Image"], (0.0, 0.0, 0.0, 1.0), dark, (150, 100))
    nearer = _math(tree, "LESS_THAN", cg.outputs["Depth"], neural.outputs["Depth"], (150, -200))
    mixed = _over(tree, below, cg.outputs["Image"], nearer, (350, 0))
    _finish(scene, tree, mixed)


def _tree(scene: Any) -> Any:
    """Return the scene's compositor, which is a node group from Blender 5.0 on."""
    if NODE_GROUPS:
        if scene.compositing_node_group is None:
            scene.compositing_node_group = bpy.data.node_groups.new(scene.name, "CompositorNodeTree")
        return scene.compositing_node_group
    scene.use_nodes = True
    return scene.node_tree


def _node(tree: Any, kind: str, label: str, place: tuple[int, int]) -> Any:
    node = tree.nodes.new(kind)
    node.label, node.location = PREFIX + label, place
    return node


def _render_layer(tree: Any, scene: bpy.types.Scene, layer: str, place: tuple[int, int]) -> Any:
    node = _node(tree, "CompositorNodeRLayers", f"{scene.name}, {layer}", place)
    node.scene, node.layer = scene, layer
    return node


def _math(tree: Any, operation: str, first: Any, second: Any, place: tuple[int, int]) -> Any:
    """Return what a calculation with two sockets, or a socket and a number, gives."""
    kind = "ShaderNodeMath" if NODE_GROUPS else "CompositorNodeMath"
    node = _node(tree, kind, operation.replace("_", " ").title(), place)
    node.operation = operation
    tree.links.new(first, node.inputs[0])
    if isinstance(second, float):
        node.inputs[1].default_value = second
    elif second is not None:
        tree.links.new(second, node.inputs[1])
    return node.outputs[0]


def _over(tree: Any, background: Any, foreground: Any, share: Any, place: tuple[int, int]) -> Any:
    """Return a picture over another, where and as far as a share says."""
    node = _node(tree, "CompositorNodeAlphaOver", "Over", place)
    under, over = (socket for socket in node.inputs if socket.type == "RGBA")
    factor = next(socket for socket in node.inputs if socket.type == "VALUE")
    tree.links.new(background, under)
    if isinstance(foreground, tuple):
        over.default_value = foreground
    else:
        tree.links.new(foreground, over)
    tree.links.new(share, factor)
    return node.outputs[0]


def _finish(scene: bpy.types.Scene, tree: Any, picture: Any) -> None:
    """Let a picture be what the compositor gives."""
    if NODE_GROUPS:
        outputs = [item for item in tree.interface.items_tree if item.in_out == "OUTPUT"]
        if not outputs:
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        found = next((node for node in tree.nodes if node.type == "GROUP_OUTPUT"), None)
        node = found or _node(tree, "NodeGroupOutput", "Output", (600, 0))
    else:
        found = next((node for node in tree.nodes if node.type == "COMPOSITE"), None)
        node = found or _node(tree, "CompositorNodeComposite", "Output", (600, 0))
    tree.links.new(picture, node.inputs[0])
