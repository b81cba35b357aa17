"""Stretches of one camera in one episode that show nothing, the same, or something broken.

First on frames some rows apart (`suspects`), then on all rows between the last good and the first bad one (`edges`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from telecine.core.findings import Finding
from telecine.core.grid import Rows
from telecine.core.quality.frame_facts import FrameFacts, difference
from telecine.core.quality.shifted_lines import shifted_frames, usual_frame
from telecine.core.quality.stretches import stretches
from telecine.core.stats import Floats
from telecine.core.text.numbers import percent_text
from telecine.core.video import Flags

Kind = Literal["dark", "white", "dim", "frozen", "blurred", "torn"]
DARK, WHITE, EVEN = 16.0, 240.0, 12.0
"""Mean brightness of frames in which a person sees nothing, and the deviation below which white is white."""
DIM, DIM_FROM = 0.45, 40.0
"""A stretch so many times as bright as the rest of the episode, which has at least this brightness."""
SAME, SAME_MOST = 0.35, 1.2
"""Mean difference of small images, 0 to 255, that an encoder alone makes; the second where motion makes far more."""
SAME_SPOT, SAME_SPOT_MOST = 8.0, 25.0
"""The same for the part of the image that differs most."""
SAME_SHARE = 0.12
"""Between the two, this part of what motion makes."""
EXACT, EXACT_SPOT = 0.35, 5.0
"""The same where a stretch begins and ends, unless the encoder makes half of more within it."""
MOVED = 0.03
"""Part of the joints' ranges, on average, that has to be moved for a camera to show it."""
HIDDEN, HIDDEN_SPOT = 0.35, 0.15
"""A frame stands where it changes by less than these parts of what as much motion nearly always changes."""
ALIKE_MOTION = 2.0
"""So many times as much, or as little, is as much motion."""
BLURRED = 0.4
TORN_SEAM, TORN_TIMES = 0.45, 2.5
TORN_FLAT, TORN_FLAT_SEAM = 0.15, 0.7
BORDER, BORDER_TIMES, BORDER_STEP = 0.6, 2.5, 12.0
"""A border is a straight line through the small image at which so much of it differs by this brightness, of 255, from
the next line: so many times as much as at the same place in other frames."""
STANDS = 0.8
"""So much of the picture stays as it is in half of the frames of a camera that stands."""
NOISE, NOISE_LEAST = 2.5, 1.5
"""So many times the usual detail is noise, and so much of it: how much neighbouring pixels differ, squared, as a part
of what small images of their means do. Printed cloth seen from near and from afar reaches 1.1, random pixels 4."""
FEWEST, FEWEST_PAIRS = 6, 3
"""Frames, and pairs of them, that tell what is usual."""


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """What a camera showed from one sample to the next, in s pairs of several episodes.

    episode, pair: (s,) whose, and which of its. motion: (s,) parts of ranges, as the camera shows it. change, spot:
    (s,) of small images, on average and where they differ most.
    """

    episode: Rows
    pair: Rows
    motion: Floats
    change: Floats
    spot: Floats


@dataclass(frozen=True, eq=False, slots=True)
class CameraSamples:
    """Frames of one camera at some rows of an episode, the first and the last among them.

    rows: (k,) increasing. motion: (k - 1,) from one to the next, of state or action, in parts of their ranges as this
    camera shows them; None where the dataset has neither. shown: of this camera, in this episode and others.
    """

    episode: int
    key: str
    rows: Rows
    frames: FrameFacts
    motion: Floats | None
    shown: Shown | None = None


def changes_of(frames: FrameFacts) -> tuple[Floats, Floats]:
    """(k - 1,) differences of small images from one to the next: on average, and where they differ most."""
    off = np.abs(np.diff(frames.small, axis=0))
    return off.mean(axis=(1, 2), dtype=np.float64), off.max(axis=(1, 2)).astype(np.float64)


def seen_pairs(frames: FrameFacts) -> Flags:
    """(k - 1,) true between samples that are neither black nor white."""
    seen = ~((frames.brightness < DARK) | _white(frames))
    return np.asarray(seen[1:] & seen[:-1])


@dataclass(frozen=True, slots=True)
class Suspect:
    """Samples [first, stop) that show a kind of defect."""

    kind: Kind
    first: int
    stop: int


