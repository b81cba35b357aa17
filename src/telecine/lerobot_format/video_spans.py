"""Whether the spans that the metadata states are those of the frames in a video: one judgement for all commands."""

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.dataclass import dataclass
from telecine.core.text.numbers import counted
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta
from telecine.lerobot_format.paths import PROVENANCE

HiddenFrames = Mapping[tuple[int, str], tuple[int, int]]
"""(episode, camera): frames before the first row's, and all frames of the clip."""
PlacedEpisode = tuple[EpisodeMeta, int]
"""An episode and its first frame in the file."""


@dataclass(frozen=True, slots=True)
class SpanProblem:
    """What is wrong with the place of an episode in a file; of the whole file without one.

    is_all: then any episode of the file may have the frames of another, else this one and those behind it.
    """

    episode: EpisodeMeta | None
    message: str
    is_all: bool = False


def placed_episodes(key: str, episodes: Sequence[EpisodeMeta], fps: int) -> list[PlacedEpisode]:
    """The episodes of one file in the order of their frames, by the metadata."""
    placed = ((episode, round(episode.videos[key].from_s * fps)) for episode in episodes)
    return sorted(placed, key=lambda pair: (pair[1], pair[0].index))


def span_problems(
    key: str, episodes: Sequence[PlacedEpisode], frames: int, fps: int, hidden: HiddenFrames
) -> Iterator[SpanProblem]:
    """Where episodes of a file do not lie in it one after the other, in their order, without overlap, and fill it.

    frames: how many the file shows.
    """
    end, latest = 0, -1
    for episode, first in episodes:
        start = episode.videos[key].from_s
        before, rest = hidden.get((episode.index, key), (0, episode.length))
        if episode.index < latest:
            text = f"found its frames behind those of episode {latest}, expected episodes in their order"
            yield SpanProblem(episode, text, is_all=True)
        if first != end + before or abs(start - first / fps) > 1e-6:
            yield SpanProblem(
                episode,
                f"found from_timestamp {start:.6f} s (frame {first}), expected {(end + before) / fps:.6f} s "
                f"(frame {end + before}), where the frames before it end",
            )
        if first + episode.length > frames:
            last = first + episode.length - 1
            yield SpanProblem(episode, f"found {counted(frames, 'frame')} in the file, its last row needs frame {last}")
        end += max(rest, before + episode.length)
        latest = max(latest, episode.index)
    if end != frames:
        yield SpanProblem(
            None,
            f"found {counted(frames, 'frame')}, expected {end} for its {counted(len(episodes), 'episode')}",
            is_all=True,
        )


def length_problem(key: str, episode: EpisodeMeta, fps: int) -> str:
    """Why an episode's span is not as long as its rows, "" when it is."""
    span = episode.videos[key]
    if abs(span.to_s - span.from_s - episode.length / fps) < 1e-4:
        return ""
    return (
        f"found from {span.from_s:.6f} s to {span.to_s:.6f} s, expected {episode.length / fps:.6f} s for "
        f"{counted(episode.length, 'row')} at {fps} fps"
    )


def is_copy(one: Path, other: Path) -> bool:
    """Whether two files are the same, byte for byte."""
    return one.stat().st_size == other.stat().st_size and filecmp.cmp(one, other, shallow=False)


def read_hidden_frames(metadata: DatasetMeta) -> HiddenFrames:
    """Frames that no row shows, as telecine tells of copied cameras; nothing for datasets of others."""
    found: dict[tuple[int, str], tuple[int, int]] = {}
    try:
        with pq.ParquetFile(metadata.root / PROVENANCE) as file:
            rows = file.read(["episode_index", "cameras"]).to_pylist()
        for row in rows:
            for camera in row["cameras"] or ():
                found[row["episode_index"], camera["key"]] = _hidden(camera)
    except (OSError, pa.ArrowException, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return found


def _hidden(camera: dict[str, Any]) -> tuple[int, int]:
    return int(camera["preroll"]), int(camera["frames"])
