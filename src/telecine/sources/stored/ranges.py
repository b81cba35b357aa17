"""Formats whose files are indexed where they lie, which reads a small part of them.

Opening one takes a copy: stamps of messages lie beside the frames of cameras, and HDF5 may have files beside it.
"""

from typing import BinaryIO, cast

from telecine.core.errors import SourceError, StoreError
from telecine.core.text.addresses import store_address
from telecine.storage.addressed import store_of
from telecine.storage.ranged_file import RangedFile

_FORMATS = {"mcap": 0, "rosbag": 0, "hdf5": 32 << 20}
"""They have an index, and their readers take any file -> from how many bytes on it is worth more requests.

What tells the episodes of an HDF5 file lies all over it: a small one is read sooner as a whole.
"""


def is_ranged(path: str, form: str, size_bytes: int) -> bool:
    """True for a file that is indexed by ranges; one that is compressed as a whole has to be read as a whole."""
    return form in _FORMATS and size_bytes >= _FORMATS[form] and not path.lower().endswith(".zstd")


def open_ranged(path: str) -> BinaryIO:
    """A file of a store, open for reading. Raises: SourceError when it is not there; StoreError."""
    address = store_address(path)
    store = store_of(address)
    file = store.head(address.key)
    if file is None:
        raise SourceError(f"{path}: is not there any more")
    return cast("BinaryIO", _SourceFile(store, file))


class _SourceFile(RangedFile):
    """Raises SourceError alone, as whoever reads a recording expects."""

    def _range(self, start: int, stop: int) -> bytes:
        try:
            return super()._range(start, stop)
        except StoreError as error:
            raise SourceError(str(error)) from error
        except FileNotFoundError as error:
            raise SourceError(f"{error}: went away while it was read") from error
