"""The rasteriser: rays, boxes, surfaces and sampling, in torch, in batches, on any device."""
