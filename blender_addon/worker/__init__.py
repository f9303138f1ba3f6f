"""The connection to the worker process: starting it, talking to it, ending it. No bpy data is touched here."""
