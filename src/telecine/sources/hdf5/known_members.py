"""A file as layouts see it: what was opened once is known, and arrays are not taken for groups.

Layouts ask for the same members many times, and h5py opens them each time. And h5py gives an array where a layout
expects a group what a group has: `"obs" in array` and `sorted(array)` read it row by row, however many rows it says.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES = 1 << 28
"""What is read of an array at once, but for its blocks of rows; more is taken for damage."""


class KnownArray:
    """An array whose facts were asked once. It has no members, cannot be walked, and is not read whole if it is large.

    shape, chunks: None as h5py says it; size: None without a shape. All else is asked of h5py.
    """

    __iter__ = None

    def __init__(self, array: Any) -> None:
        """array: an `h5py.Dataset`."""
        self._array = array
        self.shape: tuple[int, ...] | None = array.shape
        self.dtype: Any = array.dtype
        self.ndim = len(self.shape or ())
        self.size: int | None = None if self.shape is None else math.prod(self.shape)
        self.chunks: tuple[int, ...] | None = array.chunks

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
        return self._array[rows]

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
        return KnownArray(found) if hasattr(found, "shape") else found

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
        return self._above + name in self._known or name in self._group

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)