def suspects(samples: CameraSamples) -> list[Suspect]:
    """What the samples show, black and white first; a stretch has one kind."""
    frames = samples.frames
    found: list[Suspect] = []
    told = np.zeros(len(frames), np.bool_)
    flags: list[tuple[Kind, Flags]] = [("dark", frames.brightness < DARK), ("white", _white(frames))]
    told |= flags[0][1] | flags[1][1]
    seen = ~told
    if seen.sum() >= FEWEST:
        flags += [("torn", _torn(frames, seen)), ("dim", _dim(frames, seen)), ("blurred", _blurred(frames, seen))]
    told = np.zeros(len(frames), np.bool_)
    for kind, holds in flags:
        found += [Suspect(kind, a, b) for a, b in stretches(holds & ~told)]
        told |= holds
    return found + _frozen(samples, ~told)


def _white(frames: FrameFacts) -> Flags:
    return np.asarray((frames.brightness > WHITE) & (frames.contrast < EVEN))


def _dim(frames: FrameFacts, seen: Flags) -> Flags:
    usual = float(np.median(frames.brightness[seen]))
    return np.asarray((frames.brightness < DIM * usual) & seen & (usual >= DIM_FROM))


def _blurred(frames: FrameFacts, seen: Flags) -> Flags:
    usual = float(np.median(frames.detail[seen]))
    return np.asarray((frames.detail < BLURRED * usual) & seen)


def _torn(frames: FrameFacts, seen: Flags) -> Flags:
    """A line through most of the frame that the others do not have, or one grey below such a line; or noise."""
    seam = float(np.median(frames.seam[seen]))
    seams = (frames.seam > TORN_SEAM) & (frames.seam > TORN_TIMES * seam)
    noise = frames.detail > max(NOISE * float(np.median(frames.detail[seen])), NOISE_LEAST)
    found = (
        seams
        | noise
        | (_borders(frames, seen) & ~_blurred(frames, seen))
        | (_cut(frames) & (float(np.mean(_cut(frames)[seen])) < 0.5))
        | shifted_frames(frames.small, frames.small if seen.all() else frames.small[seen])
    )
    return np.asarray(found & seen)


def _lines(small: "np.ndarray[Any, np.dtype[np.float32]]") -> Floats:
    """(k, height + width - 2) the part of each line that differs clearly from the next line; then of columns."""
    height, width = small.shape[1:]
    rows = (np.abs(small[:, 1:] - small[:, :-1]) > BORDER_STEP).astype(np.float32) @ np.ones(width, np.float32)
    columns = np.ones(height, np.float32) @ (np.abs(small[:, :, 1:] - small[:, :, :-1]) > BORDER_STEP).astype(
        np.float32
    )
    made: Floats = np.concatenate([rows / width, columns / height], axis=1).astype(np.float64)
    return made


def _borders(frames: FrameFacts, seen: Flags) -> Flags:
    """Of a camera that stands: one that moves sees the edge of a table now and then."""
    lines = _lines(frames.small)
    found = ((lines > BORDER) & (lines > BORDER_TIMES * np.median(lines[seen], axis=0))).any(axis=1)
    if not found.any():
        return np.asarray(found)
    stay = (np.abs(frames.small - usual_frame(frames.small[seen])) < BORDER_STEP).mean(axis=(1, 2))
    return np.asarray(found & (float(np.median(stay)) > STANDS))


def _cut(frames: FrameFacts) -> Flags:
    return np.asarray((frames.flat > TORN_FLAT) & (frames.flat_seam > TORN_FLAT_SEAM))


@dataclass(frozen=True, eq=False, slots=True)
class _Alike:
    """When two small images count as one frame, by what motion usually changes between samples."""

    mean: float
    spot: float

    def __call__(self, a: "np.ndarray[Any, np.dtype[np.float32]]", b: "np.ndarray[Any, np.dtype[np.float32]]") -> Flags:
        return self.of(difference(a, b), np.abs(a - b).max(axis=(1, 2)))

    def of(self, change: Floats, spot: "np.ndarray[Any, Any]") -> Flags:
        """Where images differ by so much on average, and where they differ most."""
        return np.asarray((change < self.mean) & (spot < self.spot))


def _alike(change: Floats, spot: Floats) -> _Alike:
    return _Alike(
        min(max(SAME, SAME_SHARE * float(np.percentile(change, 80))), SAME_MOST),
        min(max(SAME_SPOT, SAME_SHARE * float(np.percentile(spot, 80))), SAME_SPOT_MOST),
    )


