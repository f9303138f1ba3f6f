"""*Rendered* shading: what a viewport looks at, the pictures that are asked for, and drawing them.

``views`` says what is looked at, ``message`` what the worker is asked, ``request`` asks it in a thread,
``session`` decides when, and ``engine_view`` ties that to Blender's render engine; ``screen`` draws.
"""
