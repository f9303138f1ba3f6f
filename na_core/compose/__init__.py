"""Layers and frame to passes: what every pixel of a frame shows, before any decoder."""
