"""What differs between two datasets, by content: episodes are found by the values of their rows, not by number."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.edit.match import Hashes, Match, match_episodes, row_hashes
from telecine.core.errors import DatasetError, raised_as
from telecine.core.label import LANGUAGE, Label
from telecine.core.labels.columns import labels_of
from telecine.core.labels.spans import cut
from telecine.dataset.reader import Dataset
from telecine.dataset.values import to_numpy
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.video.demux import packets
from telecine.video.mp4_reader import decode_at
from telecine.video.mp4_stream import read_index

_MARKS = ("success", "outcome", "tags")
_STATISTICS = ("min", "max", "mean", "std")


@dataclass(slots=True)
class FrameCount:
    """How the frames of one camera compare, over the rows that both datasets have."""

    same_bits: int = 0
    same_pixels: int = 0
    different: int = 0


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What changed from dataset `a` to dataset `b`. Episodes are numbers of one of them, or pairs {a, b}.

    >>> import telecine as tc
    >>> tc.diff("dataset", "dataset").equal
    True
    """

    a: str
    b: str
    removed: tuple[int, ...]
    """Episodes of a of which b has no row."""
    added: tuple[int, ...]
    """Episodes of b that are no part of one of a."""
    trimmed: tuple[dict[str, Any], ...]
    """{a, b, rows}: b has only rows [start, stop) of it."""
    split: tuple[dict[str, Any], ...]
    """{a, b}: b has it in several, each as {b, rows}."""
    relabelled: tuple[dict[str, Any], ...]
    """{a, b, what}: other tasks or facts."""
    moved: tuple[dict[str, int], ...]
    """{a, b}: the same episode under another number, beyond what removed ones explain; no difference in content."""
    features: dict[str, Any]
    """removed, added, changed: keys."""
    statistics: tuple[str, ...]
    """Keys whose minimum, maximum, mean or deviation differ."""
    frames: dict[str, FrameCount] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """True when the content is the same, however the files are laid out."""
        episodes = (self.removed, self.added, self.trimmed, self.split, self.relabelled)
        frames = any(count.different or count.same_pixels for count in self.frames.values())
        return not (any(episodes) or any(self.features.values()) or self.statistics or frames)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("removed", "added", "trimmed", "split", "relabelled", "moved")
        return {
            "equal": self.equal,
            "a": self.a,
            "b": self.b,
            "episodes": {name: list(getattr(self, name)) for name in names},
            "features": self.features,
            "statistics": list(self.statistics),
            "frames": {key: asdict(count) for key, count in self.frames.items()},
        }


def diff(a: str | Path, b: str | Path, *, frames: bool = True) -> DatasetDiff:
    """What changed from the dataset at `a` to the one at `b`.

    frames: also compare videos: the packets of every row that both have, and the pixels where those differ.

    Raises: DatasetError or VideoError for a dataset that is damaged, or two without a number in common.

    >>> import telecine as tc
    >>> tc.diff("dataset", "dataset").removed
    ()
    """
    one, other = _Side(Dataset(a)), _Side(Dataset(b))
    shared = [key for key in one.numbers if one.numbers[key] == other.numbers.get(key)]
    if not shared:
        raise DatasetError(f"{a} and {b} have no column of numbers in common, so their episodes cannot be compared")
    matches = match_episodes(one.hashes(shared), other.hashes(shared))
    parts: dict[int, list[Match]] = {}
    for match in matches:
        parts.setdefault(match.a, []).append(match)
    found = DatasetDiff(
        str(a),
        str(b),
        tuple(n for n in range(len(one.dataset)) if n not in parts),
        tuple(sorted(set(range(len(other.dataset))) - {match.b for match in matches})),
        tuple(_trimmed(one, other, parts)),
        tuple(_split(other, parts)),
        tuple(_relabelled(one, other, matches)),
        tuple(_moved(matches)),
        _features(one.dataset, other.dataset),
        tuple(_statistics(one.dataset, other.dataset)),
        {},
    )
    if frames:
        for key in one.videos:
            if key in other.videos:
                found.frames[key] = _frames(one, other, key, matches)
    return found


