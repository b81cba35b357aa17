"""Hostile inputs by structure: `python tests/fuzz`."""
