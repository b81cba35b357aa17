"""Rerun recordings: files, and datasets of a catalog server."""
