"""The recorder's own file: an episode while it is recorded, and one that did not fit its dataset (.spool)."""
