"""What stands beside the bytes in messages of cameras, read once: stamps, formats, sizes, and where the bytes are.

Aligning a camera asks for its stamps, then for its formats, then for its images. Each would be a pass
over messages of which all but a few bytes are image.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telecine.core.grid import Rows
from telecine.sources.messages.columns import Joined
from telecine.sources.messages.decoding.cursor import BeyondPrefix
from telecine.sources.messages.decoding.decoders import SerialDecoder
from telecine.sources.messages.decoding.protocol import Batch, Decoder
from telecine.sources.messages.model import Decoded, Leaf

Batches = Callable[[bool], Iterator[Batch]]
"""All messages: whole, or (True) no more than their beginnings, where a container has those at hand."""


@dataclass(frozen=True, slots=True)
class ImageScan:
    """The plain fields of all messages of a topic.

    spans: path of bytes -> (offsets, lengths) of them within the messages `seen.rows`; none where decoders do not tell.
    """

    seen: Decoded
    spans: Mapping[str, tuple[Rows, Rows]]

    def part(self, paths: Sequence[str], rows: Rows | None) -> Decoded:
        """Some of the fields, of some messages."""
        seen = self.seen
        columns = {path: seen.columns[path] for path in seen.columns if path in paths}
        if rows is None:
            return Decoded(seen.rows, columns, seen.failures, seen.tail)
        positions = np.flatnonzero(np.isin(seen.rows, rows))
        asked = set(rows.tolist())
        failures = tuple(failure for failure in seen.failures if failure.row in asked)
        return Decoded(seen.rows[positions], {path: one.take(positions) for path, one in columns.items()}, failures)

    def blobs(self, batch: Batch, path: str) -> Iterator[memoryview | str]:
        """For each message the bytes at `path`, or why they cannot be read."""
        offsets, lengths = self.spans[path]
        rows = self.seen.rows
        positions = np.minimum(np.searchsorted(rows, batch.rows), max(len(rows) - 1, 0))
        raw = memoryview(np.ascontiguousarray(batch.data).data).toreadonly()
        for row, position, start in zip(batch.rows.tolist(), positions.tolist(), batch.starts.tolist(), strict=True):
            if not len(rows) or rows[position] != row:
                yield next(failure.reason for failure in self.seen.failures if failure.row == row)
                continue
            first = start + int(offsets[position])
            yield raw[first : first + int(lengths[position])]


def byte_fields(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """The fields that are bytes of any number: images, packets, clouds of points."""
    return tuple(x.path for x in leaves if x.dtype == "uint8" and x.size is None and x.path.count("[]") == 1)


def plain_fields(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """The fields that are one value."""
    return tuple(x.path for x in leaves if "[]" not in x.path)


def image_scan_of(decoder: Decoder, batches: Batches, count: int) -> ImageScan:
    """Of all `count` messages of a topic; their beginnings do where nothing plain stands behind the bytes."""
    if isinstance(decoder, SerialDecoder):
        try:
            return _scan_images(decoder, batches(True), count)
        except BeyondPrefix:
            pass
    return _scan_images(decoder, batches(False), count)


def _scan_images(decoder: Decoder, batches: Iterator[Batch], count: int) -> ImageScan:
    paths, spans = plain_fields(decoder.leaves), byte_fields(decoder.leaves)
    joined = Joined([leaf for leaf in decoder.leaves if leaf.path in paths], count)
    found: dict[str, list[tuple[Rows, Rows]]] = {path: [] for path in spans}
    for batch in batches:
        answer = decoder.decode(batch, paths, spans)
        joined.add(batch.rows, answer.columns, answer.rows, answer.bad)
        joined.add_tail(answer.tail)
        for path, (starts, lengths) in answer.byte_spans.items():
            found[path].append((starts - batch.starts[answer.rows], lengths))
    none = np.zeros(0, np.int64)
    has_spans = isinstance(decoder, SerialDecoder)
    return ImageScan(
        joined.decoded(),
        {
            path: (np.concatenate([none, *(a for a, _ in parts)]), np.concatenate([none, *(b for _, b in parts)]))
            for path, parts in found.items()
            if has_spans
        },
    )
