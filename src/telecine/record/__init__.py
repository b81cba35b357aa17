"""Paths that programs of Isaac Lab import from; the code is in `telecine.recorder`."""
