"""Rows of a compressed HDF5 array, whose chunks are compared with what they may unpack to before HDF5 unpacks them.

HDF5's deflate filter doubles its memory until a stream ends, whatever size the chunk has: a megabyte becomes a
gigabyte. Only chunks that could do so are unpacked once before, in pieces; most are too small for it.
"""

import zlib
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.text.numbers import counted

BOMB_BYTES = 1 << 28
_DEFLATE, _DEFLATE_RATIO = 1, 1032
"""The most that deflate makes of a byte (zlib's technical details)."""
_SLACK = 1 << 16
_PIECE_BYTES = 1 << 20


MOST_ROWS = 10_000_000
"""Of an array that is read at once; more are taken for damage."""


def whole(array: Any) -> Any:
    """All of an array of one number or text a row. Raises: SourceError for one that has too many."""
    if array.shape[0] > MOST_ROWS:
        raise SourceError(
            f"{array.name} has {counted(array.shape[0], 'row')}; more than {MOST_ROWS} are taken for damage"
        )
    with raised_as(SourceError, f"{array.name} cannot be read", ValueError, OSError):
        return CheckedRows(array)[0 : array.shape[0]]


class CheckedRows:
    """A `StoredArray` that reads rows of an h5py dataset. Raises: ValueError, for a chunk that unpacks to too much."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype: Any = array.dtype
        self.chunks: tuple[int, ...] | None = array.chunks

    @cached_property
    def _filters(self) -> list[int]:
        """Their numbers; asked when rows are read, since most arrays of a large file are only listed."""
        made = None if self.chunks is None else self._array.id.get_create_plist()  # only chunks are filtered
        return [] if made is None else [made.get_filter(i)[0] for i in range(made.get_nfilters())]

    def __getitem__(self, rows: Any) -> Any:
        if self.chunks and self.shape and isinstance(rows, slice) and self._filters:
            self._check(*rows.indices(self.shape[0])[:2])
        return self._array[rows]

    def _check(self, first: int, stop: int) -> None:
        assert self.chunks is not None
        nominal = int(np.prod(self.chunks, dtype=object)) * int(self.dtype.itemsize)
        starts = [range(first // self.chunks[0] * self.chunks[0], stop, self.chunks[0])]
        starts += [range(0, size, chunk) for size, chunk in zip(self.shape[1:], self.chunks[1:], strict=True)]
        for corner in product(*starts):
            try:
                size = self._array.id.get_chunk_info_by_coord(corner).size
            except (RuntimeError, OSError, KeyError, ValueError):
                continue  # not stored: the fill value
            if size and size > nominal + nominal // 8 + _SLACK:
                raise ValueError(f"a chunk of {counted(nominal, 'byte')} is stored in {size}")
            if _DEFLATE in self._filters and size and size * _DEFLATE_RATIO > nominal + BOMB_BYTES:
                self._check_inflated(corner, nominal)

    def _check_inflated(self, corner: tuple[int, ...], nominal: int) -> None:
        mask, packed = self._array.id.read_direct_chunk(corner)
        if mask >> self._filters.index(_DEFLATE) & 1:
            return  # this chunk was left as it was
        decompressor, count = zlib.decompressobj(), 0
        while not decompressor.eof and packed:
            try:
                count += len(decompressor.decompress(packed, _PIECE_BYTES))
            except zlib.error:
                return  # HDF5 reports what is wrong with it
            if count > nominal + _SLACK:
                raise ValueError(f"a chunk of {counted(nominal, 'byte')} unpacks to more, which is taken for damage")
            packed = decompressor.unconsumed_tail
