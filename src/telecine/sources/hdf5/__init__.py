"""Demonstrations in HDF5: one reader, and a layout per recorder."""
