"""Data sets: labels, scenes, training pairs and contact sheets. No bpy."""
