"""Which pictures of which video file belong to each episode, from what a damaged dataset still says. Pure.

The rule of LeRobot v3.0 is that an episode's pictures lie one after the other in one file, and episodes follow each
other in order. So counts alone often tell what the metadata says wrongly or not at all. Where they leave a doubt,
the episode is lost: a picture is never guessed to a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClaimedFrames:
    """Where the metadata says an episode's pictures are: pictures [first, first + count) of a file."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Where an episode's pictures are: `count` of them, for its first rows, from `first` on in a file.

    note: how that differs from what was told; "" when it does not.
    """

    file: int
    first: int
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnknownFrames:
    """Why it cannot be told which pictures are an episode's."""

    why: str


def place_pictures(
    lengths: Sequence[int], frames: Sequence[int], told: Sequence[ClaimedFrames | None]
) -> list[FrameRange | UnknownFrames]:
    """The place of each episode's pictures.

    lengths: rows of each episode, in order. frames: pictures in each file, in order; 0 for files that cannot be read.
    told: what the metadata says of each episode, None where it is silent.
    """
    placed: dict[int, FrameRange | UnknownFrames] = {}
    for file in range(len(frames)):
        group = [(told_, i) for i, told_ in enumerate(told) if told_ is not None and told_.file == file]
        group.sort(key=lambda pair: (pair[0].first, pair[1]))
        placed |= _in_file([lengths[i] for _, i in group], [t for t, _ in group], frames[file], [i for _, i in group])
    silent = [i for i, told_ in enumerate(told) if told_ is None]
    taken = [
        t for t in [*told, *placed.values()] if isinstance(t, ClaimedFrames | FrameRange) and 0 <= t.file < len(frames)
    ]
    start = max(((t.file, max(0, t.first + t.count)) for t in taken), default=(0, 0))
    rest = [max(0, n - start[1]) if f == start[0] else n for f, n in enumerate(frames) if f >= start[0]]
    for i, found in zip(silent, _tiled([lengths[i] for i in silent], rest), strict=True):
        if isinstance(found, FrameRange):
            at = start[1] if found.file == 0 else 0
            found = FrameRange(found.file + start[0], found.first + at, found.count, found.note)
        placed[i] = found
    nowhere = UnknownFrames("the video file that the metadata names is not there")
    return [placed.get(i, nowhere) for i in range(len(lengths))]


def _in_file(
    lengths: Sequence[int], told: Sequence[ClaimedFrames], frames: int, numbers: Sequence[int]
) -> dict[int, FrameRange | UnknownFrames]:
    """Episodes of one file, in the order of their pictures."""
    if sum(lengths) == frames:
        return dict(zip(numbers, _one_after_the_other(lengths, told), strict=True))
    placed: dict[int, FrameRange | UnknownFrames] = {}
    before = 0
    for position, (length, own) in enumerate(zip(lengths, told, strict=True)):
        after = told[position + 1].first if position + 1 < len(told) else None
        placed[numbers[position]] = _single(length, own, frames, before, after)
        before = own.first + max(own.count, 1)
    return placed


def _one_after_the_other(lengths: Sequence[int], told: Sequence[ClaimedFrames]) -> list[FrameRange | UnknownFrames]:
    """As many pictures as rows: then only one order is possible."""
    first = 0
    placed: list[FrameRange | UnknownFrames] = []
    for length, own in zip(lengths, told, strict=True):
        same = (own.first, own.count) == (first, length)
        was = f"the metadata said pictures {own.first} to {own.first + own.count - 1}, the counts say {first} to "
        placed.append(FrameRange(own.file, first, length, "" if same else f"{was}{first + length - 1}"))
        first += length
    return placed


def _single(length: int, own: ClaimedFrames, frames: int, before: int, after: int | None) -> FrameRange | UnknownFrames:
    """One episode by what is told of it, when it does not contradict its neighbours or the file."""
    limit = frames if after is None else min(after, frames)
    if own.first < before:
        return UnknownFrames(
            f"its pictures from {own.first} on would be those of the episode before, which ends at {before}"
        )
    if own.first >= frames:
        return UnknownFrames(f"its pictures begin at {own.first}, the file holds {frames}")
    if limit - own.first == length:
        note = "" if own.count == length else f"the metadata said {own.count} pictures, there are {length}"
        return FrameRange(own.file, own.first, length, note)
    if own.count < length:
        return UnknownFrames(f"{length} rows have {own.count} pictures, and nothing tells which rows are without")
    if after is not None and own.first + own.count > after:
        return UnknownFrames(f"its pictures to {own.first + own.count - 1} would be those of the next episode")
    have = min(length, frames - own.first)
    if have < length:
        return FrameRange(own.file, own.first, have, f"the file ends after {have} of its {length} pictures")
    extra = own.count - length
    return FrameRange(own.file, own.first, have, f"{extra} pictures after its last row are left out" if extra else "")


def _tiled(lengths: Sequence[int], frames: Sequence[int]) -> list[FrameRange | UnknownFrames]:
    """Episodes one after the other over files: from the front, and from the back behind a file that does not fit."""
    placed: list[FrameRange | UnknownFrames] = []
    for file, count in enumerate(frames):
        number, first = len(placed), 0
        mine: list[FrameRange | UnknownFrames] = []
        while number + len(mine) < len(lengths) and first + lengths[number + len(mine)] <= count:
            length = lengths[number + len(mine)]
            mine.append(FrameRange(file, first, length))
            first += length
        if first != count and number + len(mine) < len(lengths):
            return placed + _from_the_back(lengths[number:], frames[file:], file)
        placed += mine
    return placed + [UnknownFrames("no video holds its pictures")] * (len(lengths) - len(placed))


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
        f"the videos hold {sum(frames)} pictures for {sum(lengths)} rows, and nothing tells whose are missing"
    )
    return [why] * stop + sure
