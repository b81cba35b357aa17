"""Where the metadata of a damaged dataset says frames are, set right where counts leave one way. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from telecine.core.frame_ranges import ClaimedFrames


def with_forgotten(lengths: Sequence[int], claims: Sequence[ClaimedFrames | None]) -> list[ClaimedFrames | None]:
    """The claims; episodes that the metadata forgot fill what lies between their neighbours where that is exact."""
    found = list(claims)
    known = [i for i, claim in enumerate(claims) if claim is not None]
    for before, after in pairwise(known):
        left, right, between = claims[before], claims[after], range(before + 1, after)
        assert left is not None
        assert right is not None
        at = left.first + left.count
        if left.file != right.file or right.first - at != sum(lengths[i] for i in between):
            continue
        for i in between:
            found[i] = ClaimedFrames(left.file, at, lengths[i])
            at += lengths[i]
    return found


def with_exchanged_files(
    lengths: Sequence[int], frames: Sequence[int], claims: Sequence[ClaimedFrames | None]
) -> list[ClaimedFrames | None]:
    """The claims; on the files that hold as many frames as the episodes of another file have rows, and the reverse."""
    needed = {claim.file: 0 for claim in claims if claim is not None and claim.file >= 0}
    for length, claim in zip(lengths, claims, strict=True):
        if claim is not None and claim.file >= 0:
            needed[claim.file] += length
    odd = [file for file, count in needed.items() if frames[file] != count]
    by_count = {frames[file]: file for file in odd}
    if sorted(by_count) != sorted(needed[file] for file in odd):
        return list(claims)
    return [
        replace(claim, file=by_count[needed[claim.file]]) if claim is not None and claim.file in odd else claim
        for claim in claims
    ]


def with_order(
    lengths: Sequence[int],
    frames: Sequence[int],
    claims: Sequence[ClaimedFrames | None],
    episodes: Sequence[int],
) -> list[ClaimedFrames | None]:
    """The claims; where they fill a file in another order than that of their episodes, in that order.

    episodes: the number of each; every writer lets the frames of episodes follow each other.
    """
    found = list(claims)
    for file, count in enumerate(frames):
        group = sorted((claim.first, i) for i, claim in enumerate(claims) if claim is not None and claim.file == file)
        numbers = [i for _, i in group]
        in_order = sorted(numbers, key=lambda i: episodes[i])
        ends = np.cumsum([0, *(lengths[i] for i in numbers)]).tolist()
        if in_order == numbers or [*(first for first, _ in group), count] != ends:
            continue
        first = 0
        for i in in_order:
            found[i] = ClaimedFrames(file, first, lengths[i])
            first += lengths[i]
    return found


def with_unnamed(
    lengths: Sequence[int],
    frames: Sequence[int],
    claims: Sequence[ClaimedFrames | None],
    unnumbered: Collection[int] = (),
) -> list[ClaimedFrames | None]:
    """The claims; those on a missing file (-1) are on a file that no episode names, where the counts allow one way.

    Episodes of one missing file follow each other, and its frames begin at 0. Their file is the only one not named with
    exactly as many frames as they have rows; or all such files fit all such episodes in order.

    unnumbered: files whose names tell nothing of their order.
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
    is_ordered = len(set(held)) == len(held) or not any(file in unnumbered for file in free)
    if needed != held or not is_ordered:  # then only what fits alone
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
