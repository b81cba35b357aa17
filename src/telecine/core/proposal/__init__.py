"""A plan to start from, proposed from what recordings hold."""
