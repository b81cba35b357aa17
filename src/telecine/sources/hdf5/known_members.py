"""A file as layouts see it: what was opened once is known, and arrays are not taken for groups.

Layouts ask for the same members many times, and h5py opens them each time. And h5py gives an array where a layout
expects a group what a group has: `"obs" in array` and `sorted(array)` read it row by row, however many rows it says.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

MOST_BYTES = 1 << 28
"""What is read of an array at once, but for its blocks of rows; more is taken for damage."""
_FEW = 64
"""Members of a group that are listed to know what it has not."""
_CHUNKED = 2
"""`h5py.h5d.CHUNKED`."""


def lies_in_file(opened: Any) -> bool:
    """True for an array whose bytes lie in one piece in its file as they are: no chunks, no filters, nothing elsewhere.

    opened: an `h5py.h5d.DatasetID`. HDF5 tells the address of those alone, and sooner than how an array was created.
    """
    return opened.get_offset() is not None


def _types_of(opened: Any) -> tuple[Any, Any]:
    """(HDF5's type in memory, None where h5py shall find it, numpy's) of an array: h5py makes both anew each time."""
    stored = opened.get_type()
    return next((known for known in _frequent_types() if known[0] == stored), None) or (None, opened.dtype)


@lru_cache(maxsize=1)
def _frequent_types() -> list[tuple[Any, Any]]:
    """(HDF5's type, numpy's) of what most arrays hold."""
    from h5py import h5t

    names = ("IEEE_F64LE", "IEEE_F32LE", "STD_I64LE", "STD_U8LE")
    return [(getattr(h5t, name), getattr(h5t, name).dtype) for name in names]


class KnownArray:
    """An array whose facts were asked once. It has no members, cannot be walked, and is not read whole if it is large.

    shape, chunks: None as h5py says it; size: None without a shape. All else is asked of h5py. Most arrays of a large
    file are small, and h5py's own class takes longer to make of one than the array to read: it is made when needed.
    """

    __iter__ = None

    def __init__(self, opened: Any) -> None:
        """opened: an `h5py.h5d.DatasetID`."""
        self.id = opened
        self.shape: tuple[int, ...] | None = opened.shape
        self._native, self.dtype = _types_of(opened)
        self.ndim = len(self.shape or ())
        self.size: int | None = None if self.shape is None else math.prod(self.shape)

    @cached_property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of what is compressed together; None when rows lie one after the other."""
        if lies_in_file(self.id):
            return None
        made = self.id.get_create_plist()
        chunks: tuple[int, ...] | None = made.get_chunk() if made.get_layout() == _CHUNKED else None
        return chunks

    @cached_property
    def _array(self) -> Any:
        import h5py

        return h5py.Dataset(self.id)

    def __contains__(self, name: object) -> bool:
        return False

    def __getitem__(self, rows: Any) -> Any:
        """As h5py. Raises: KeyError for a name; ValueError for more than `MOST_BYTES`, unless it is a slice of rows."""
        if isinstance(rows, str):
            raise KeyError(rows)
        if not isinstance(rows, slice):
            taken = self.size or 0 if rows == () else math.prod((self.shape or ())[1:])
            if taken * int(self.dtype.itemsize) > MOST_BYTES:
                raise ValueError(f"{self._array.name} of shape {self.shape} is too large to be a value")
        elif self.shape and self.dtype.kind in "fiub" and rows.indices(self.shape[0]) == (0, self.shape[0], 1):
            return self._numbers()
        return self._array[rows]

    def _numbers(self) -> Any:
        """All of it, of plain numbers."""
        import h5py

        read = np.empty(self.shape or (), self.dtype)
        self.id.read(h5py.h5s.ALL, h5py.h5s.ALL, read, self._native)
        return read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._array, name)


class KnownGroup:
    """A group, or the file, that gives what it knows of what is below it, and else asks h5py."""

    def __init__(self, group: Any, known: Mapping[str, Any], above: str = "") -> None:
        """known: path below the group that was walked -> member. above: the path of `group` there, "" or with "/"."""
        self._group, self._known, self._above = group, known, above

    def __getitem__(self, name: Any) -> Any:
        found = self._known.get(self._above + name) if isinstance(name, str) else None
        if found is None:
            found = self._group[name]
        if isinstance(found, KnownGroup | KnownArray):
            return found
        if hasattr(found, "keys"):
            return KnownGroup(found, self._known, f"{self._above}{name}/")
        return KnownArray(found.id) if hasattr(found, "shape") else found

    def get(self, name: str, default: Any = None) -> Any:
        """The member, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def values(self) -> Iterator[Any]:
        """Its members, in the order of their names."""
        return (self[name] for name in self)

    def __contains__(self, name: str) -> bool:
        if self._above + name in self._known:
            return True
        return (self._names is None or "/" in name or name in self._names) and name in self._group

    @cached_property
    def _names(self) -> frozenset[str] | None:
        """Of its links, wherever they lead, where they are few: listed sooner than h5py says that there is no such."""
        return frozenset(self._group) if len(self._group) <= _FEW else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)
