"""A dataset of episodes that others held: all its rows are read again, of frames what is new."""

from collections.abc import Collection, Sequence
from pathlib import Path

from telecine.core.findings import Finding, has_errors
from telecine.dataset.verify.finding_log import FindingLog
from telecine.dataset.verify.frames import parsed_statistics
from telecine.dataset.verify.metadata import check_meta
from telecine.dataset.verify.rows import check_rows
from telecine.dataset.verify.videos import by_file, check_video
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta
from telecine.lerobot_format.read import read_statistics_of
from telecine.lerobot_format.video_spans import placed_episodes, read_hidden_frames
from telecine.video.packet_sizes import packet_sizes


def verify_changes(root: Path, episodes: Collection[int], videos: Collection[str]) -> list[Finding]:
    """What is wrong with the rows of the dataset at `root`, and with what else was made anew; empty when nothing is.

    Rows are compared with the statistics of their episode, which an edit takes as they are: they may never have been
    its own. Of videos that are not new only the index is read.

    episodes: those whose values or statistics are new. videos: relative paths of new files.
    """
    log = FindingLog()
    metadata = check_meta(root, log)
    if metadata is None:
        return log.all()
    check_rows(metadata, None, log)
    if not has_errors(log.all()):
        _check_cameras(metadata, sorted(episodes), log)
    hidden = read_hidden_frames(metadata)
    for key in metadata.videos:
        for name, own in by_file(metadata, key).items():
            if name in videos or not _has_its_frames(metadata, key, name, own):
                with log.at(key=key):
                    check_video(metadata, key, name, own, hidden, log)
    return log.all()


def _has_its_frames(metadata: DatasetMeta, key: str, name: str, episodes: Sequence[EpisodeMeta]) -> bool:
    """Whether a video's index has as many frames as its episodes, and the file their bytes: the least costly look."""
    path = metadata.root / name
    found = packet_sizes(path)
    last, first = placed_episodes(key, episodes, metadata.fps)[-1]
    return (
        found is not None and len(found.sizes) == first + last.length and int(found.sizes.sum()) <= path.stat().st_size
    )


def _check_cameras(metadata: DatasetMeta, numbers: list[int], log: FindingLog) -> None:
    """Whether statistics of the frames of these episodes are there, and possible."""
    if not metadata.cameras:
        return
    for number, stored in zip(numbers, read_statistics_of(metadata.root, numbers), strict=True):
        for key in metadata.cameras:
            with log.at(episode=number, key=key):
                where = f"meta/episodes episode {number} {key}"
                parsed_statistics(where, stored.get(key), metadata.features[key], log)
