"""Isaac Lab's recorder: the handler its recorder manager writes episodes with, and how it gets there."""
