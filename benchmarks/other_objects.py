"""A .blend of objects that no network of ours has seen, for ``neural-assets dataset render --blend``.

    pip download --no-deps --dest out pybullet==3.2.7
    .venv/bin/python benchmarks/other_objects.py out/pybullet-*.whl out/other.blend

The meshes and textures come with the physics engine pybullet: a duck, a football, a brick, parts of robots
and cars. They are read from its package, not installed, and not part of this project.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import bpy
from mathutils import Vector

DATA = "pybullet_data/"
OBJECTS = {
    "duck": "duck.obj",
    "football": "soccerball.obj",
    "brick": "lego/lego.obj",
    "ring": "torus/torus_textured.obj",
    "robot hand": "franka_panda/meshes/visual/hand.obj",
    "robot wrist": "franka_panda/meshes/visual/link6.obj",
    "robot arm": "kuka_iiwa/meshes/link_2.obj",
    "robot base": "kuka_iiwa/meshes/link_0.obj",
    "robot dog's trunk": "a1/meshes/trunk.obj",
    "robot dog's thigh": "a1/meshes/thigh.obj",
    "quadruped": "laikago/chassis_zup.obj",
    "wheel": "racecar/meshes/left_front_wheel.obj",
}


def bring(name: str, file: Path) -> None:
    """Bring a model in as one object of that name, in the middle of the file's world."""
    before = set(bpy.data.objects)
    bpy.ops.wm.obj_import(filepath=str(file))
    made = [thing for thing in bpy.data.objects if thing not in before]
    bpy.ops.object.select_all(action="DESELECT")
    for thing in made:
        thing.select_set(True)
    bpy.context.view_layer.objects.active = made[0]
    if len(made) > 1:
        bpy.ops.object.join()
    bpy.ops.object.transform_apply()
    thing = bpy.context.view_layer.objects.active
    thing.name = name
    corners = [Vector(corner) for corner in thing.bound_box]
    middle = sum(corners, Vector()) / 8
    for vertex in thing.data.vertices:
        vertex.co -= middle


def main() -> None:
    """Read the package and write the .blend."""
    package, target = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(package) as archive:
        archive.extractall(scratch, [n for n in archive.namelist() if n.startswith(DATA)])
        for name, file in OBJECTS.items():
            bring(name, Path(scratch) / DATA / file)
        bpy.ops.file.pack_all()
        target.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)


if __name__ == "__main__":
    main()
