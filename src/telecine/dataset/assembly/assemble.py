"""A new dataset of episodes that others hold, in one call: rows, videos, meta/episodes, the rest of the metadata."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from telecine.core.findings import Finding
from telecine.core.stats import Stats
from telecine.dataset.assembly.episode_table import episode_table, write_episodes
from telecine.dataset.assembly.images import image_stats
from telecine.dataset.assembly.metadata import write_metadata
from telecine.dataset.assembly.rows import write_rows
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.assembly.videos import ForeseenVideos, WrittenVideos, foresee_videos, write_videos
from telecine.lerobot_format.paths import Limits, video_path


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was done."""

    linked_files: int
    """Videos that are the same file as before."""
    copied_frames: int
    """Into new files, the same bits as before."""
    encoded_frames: int
    """Re-encoded."""
    new_bytes: int
    """Of new video files, about."""
    why: tuple[str, ...] = ()
    """Why more than a cut's group of pictures was."""
    new_episodes: frozenset[int] = frozenset()
    """Those whose values or statistics are others than in the input."""
    new_videos: frozenset[str] = frozenset()
    """Relative paths of videos that were written."""
    findings: tuple[Finding, ...] = ()


def assemble(selection: Selection, folder: Path, scratch: Path, limits: Limits) -> Assembled:
    """The new dataset in `folder`, which is empty. scratch: for files that go when they were used.

    Raises: DatasetError or VideoError for inputs that are not what they say; OSError when the disk refuses.
    """
    rows = write_rows(selection, folder, limits)
    videos = {key: write_videos(selection, key, folder, scratch, limits) for key in _cameras(selection, "video")}
    stats = _merged(rows.cut_stats, videos, image_stats(selection, _cameras(selection, "image")))
    episodes: pa.Table = episode_table(selection, rows, videos, stats)
    write_episodes(episodes, folder, limits)
    findings = write_metadata(selection, folder, rows, videos, episodes)
    made = _assembled(videos.values(), tuple(text for video in videos.values() for text in video.why))
    new = frozenset(video_path(key, video.spans[n][0]) for key, video in videos.items() for n in video.rebuilt)
    return replace(made, new_episodes=frozenset(stats), new_videos=new, findings=tuple(findings))


def foresee(selection: Selection) -> Assembled:
    """What `assemble` would do. Raises: VideoError, DatasetError for inputs that are not what they say."""
    return _assembled([foresee_videos(selection, key) for key in _cameras(selection, "video")])


def _assembled(videos: Collection[WrittenVideos | ForeseenVideos], why: tuple[str, ...] = ()) -> Assembled:
    linked, copied = sum(video.linked for video in videos), sum(video.copied for video in videos)
    return Assembled(linked, copied, sum(v.encoded for v in videos), sum(v.size_bytes for v in videos), why)


def _cameras(selection: Selection, dtype: str) -> list[str]:
    keys = selection.keys[0]
    return [keys[c.key] for c in selection.inputs[0].features if c.dtype == dtype and c.key in keys]


def _merged(
    rows: Mapping[int, Mapping[str, Stats]],
    videos: Mapping[str, WrittenVideos],
    images: Mapping[int, Mapping[str, Stats]],
) -> dict[int, dict[str, Stats]]:
    """Statistics by new episode and key, from all that made some."""
    found: dict[int, dict[str, Stats]] = {number: dict(entry) for number, entry in rows.items()}
    for number, entry in images.items():
        found.setdefault(number, {}).update(entry)
    for key, video in videos.items():
        for number, stats in video.stats.items():
            found.setdefault(number, {})[key] = stats
    return found
