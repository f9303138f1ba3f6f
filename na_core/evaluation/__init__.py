"""Measuring methods on held-out scenes: metrics, methods, suites, and the sheet to look at."""
