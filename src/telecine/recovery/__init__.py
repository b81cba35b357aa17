"""Repair: a sound copy of a dataset that some tool left broken. Never changes the original.

May import `dataset`, `video` and `core`. Read `repair.py` first: survey what is on disk, place the frames, write with
the same writer as any conversion, verify. `parquet_pages.py` reads Parquet files that were never closed.
"""
