"""Plain values as Arrow, as columns, and as JSON."""
