"""A finished dataset read independently of its writer, and everything that is wrong with it."""
