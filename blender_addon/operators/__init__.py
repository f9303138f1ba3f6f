"""Operators: each calls one function that a script can call as well, and reports its errors."""
