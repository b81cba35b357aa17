"""CALVIN as its simulator wrote it: an npz file for each step."""
