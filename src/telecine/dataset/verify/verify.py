"""Reads a dataset as a stranger would and says everything that is wrong with it.

Each check compares the files with each other and with the rules of the format (LeRobot v3.0), never with what the
writer meant: so it also judges datasets that others wrote. Most of what it finds, LeRobot would load without a word
and train on wrongly.

Not noticed: wrong values that are consistent, and pictures that moved within an episode whose pictures all have
the same colours. Comparing with the recordings is what finds those.
"""

from pathlib import Path

from telecine.core.findings import Finding
from telecine.core.progress import Progress, Silent
from telecine.dataset.verify.frames import (
    Depth,
    Seen,
    check_camera_statistics,
    check_row_pictures,
    check_video_pictures,
)
from telecine.dataset.verify.metadata import check_meta
from telecine.dataset.verify.notes import Notes
from telecine.dataset.verify.raw_metadata import RawMetadata, read_json
from telecine.dataset.verify.rows import check_rows
from telecine.dataset.verify.videos import by_file, check_video, read_unshown


def verify(root: str | Path, *, decode: Depth = "sample", progress: Progress | None = None) -> list[Finding]:
    """Everything that is wrong with the dataset at `root`; empty when nothing is.

    decode: pictures of every row, of a few rows of a few episodes in each file, or none. Rows and the index of
        every video are always read whole.
    """
    folder, notes = Path(root), Notes()
    if not folder.is_dir():
        notes.error("verify-structure", str(folder), "there is no such folder", "name the folder of a dataset")
        return notes.all()
    told = check_meta(folder, notes)
    if told is not None:
        _check_content(told, decode, progress or Silent(), notes)
    return notes.all()


def _check_content(told: RawMetadata, decode: Depth, progress: Progress, notes: Notes) -> None:
    data = sum(path.stat().st_size for path in told.root.glob("data/*/*.parquet"))
    videos = (path.stat().st_size for path in told.root.glob("videos/*/*/*.mp4"))
    progress.begin(data + sum(videos))
    stored = read_json(told.root, "meta/stats.json", notes)
    check_rows(told, stored, notes)
    seen: dict[str, dict[int, Seen]] = {}
    for key in told.cameras:
        if told.features[key].dtype == "image":
            seen[key] = check_row_pictures(told, key, decode, notes) if decode != "none" else {}
    progress.advance(data, "rows")
    unshown = read_unshown(told)
    for key in told.videos:
        seen[key] = {}
        for name, episodes in by_file(told, key).items():
            video = check_video(told, key, name, episodes, unshown, notes)
            if video is not None and decode != "none":
                seen[key] |= check_video_pictures(video, told, decode, notes)
            path = told.root / name
            progress.advance(path.stat().st_size if path.is_file() else 0, name)
    check_camera_statistics(told, stored, seen, decode, notes)
