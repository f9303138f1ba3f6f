"""Box maps, proxies and conditions of many frames at once, on the device that trains.

The torch twin of :mod:`na_core.geometry` and :mod:`na_core.model.conditioning`, module by module, and equal
to them in tests. Matrices are float64 and pixels float32, elementwise: neither autocast nor TensorFloat-32
touches them. Nothing here waits for a GPU.
"""
