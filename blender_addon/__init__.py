"""Neural Assets for Blender: the objects of a photo as 3D boxes that Blender's own tools move and animate.

Three layers: ``scene`` (Blender's data to and from ``na_core.scene``), then ``operators``, ``engine``,
``render`` and ``worker`` (what happens), then ``panels``, ``overlay`` and ``preferences`` (what is seen), and
``api``. ``detection`` has a file in each of the first two; ``dataset`` is a program of its own.
"""

from __future__ import annotations


def register() -> None:
    """Add everything to Blender."""
    from . import registration  # not at import: tools read parts of this package without registering it

    registration.register()


def unregister() -> None:
    """Take everything away again."""
    from . import registration

    registration.unregister()
