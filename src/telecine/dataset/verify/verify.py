"""Reads a dataset independently of its writer and reports everything that is wrong with it.

Each check compares the files with each other and with the rules of the format (LeRobot v3.0), never with what the
writer meant: so it also judges datasets that others wrote. Most of what it finds, LeRobot would load without a word
and train on wrongly.

Not noticed: wrong values that are consistent, and frames that moved within an episode whose frames all have
the same colours. Comparing with the recordings is what finds those.
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from telecine.core.errors import DatasetError, MetadataError
from telecine.core.findings import Finding, has_errors
from telecine.core.progress import Progress, Silent
from telecine.dataset.verify.finding_log import CONVERT_AGAIN, FindingLog
from telecine.dataset.verify.frame_owners import frames_from, owner_problems
from telecine.dataset.verify.frames import (
    DecodedFrames,
    Depth,
    RowImages,
    check_camera_statistics,
    check_video_frames,
)
from telecine.dataset.verify.metadata import check_meta
from telecine.dataset.verify.reading import read_json
from telecine.dataset.verify.rows import check_rows, check_statistics_form
from telecine.dataset.verify.videos import CheckedVideo, by_file, check_coding, check_video
from telecine.lerobot_format.frame_statistics import FrameStatistics
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.paths import INFO, STATS
from telecine.lerobot_format.possible import number_problem
from telecine.lerobot_format.read import lacks_dataset, read_dataset
from telecine.lerobot_format.video_spans import read_hidden_frames


def verify(root: str | Path, *, decode: Depth = "sample", progress: Progress | None = None) -> list[Finding]:
    """Everything that is wrong with the dataset at `root`; empty when nothing is.

    decode: frames of every row, of a few rows of a few episodes in each file, or none. Rows and the index of
        every video are always read whole, and statistics of numbers compared with the rows.
    """
    folder, log = Path(root), FindingLog()
    if missing := lacks_dataset(folder):
        log.error("verify-structure", str(folder), *missing)
        return log.all()
    metadata = check_meta(folder, log)
    if metadata is not None:
        _check_content(metadata, decode, progress or Silent(), log)
    return log.all()


def metadata_findings(root: str | Path) -> list[Finding]:
    """What is wrong with the metadata of the dataset at `root`, of any version, by `verify`'s words; rows are not read.

    What cannot be read for it is among the findings, each with the path of its file below `root`.
    """
    folder, log = Path(root), FindingLog()
    metadata = check_meta(folder, log)
    if metadata is not None:
        stored = read_json(metadata.root, STATS, log)
        check_statistics_form(metadata, stored, log)
    found = [finding for finding in log.all() if finding.code != "verify-version"]
    if not has_errors(found):
        try:
            found += _miscounted(read_dataset(folder))
        except DatasetError as error:
            path, problem = (error.path, error.problem) if isinstance(error, MetadataError) else ("meta", str(error))
            found.append(Finding("verify-structure", "error", path, problem, CONVERT_AGAIN))
    return found


def metadata_errors_at(path: str | Path) -> list[Finding]:
    """The errors among `metadata_findings`, with the dataset's path before the file's, and what to type."""
    fix = f"see what `telecine repair {shlex.quote(str(path))}` can save"
    errors = (finding for finding in metadata_findings(path) if finding.severity == "error")
    return [replace(finding, where=f"{path}/{finding.where}", fix=fix) for finding in errors]


def _miscounted(metadata: DatasetMeta) -> Iterator[Finding]:
    """Counts of v2.0 and v2.1 that are none; of v3.0 they were compared already."""
    for key in ("total_episodes", "total_frames"):
        if problem := number_problem(metadata.info, key):
            yield Finding("verify-counts", "error", f"{INFO} {key}", problem, CONVERT_AGAIN)


def _check_content(metadata: DatasetMeta, decode: Depth, progress: Progress, log: FindingLog) -> None:
    data = sum(path.stat().st_size for path in metadata.root.glob("data/*/*.parquet"))
    videos = (path.stat().st_size for path in metadata.root.glob("videos/*/*/*.mp4"))
    progress.begin(data + sum(videos), "verifying")
    stored = read_json(metadata.root, STATS, log)
    check_rows(metadata, stored, log)
    decoded: dict[str, dict[int, DecodedFrames]] = {}
    others: dict[tuple[str, int], str] = {}
    hidden, frames = read_hidden_frames(metadata), FrameStatistics(metadata)
    for key in metadata.cameras if decode != "none" else ():
        if metadata.features[key].dtype == "image":
            images = RowImages(metadata, key)
            with log.at(key=key):
                decoded[key] = images.check(decode, log)
            stored_there = ((episode, partial(images.decode, episode)) for episode in metadata.episodes)
            others |= owner_problems(key, stored_there, frames, decoded[key], decode)
    progress.advance(data, "rows")
    for key in metadata.videos:
        checked: list[CheckedVideo] = []
        decoded[key] = {}
        for name, episodes in by_file(metadata, key).items():
            with log.at(key=key):
                video = check_video(metadata, key, name, episodes, hidden, log)
                checked += [] if video is None else [replace(video, facts=None)]
                if video is not None and decode != "none":
                    decoded[key] |= check_video_frames(video, metadata, decode, log)
                    shown = ((own, frames_from(str(metadata.root / name), first)) for own, first in video.episodes)
                    others |= owner_problems(key, shown, frames, decoded[key], decode)
            path = metadata.root / name
            progress.advance(path.stat().st_size if path.is_file() else 0, name)
        with log.at(key=key):
            check_coding(metadata.features[key], checked, log)
    check_camera_statistics(metadata, stored, decoded, others, decode, log)
