"""Whose clock stamped what: messages carry their sender's stamp, the recorder adds its own time.

Senders' clocks can lie milliseconds or days from the recorder's, each computer's its own, and simulations count from
zero; stamps can be unset or go back. Everything is put on the recorder's clock, keeping each sender's even spacing: a
clock that is certainly another one is moved by the median distance of all topics stamped by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from telecine.core.grid import SECOND, Times

SAME_NS = SECOND
"""Stamps that lie further from the recorder's clock are on another; so latency is never longer."""
APART_NS = SECOND // 5
"""Topics whose distances from the recorder's clock differ by more may be on two clocks."""
LATER_NS = SECOND // 50
"""Stamps later than their receipt by more are on another clock: clocks kept equal by a network differ by less."""
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


Relation = Literal["same", "later", "delayed", "other"]
"""How a sender's clock lies to the recorder's. same; later: its stamps are later than their receipt, so it is another;
delayed: up to a second earlier than those of others, by latency or by another clock; other: further off."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One sender's clock: the topics stamped by it, and what is to be added to reach the recorder's."""

    topics: tuple[str, ...]
    distance_ns: int
    """Median of (recorder's time - stamp)."""
    relation: Relation

    @property
    def offset_ns(self) -> int:
        """0 unless it is certain that the clock is another one: then the distance is no latency."""
        return self.distance_ns if self.relation in ("later", "other") else 0


def domains(distances: Mapping[str, int]) -> tuple[Domain, ...]:
    """Clocks by the distance of their stamps from the recorder's, ordered by it.

    distances: topic -> median of (recorder's time - stamp), ns. Stamps that are later than their receipt are on another
    clock, as are those over `SAME_NS` earlier. Of the others, neighbours at most `APART_NS` apart share a clock.
    """
    ordered = sorted((d, t) for t, d in distances.items())
    groups: list[list[tuple[int, str]]] = []
    for distance, topic in ordered:
        if groups and _share(groups[-1][-1][0], distance):
            groups[-1].append((distance, topic))
        else:
            groups.append([(distance, topic)])
    nearest = min((d for d, _ in ordered if d >= -LATER_NS), default=0)
    return tuple(_domain(group, nearest) for group in groups)


def _share(before: int, distance: int) -> bool:
    if before < -LATER_NS <= distance:
        return False
    near = max(abs(before), abs(distance)) <= SAME_NS
    return distance - before <= (APART_NS if near else SAME_NS)


def _domain(group: list[tuple[int, str]], nearest_ns: int) -> Domain:
    distance = int(np.median([d for d, _ in group]))
    relation: Relation = "same"
    if distance < -LATER_NS:
        relation = "other" if distance < -SAME_NS else "later"
    elif distance > SAME_NS:
        relation = "other"
    elif distance - nearest_ns > APART_NS:
        relation = "delayed"
    return Domain(tuple(topic for _, topic in group), distance, relation)


SAME_PACE = 0.02
"""Relative difference of pace from which on a sender's clock runs slow or fast against the recorder's."""
_PACE_SPAN_NS = 2 * SECOND


def pace(stamps: Times, logged: Times) -> float | None:
    """How fast a sender's clock runs, 1 for as fast as the recorder's; None where too little is known.

    stamps, logged: (n,) int64 ns, in order of arrival. Latency that varies counts for nothing over two seconds.
    """
    if stamps.size < 4 or int(logged[-1] - logged[0]) < _PACE_SPAN_NS:
        return None
    ratio = float(int(stamps[-1] - stamps[0]) / int(logged[-1] - logged[0]))
    return ratio if abs(ratio - 1) > max(SAME_PACE, APART_NS / float(logged[-1] - logged[0])) else 1.0


def shared_pace(paces: Iterable[float]) -> float:
    """The pace of all senders whose pace is known, 1 where there is none or they differ."""
    known = sorted(paces)
    if not known or known[-1] > known[0] * (1 + 2 * SAME_PACE):
        return 1.0
    return known[len(known) // 2]


def on_stamps(logged: Times, known: tuple[Times, Times], pace: float) -> Times:
    """The recorder's times `logged` on the clock of a sender that runs at `pace`.

    known: ((n,) recorder's times, (n,) the sender's times), n > 0, both non-decreasing. Between them the time is
    linear, outside it goes on at `pace`.
    """
    theirs, ours = known
    since = (logged - theirs[0]).astype(np.float64)
    found = np.interp(since, (theirs - theirs[0]).astype(np.float64), (ours - ours[0]).astype(np.float64))
    beyond = np.minimum(since, 0) + np.maximum(since - float(theirs[-1] - theirs[0]), 0)
    moved: Times = ours[0] + np.rint(found + pace * beyond).astype(np.int64)
    return moved


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
