"""Small messages of all channels, collected in one pass over a file.

Chunks hold cameras and joints together, and each topic is read by itself: without this, every topic of numbers would
expand all pictures again. What is collected is bounded; channels beyond that are read chunk by chunk.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from telecine.core.recording import Array
from telecine.core.time import Rows

SMALL_BYTES = 4096
"""Messages that are larger on average are not collected."""
_BATCH_BYTES = 1 << 20

Piece = tuple[Array, Rows]
"""(bytes uint8 of messages without gaps, (n,) their sizes)."""


class SmallMessages:
    """Collects by channel, up to `most_bytes` in all."""

    def __init__(self, counts: Mapping[int, int], most_bytes: int) -> None:
        self._left_bytes = most_bytes
        self._pieces: dict[int, list[Piece]] = {key: [] for key, count in counts.items() if count}
        self._open: dict[int, list[Piece]] = {key: [] for key in self._pieces}

    def wants(self, key: int) -> bool:
        """True while all messages of the channel so far were collected."""
        return key in self._pieces

    def add(self, key: int, data: Array, starts: Rows, sizes: Rows) -> None:
        """Messages of one chunk, in order; a channel that turns out to be large is given up."""
        total = int(sizes.sum())
        if total > SMALL_BYTES * len(sizes) or total > self._left_bytes:
            self._left_bytes += sum(len(held) for held, _ in self._pieces.pop(key) + self._open.pop(key))
            return
        self._left_bytes -= total
        self._open[key].append((_together(data, starts, sizes), sizes))
        if sum(len(held) for held, _ in self._open[key]) >= _BATCH_BYTES:
            self._close(key)

    def _close(self, key: int) -> None:
        pieces = self._open[key]
        if pieces:
            joined = np.concatenate([held for held, _ in pieces]), np.concatenate([sizes for _, sizes in pieces])
            self._pieces[key].append(joined)
            self._open[key] = []

    def batches(self, key: int, rows: Rows | None) -> Iterator[tuple[Rows, Array, Rows, Rows]]:
        """(rows, bytes, starts, sizes) of the messages at `rows` (increasing), or of all."""
        self._close(key)
        first = 0
        for held, sizes in self._pieces[key]:
            starts = np.cumsum(sizes) - sizes
            mine: Rows = np.arange(len(sizes))
            if rows is not None:
                low, high = np.searchsorted(rows, [first, first + len(sizes)])
                mine = rows[low:high] - first
            if len(mine):
                yield mine + first, held, starts[mine], sizes[mine]
            first += len(sizes)


def _together(data: Array, starts: Rows, sizes: Rows) -> Array:
    """The messages one behind the other."""
    size = int(sizes[0])
    if size and (sizes == size).all():
        rows: Array = np.ndarray((len(data) - size + 1,), f"V{size}", data, 0, (1,))[starts]
        return rows.view(np.uint8)
    parts = [data[start : start + count] for start, count in zip(starts.tolist(), sizes.tolist(), strict=True)]
    return np.concatenate(parts)
