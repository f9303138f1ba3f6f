"""Rendering a frame: from the depsgraph through the worker to pixels, independent of who asks."""
