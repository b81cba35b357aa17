"""What a dataset says a second time of its rows and frames, so that no episode is taken with those of another.

Metadata says where rows and frames are. Counts, times of packets, sizes, tasks and statistics say it again; where they
disagree nobody can tell here who is right, so the episode is refused, and `telecine repair` names what can be saved.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from telecine.core.frame_ranges import frame_times
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.lerobot_format.episode_statistics import NONE, episode_statistics
from telecine.lerobot_format.frame_statistics import FrameStatistics
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta, path_of
from telecine.lerobot_format.paths import VERSION, FileIndex
from telecine.lerobot_format.row_statistics import RowStatistics
from telecine.lerobot_format.video_spans import (
    PlacedEpisode,
    is_copy,
    length_problem,
    placed_episodes,
    read_hidden_frames,
    span_problems,
)
from telecine.storage.on_demand import present
from telecine.video.demux import Mp4Facts


class Witnesses:
    """What `dataset` says of its episodes beside where they are; read when it is first asked for."""

    def __init__(self, dataset: DatasetMeta) -> None:
        self._dataset = dataset
        self.frames = FrameStatistics(dataset)
        self.rows = RowStatistics(dataset)
        self._placed: dict[tuple[str, FileIndex], list[PlacedEpisode]] = {}
        self._copies: dict[tuple[Path, Path], bool] = {}

    @cached_property
    def advice(self) -> str:
        """What to type."""
        return f"see what `telecine repair {self._dataset.root}` can save"

    def video_problem(self, key: str, episode: EpisodeMeta, facts: Mp4Facts) -> str:
        """Why the frames that the metadata names may be another episode's, by the packets of their file; "" if not."""
        declared, fps = self._dataset.features[key].shape[:2], self._dataset.fps
        if len(declared) == 2 and declared != (facts.height, facts.width):
            return f"its frames are {facts.height} x {facts.width}, info.json declares {declared[0]} x {declared[1]}"
        if other := self._copied_from(key, episode):
            return f"its video is a copy of that of {other}, byte for byte"
        times = frame_times(np.sort(facts.pts_ns)[facts.hidden :] / 1e9, fps)
        if times.missing:
            return f"by the times of its packets frame {times.missing[0]} is missing"
        if times.is_irregular:
            return "the times of its packets lie neither on the grid of its rate nor at equal distances"
        if self._dataset.info.get("codebase_version") != VERSION:
            return ""  # a file for each episode, with as many frames as rows
        if key in self._unsorted:
            return "the files of its camera are not in the order of their episodes"
        frames, placed = facts.count - facts.hidden, self._in_file(key, episode.videos[key].file_index)
        first = next(at for other, at in placed if other.index == episode.index)
        if self._other_counts:
            changed = next((other.index for other, _ in placed if other.index in self._other_counts), None)
            if changed is not None and frames == sum(other.length for other, _ in placed):
                had = counted(self._other_counts[changed], "row")
                return f"episode {changed} had {had} when it was written, and as many frames as rows are left"
        longer = {other.index: at for other, at in placed if length_problem(key, other, fps)}
        if any(at <= first for at in longer.values()):
            return length_problem(key, episode, fps) or f"episode {min(longer)} before it has frames of no row"
        if longer and _fill(key, placed, frames, fps):
            return ""  # what is too much lies behind it
        starts = {other.index: at for other, at in placed}
        for problem in span_problems(key, placed, frames, fps, self._hidden):
            if problem.episode is None or problem.is_all or starts[problem.episode.index] <= first:
                whose = "" if problem.episode in (None, episode) else f"episode {problem.episode.index}: "
                return f"{whose}{problem.message}"
        return ""

    def _copied_from(self, key: str, episode: EpisodeMeta) -> str:
        """A camera whose video of the episode is the same, unless statistics say that both saw the same; "" if none."""
        for other in self._dataset.videos:
            if other != key and self._is_copy(*sorted((self._video(key, episode), self._video(other, episode)))):
                mine, its = (self.frames.witness(camera, episode.index) for camera in (key, other))
                if mine is None or its is None or not np.allclose(mine.own, its.own):
                    return other
        return ""

    def _video(self, key: str, episode: EpisodeMeta) -> Path:
        name = path_of(self._dataset.info["video_path"], episode.videos[key].file_index, key)
        return present(self._dataset.root / name)

    def _is_copy(self, one: Path, other: Path) -> bool:
        """Asked once of two files, which may hold many episodes."""
        if (one, other) not in self._copies:
            self._copies[one, other] = other.is_file() and one.is_file() and is_copy(one, other)
        return self._copies[one, other]

    @cached_property
    def _hidden(self) -> dict[tuple[int, str], tuple[int, int]]:
        return dict(read_hidden_frames(self._dataset))

    @cached_property
    def _other_counts(self) -> dict[int, int]:
        """Episodes of other rows than their statistics were made of: how many these were."""
        keys = [feature.key for feature in self._dataset.features.values() if feature.is_numeric]
        counts = episode_statistics(self._dataset, keys[0], ("count",)) if keys else NONE
        known = ((episode, counts.of(episode.index)) for episode in self._dataset.episodes)
        had = {e.index: (e.length, int(count[0])) for e, count in known if count is not None and count.shape == (1,)}
        return {index: rows for index, (length, rows) in had.items() if rows != length}

    @cached_property
    def _unsorted(self) -> frozenset[str]:
        """Cameras whose later episodes are in earlier files."""
        found = set()
        for key in self._dataset.videos:
            files = [episode.videos[key].file_index for episode in self._dataset.episodes]
            if any(after < before for before, after in pairwise(files)):
                found.add(key)
        return frozenset(found)

    def _in_file(self, key: str, file: FileIndex) -> list[PlacedEpisode]:
        if not self._placed:
            groups: dict[tuple[str, FileIndex], list[EpisodeMeta]] = defaultdict(list)
            for episode in self._dataset.episodes:
                for camera, span in episode.videos.items():
                    groups[camera, span.file_index].append(episode)
            fps = self._dataset.fps
            self._placed = {name: placed_episodes(name[0], own, fps) for name, own in groups.items()}
        return self._placed[key, file]

    def task_problem(self, episode: EpisodeMeta, texts: Sequence[str]) -> str:
        """Why the tasks of its rows are not those that the metadata states for it; "" where they are."""
        if not episode.tasks or self._dataset.info.get("codebase_version") != VERSION:
            return ""
        found = sorted(set(texts))
        if set(found) == set(episode.tasks):
            return ""
        said = ", ".join(map(repr, sorted(episode.tasks)))
        return f"its rows are of {', '.join(map(repr, found))}, meta/episodes says {said}"


def order_problem(numbers: Array) -> str:
    """Why rows whose frame_index is `numbers`, (n,), are not in the order of their frames; "" where they are."""
    wrong = np.flatnonzero(numbers != np.arange(len(numbers)))
    return f"row {wrong[0]} says that it is row {numbers[wrong[0]]}" if wrong.size else ""


def _fill(key: str, placed: Sequence[PlacedEpisode], frames: int, fps: int) -> bool:
    """Whether the spans of a file, whatever rows their episodes have, follow each other in order and fill it."""
    ends = [round(episode.videos[key].to_s * fps) for episode, _ in placed]
    numbers = [episode.index for episode, _ in placed]
    return [at for _, at in placed] == [0, *ends[:-1]] and ends[-1] == frames and numbers == sorted(numbers)
