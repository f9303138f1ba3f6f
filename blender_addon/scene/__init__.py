"""The data layer: Blender's data on one side, the dataclasses of ``na_core.scene`` on the other."""
