"""Which frames of which video file belong to each episode, from what is left of a damaged dataset. Pure.

The rule of LeRobot v3.0 is that an episode's frames lie one after the other in one file, and episodes follow each
other in order. So counts alone often correct or complete the metadata. Where they leave a doubt, the episode is lost,
or the user says what to believe: no row gets a frame by a guess.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from telecine.core.text.numbers import counted


@dataclass(frozen=True, slots=True)
class ClaimedFrames:
    """Where the metadata says an episode's frames are: frames [first, first + count) of a file."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Where an episode's frames are: `count` of them, for its first rows, from `first` on in a file.

    note: how that differs from the metadata; "" when it does not. doubt: why other frames were possible, and what was
    believed; "" where none were.
    """

    file: int
    first: int
    count: int
    note: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class UnknownFrames:
    """Why nobody can know which frames are an episode's; with `is_choice`, unless the user says to go by the video."""

    why: str
    is_choice: bool = False


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What the times of a file's frames say. missing: places without a frame, in order.

    is_irregular: they lie neither on the grid of the rate, each on a place of its own, nor at equal distances.
    """

    missing: tuple[int, ...] = ()
    is_irregular: bool = False


def frame_times(seconds: npt.NDArray[np.float64], fps: int, stated: int | None = None) -> FrameTimes:
    """Where frames at these times are on the grid of places k / fps.

    seconds: (n,), non-decreasing. stated: how many frames there should be; places before the first one count as missing
        when there are then so many.
    """
    places = np.rint(seconds * fps).astype(np.int64)
    on_grid = bool(np.all(np.abs(seconds * fps - places) < _OFF))
    steps = np.diff(seconds)
    if not on_grid or np.any(np.diff(places) < 1):
        is_even = steps.size == 0 or bool(np.all(np.abs(steps - np.median(steps)) < _OFF * np.median(steps)))
        return FrameTimes(is_irregular=not is_even)
    if not places.size:
        return FrameTimes()
    lead, span = int(places[0]), int(places[-1] - places[0]) + 1
    if span >= 2 * places.size:
        return FrameTimes(is_irregular=True)
    inner = np.setdiff1d(np.arange(lead, lead + span), places)
    if lead > 0 and span + lead == stated:
        return FrameTimes((*range(lead), *inner.tolist()))
    return FrameTimes(tuple((inner - lead).tolist()))


_OFF = 0.25
"""Of a step: measured times stay within it."""


def assign_frames(
    lengths: Sequence[int],
    frames: Sequence[int],
    claims: Sequence[ClaimedFrames | None],
    cut: Collection[int] = (),
    *,
    sound: Collection[int] = (),
    stated: Sequence[int | None] = (),
    trust_video: bool = False,
) -> list[FrameRange | UnknownFrames]:
    """The range of frames of each episode.

    lengths: rows of each episode, in order. frames: frames in each file, in order; 0 for files that cannot be read.
    claims: the metadata of each episode, None where it has none. cut: files that are known to end too early; in another
        one with fewer or more frames than rows, one may be missing, or too many, anywhere.
    sound: files whose surplus frames are known, so that claims are right. stated: how many rows each episode had, where
        something else tells that. trust_video: believe that every file differs at its end alone.
    """
    cut = range(len(frames)) if trust_video else cut
    ranges: dict[int, FrameRange | UnknownFrames] = {}
    for file in range(len(frames)):
        group = [(claim, i) for i, claim in enumerate(claims) if claim is not None and claim.file == file]
        group.sort(key=lambda pair: (pair[0].first, pair[1]))
        numbers, own = [i for _, i in group], [claim for claim, _ in group]
        needed = [lengths[i] for i in numbers]
        end = max((claim.first + claim.count for claim in own), default=0)
        if end > frames[file] > 0 and sum(needed) != frames[file] and file not in cut:
            ranges |= dict.fromkeys(numbers, _doubt(sum(needed), end, frames[file]))
            continue
        found = _in_file(needed, own, frames[file], numbers)
        if numbers and sum(needed) < frames[file] and file not in sound:
            held = {i: stated[i] if stated else None for i in numbers}
            doubted = _with_surplus(
                found, dict(zip(numbers, own, strict=True)), frames[file], lengths, held, is_all=None not in claims
            )
            found = _believed(found, doubted) if trust_video else doubted
        ranges |= found
    without = [i for i, claim in enumerate(claims) if claim is None]
    taken = [
        t
        for t in [*claims, *ranges.values()]
        if isinstance(t, ClaimedFrames | FrameRange) and 0 <= t.file < len(frames)
    ]
    start = max(((t.file, max(0, t.first + t.count)) for t in taken), default=(0, 0))
    rest = [max(0, n - start[1]) if f == start[0] else n for f, n in enumerate(frames) if f >= start[0]]
    for i, found_there in zip(
        without, _tiled([lengths[i] for i in without], rest, {f - start[0] for f in cut}), strict=True
    ):
        ranges[i] = found_there
        if isinstance(found_there, FrameRange):
            at = start[1] if found_there.file == 0 else 0
            ranges[i] = replace(found_there, file=found_there.file + start[0], first=found_there.first + at)
    behind = _behind(ranges, without, frames)
    ranges |= _believed(ranges, behind) if trust_video else behind
    nowhere = UnknownFrames("the video file that the metadata names is not there")
    return [ranges.get(i, nowhere) for i in range(len(lengths))]


def _with_surplus(
    ranges: dict[int, FrameRange | UnknownFrames],
    claims: dict[int, ClaimedFrames],
    frames: int,
    lengths: Sequence[int],
    stated: dict[int, int | None],
    *,
    is_all: bool,
) -> dict[int, FrameRange | UnknownFrames]:
    """The ranges of a file with more frames than rows: whether its surplus leaves a doubt about them.

    is_all: no other episode may be in the file.
    """
    end = max(claim.first + max(claim.count, lengths[i]) for i, claim in claims.items())
    if frames > end and is_all:
        return dict.fromkeys(claims, _surplus(frames, end))
    found, before = dict(ranges), 0
    for i, claim in claims.items():
        own, extra = ranges[i], claim.count - lengths[i]
        if isinstance(own, FrameRange) and extra > 0 and stated[i] != lengths[i]:
            count = "" if (said := stated[i]) is None else f", {counted(said, 'row is', 'rows are')} stated,"
            text = (
                f"its video holds {counted(claim.count, 'frame')}{count} and "
                f"{counted(lengths[i], 'row is', 'rows are')} there: nothing tells which"
            )
            found[i] = UnknownFrames(f"{text} belong together; {_FIRST_ONES}", is_choice=True)
        elif isinstance(own, FrameRange) and extra > 0:
            text = f"its video holds {counted(extra, 'frame')} more than its rows and statistics count"
            found[i] = replace(own, doubt=f"{text}, which LeRobot's recorder leaves behind those of the rows")
        elif isinstance(own, FrameRange) and claim.first > before:
            text = f"{counted(claim.first - before, 'frame')} before its first, of no row"
            found[i] = replace(own, doubt=f"{text}, as the metadata says it, and both fill the file")
        before = claim.first + max(claim.count, 1)
    return found


def _believed(
    ranges: dict[int, FrameRange | UnknownFrames], doubted: dict[int, FrameRange | UnknownFrames]
) -> dict[int, FrameRange | UnknownFrames]:
    """The ranges that were doubted, as they were, and why they were doubted."""
    believed: dict[int, FrameRange | UnknownFrames] = {}
    for i, found in doubted.items():
        own = ranges[i]
        believed[i] = found
        if isinstance(found, UnknownFrames) and found.is_choice and isinstance(own, FrameRange):
            believed[i] = replace(own, doubt=found.why)
    return believed


def _behind(
    ranges: dict[int, FrameRange | UnknownFrames], without: Iterable[int], frames: Sequence[int]
) -> dict[int, FrameRange | UnknownFrames]:
    """Episodes that no metadata places, in the last file that they are in, where frames behind them are of nobody."""
    mine = [(i, found) for i in without if isinstance(found := ranges[i], FrameRange)]
    if not mine:
        return {}
    last = max(found.file for _, found in mine)
    end = max(found.first + found.count for _, found in mine if found.file == last)
    if end == frames[last]:
        return {}
    return dict.fromkeys((i for i, found in mine if found.file == last), _surplus(frames[last], end))


_FIRST_ONES = "if the first frames are those of its rows, say --trust video"


def _surplus(frames: int, end: int) -> UnknownFrames:
    return UnknownFrames(
        f"its video holds {counted(frames, 'frame')}, {frames - end} behind all that rows are known to have: "
        "if one of them is "
        "anywhere before, rows behind it would show the frames of others; if all are at the end, say --trust video",
        is_choice=True,
    )


def _doubt(needed: int, end: int, frames: int) -> UnknownFrames:
    held = f"{counted(needed, 'row')}" if needed > frames else f"{counted(needed, 'row')} up to its frame {end - 1}"
    return UnknownFrames(
        f"its video holds {counted(frames, 'frame')} for {held}, and nothing tells which are missing: rows "
        "behind them would show "
        "the frames of others; if only the file's end is missing, say --trust video"
    )


def with_gaps(found: FrameRange | UnknownFrames, missing: Sequence[int]) -> FrameRange | UnknownFrames:
    """A range of places on the grid as one of frames, where the times of a file say that some places have none.

    missing: the places without a frame, in order.
    """
    if isinstance(found, UnknownFrames):
        return found
    inside = [place for place in missing if found.first <= place < found.first + found.count]
    if inside:
        return UnknownFrames(f"by the times of its packets row {inside[0] - found.first} has no frame")
    before = sum(place < found.first for place in missing)
    return replace(found, first=found.first - before)


def _in_file(
    lengths: Sequence[int], claims: Sequence[ClaimedFrames], frames: int, numbers: Sequence[int]
) -> dict[int, FrameRange | UnknownFrames]:
    """Episodes of one file, in the order of their frames."""
    if sum(lengths) == frames:
        starts = [claim.first for claim in claims]
        if any(a >= b for a, b in pairwise(starts)) or not _is_tiled(lengths, claims):
            order = np.argsort(numbers, kind="stable").tolist()  # the format's own: episodes follow each other
            lengths, claims, numbers = ([values[k] for k in order] for values in (lengths, claims, numbers))
        return dict(zip(numbers, _one_after_the_other(lengths, claims), strict=True))
    ranges: dict[int, FrameRange | UnknownFrames] = {}
    before = 0
    for position, (length, own) in enumerate(zip(lengths, claims, strict=True)):
        after = claims[position + 1].first if position + 1 < len(claims) else None
        ranges[numbers[position]] = _single(length, own, frames, before, after)
        before = own.first + max(own.count, 1)
    return ranges


def _is_tiled(lengths: Sequence[int], claims: Sequence[ClaimedFrames]) -> bool:
    """Whether the claims are one after the other already."""
    ends = np.cumsum([0, *lengths]).tolist()
    return all(claim.first == end for claim, end in zip(claims, ends, strict=False))


def _one_after_the_other(lengths: Sequence[int], claims: Sequence[ClaimedFrames]) -> list[FrameRange | UnknownFrames]:
    """As many frames as rows: then only one way is possible in an order."""
    first = 0
    ranges: list[FrameRange | UnknownFrames] = []
    for length, own in zip(lengths, claims, strict=True):
        same = (own.first, own.count) == (first, length)
        was = f"the metadata said frames {own.first} to {own.first + own.count - 1}, the counts say {first} to "
        ranges.append(FrameRange(own.file, first, length, "" if same else f"{was}{first + length - 1}"))
        first += length
    return ranges


def _single(length: int, own: ClaimedFrames, frames: int, before: int, after: int | None) -> FrameRange | UnknownFrames:
    """One episode by its own metadata, when that does not contradict its neighbours or the file."""
    limit = frames if after is None else min(after, frames)
    if own.first < before:
        return UnknownFrames(
            f"its frames from {own.first} on would be those of the episode before, which ends at {before}"
        )
    if own.first >= frames:
        return UnknownFrames(f"its frames begin at {own.first}, the file holds {frames}")
    if limit - own.first == length:
        note = "" if own.count == length else f"the metadata said {counted(own.count, 'frame')}, there are {length}"
        return FrameRange(own.file, own.first, length, note)
    if own.count < length:
        return UnknownFrames(
            f"{counted(length, 'row has', 'rows have')} {counted(own.count, 'frame')}, and nothing tells which "
            "rows are without"
        )
    if after is not None and own.first + own.count > after:
        return UnknownFrames(f"its frames to {own.first + own.count - 1} would be those of the next episode")
    have = min(length, frames - own.first)
    if have < length:
        return FrameRange(own.file, own.first, have, f"the file ends after {have} of its {counted(length, 'frame')}")
    extra = own.count - length
    return FrameRange(
        own.file, own.first, have, f"{counted(extra, 'frame')} after its last row left out" if extra else ""
    )


def _tiled(lengths: Sequence[int], frames: Sequence[int], cut: Collection[int]) -> list[FrameRange | UnknownFrames]:
    """Episodes one after the other over files: from the front, and from the back behind a file that does not fit."""
    ranges: list[FrameRange | UnknownFrames] = []
    for file, count in enumerate(frames):
        number, first = len(ranges), 0
        mine: list[FrameRange | UnknownFrames] = []
        while number + len(mine) < len(lengths) and first + lengths[number + len(mine)] <= count:
            length = lengths[number + len(mine)]
            mine.append(FrameRange(file, first, length))
            first += length
        if first != count and number + len(mine) < len(lengths):
            sure = ranges + mine if file in cut else ranges
            return sure + _from_the_back(lengths[len(sure) :], frames[file:], file)
        ranges += mine
    return ranges + [UnknownFrames("no video holds its frames")] * (len(lengths) - len(ranges))


def _from_the_back(lengths: Sequence[int], frames: Sequence[int], file: int) -> list[FrameRange | UnknownFrames]:
    """The last episodes, as long as whole files are filled exactly; the first file is known not to fit."""
    sure: list[FrameRange | UnknownFrames] = []
    stop = len(lengths)
    for back in range(len(frames) - 1, 0, -1):
        start, left = stop, frames[back]
        while start > 0 and left >= lengths[start - 1] > 0:
            start -= 1
            left -= lengths[start]
        if left:
            break
        firsts = [sum(lengths[start:i]) for i in range(start, stop)]
        sure = [*(FrameRange(file + back, f, n) for f, n in zip(firsts, lengths[start:stop], strict=True)), *sure]
        stop = start
    why = UnknownFrames(
        f"the videos hold {counted(sum(frames), 'frame')} for {counted(sum(lengths), 'row')}, and nothing "
        "tells whose are missing"
    )
    return [why] * stop + sure
