"""The worker: a local HTTP service that renders frames, and the command line.

Nothing here imports bpy. Importing the package or :mod:`server.cli` imports neither torch nor fastapi, so
that a Python that lacks them gets a sentence that says what to install.
"""