def _frozen(samples: CameraSamples, seen: Flags) -> list[Suspect]:
    """Samples that are alike although the robot moves, where the camera usually shows that it does."""
    small = samples.frames.small
    if len(small) < 2:
        return []
    changes = changes_of(samples.frames)
    same = _alike(*changes)
    alike = same.of(*changes) & seen[1:] & seen[:-1]
    whole = bool(alike.all())
    if samples.motion is None:
        return [Suspect("frozen", 0, len(small))] if whole else []
    found = []
    for a, b in stretches(alike):
        moved = float(samples.motion[a:b].sum())
        still = whole or bool(same(small[a + 1 : b + 1], small[a]).all())
        if still and moved > (2 * MOVED if whole else MOVED) and _would_show(samples, a, b):
            found.append(Suspect("frozen", a, b + 1))
    return found


def _would_show(samples: CameraSamples, first: int, stop: int) -> bool:
    """True when as much motion changes far more in nearly all other pairs than in [first, stop).

    Without such pairs only a whole episode in which nothing changes is told.
    """
    change, spot = changes_of(samples.frames)
    own = samples.motion
    assert own is not None
    pairs = np.arange(len(change))
    all_own = Shown(np.full(len(pairs), samples.episode), pairs, own, change, spot)
    shown = samples.shown or all_own
    rate = float(own[first:stop].mean())
    near = (shown.motion > rate / ALIKE_MOTION) & (shown.motion < rate * ALIKE_MOTION)
    near &= (shown.episode != samples.episode) | (shown.pair < first) | (shown.pair >= stop)
    if near.sum() < FEWEST_PAIRS:
        return first == 0 and stop == len(change)
    usual, usual_spot = (float(np.percentile(values[near], 25)) for values in (shown.change, shown.spot))
    here, here_spot = float(change[first:stop].max()), float(spot[first:stop].max())
    shows = usual > EXACT and usual_spot > 3 * EXACT_SPOT
    return shows and here < HIDDEN * usual and here_spot < HIDDEN_SPOT * usual_spot


def rows_between(samples: CameraSamples, found: Iterable[Suspect]) -> list[int]:
    """Rows between the last good and the first bad sample, on both sides of each stretch."""
    rows = samples.rows
    wanted: set[int] = set()
    for one in found:
        if one.first > 0:
            wanted |= set(range(int(rows[one.first - 1]) + 1, int(rows[one.first])))
        if one.stop < len(rows):
            wanted |= set(range(int(rows[one.stop - 1]) + 1, int(rows[one.stop])))
    return sorted(wanted)


def edges(
    samples: CameraSamples, one: Suspect, rows: Sequence[int], frames: FrameFacts | None
) -> tuple[tuple[int, int], bool]:
    """([start, stop) rows, whether it begins and ends from one row to the next) of a stretch.

    rows, frames: those that `rows_between` asked for, increasing; frames None without rows.
    """
    start, stop = int(samples.rows[one.first]), int(samples.rows[one.stop - 1]) + 1
    if frames is None:
        return (start, stop), True
    is_bad = _holds(samples, one, frames)
    bad = {row for row, holds in zip(rows, is_bad, strict=True) if holds}
    while start - 1 in bad:
        start -= 1
    while stop in bad:
        stop += 1
    return (start, stop), _abrupt(samples, one, (start, stop), (rows, frames))


