"""Cameras, boxes, box maps, proxy pictures and flow, in numpy alone."""
