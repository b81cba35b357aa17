"""Parts of a conversion that are made anywhere and joined later: which recordings each has. Pure.

The cut depends on the recordings and the number of shards alone. Each shard has a contiguous part of the recordings, in
their order, of about the same bytes; so the episodes of all shards, one after the other, are in the order of one run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from telecine.core.errors import PlanError

MOST_CHUNKS = 1000
"""Of a dataset: LeRobot sorts names of files as text, and chunk-1000 comes before chunk-101."""


@dataclass(frozen=True, order=True, slots=True)
class Shard:
    """Part `number`, from 1, of `of`.

    >>> str(Shard(7, 200)), Shard(7, 200).name
    ('7/200', 'shard-007')
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """What its files are called: `shard-007`."""
        return name_of(self.number)


def name_of(number: int) -> str:
    """What the files of shard `number` are called."""
    return f"shard-{number:03d}"


def shard_of(given: str | tuple[int, int]) -> Shard:
    """The shard that a text such as "7/200", or a pair of numbers, names. Raises: PlanError.

    >>> shard_of("7/200") == shard_of((7, 200))
    True
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", given.strip()) if isinstance(given, str) else None
    pair = (int(match[1]), int(match[2])) if match else given
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(n, int) for n in pair):
        raise PlanError(f"--shard {given!r}: expected I/N, such as 7/200, the seventh of 200 parts")
    number, of = pair
    if not 1 <= of <= MOST_CHUNKS:
        raise PlanError(f"--shard {number}/{of}: a conversion has 1 to {MOST_CHUNKS} parts")
    if not 1 <= number <= of:
        raise PlanError(f"--shard {number}/{of}: parts are counted from 1 to {of}, as arrays of jobs are (1-{of})")
    return Shard(number, of)


SMALL_SHARD_BYTES = 128 << 20
"""Recordings of less are converted before starting one more process has paid."""
LARGE_SHARD_BYTES = 8 << 30
"""Of recordings in a shard at most, so that one that is lost costs minutes, not days."""
_PER_SLOT = 4
"""Shards for each place to work, so that no place waits long for the last one."""


def shards_for(recordings: int, size_bytes: int, slots: int) -> int:
    """How many shards a conversion deserves that `slots` processes work on at a time. size_bytes: 0 where unknown.

    >>> shards_for(recordings=76_000, size_bytes=8_700 << 30, slots=64), shards_for(20, 1 << 20, slots=64)
    (1000, 1)
    """
    wanted = max(_PER_SLOT * slots, -(-size_bytes // LARGE_SHARD_BYTES))
    deserved = -(-size_bytes // SMALL_SHARD_BYTES) if size_bytes else wanted
    return max(1, min(wanted, deserved, recordings, MOST_CHUNKS))


def cut(sizes: Sequence[int], of: int) -> list[range]:
    """The positions that each of `of` shards has; sizes: of the recordings, in bytes.

    A recording belongs to the shard in whose share of all bytes its middle lies.

    >>> cut([10, 10, 10, 10, 40], 2)
    [range(0, 4), range(4, 5)]
    """
    weights = [max(size, 1) for size in sizes]
    total, before = sum(weights), list(accumulate(weights, initial=0))
    owners = [(2 * seen + weight) * of // (2 * total) for seen, weight in zip(before, weights, strict=False)]
    starts = [0] * (of + 1)
    for owner in owners:
        starts[owner + 1] += 1
    bounds = list(accumulate(starts))
    return [range(bounds[i], bounds[i + 1]) for i in range(of)]


def chunk_of(shard: Shard, first: int) -> int:
    """The chunk that the shard's files begin in; the last shard has all that follow. first: that of the first shard."""
    return first + shard.number - 1


def chunks_of(shard: Shard, first: int) -> int:
    """How many chunks the shard may fill."""
    return MOST_CHUNKS - chunk_of(shard, first) if shard.number == shard.of else 1
