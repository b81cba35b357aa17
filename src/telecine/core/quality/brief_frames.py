"""A camera's defects of a few frames, which lie between the samples: one frame that stands, or one unlike the others.

Where to look is told by the sizes of packets, which a file's index has: a frame that is that before takes next to
nothing, one unlike it takes much. What is seen there decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.findings import Finding
from telecine.core.quality.stillness import NEAR, leaps_after
from telecine.core.quality.stretches import stretches
from telecine.core.stats import Floats
from telecine.core.text.numbers import counted
from telecine.core.video import Flags

Small = np.ndarray[Any, np.dtype[np.float32]]
STANDS, MOST_S = 0.5, 0.7
"""Packets of so small a part of those beside them, at most for so long: what lasts longer is seen in the samples."""
NOTHING, NOTHINGS = 0.1, 2
"""Or so many packets one after the other of so small a part: next to nothing."""
LEAST_STEPS = 4
"""From one frame to the next in which nothing changes."""
LEAP, SEEN, MOVES = 1.6, 0.7, 2.0
"""The step after them is so many times the largest beside it, and at least this, of 255; what is usual beside is so
many times what the encoder changes in a frame that stands."""
GOES_ON = 0.6
"""The robot moves meanwhile at so many times the speed of before and after."""
MOST_HOLDS = 2
"""A camera that is slower than rows stands all the time."""
LARGE = 1.8
"""A packet so many times as large as others around it."""
AROUND = 5
"""Rows decoded before and after."""
MOST_PLACES = 3
"""Of an episode and kind: the clearest."""
SAME, SAME_SHARE = 0.35, 0.35
"""Mean difference, of 255, of frames that are one; and as a part of what motion makes beside."""
FLASH, BACK, USUAL = 6.0, 0.3, 4.0
"""A flash differs by so much from the frames beside it, which differ from one another by this part of it, and so many
times as much as frames around it do."""
LONGEST_FLASH = 2


@dataclass(frozen=True, slots=True)
class Brief:
    """Rows [start, stop) that show something."""

    kind: Literal["frozen", "flash"]
    start: int
    stop: int


def places(sizes: npt.NDArray[np.int64], keys: Flags, fps: int, path: Floats | None) -> list[tuple[int, int]]:
    """[start, stop) of rows of an episode that are worth decoding. sizes, keys: (n,) of its packets.

    path: (n,) of the robot up to each row; a frame that stands is looked for only while the robot moves on.
    """
    count = len(sizes)
    between = np.flatnonzero(~keys)
    if len(between) < 4 * NEAR:
        return []
    own = sizes[between].astype(np.float64)
    found = []
    stands = [(r, place) for r, place in _small(own, between, fps) if path is not None and _moves_on(*place, path)]
    for clearest in (stands, list(_large(own, between))):
        found += [place for _, place in sorted(clearest, reverse=True)[:MOST_PLACES]]
    return [(max(a - AROUND, 0), min(b + AROUND, count)) for a, b in found]


Ranked = tuple[float, tuple[int, int]]
"""How clear it is, and the rows."""


def _small(own: Floats, between: npt.NDArray[np.int64], fps: int) -> Iterator[Ranked]:
    """Rows of packets that are far smaller than those before and after them. own: sizes without those of keyframes.

    The packet behind them has what was missed, where it is none of a keyframe.
    """
    means = np.convolve(own, np.ones(NEAR) / NEAR, "valid")
    until = 0
    small = np.append(means[NEAR:] < STANDS * means[:-NEAR], np.zeros(NEAR - NOTHINGS, np.bool_))
    tiny = np.maximum(own[NEAR:-1], own[NEAR + 1 :]) < NOTHING * means[: len(own) - NEAR - 1]
    for at in (np.flatnonzero(small | tiny) + NEAR).tolist():
        before, stop = float(means[at - NEAR]), at + (NOTHINGS if tiny[at - NEAR] else NEAR)
        if at < until or own[at] >= STANDS * before:
            continue
        while stop < len(own) and own[stop] < STANDS * before:
            stop += 1
        here, after = float(own[at:stop].mean()), float(own[stop : stop + NEAR].mean()) if stop < len(own) else 0.0
        first, last = int(between[at]) - 1, int(between[stop - 1]) + 1
        missed = stop >= len(own) or between[stop] - between[stop - 1] > 1 or own[stop] > before
        if missed and here < STANDS * after and last - first - 1 <= MOST_S * fps:
            until = stop
            yield min(before, after) / max(here, 1.0), (first, last)


def _large(own: Floats, between: npt.NDArray[np.int64]) -> Iterator[Ranked]:
    """Rows of packets that are far larger than others around them."""
    for at in np.flatnonzero(own > LARGE * float(np.median(own))).tolist():
        around = np.concatenate([own[max(at - 5, 0) : max(at - 1, 0)], own[at + 2 : at + 6]])
        if around.size and own[at] > LARGE * float(around.max()):
            yield float(own[at] / max(around.max(), 1.0)), (int(between[at]) - 1, int(between[at]) + 2)


def brief_stretches(small: Small) -> list[Brief]:
    """What frames of neighbouring rows show, in rows of them. small: (k, height, width)."""
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2), dtype=np.float64)
    return [*_flashes(small, steps), *_frozen(steps)]


def _flashes(small: Small, steps: Floats) -> Iterator[Brief]:
    for long in range(1, LONGEST_FLASH + 1):
        for start in range(1, len(small) - long):
            stop = start + long
            away = min(steps[start - 1], steps[stop - 1])
            others = np.delete(steps, range(start - 1, stop))
            if away < FLASH or away < USUAL * float(others.max(initial=0.0)):
                continue
            if float(np.abs(small[stop] - small[start - 1]).mean()) < BACK * away:
                yield Brief("flash", start, stop)


def _frozen(steps: Floats) -> Iterator[Brief]:
    if len(steps) < LEAST_STEPS + 2 * NEAR:
        return
    low = min(SAME, SAME_SHARE * float(np.median(np.sort(steps)[-2 * NEAR :])))
    for a, b in stretches(steps < low, LEAST_STEPS):
        beside = np.concatenate([steps[max(a - NEAR, 0) : a], steps[b + 1 : b + 1 + NEAR]])
        goes_on = bool(leaps_after(steps[:, None], a, b, LEAP).all()) and steps[b] > SEEN
        if goes_on and float(beside.mean()) > MOVES * float(steps[a:b].max()):
            yield Brief("frozen", a, b + 1)


TEXTS = {
    "frozen": (
        "frozen: one frame stands for {rows} rows, then what was missed comes at once",
        "the camera, or its network, stalled",
    ),
    "flash": (
        "a flash: {rows} unlike those before and after, which are alike",
        "exposure, or a frame of something else",
    ),
}


def brief_findings(
    where: tuple[int, str], rows: Sequence[int], small: Small, *, path: Floats | None, told: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """Of decoded rows of an (episode, camera), increasing, of which several runs may follow one another.

    path: of `places`. told: places that are told already.
    """
    breaks = [0, *(np.flatnonzero(np.diff(rows) > 1) + 1).tolist(), len(rows)]
    found = [
        Brief(one.kind, rows[first] + one.start, rows[first] + one.stop)
        for first, last in pairwise(breaks)
        for one in brief_stretches(small[first:last])
    ]
    slow = sum(one.kind == "frozen" for one in found) > MOST_HOLDS
    for one in found:
        known = any(one.start < b and a < one.stop for a, b in told)
        if known or (one.kind == "frozen" and (slow or path is None or not _moves_on(one.start, one.stop, path))):
            continue
        text, fix = TEXTS[one.kind]
        count = one.stop - one.start
        said = text.format(
            rows=count if one.kind == "frozen" else "one row" if count == 1 else f"{counted(count, 'row')}"
        )
        number, key = where
        yield Finding(
            f"look-{one.kind}", "warning", f"episode {number} {key}", said, f"{fix}: cut the rows",
            episode=number, key=key, rows=(one.start, one.stop),
        )  # fmt: skip


def _moves_on(start: int, stop: int, path: Floats) -> bool:
    """True when the robot moves in rows [start, stop) about as fast as just before and after."""
    before, after = max(start - NEAR, 0), min(stop - 1 + NEAR, len(path) - 1)
    inside = float(path[stop - 1] - path[start])
    beside = float(path[after] - path[before]) - inside
    rows = after - before - (stop - 1 - start)
    return rows > 0 and inside > 0 and inside / (stop - 1 - start) >= GOES_ON * beside / rows
