"""Recordings into a dataset: found, opened, resampled, coded, written. Read `pipeline.py` first."""
