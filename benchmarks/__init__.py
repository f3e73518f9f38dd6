"""Measurements. Each module runs with `python -m`."""
