"""Whose clock stamped what: messages carry their sender's stamp, the recorder adds its own time.

Senders' clocks can lie milliseconds or days from the recorder's, each computer's its own, and simulations count from
zero; stamps can be unset or go back. Everything is put on the recorder's clock, keeping each sender's even spacing: a
clock that lies more than `SAME_NS` off is moved by the median distance of all topics stamped by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from telecine.core.grid import SECOND, Times

SAME_NS = SECOND
"""Topics whose distances from the recorder's clock lie within this of each other share a clock."""
JUMP_NS = SECOND
"""A step of a stamp that differs by more from that of the recorder is a clock that was set anew."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Why stamps cannot be used: counts of unset, backward and jumping ones."""

    unset: int
    backwards: int
    jumps: int

    def __str__(self) -> str:
        named = ((self.unset, "unset"), (self.backwards, "going back"), (self.jumps, "jumping by over 1 s"))
        return ", ".join(f"{count} {what}" for count, what in named if count)

    def __bool__(self) -> bool:
        return bool(self.unset or self.backwards or self.jumps)


def faults(stamps: Times, logged: Times) -> Faults:
    """What is wrong with a topic's own stamps, all (n,) int64 ns in order of arrival.

    A jump is a step that the recorder's clock did not see: a clock that was set while recording. Dropped or delayed
    messages are none, because both clocks see those.
    """
    steps = np.diff(stamps)
    jumps = np.abs(steps - np.diff(logged)) > JUMP_NS
    return Faults(int(np.sum(stamps == 0)), int(np.sum(steps < 0)), int(np.sum(jumps & (steps >= 0))))


@dataclass(frozen=True, slots=True)
class Domain:
    """One sender's clock: the topics stamped by it, and what is to be added to reach the recorder's."""

    topics: tuple[str, ...]
    offset_ns: int
    """0 for clocks that agree with the recorder's: then the distance is latency, which stamps are there to show."""


def domains(distances: Mapping[str, int]) -> tuple[Domain, ...]:
    """Clocks by the distance of their stamps from the recorder's, ordered by it.

    distances: topic -> median of (recorder's time - stamp), ns. Neighbours at most `SAME_NS` apart share a clock.
    """
    groups: list[list[tuple[int, str]]] = []
    for distance, topic in sorted((d, t) for t, d in distances.items()):
        if groups and distance - groups[-1][-1][0] <= SAME_NS:
            groups[-1].append((distance, topic))
        else:
            groups.append([(distance, topic)])
    return tuple(Domain(tuple(t for _, t in group), _offset(d for d, _ in group)) for group in groups)


def _offset(distances: Iterable[int]) -> int:
    values = list(distances)
    return 0 if any(abs(d) <= SAME_NS for d in values) else int(np.median(values))


_SCALES = ((1_000_000, "milliseconds"), (1000, "microseconds"))
_YEAR_NS = 366 * 86400 * SECOND


def log_scale(logged: Times, stamps: Times) -> tuple[int, str]:
    """(factor, unit) that makes ns of the recorder's times, (1, "") where they are ns already.

    Some writers count in ms or us. Decided only where senders' stamps are in ns since 1970 and one factor alone puts
    both within a year of each other.
    """
    if not logged.size or not stamps.size or np.median(stamps) < 10**17 or np.median(logged) >= 10**17:
        return 1, ""
    logged_median, stamped = int(np.median(logged)), int(np.median(stamps))
    fits = [(factor, unit) for factor, unit in _SCALES if abs(logged_median * factor - stamped) < _YEAR_NS]
    return fits[0] if len(fits) == 1 else (1, "")


def format_offset(ns: int) -> str:
    """An offset for people: "+6.402 days", "-17.0 s"."""
    if abs(ns) >= 2 * 86400 * SECOND:
        return f"{ns / (86400 * SECOND):+.3f} days"
    return f"{ns / SECOND:+.3f} s"
