"""Recordings in stores: what there is by names alone, and local copies of one at a time for formats that read files."""