def _holds(samples: CameraSamples, one: Suspect, frames: FrameFacts) -> Flags:
    own = samples.frames
    good = np.ones(len(own), np.bool_)
    good[one.first : one.stop] = False
    match one.kind:
        case "dark":
            return np.asarray(frames.brightness < DARK)
        case "white":
            return _white(frames)
        case "frozen":
            change, spot = (float(v[one.first : one.stop - 1].max()) for v in changes_of(own))
            exactly = _Alike(max(EXACT, 2 * change), max(EXACT_SPOT, 2 * spot))
            return exactly(frames.small, own.small[(one.first + one.stop) // 2])
        case "dim":
            return np.asarray(frames.brightness < _middle(own.brightness, one, good))
        case "blurred":
            return np.asarray(frames.detail < _middle(own.detail, one, good))
        case _:  # torn
            seams = frames.seam > max(_middle(own.seam, one, good), TORN_TIMES * float(np.median(own.seam[good])))
            noise = frames.detail > max(_middle(own.detail, one, good), NOISE / 2 * float(np.median(own.detail[good])))
            found = _cut(frames) | seams | noise | _same_border(own, one, good, frames)
            return np.asarray(found | shifted_frames(frames.small, own.small[good]) if good.any() else found)


def _same_border(own: FrameFacts, one: Suspect, good: Flags, frames: FrameFacts) -> Flags:
    """Frames with at least half of the border that the stretch has; none where it has none."""
    lines = _lines(own.small)
    usual = np.median(lines[good], axis=0)
    more = np.median(lines[one.first : one.stop], axis=0) - usual
    at = int(more.argmax())
    here = _lines(frames.small)[:, at] - usual[at]
    return np.asarray((here > more[at] / 2) & (more[at] > BORDER / 2))


def _middle(values: Floats, one: Suspect, good: Flags) -> float:
    """Half-way between what is usual within the stretch and outside."""
    return float(np.median(values[one.first : one.stop]) + np.median(values[good])) / 2


def _abrupt(
    samples: CameraSamples, one: Suspect, place: tuple[int, int], between: tuple[Sequence[int], FrameFacts]
) -> bool:
    """True when all that tells the stretch changes within a row at its edges, as motion does not make it change."""
    good = np.ones(len(samples.frames), np.bool_)
    good[one.first : one.stop] = False
    last = int(samples.rows[-1])
    for name in _telling(samples.frames, one, good):
        own = getattr(samples.frames, name)
        values = dict(zip(samples.rows.tolist(), own, strict=True))
        values |= dict(zip(between[0], getattr(between[1], name), strict=True))
        change = float(np.abs(np.median(own[good], axis=0) - np.median(own[one.first : one.stop], axis=0)).mean())
        for outside, inside in ((place[0] - 1, place[0]), (place[1], place[1] - 1)):
            if 0 <= outside <= last and float(np.abs(values[outside] - values[inside]).mean()) < 0.5 * change:
                return False
    return True


def _telling(own: FrameFacts, one: Suspect, good: Flags) -> tuple[str, ...]:
    """The facts of frames by which a stretch is told, and which motion changes slowly."""
    match one.kind:
        case "dim":
            return ("brightness",)
        case "blurred":
            return ("detail",)
        case "torn":
            noise = np.median(own.detail[one.first : one.stop]) > NOISE * np.median(own.detail[good])
            return ("small", "detail") if noise else ("small",)
        case _:
            return ()


TEXTS: dict[Kind, tuple[str, str]] = {
    "dark": ("dark: mean brightness {here:.0f} of 255", "check exposure, lights and the camera's cover"),
    "white": ("white: mean brightness {here:.0f} of 255", "check exposure and lights"),
    "dim": ("much darker: mean brightness {here:.0f}, {usual:.0f} in the rest", "check exposure and lights"),
    "frozen": ("frozen: one frame stands while the robot moves", "check whether the camera ran; cut the rows"),
    "blurred": ("blurred: {share} of the usual detail", "check focus and exposure time; cut the rows"),
    "torn": (
        "torn: a line through the frame and something else beyond it, or noise",
        "packets or parts of frames were lost; cut the rows",
    ),
}


def camera_findings(
    samples: CameraSamples, found: Sequence[Suspect], rows: Sequence[int], frames: FrameFacts | None
) -> Iterator[Finding]:
    """A finding for each stretch, with the rows that `edges` finds."""
    own = samples.frames
    for one in found:
        place, abrupt = edges(samples, one, rows, frames)
        if not abrupt:
            continue
        inside = slice(one.first, one.stop)
        good = np.ones(len(own), np.bool_)
        good[inside] = False
        rest = own.detail[good] if good.any() else own.detail
        text, fix = TEXTS[one.kind]
        said = text.format(
            here=float(own.brightness[inside].mean()),
            usual=float(np.median(own.brightness[good])) if good.any() else 0.0,
            share=percent_text(float(np.median(own.detail[inside]) / max(float(np.median(rest)), 1e-9))),
        )
        where = f"episode {samples.episode} {samples.key}"
        yield Finding(
            f"look-{one.kind}", "warning", where, said, fix, episode=samples.episode, key=samples.key, rows=place
        )
