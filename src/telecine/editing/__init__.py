"""Datasets edited, merged, compared: through the one assembly of `dataset/assembly`. Read `edit.py` first."""
