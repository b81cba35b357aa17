"""Streams that wrap another one and change one thing about it."""
