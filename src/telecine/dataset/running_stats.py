"""The statistics of a dataset, pooled from those of its episodes: a few numbers, however many episodes there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from telecine.core.stats import Stats, camera_stats, column_stats
from telecine.core.video import Clip
from telecine.dataset.values import Values
from telecine.lerobot_format.schema import Features


class RunningStats:
    """Statistics by feature; starts with those of a published dataset, if given."""

    def __init__(self, before: Mapping[str, Stats] | None = None) -> None:
        self._stats = dict(before or {})

    def add(self, values: dict[str, Values], clips: Sequence[Clip]) -> dict[str, Stats]:
        """Count an episode in; its own statistics, by feature."""
        found = {key: column_stats(array) for key, array in values.items()}
        found |= {clip.key: camera_stats(clip.histogram, clip.sampled, clip.depth) for clip in clips}
        self.pool(found)
        return found

    def pool(self, found: Mapping[str, Stats]) -> None:
        """Count many episodes in, by their statistics together."""
        for key, own in found.items():
            self._stats[key] = self._stats[key].pooled(own) if key in self._stats else own

    def stats(self, features: Features) -> dict[str, dict[str, list[Any]]]:
        """meta/stats.json."""
        return {key: self._stats[key].lists() for key in features.measured}
