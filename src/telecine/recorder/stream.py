"""A handle on one feature, for the thread that has its sensor."""

from collections.abc import Callable
from typing import Any

from telecine.recorder.episode import LiveEpisode


class RecorderStream:
    """Adds samples of one feature to whatever episode is being recorded. Stays valid between episodes."""

    def __init__(self, name: str, episode: Callable[[], LiveEpisode | None]) -> None:
        self.name = name
        self._episode = episode

    def add(self, time_ns: int, value: Any) -> bool:
        """Take a sample; False, and nothing is taken, while no episode is being recorded.

        Raises: PlanError for what cannot be taken, as `Recorder.add`.
        """
        episode = self._episode()
        return episode is not None and episode.add_if_open(time_ns, {self.name: value})
