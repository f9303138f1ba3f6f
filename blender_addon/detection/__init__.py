"""Detect Objects: the objects of a photo become assets.

``result`` and ``apply`` are data, ``task`` (which asks the worker) and ``detect`` are actions, ``operator``
is the button.
"""
