"""A finished dataset read as a stranger would, and everything that is wrong with it."""
