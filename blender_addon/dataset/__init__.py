"""Training pictures: rendered tabletop clips with exact cameras, boxes, masks and depth.

From a shell: ``python -m blender_addon.dataset render --out DIR --scenes 10``. From Python: :func:`render`.
Needs Blender (the ``bpy`` package, or one with a window), Pillow and tqdm; the add-on never imports it.
"""

from .farm import render
from .order import Order
from .streams import SPLITS

__all__ = ["SPLITS", "Order", "render"]
