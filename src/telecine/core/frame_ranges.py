"""Which frames of which video file belong to each episode, from what is left of a damaged dataset. Pure.

The rule of LeRobot v3.0 is that an episode's frames lie one after the other in one file, and episodes follow each
other in order. So counts alone often correct or complete the metadata. Where they leave a doubt, the episode is lost:
no row gets a frame by a guess.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClaimedFrames:
    """Where the metadata says an episode's frames are: frames [first, first + count) of a file."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Where an episode's frames are: `count` of them, for its first rows, from `first` on in a file.

    note: how that differs from the metadata; "" when it does not.
    """

    file: int
    first: int
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnknownFrames:
    """Why nobody can know which frames are an episode's."""

    why: str


def assign_frames(
    lengths: Sequence[int],
    frames: Sequence[int],
    claims: Sequence[ClaimedFrames | None],
    cut: Collection[int] = (),
) -> list[FrameRange | UnknownFrames]:
    """The range of frames of each episode.

    lengths: rows of each episode, in order. frames: frames in each file, in order; 0 for files that cannot be read.
    claims: the metadata of each episode, None where it has none. cut: files that are known to end too early; in a
        file that only has fewer frames than its episodes need, one may be missing anywhere.
    """
    ranges: dict[int, FrameRange | UnknownFrames] = {}
    for file in range(len(frames)):
        group = [(claim, i) for i, claim in enumerate(claims) if claim is not None and claim.file == file]
        group.sort(key=lambda pair: (pair[0].first, pair[1]))
        numbers, own = [i for _, i in group], [claim for claim, _ in group]
        needed = [lengths[i] for i in numbers]
        foreseen = sum(claim.count for claim in own) <= frames[file]
        if sum(needed) > frames[file] > 0 and not foreseen and file not in cut:
            ranges |= dict.fromkeys(numbers, _doubt(sum(needed), frames[file]))
        else:
            ranges |= _in_file(needed, own, frames[file], numbers)
    without = [i for i, claim in enumerate(claims) if claim is None]
    taken = [
        t
        for t in [*claims, *ranges.values()]
        if isinstance(t, ClaimedFrames | FrameRange) and 0 <= t.file < len(frames)
    ]
    start = max(((t.file, max(0, t.first + t.count)) for t in taken), default=(0, 0))
    rest = [max(0, n - start[1]) if f == start[0] else n for f, n in enumerate(frames) if f >= start[0]]
    for i, found in zip(without, _tiled([lengths[i] for i in without], rest), strict=True):
        if isinstance(found, FrameRange):
            at = start[1] if found.file == 0 else 0
            found = FrameRange(found.file + start[0], found.first + at, found.count, found.note)
        ranges[i] = found
    nowhere = UnknownFrames("the video file that the metadata names is not there")
    return [ranges.get(i, nowhere) for i in range(len(lengths))]


def with_unnamed(
    lengths: Sequence[int], frames: Sequence[int], claims: Sequence[ClaimedFrames | None]
) -> list[ClaimedFrames | None]:
    """The claims; those on a missing file (-1) are on a file that no episode names, where the counts allow one way.

    Episodes of one missing file follow each other, and its frames begin at 0. Their file is the only one not named with
    exactly as many frames as they have rows; or all such files fit all such episodes in order.
    """
    groups: list[list[int]] = []
    for i, claim in enumerate(claims):
        if claim is not None and claim.file < 0:
            before = claims[i - 1] if i else None
            follows = groups and groups[-1][-1] == i - 1 and before is not None and before.first < claim.first
            groups[-1:] = [[*groups[-1], i]] if follows else [*groups[-1:], [i]]
    named = {claim.file for claim in claims if claim is not None}
    free = [file for file, count in enumerate(frames) if file not in named and count]
    needed, held = [sum(lengths[i] for i in group) for group in groups], [frames[file] for file in free]
    if needed != held:  # then only what fits alone
        alone = [n for n in needed if needed.count(n) == held.count(n) == 1]
        groups = [group for group, n in zip(groups, needed, strict=True) if n in alone]
        free = [free[held.index(n)] for n in needed if n in alone]
    found = list(claims)
    for group, file in zip(groups, free, strict=True):
        first = 0
        for i in group:
            found[i] = ClaimedFrames(file, first, lengths[i])
            first += lengths[i]
    return found


def _doubt(needed: int, frames: int) -> UnknownFrames:
    return UnknownFrames(
        f"its video holds {frames} frames for {needed} rows, and nothing tells which are missing: rows behind them "
        "would show the frames of others; if only the file's end is missing, say --trust video"
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
    return FrameRange(found.file, found.first - before, found.count, found.note)


def _in_file(
    lengths: Sequence[int], claims: Sequence[ClaimedFrames], frames: int, numbers: Sequence[int]
) -> dict[int, FrameRange | UnknownFrames]:
    """Episodes of one file, in the order of their frames."""
    if sum(lengths) == frames:
        return dict(zip(numbers, _one_after_the_other(lengths, claims), strict=True))
    ranges: dict[int, FrameRange | UnknownFrames] = {}
    before = 0
    for position, (length, own) in enumerate(zip(lengths, claims, strict=True)):
        after = claims[position + 1].first if position + 1 < len(claims) else None
        ranges[numbers[position]] = _single(length, own, frames, before, after)
        before = own.first + max(own.count, 1)
    return ranges


def _one_after_the_other(lengths: Sequence[int], claims: Sequence[ClaimedFrames]) -> list[FrameRange | UnknownFrames]:
    """As many frames as rows: then only one order is possible."""
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
        note = "" if own.count == length else f"the metadata said {own.count} frames, there are {length}"
        return FrameRange(own.file, own.first, length, note)
    if own.count < length:
        return UnknownFrames(f"{length} rows have {own.count} frames, and nothing tells which rows are without")
    if after is not None and own.first + own.count > after:
        return UnknownFrames(f"its frames to {own.first + own.count - 1} would be those of the next episode")
    have = min(length, frames - own.first)
    if have < length:
        return FrameRange(own.file, own.first, have, f"the file ends after {have} of its {length} frames")
    extra = own.count - length
    return FrameRange(own.file, own.first, have, f"{extra} frames after its last row are left out" if extra else "")


def _tiled(lengths: Sequence[int], frames: Sequence[int]) -> list[FrameRange | UnknownFrames]:
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
            return ranges + _from_the_back(lengths[number:], frames[file:], file)
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
        f"the videos hold {sum(frames)} frames for {sum(lengths)} rows, and nothing tells whose are missing"
    )
    return [why] * stop + sure
