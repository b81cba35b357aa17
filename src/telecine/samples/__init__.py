"""Recordings to try telecine with, without a robot: an arm that puts a cube on a tray, seen by two cameras.

Start with `recordings.py`. May import `telecine.video` and `telecine.core`; rerun-sdk only inside functions.
"""
