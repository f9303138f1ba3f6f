"""Meshes of artists' that are assets' shapes: read, hit by rays, and painted from photos."""
