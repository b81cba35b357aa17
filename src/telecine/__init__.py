"""Turns robot recordings into training-ready LeRobot datasets."""

from telecine._version import __version__

__all__ = ["__version__"]
