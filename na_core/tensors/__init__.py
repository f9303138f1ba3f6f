"""Frames, cameras and boxes as batched tensors; no pixels."""
