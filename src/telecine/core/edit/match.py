"""Which episodes of one dataset are which of another, by the values of their rows, whatever their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Match:
    """Rows [start, start + length of b) of episode `a` are episode `b`."""

    a: int
    b: int
    start: int


def row_hashes(columns: Sequence[npt.NDArray[Any]]) -> Hashes:
    """(n,) uint64: a hash of each row's bits over columns of (n, ...) numbers or bools, at least one."""
    hashes = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        flat = np.ascontiguousarray(column).reshape(len(hashes), -1).view(np.uint8)
        padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8)))
        for word in np.ascontiguousarray(padded).view(np.uint64).T:
            hashes = (hashes ^ word) * _MIX
            hashes ^= hashes >> _SHIFT
    return hashes


def match_episodes(a: Sequence[Hashes], b: Sequence[Hashes]) -> list[Match]:
    """For each episode of `b` the rows of `a` that it is, if any; no row and no whole episode of `a` is given twice.

    Whole episodes come before parts, equal numbers before others. One without rows is a part of none.
    """
    taken: set[int] = set()
    free = [np.ones(len(rows), np.bool_) for rows in a]
    found: dict[int, Match] = {}
    whole: dict[tuple[int, bytes], list[int]] = {}
    for number, rows in enumerate(a):
        whole.setdefault((len(rows), rows.tobytes()), []).append(number)
    waiting = [whole.get((len(rows), rows.tobytes()), []) for rows in b]
    for same in (True, False):
        for number, candidates in enumerate(waiting):
            if number not in found:
                fitting = [c for c in candidates if c not in taken and (c == number or not same)]
                if fitting:
                    found[number] = Match(fitting[0], number, 0)
                    taken.add(fitting[0])
                    free[fitting[0]][:] = False
    index = _Index(a)
    for number, rows in enumerate(b):
        part = None if number in found or not len(rows) else index.find(rows, free)
        if part is not None:
            found[number] = Match(part[0], number, part[1])
            free[part[0]][part[1] : part[1] + len(rows)] = False
    return [found[number] for number in sorted(found)]


class _Index:
    """Where each hash is in some episodes."""

    def __init__(self, episodes: Sequence[Hashes]) -> None:
        self._episodes = episodes
        self._all = np.concatenate([np.zeros(0, np.uint64), *episodes])
        self._order = np.argsort(self._all, kind="stable")
        self._sorted = self._all[self._order]
        self._starts = np.append(0, np.cumsum([len(rows) for rows in episodes], dtype=np.int64))

    def find(self, rows: Hashes, free: Sequence[npt.NDArray[np.bool_]]) -> tuple[int, int] | None:
        """(episode, first row) of a run that equals `rows` and is free."""
        first, last = (np.searchsorted(self._sorted, rows, side=side) for side in ("left", "right"))
        counts = last - first
        rarest = int(np.argmin(counts))
        for place in self._order[first[rarest] : last[rarest]].tolist():
            episode = int(np.searchsorted(self._starts, place, side="right")) - 1
            start = place - int(self._starts[episode]) - rarest
            stop = start + len(rows)
            there = self._episodes[episode]
            fits = start >= 0 and stop <= len(there) and free[episode][start:stop].all()
            if fits and np.array_equal(there[start:stop], rows):
                return episode, start
        return None
