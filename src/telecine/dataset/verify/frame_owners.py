"""Whether frames are an episode's own, or those of another episode or camera, by the statistics of all of them."""

from collections.abc import Iterator, Mapping

import numpy as np

from telecine.core.errors import TelecineError
from telecine.core.frame_witness import FrameWitness, frames_problem, may_be_others
from telecine.dataset.verify.frames import DecodedFrames, Depth
from telecine.dataset.verify.videos import CheckedVideo
from telecine.lerobot_format.frame_statistics import FrameStatistics
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.video.mp4_reader import decode_at

_FRAMES = 24
"""Looked at where a few are not enough."""


def owner_problems(
    video: CheckedVideo,
    metadata: DatasetMeta,
    statistics: FrameStatistics,
    decoded: Mapping[int, DecodedFrames],
    depth: Depth,
) -> Iterator[tuple[tuple[str, int], str]]:
    """((camera, episode), why its frames are another's, "" when not) of the episodes of a video that can be judged.

    These are those of which frames were decoded and statistics are there.
    """
    for episode, first in video.episodes:
        few, witness = decoded.get(episode.index), statistics.witness(video.key, episode.index)
        if few is None or witness is None:
            continue
        if depth == "all":
            problem = frames_problem(few.looks, witness, np.array(few.moments))
        else:
            problem = owner_problem(str(metadata.root / video.name), first, episode.length, witness, few)
        yield (video.key, episode.index), problem


def owner_problem(path: str, first: int, count: int, witness: FrameWitness, few: DecodedFrames) -> str:
    """Why `count` frames of a video, from `first` on, are not the witness's; "" when they are, or are damaged.

    few: some of them; more are decoded where they leave a doubt.
    """
    if not few.moments or not may_be_others(few.looks, witness):
        return ""
    more = DecodedFrames()
    try:
        for _, rgb in decode_at(path, np.unique(np.linspace(first, first + count - 1, _FRAMES).round()).tolist()):
            more.add(rgb)
    except TelecineError:
        return ""  # reported by the check of frames
    return frames_problem(more.looks, witness, np.array(more.moments))
