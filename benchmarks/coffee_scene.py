"""The photograph of coffee that comes with scikit-image, in a scene of Blender: for pictures of the docs."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import blender_addon
from blender_addon import api

PITCH, FOCAL, CAMERA_HEIGHT = 50.0, 1.39, 0.45
"""Of the photograph's camera, as the saucer's ellipse tells: degrees, widths of the picture, metres."""


def coffee_scene() -> tuple[bpy.types.Scene, NDArray[np.uint8]]:
    """Return the scene, with the add-on registered and the camera matched, and the photograph."""
    os.environ.setdefault("NEURAL_ASSETS_WORKER_PYTHON", sys.executable)
    blender_addon.register()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    scene, photo = bpy.context.scene, skimage.data.coffee()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coffee.png"
        Image.fromarray(photo).save(file)
        api.import_photo(file, scene=scene)
    camera = scene.camera
    camera.location, camera.rotation_euler = (0, 0, CAMERA_HEIGHT), (math.radians(90 - PITCH), 0, 0)
    camera.data.angle_x = 2 * math.atan(0.5 / FOCAL)
    scene.view_layers[0].update()
    api.capture_photo_camera(scene=scene)
    return scene, photo
