"""What a dataset's statistics say of the frames of each episode, and of those they could be taken for."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from telecine.core.frame_witness import FrameWitness
from telecine.core.stats import Floats
from telecine.lerobot_format.episode_statistics import NONE, EpisodeStatistics, all_statistics
from telecine.lerobot_format.metadata import DatasetMeta

_LIKELY = 100
"""Episodes of the same length whose frames are compared: the nearest ones."""


class FrameStatistics:
    """Means and deviations of all episodes' frames, by camera; read when they are first asked for."""

    def __init__(self, dataset: DatasetMeta) -> None:
        self._dataset = dataset

    def witness(self, key: str, number: int) -> FrameWitness | None:
        """What statistics say of the frames of an episode; None where nothing does, and for depth.

        They could be taken for those of other cameras of the same size, and of other episodes of the same length.
        """
        feature, episode = self._dataset.features.get(key), self._dataset.by_index.get(number)
        own = None if feature is None or feature.is_depth else self._look(key, number)
        if feature is None or episode is None or own is None:
            return None
        others: dict[str, Floats] = {}
        for camera in self._dataset.cameras:
            meta = self._dataset.features[camera]
            look = self._look(camera, number) if meta.shape == feature.shape and not meta.is_depth else None
            if camera != key and look is not None:
                others[camera] = look
        for other in self._as_long(episode.length, number):
            look = self._look(key, other)
            if look is not None:
                others[f"episode {other}"] = look
        return FrameWitness(
            own, np.array(list(others.values())).reshape(-1, 6), tuple(others), self._count(key, number)
        )

    def _look(self, key: str, episode: int) -> Floats | None:
        look = self._looks.get(key, NONE).of(episode)
        return look if look is not None and look.shape == (6,) else None

    def _count(self, key: str, episode: int) -> float:
        """How many frames an episode's statistics were made of; infinite where nothing says it."""
        count = self._counts.get(key, NONE).of(episode)
        return float(count[0]) if count is not None and count.shape == (1,) and count[0] >= 1 else np.inf

    def _as_long(self, length: int, number: int) -> Sequence[int]:
        """The nearest other episodes with as many rows."""
        same = self._by_length[length]
        at = bisect_left(same, number)
        near = same[max(0, at - _LIKELY // 2) : at + _LIKELY // 2]
        return [index for index in near if index != number]

    @cached_property
    def _looks(self) -> dict[str, EpisodeStatistics]:
        return all_statistics(self._dataset, self._dataset.cameras, ("mean", "std"))

    @cached_property
    def _counts(self) -> dict[str, EpisodeStatistics]:
        return all_statistics(self._dataset, self._dataset.cameras, ("count",))

    @cached_property
    def _by_length(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for episode in self._dataset.episodes:
            found[episode.length].append(episode.index)
        return {length: sorted(own) for length, own in found.items()}
