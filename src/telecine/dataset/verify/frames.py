"""Whether frames can be decoded, have the size that is declared, and are those that statistics were made of."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.errors import TelecineError
from telecine.core.frame_witness import (
    CODING_ERROR,
    frame_moments,
    is_softened,
    looks_of_moments,
    looks_of_some,
)
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.core.stats import QUANTILES, STATISTICS, Floats
from telecine.core.text.numbers import counted
from telecine.dataset.values import coded_frames
from telecine.dataset.verify.finding_log import FindingLog
from telecine.dataset.verify.reading import UNREADABLE
from telecine.dataset.verify.statistics import floats
from telecine.dataset.verify.videos import CheckedVideo
from telecine.lerobot_format.metadata import DatasetMeta, EpisodeMeta, FeatureMeta
from telecine.lerobot_format.paths import FileIndex, data_path
from telecine.lerobot_format.read import read_statistics
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb
from telecine.video.mp4_reader import decode_all, decode_at, depth_at

Depth = Literal["all", "sample", "none"]

EPISODES_PER_FILE = 5
_FEW_FRAMES = 0.04


@dataclass(slots=True)
class DecodedFrames:
    """Moments of the frames of one episode that were decoded; frames are in [0, 1]."""

    moments: list[Floats] = field(default_factory=list)
    """(6,) of each frame, see `frame_moments`."""

    def add(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Count in one frame, (height, width, 3) uint8."""
        self.moments.append(frame_moments(rgb))

    @property
    def looks(self) -> Floats:
        """(6,) means and deviations of the channels over all frames."""
        return looks_of_moments(np.array(self.moments))


def check_video_frames(
    video: CheckedVideo, metadata: DatasetMeta, depth: Depth, log: FindingLog
) -> dict[int, DecodedFrames]:
    """Decode frames of a video: the sums over them by episode."""
    if metadata.features[video.key].is_depth:
        _check_depth(video, metadata, depth, log)
        return {}
    wanted = {
        frame: episode.index
        for episode, first in _chosen(video.episodes, depth)
        for frame in _frames(episode, first, video, depth)
    }
    decoded: dict[int, DecodedFrames] = {}
    where, path = video.name, str(metadata.root / video.name)
    try:
        frames = enumerate(decode_all(path)) if depth == "all" else decode_at(path, sorted(wanted), video.facts)
        count = -1
        for number, rgb in frames:
            count = number
            if rgb.shape[:2] != metadata.features[video.key].shape[:2]:
                found = f"found frame {number} of shape {rgb.shape[:2]}"
                log.error("verify-video", where, f"{found}, declared is {metadata.features[video.key].shape[:2]}")
                return {}
            if number in wanted:
                decoded.setdefault(wanted[number], DecodedFrames()).add(rgb)
        if depth == "all" and count + 1 != video.frames:
            message = f"found {counted(count + 1, 'frame')} by decoding, the file announces {video.frames}"
            log.error("verify-video", where, message)
    except (TelecineError, UnicodeDecodeError) as error:
        log.error("verify-video", where, f"cannot be decoded: {error}")
    return decoded


def _check_depth(video: CheckedVideo, metadata: DatasetMeta, depth: Depth, log: FindingLog) -> None:
    """Decode frames of depth: whether that works, and whether they have the size that is declared."""
    wanted = sorted({first + row for episode, first in _chosen(video.episodes, depth) for row in _rows(episode, depth)})
    try:
        for number, codes in depth_at(str(metadata.root / video.name), wanted if depth != "none" else []):
            if codes.shape != metadata.features[video.key].shape[:2]:
                found = f"found frame {number} of shape {codes.shape}"
                log.error("verify-video", video.name, f"{found}, declared is {metadata.features[video.key].shape[:2]}")
                return
    except (TelecineError, UnicodeDecodeError) as error:
        log.error("verify-video", video.name, f"cannot be decoded: {error}")


