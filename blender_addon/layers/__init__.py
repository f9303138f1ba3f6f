"""Layers: what a photo was taken apart into, asked of the worker and shown as images."""
