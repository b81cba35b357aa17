"""Samples onto ticks: the span of an episode, where recordings are cut, and which sample each row uses."""