class RowImages:
    """The frames of a camera that are stored in the rows."""

    def __init__(self, metadata: DatasetMeta, key: str) -> None:
        self._metadata, self._key, self._feature = metadata, key, metadata.features[key]
        self.files: dict[FileIndex, list[tuple[EpisodeMeta, int]]] = {}
        """The episodes of each file of rows, with the place of their first row in it."""
        for episode in metadata.episodes:
            held = self.files.setdefault(episode.data, [])
            held.append((episode, episode.first_row - (held[0][0].first_row if held else episode.first_row)))
        self._firsts = {episode.index: first for held in self.files.values() for episode, first in held}

    def decode(self, episode: EpisodeMeta, rows: Sequence[int]) -> Iterator[npt.NDArray[np.uint8]]:
        """The frames of an episode at these rows; see `frame_owners.More`."""
        first = self._firsts[episode.index]
        cells = _cells(self._metadata, data_path(episode.data), self._key, [first + row for row in rows])
        return decoded_images(cells, self._key, self._feature)

    def check(self, depth: Depth, log: FindingLog) -> dict[int, DecodedFrames]:
        """Decode frames: the sums over them by episode."""
        decoded: dict[int, DecodedFrames] = {}
        for file_index, episodes in self.files.items():
            self._check_nulls(data_path(file_index), log)
            for episode, _ in _chosen(episodes, depth):
                where = f"{data_path(file_index)} {self._key} episode {episode.index}"
                try:
                    for rgb in self.decode(episode, _rows(episode, depth)):
                        if rgb.shape[:2] != self._feature.shape[:2]:
                            raise TelecineError(f"found {rgb.shape[:2]}, declared is {self._feature.shape[:2]}")
                        decoded.setdefault(episode.index, DecodedFrames()).add(rgb)
                except FileNotFoundError:
                    continue  # reported by the check of files
                except (*UNREADABLE, KeyError, TelecineError) as error:
                    with log.at(episode=episode.index):
                        log.error("verify-values", where, f"a frame cannot be used: {error}")
        return decoded

    def _check_nulls(self, name: str, log: FindingLog) -> None:
        """By the footer, which counts the rows without a frame."""
        with suppress(*UNREADABLE), pq.ParquetFile(self._metadata.root / name) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            leaves = [g.column(at) for g in groups for at in range(g.num_columns)]
            counts = [c.statistics for c in leaves if c.path_in_schema == f"{self._key}.bytes"]
            if nulls := sum(found.null_count or 0 for found in counts if found is not None):
                log.error(
                    "verify-values", f"{name} {self._key}", f"{counted(nulls, 'row holds', 'rows hold')} no frame"
                )


def _chosen(episodes: Sequence[tuple[EpisodeMeta, int]], depth: Depth) -> Iterator[tuple[EpisodeMeta, int]]:
    """All episodes, or a few spread over the file, its first and last among them."""
    if depth == "all" or len(episodes) <= EPISODES_PER_FILE:
        yield from episodes
        return
    for number in np.linspace(0, len(episodes) - 1, EPISODES_PER_FILE).round().astype(int):
        yield episodes[number]


def _frames(episode: EpisodeMeta, first: int, video: CheckedVideo, depth: Depth) -> Iterator[int]:
    """The frames of an episode that are looked at; first: its first one.

    Of a sample the nearest keyframe before each, and behind that of the last row the next frame, which is coded by
    another: as good witnesses, without decoding whole groups. That no frame is missing at the end, or cut off, is seen
    by reading the packets.
    """
    rows = _rows(episode, depth)
    for row in rows:
        frame = first + row
        before = bisect_right(video.keyframes, frame) - 1
        if depth == "sample" and before >= 0:
            key = video.keyframes[before]
            frame = max(first, min(key + (row == rows[-1]), frame))
        yield frame


