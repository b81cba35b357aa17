"""Where the files of a LeRobot v3.0 dataset are, and when a new one begins. Pure decisions; touches no file.

The names are LeRobot's templates, never others: its merge and edit tools write them into their code and ignore
`data_path` and `video_path` of info.json.
"""

import re
from fractions import Fraction

from telecine.core.dataclass import dataclass

VERSION = "v3.0"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
V2_DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
V2_VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
V2_TASKS = "meta/tasks.jsonl"
V2_EPISODES = "meta/episodes.jsonl"
V2_EPISODE_STATS = "meta/episodes_stats.jsonl"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
PROVENANCE = "meta/telecine/provenance.parquet"
PLAN = "meta/telecine/plan.yaml"
PLANS = "meta/telecine/plans"
"""Folder of the plans of earlier runs, by digest, where episodes were added with others."""
HISTOGRAMS = "meta/telecine/pictures.json"
"""What telecine wrote until 0.9 for the statistics of cameras; of no use any more."""
RELATIVE_STATS = "meta/telecine/relative_stats.json"
"""Statistics of features less the state of the row, where the plan asks. Not meta/relative_stats.json, which is GR00T's
and has other keys and shapes."""
CAMERAS = "meta/telecine/cameras.json"
"""How cameras see: intrinsics, distortion and extrinsics, by camera and recording."""
REPORT = "meta/telecine/report.json"
REPORT_ROWS = "meta/telecine/report.parquet"
"""A row for each recording of the last run: what became of it."""
LEFT_OUT = "meta/telecine/left_out.json"
"""Every stream of the recordings that no feature uses, with the reason."""
DERIVED = "meta/telecine/derived.json"
"""How columns were computed from others, what they are, and the expression that leads back."""
MODALITY = "meta/modality.json"
"""GR00T's parts of state and action."""
CARD = "README.md"
SHEET = "meta/telecine/cameras.jpg"
"""The picture of all cameras that the card shows."""

MIB = 1 << 20
FLOAT32_SAFE_S = 1024
"""LeRobot compares times as float32 within 1e-4 s; from here on neighbouring float32 are further apart than that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a file is full. A file never holds less than one episode, and never a part of one."""

    data_bytes: int = 100 * MIB
    row_groups: int = 200
    """Of a file of rows. Its footer, read before any row, takes 5 kB of memory for each, and 15 ms for a thousand."""
    video_bytes: int = 200 * MIB
    video_s: int = FLOAT32_SAFE_S
    files_per_chunk: int = 1000


@dataclass(frozen=True, order=True, slots=True)
class FileIndex:
    """The chunk and file number of a file."""

    chunk: int = 0
    file: int = 0

    def next(self, limits: Limits) -> "FileIndex":
        """The index after this one; numbers are dense."""
        return (
            FileIndex(self.chunk + 1, 0)
            if self.file + 1 >= limits.files_per_chunk
            else FileIndex(self.chunk, self.file + 1)
        )


NUMBERED = re.compile(r"chunk-(\d{3,9})/file-(\d{3,9})\.(?:parquet|mp4)$")


def file_index_of(path: str) -> FileIndex | None:
    """The chunk and file number in a path; None when it does not follow the templates."""
    match = NUMBERED.search(path)
    return FileIndex(int(match[1]), int(match[2])) if match else None


def until(name: str, episodes: int) -> str:
    """What a report is called once episodes were added to the `episodes` that it tells of."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}-until-{episodes}.{suffix}"


def data_path(index: FileIndex) -> str:
    """Relative path of a file of rows."""
    return DATA_PATH.format(chunk_index=index.chunk, file_index=index.file)


def video_path(key: str, index: FileIndex) -> str:
    """Relative path of a video of camera `key`."""
    return VIDEO_PATH.format(video_key=key, chunk_index=index.chunk, file_index=index.file)


def episodes_path(index: FileIndex) -> str:
    """Relative path of a file with one row per episode."""
    return EPISODES_PATH.format(chunk_index=index.chunk, file_index=index.file)


def data_is_full(size_bytes: int, held: tuple[int, int], more_rows: int, limits: Limits) -> bool:
    """True when an episode of `more_rows` rows belongs into a new file than that which holds (rows, row groups).

    LeRobot's rule: at the size of the rows before it, it would pass the limit.
    """
    rows, groups = held
    too_big = rows > 0 and size_bytes + size_bytes * more_rows // rows >= limits.data_bytes
    return too_big or groups >= limits.row_groups


def episodes_are_full(size_bytes: int, limits: Limits) -> bool:
    """True when the next row of meta/episodes belongs into a new file."""
    return size_bytes >= limits.data_bytes


def video_is_full(size_bytes: int, frames: int, more: tuple[int, int], fps: Fraction, limits: Limits) -> bool:
    """True when a clip of `more` = (bytes, frames) belongs into a new file.

    For its size, or because the file would last longer than LeRobot's float32 times are exact.
    """
    more_bytes, more_frames = more
    too_long = (frames + more_frames) / fps > limits.video_s
    return frames > 0 and (too_long or size_bytes + more_bytes >= limits.video_bytes)
