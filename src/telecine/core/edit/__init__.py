"""What is to be changed in datasets, as a value: read from files and flags, checked, and resolved to episodes."""