def _rows(episode: EpisodeMeta, depth: Depth) -> Sequence[int]:
    """The rows whose frames are looked at; the first and the last show every shift."""
    if depth == "all":
        return range(episode.length)
    return sorted({0, episode.length // 2, episode.length - 1})


def _cells(metadata: DatasetMeta, name: str, key: str, rows: Sequence[int]) -> Iterator[bytes]:
    """The coded frames at these rows of a data file."""
    with pq.ParquetFile(metadata.root / name) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            inside = [row - start for row in rows if start <= row < stop]
            if inside:
                column = file.read_row_group(group, columns=[key]).column(key)
                yield from coded_frames(column.take(pa.array(inside)))
            start = stop


def decoded_images(cells: Iterable[bytes], key: str, feature: FeatureMeta) -> Iterator[npt.NDArray[np.uint8]]:
    """The frames, (height, width, 3), of the files in rows; none of depth. Raises: VideoError."""
    for data in cells if not feature.is_depth else ():
        encoding = "png" if data.startswith(b"\x89PNG") else "jpeg"
        stamps = {"row": np.zeros(1, np.int64)}
        stream = MemoryStream(key, "image", Schema("uint8"), stamps, [Image(data, encoding)])
        for frame in frames(stream, np.zeros(1, np.int64), "row"):
            yield to_rgb(frame)


def check_camera_statistics(
    metadata: DatasetMeta,
    stored: Mapping[str, Any] | None,
    decoded: Mapping[str, Mapping[int, DecodedFrames]],
    others: Mapping[tuple[str, int], str],
    depth: Depth,
    log: FindingLog,
) -> None:
    """Statistics of cameras: their shape, the frames they were made of, and their sum over the episodes.

    others: by camera and episode, why its frames are another's; "" where they were judged and are not.
    """
    pools: dict[str, list[dict[str, Floats]]] = {key: [] for key in metadata.cameras}
    of_episodes = read_statistics(metadata.root, metadata.cameras) if metadata.cameras else iter(())
    for episode, statistics in zip(metadata.episodes, of_episodes, strict=False):
        for key in metadata.cameras:
            where = f"meta/episodes episode {episode.index} {key}"
            sampled = decoded.get(key, {}).get(episode.index)
            with log.at(episode=episode.index, key=key):
                own = parsed_statistics(where, statistics.get(key), metadata.features[key], log)
                problem = others.get((key, episode.index))
                if problem:
                    log.error("verify-stats", where, problem)
                elif problem is None and own is not None and sampled is not None:
                    check_decoded(where, own, sampled, depth, log)
            if own is not None:
                pools[key].append(own)
    for key, parts in pools.items():
        if stored is None:
            continue
        where = f"meta/stats.json {key}"
        with log.at(key=key):
            own = parsed_statistics(where, stored.get(key), metadata.features[key], log)
            if own is not None and len(parts) == len(metadata.episodes):
                _check_sum(where, own, parts, log)


def parsed_statistics(where: str, stored: Any, feature: FeatureMeta, log: FindingLog) -> dict[str, Floats] | None:
    """Statistics as (channels,) arrays, count as (1,), when they are well formed."""
    missing = sorted(set(STATISTICS) - set(stored)) if isinstance(stored, dict) else list(STATISTICS)
    if missing:
        if where.startswith("meta/stats.json"):  # of episodes, reported once per file
            log.error("verify-stats", where, f"found no {', '.join(missing)}: training would stop with a KeyError")
        return None
    shape = (1 if feature.is_depth else 3, 1, 1)
    found: dict[str, Floats] = {}
    for name in STATISTICS:
        expected = (1,) if name == "count" else shape
        value = floats(stored[name])
        if value is None or value.shape != expected or not np.isfinite(value).all():
            metadata = "no numbers" if value is None else f"shape {value.shape}"
            log.error("verify-stats", where, f"{name}: found {metadata}, expected finite numbers of shape {expected}")
            return None
        found[name] = value.ravel()
    if not feature.is_depth and (found["min"].min() < -1e-6 or found["max"].max() > 1 + 1e-6):
        span = f"{found['min'].min():.3f} to {found['max'].max():.3f}"
        log.error("verify-stats", where, f"found values from {span}, expected 0 to 1 (levels divided by 255)")
        return None
    ladder = np.stack([found["min"], *(found[name] for name in QUANTILES), found["max"]])
    if np.any(np.diff(ladder, axis=0) < -1e-3) or np.any(found["count"] < 1):
        log.error("verify-stats", where, "min, quantiles and max do not rise, or count is 0")
        return None
    return found


def check_decoded(where: str, own: Mapping[str, Floats], decoded: DecodedFrames, depth: Depth, log: FindingLog) -> None:
    """Mean and std of decoded frames against the stored ones, as far as so many frames can tell."""
    moments = np.stack(decoded.moments)
    means = moments[:, :3]
    low, high = looks_of_some(moments, float(own["count"][0]))
    allowed: Any = CODING_ERROR
    if depth != "all":
        spread = means.std(axis=0) / np.sqrt(len(means)) if len(means) > 1 else 0.0
        allowed = allowed + _FEW_FRAMES + 4 * spread
    softened = is_softened(decoded.looks, np.concatenate([own["mean"], own["std"]]))
    for name, part in (("mean", slice(0, 3)), ("std", slice(3, 6))):
        is_near = np.all((own[name] >= low[part] - allowed) & (own[name] <= high[part] + allowed))
        if not is_near and not softened:
            found, expected = (", ".join(f"{v:.3f}" for v in array) for array in (own[name], decoded.looks[part]))
            log.error("verify-stats", where, f"{name}: found {found}, expected about {expected} as in the frames")
            return


def _check_sum(where: str, own: Mapping[str, Floats], parts: Sequence[Mapping[str, Floats]], log: FindingLog) -> None:
    """Statistics of the dataset against those of its episodes, weighted by their counts."""
    counts = np.array([part["count"][0] for part in parts])
    share = (counts / counts.sum())[:, None]
    means, stds = (np.stack([part[name] for part in parts]) for name in ("mean", "std"))
    mean = (share * means).sum(axis=0)
    expected = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt((share * (stds**2 + (means - mean) ** 2)).sum(axis=0)),
        "count": np.array([counts.sum()]),
    }
    for name, value in expected.items():
        if not np.allclose(own[name], value, rtol=0, atol=2e-3):
            found, wanted = (", ".join(f"{v:.4g}" for v in array) for array in (own[name], value))
            log.error("verify-stats", where, f"{name}: found {found}, expected {wanted} from the episodes")
            return
    for name in QUANTILES:
        values = np.stack([part[name] for part in parts])
        if np.any(own[name] < values.min(axis=0) - 2e-3) or np.any(own[name] > values.max(axis=0) + 2e-3):
            log.error("verify-stats", where, f"{name}: expected a value between those of the episodes")
            return
