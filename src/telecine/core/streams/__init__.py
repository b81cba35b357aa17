"""Streams that stand before another one and change one thing about it."""
