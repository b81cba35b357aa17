"""Which sample of an RRD is when: the stamps and row ids of its chunks, put together.

Samples are numbered by their position in the file. Rerun gives every row an id that grows in order of logging, which
is the order of arrival even where chunks were written or merged in another order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telecine.core.grid import Times
from telecine.core.recording import ClockKind
from telecine.sources.rrd.columns import RowIds
from telecine.sources.shared.sample_order import Order


@dataclass(frozen=True, slots=True)
class ChunkSamples:
    """The samples of one chunk: row ids and the stamps of each clock, both (k, ...); no clocks: static."""

    ids: RowIds
    stamps: Mapping[str, tuple[ClockKind, Times]]


def order_of(parts: Sequence[ChunkSamples]) -> Order:
    """The order of all samples of `parts`, given in file order.

    Like in Rerun a static value hides every timed one, and the last static value counts.
    """
    sizes = [len(part.ids) for part in parts]
    ids = np.concatenate([np.zeros((0, 2), np.uint64), *(part.ids for part in parts)])
    arrival = np.lexsort((ids[:, 1], ids[:, 0])).astype(np.int64)
    static = np.repeat([not part.stamps for part in parts], sizes).astype(np.bool_)
    if static.any():
        return Order(True, arrival[static[arrival]][-1:], {}, {}, {})
    kinds = {clock: kind for part in reversed(parts) if len(part.ids) for clock, (kind, _) in part.stamps.items()}
    stamps = {clock: np.zeros(len(ids), np.int64) for clock in sorted(kinds)}
    there = {clock: np.zeros(len(ids), np.bool_) for clock in stamps}
    at = 0
    for part, size in zip(parts, sizes, strict=True):
        for clock, (_, values) in part.stamps.items():
            if clock in stamps:
                stamps[clock][at : at + size] = values
                there[clock][at : at + size] = True
        at += size
    return Order(False, arrival, {clock: kinds[clock] for clock in stamps}, stamps, there)
