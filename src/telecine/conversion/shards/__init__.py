"""A conversion in parts that are made anywhere, and the dataset that is made of them: read `job.py` first."""
