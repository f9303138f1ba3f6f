"""An artist's .blend as a source of objects.

:mod:`.collect` writes its objects into a library, each one mesh, in a process of its own; from there
:mod:`.library` loads them.
"""
