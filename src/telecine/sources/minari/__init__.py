"""Minari datasets in Arrow or Parquet files; those in HDF5 are a layout of `sources/hdf5`."""
