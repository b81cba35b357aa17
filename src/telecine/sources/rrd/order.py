"""Which sample of an RRD is when: the stamps and row ids of its chunks, put together.

Samples are numbered by their position in the file. Rerun gives every row an id that grows in order of logging, which
is the order of arrival even where chunks were written or merged in another order.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.recording import ClockKind
from telecine.core.video import Flags
from telecine.sources.rrd.columns import RowIds
from telecine.sources.shared.sample_order import Order

_COUNTED_ANEW = "log_tick"
"""Rerun's own counter begins at 0 in every process."""


@dataclass(frozen=True, slots=True)
class ChunkSamples:
    """The samples of one chunk: row ids and the stamps of each clock, both (k, ...); no clocks: static."""

    ids: RowIds
    stamps: Mapping[str, tuple[ClockKind, Times]]
    layer: int = 0
    """The number of the file that it is from."""


def order_of(parts: Sequence[ChunkSamples], name: str = "") -> Order:
    """The order of all samples of `parts`, given in file order; `name` is what errors call the stream.

    Like in Rerun a static value hides every timed one, and the last static value counts. A row that several files
    hold is one sample.

    Raises:
        SourceError: several files hold different rows for the same time.
    """
    sizes = [len(part.ids) for part in parts]
    ids = np.concatenate([np.zeros((0, 2), np.uint64), *(part.ids for part in parts)])
    arrival = np.lexsort((ids[:, 1], ids[:, 0])).astype(np.int64)
    arrival = arrival[np.append(True, np.any(np.diff(ids[arrival], axis=0) != 0, axis=1))[: arrival.size]]
    layers = np.repeat([part.layer for part in parts], sizes)
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
    _refuse_two_at_a_time(ids, layers, stamps, there, name)
    return Order(False, arrival, {clock: kinds[clock] for clock in stamps}, stamps, there)


def _refuse_two_at_a_time(
    ids: RowIds, layers: Rows, stamps: Mapping[str, Times], there: Mapping[str, Flags], name: str
) -> None:
    """SourceError when rows that only one file holds lie among those of another, on any clock."""
    if np.unique(layers).size < 2:
        return
    _, whose, times_held = np.unique(ids, axis=0, return_inverse=True, return_counts=True)
    own = times_held[whose.reshape(-1)] == 1
    for clock, values in stamps.items():
        if clock == _COUNTED_ANEW:
            continue
        spans = []
        for layer in np.unique(layers):
            held = values[(layers == layer) & there[clock] & own]
            if held.size:
                spans.append((int(held.min()), int(held.max())))
        for (_, stop), (start, _) in pairwise(sorted(spans)):
            if start < stop:
                raise SourceError(f"{name}: several files hold different data for the same times on {clock!r}")
