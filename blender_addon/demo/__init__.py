"""The demo: a photo and its boxes become a rendered animation, through the scripting surface alone."""
