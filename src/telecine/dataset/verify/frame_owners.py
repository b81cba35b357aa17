"""Whether frames are an episode's own, or those of another episode or camera, by the statistics of all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from telecine.core.errors import TelecineError
from telecine.core.frame_witness import FrameWitness, frames_problem, may_be_others
from telecine.dataset.verify.frames import DecodedFrames, Depth
from telecine.dataset.verify.reading import UNREADABLE
from telecine.lerobot_format.frame_statistics import FrameStatistics
from telecine.lerobot_format.metadata import EpisodeMeta
from telecine.video.mp4_reader import decode_at

_FRAMES = 24
"""Looked at where a few are not enough."""
More = Callable[[Sequence[int]], Iterable[npt.NDArray[np.uint8]]]
"""Decodes frames of an episode, (height, width, 3) uint8, at rows. Raises: TelecineError, or what Parquet raises."""


def owner_problems(
    key: str,
    episodes: Iterable[tuple[EpisodeMeta, More]],
    statistics: FrameStatistics,
    decoded: Mapping[int, DecodedFrames],
    depth: Depth,
) -> Iterator[tuple[tuple[str, int], str]]:
    """((camera, episode), why its frames are another's, "" when not) of the episodes that can be judged.

    These are those of which frames were decoded and statistics are there.
    """
    for episode, more in episodes:
        few, witness = decoded.get(episode.index), statistics.witness(key, episode.index)
        if few is None or witness is None:
            continue
        if depth == "all":
            problem = frames_problem(few.looks, witness, np.array(few.moments))
        else:
            problem = owner_problem(more, episode.length, witness, few)
        yield (key, episode.index), problem


def owner_problem(more: More, count: int, witness: FrameWitness, few: DecodedFrames) -> str:
    """Why the frames of an episode of `count` rows are not the witness's; "" when they are, or are damaged.

    few: some of them; `more` are decoded, at rows, where they leave a doubt.
    """
    if not few.moments or not may_be_others(few.looks, witness):
        return ""
    seen = DecodedFrames()
    try:
        for rgb in more(np.unique(np.linspace(0, count - 1, _FRAMES).round().astype(int)).tolist()):
            seen.add(rgb)
    except (TelecineError, KeyError, *UNREADABLE):
        return ""  # reported by the check of frames
    return frames_problem(seen.looks, witness, np.array(seen.moments))


def frames_from(path: str, first: int) -> More:
    """Decodes the frames of an episode that begins with frame `first` of a video."""
    return lambda rows: (rgb for _, rgb in decode_at(path, [first + row for row in rows]))
