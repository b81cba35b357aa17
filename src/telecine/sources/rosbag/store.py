"""The messages of one ROS 1 bag, chunk by chunk."""

from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.recording import Array
from telecine.sources.format import MissingExtra
from telecine.sources.messages.decoding.protocol import Batch, Definition
from telecine.sources.messages.model import MessageClock
from telecine.sources.messages.store import Channel
from telecine.sources.rosbag.records import BagBlock, BagLayout, scan
from telecine.sources.shared.chunk_file import ChunkFile
from telecine.sources.shared.truncation import lost_behind


class BagStore:
    """A `Store` over an open bag. recover: chunks that are damaged are left out and counted in `lost`."""

    def __init__(self, file: IO[bytes], layout: BagLayout, label: str, recover: bool) -> None:
        self.label = label
        self.lost: list[str] = []
        self._file, self._layout, self._recover = ChunkFile(file, label), layout, recover
        for block in layout.blocks:
            self._scan(block)
        unknown = {key for block in layout.blocks for key in block.entries} - layout.connections.keys()
        self.lost += [f"messages of the connection {key}, which the bag does not define" for key in sorted(unknown)]

    @property
    def channels(self) -> Sequence[Channel]:
        """One for each connection."""
        return [
            Channel(one.id, one.topic, Definition(one.type, "ros1", "ros1msg", one.definition), one.latching)
            for one in sorted(self._layout.connections.values(), key=lambda one: one.id)
        ]

    def times(self, keys: Sequence[int], clock: MessageClock) -> Times:
        """See `Store.times`; a bag has only one time for each message."""
        del clock
        parts = [_in_order(block, keys)[:, 0] for block in self._layout.blocks]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def batches(self, keys: Sequence[int], rows: Rows | None) -> Iterator[Batch]:
        """See `Store.batches`: one batch for each chunk."""
        first = 0
        for block in self._layout.blocks:
            table = _in_order(block, keys)
            mine: Rows = np.arange(len(table))
            if rows is not None:
                low, high = np.searchsorted(rows, [first, first + len(table)])
                mine = rows[low:high] - first
            if len(mine):
                yield Batch(mine + first, self._file.expanded(block), table[mine, 1], table[mine, 2])
            first += len(table)

    def prefixes(self, keys: Sequence[int]) -> Iterator[Batch]:
        """See `Store.prefixes`."""
        return self.batches(keys, None)

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._file.close()

    def _scan(self, block: BagBlock) -> None:
        try:
            data = self._file.expanded(block)
        except SourceError as error:
            if not self._recover or isinstance(error, MissingExtra):
                raise
            self.lost.append(f"the damaged chunk at byte {block.at}")
            return
        block.entries, end = scan(data, self._layout)
        if end < len(data) and block.whole:
            self.lost.append(lost_behind(self.label, block.at, end, self._recover))


def _in_order(block: BagBlock, keys: Sequence[int]) -> Array:
    """(n, 3) time, first byte, size of the messages of these connections, in the order of the file."""
    tables = [block.entries[key] for key in keys if key in block.entries]
    if not tables:
        return np.zeros((0, 3), np.int64)
    table = np.concatenate(tables)
    return table if len(tables) == 1 else table[np.argsort(table[:, 1], kind="stable")]
