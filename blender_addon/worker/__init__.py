"""The connection to the worker process: starting it, talking to it, ending it. Touches no bpy data."""
