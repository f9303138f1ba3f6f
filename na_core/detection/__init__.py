"""From a photo to boxes: what objects are in it, and where they stand."""
