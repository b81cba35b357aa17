"""The depths of some frames of an episode, for its statistics."""

from telecine.video.depth import DepthHistogram
from telecine.video.histogram import sample_indices
from telecine.video.mp4_reader import depth_at


def depth_histogram(path: str, first: int, count: int) -> DepthHistogram:
    """Of frames that stand for [first, first + count) of a depth video. Raises: VideoError."""
    histogram = DepthHistogram()
    for _, codes in depth_at(path, [first + int(k) for k in sample_indices(count)]):
        histogram.add(codes)
    return histogram
