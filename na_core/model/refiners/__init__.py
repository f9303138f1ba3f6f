"""Refiners: image models of the user's that finish proxies, in the decoder's place."""
