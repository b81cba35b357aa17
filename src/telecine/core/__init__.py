"""Decisions: arrays and plain values in, small values out. No files, no codecs, no logging.

Read `episode.py` first: it is where a recording becomes rows. May import numpy, pyarrow, pydantic and yaml
(text in, plan out); nothing of telecine outside this folder.
"""
