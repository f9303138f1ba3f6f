"""Cameras, boxes, lifting and vanishing points, in numpy alone."""
