"""Columns computed from others: rotations, velocities, relative actions, poses. Read `derived.py` first."""