@dataclass(frozen=True, eq=False)
class _Side:
    dataset: Dataset

    @cached_property
    def numbers(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape of each column of numbers."""
        numeric = (c for c in self.dataset.features if c.dtype in schema.LEAVES and c.dtype != "string")
        return {c.key: (c.dtype, c.shape) for c in numeric if c.key not in INDEX_KEYS and c.key != "next.success"}

    @cached_property
    def videos(self) -> tuple[str, ...]:
        return tuple(c.key for c in self.dataset.features if c.dtype == "video")

    def hashes(self, keys: Sequence[str]) -> list[Hashes]:
        """Of the rows of each episode."""
        columns = {c.key: c for c in self.dataset.features}
        found = []
        for number in range(len(self.dataset)):
            rows = self.dataset.rows(number, list(keys))
            found.append(row_hashes([to_numpy(rows.column(key), columns[key]) for key in keys]))
        return found

    def labels(self, episode: int) -> tuple[Label, ...]:
        """In its columns of language. Raises: DatasetError."""
        keys = [column.key for column in self.dataset.features if column.key in LANGUAGE]
        with raised_as(DatasetError, f"{self.dataset.root}: episode {episode}", ValueError):
            return labels_of(self.dataset.rows(episode, keys), self.dataset.fps) if keys else ()

    def length(self, episode: int) -> int:
        return self.dataset.episodes[episode].length

    @cached_property
    def packets(self) -> dict[Path, list[bytes]]:
        """Digests of the packets of each video, in display order; filled when asked for."""
        return {}

    def digests(self, key: str, episode: int, start: int, count: int) -> list[bytes]:
        """Of the frames of some rows of an episode."""
        path, first = self.dataset.frame(key, episode, start)
        if path not in self.packets:
            self.packets.clear()  # one file at a time
            index, hidden = read_index(str(path))
            order = np.argsort(index.display)
            made = [hashlib.sha256(bytes(data)).digest() for data in packets(str(path))]
            self.packets[path] = [made[number] for number in order.tolist()][hidden:]
        return self.packets[path][first : first + count]


def _rows(match: Match, other: _Side) -> list[int]:
    return [match.start, match.start + other.length(match.b)]


def _trimmed(one: _Side, other: _Side, parts: Mapping[int, list[Match]]) -> Iterator[dict[str, Any]]:
    for number, own in parts.items():
        if len(own) == 1 and other.length(own[0].b) != one.length(number):
            yield {"a": number, "b": own[0].b, "rows": _rows(own[0], other)}


def _split(other: _Side, parts: Mapping[int, list[Match]]) -> Iterator[dict[str, Any]]:
    for number, own in parts.items():
        if len(own) > 1:
            yield {"a": number, "b": [{"b": match.b, "rows": _rows(match, other)} for match in own]}


def _relabelled(one: _Side, other: _Side, matches: Sequence[Match]) -> Iterator[dict[str, Any]]:
    for match in matches:
        there, here = one.dataset.episodes[match.a], other.dataset.episodes[match.b]
        whole = one.length(match.a) == other.length(match.b)
        what: dict[str, Any] = {}
        if there.tasks != here.tasks and (whole or not set(here.tasks) <= set(there.tasks)):
            what["tasks"] = {"a": list(there.tasks), "b": list(here.tasks)}
        labels = cut(one.labels(match.a), match.start, match.start + other.length(match.b)), other.labels(match.b)
        if labels[0] != labels[1]:
            what["labels"] = dict(zip(("a", "b"), map(_listed, labels), strict=True))
        for name in _MARKS:
            values = there.facts.get(name), here.facts.get(name)
            if (values[0] or None) != (values[1] or None) or (values[0] is False) is not (values[1] is False):
                what[name] = {"a": values[0], "b": values[1]}
        if what:
            yield {"a": match.a, "b": match.b, "what": what}


def _listed(labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [{"rows": [one.start, one.stop], "style": one.style, "text": one.text} for one in labels]


def _moved(matches: Sequence[Match]) -> Iterator[dict[str, int]]:
    """Matches that are not in the order of the first dataset."""
    latest = -1
    for match in matches:
        if match.a < latest:
            yield {"a": match.a, "b": match.b}
        latest = max(latest, match.a)


def _features(a: Dataset, b: Dataset) -> dict[str, Any]:
    there, here = ({c.key: (c.dtype, c.shape, c.names) for c in dataset.features} for dataset in (a, b))
    changed = {key for key in there.keys() & here.keys() if there[key] != here[key]}
    return {
        "removed": sorted(there.keys() - here.keys()),
        "added": sorted(here.keys() - there.keys()),
        "changed": sorted(changed),
        **({"fps": {"a": a.fps, "b": b.fps}} if a.fps != b.fps else {}),
    }


def _statistics(a: Dataset, b: Dataset) -> Iterator[str]:
    there, here = a.json(paths.STATS), b.json(paths.STATS)
    for key in (key for key in there if key in here and key not in INDEX_KEYS):
        if not all(_close(there[key], here[key], name) for name in _STATISTICS):
            yield key


def _close(one: Any, other: Any, name: str) -> bool:
    try:
        return bool(np.allclose(np.asarray(one[name], float), np.asarray(other[name], float), rtol=1e-5, atol=1e-8))
    except (KeyError, TypeError, ValueError):
        return False


def _frames(one: _Side, other: _Side, key: str, matches: Sequence[Match]) -> FrameCount:
    made = FrameCount()
    for match in matches:
        count = other.length(match.b)
        there = one.digests(key, match.a, match.start, count)
        here = other.digests(key, match.b, 0, count)
        unlike = [row for row in range(count) if row >= min(len(there), len(here)) or there[row] != here[row]]
        made.same_bits += count - len(unlike)
        if unlike:
            same = _same_pixels(one, other, key, match, unlike)
            made.same_pixels += same
            made.different += len(unlike) - same
    return made


def _same_pixels(one: _Side, other: _Side, key: str, match: Match, rows: Sequence[int]) -> int:
    shown = []
    for side, episode, start in ((one, match.a, match.start), (other, match.b, 0)):
        path, first = side.dataset.frame(key, episode, start)
        shown.append(decode_at(str(path), [first + row for row in rows]))
    return sum(np.array_equal(there, here) for (_, there), (_, here) in zip(*shown, strict=False))
