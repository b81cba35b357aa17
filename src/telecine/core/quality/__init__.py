"""What a careful person sees in a dataset: arrays in, findings with their place out. Pure."""
