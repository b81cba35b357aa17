"""Where files are: folders of this machine and object stores, with the same few operations."""
