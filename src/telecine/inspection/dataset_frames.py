"""Which frames of a dataset people and checks look at."""

import numpy as np

from telecine.dataset.camera_frames import frames_of
from telecine.dataset.reader import Dataset
from telecine.video.frames.colour import Rgb

FRAMES_SHOWN = 8
"""Frames of each camera and episode on a contact sheet."""


def spread_rows(length: int, count: int = FRAMES_SHOWN) -> list[int]:
    """At most `count` rows of an episode, from its first to its last."""
    rows: list[int] = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int)).tolist()
    return rows


def episode_frames(dataset: Dataset, key: str, number: int, count: int = FRAMES_SHOWN) -> list[Rgb]:
    """At most `count` frames of a camera, spread over an episode from its first row to its last.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded.
    """
    return frames_of(dataset, key, number, spread_rows(dataset.episodes[number].length, count))
