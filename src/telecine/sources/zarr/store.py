"""The files of a zarr recording, each checked before zarr gets its bytes: kind, place, size, and the codecs it names.

Import it where zarr is used, inside a function: it needs zarr.
"""

import asyncio
import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.buffer.core import default_buffer_prototype
from zarr.storage import LocalStore, ZipStore

from telecine.core.text.numbers import counted
from telecine.sources.shared.confinement import confined
from telecine.sources.shared.zip_members import member_of, read_member
from telecine.sources.zarr.allowed import LARGEST_BYTES, codec_fault, most_bytes
from telecine.storage.on_demand import present, ranged_at

_DOCUMENTS = ("zarr.json", ".zarray", ".zgroup", ".zmetadata", ".zattrs")
_LARGEST_DOCUMENT = 1 << 24


def _check_size(key: str, size: int) -> None:
    most = _LARGEST_DOCUMENT if key.endswith(_DOCUMENTS) else LARGEST_BYTES
    if size > most:
        raise ValueError(f"{key}: {counted(size, 'byte is', 'bytes are')} more than the {most} that are read at once")


def _checked(key: str, buffer: Buffer | None) -> Buffer | None:
    """The bytes of a file, once its metadata names nothing but what may be used."""
    if buffer is not None and key.endswith(_DOCUMENTS) and not key.endswith(".zattrs"):
        try:
            fault = codec_fault(json.loads(buffer.to_bytes()))
        except RecursionError as error:
            raise ValueError(f"{key}: nested too deeply") from error
        if fault:
            raise ValueError(f"{key.rpartition('/')[0] or key}: {fault}")
    return buffer


class CheckedFolder(LocalStore):  # type: ignore[misc]
    """A folder. Chunks are read one by one, so each is checked when it is asked for."""

    def __init__(self, root: str) -> None:
        super().__init__(root, read_only=True)
        self._confinement = confined(root)

    def _check(self, key: str) -> None:
        path = self.root / key
        if ".." in Path(key).parts:
            raise ValueError(f"{key}: leads outside of the recording")
        if problem := self._confinement.problem(path):
            raise ValueError(f"{key}: {problem}")
        try:
            _check_size(key, path.stat().st_size)
        except OSError as error:
            if not self.root.is_dir():
                raise ValueError(f"{self.root}: is not there any more") from error
            return  # a chunk that is not there holds the fill value, which zarr knows
        present(path)

    def children(self, group: str) -> list[str]:
        """Names of what lies in a group, in order."""
        folder = self.root / group
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    async def get(self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None) -> Buffer | None:
        """See `zarr.abc.store.Store`. Raises: ValueError."""
        await asyncio.to_thread(self._check, key)
        found = await super().get(key, prototype or default_buffer_prototype(), byte_range)
        return _checked(key, found) if byte_range is None else found

    def get_sync(self, key: str, **options: Any) -> Buffer | None:
        """The same, for versions of zarr that read without their event loop."""
        self._check(key)
        found = super().get_sync(key, **options)
        return _checked(key, found) if options.get("byte_range") is None else found

    async def get_partial_values(self, prototype: BufferPrototype, key_ranges: Any) -> list[Buffer | None]:
        """See `zarr.abc.store.Store`."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]


class CheckedZip(ZipStore):  # type: ignore[misc]
    """A zip file. Members are read in memory and never written out, so their names lead nowhere."""

    def children(self, group: str) -> list[str]:
        """Names of what lies in a group, in order."""
        inside = [name.removeprefix(f"{group}/") for name in self._zf.namelist() if name.startswith(f"{group}/")]
        return sorted({name.partition("/")[0] for name in inside if "/" in name})

    def _sync_open(self) -> None:
        if (file := ranged_at(Path(self.path))) is None:
            super()._sync_open()
            return
        self._zf, self._lock, self._is_open = zipfile.ZipFile(file), threading.RLock(), True

    def _get(self, key: str, prototype: BufferPrototype, byte_range: Any = None) -> Buffer | None:
        if not self._is_open:
            self._sync_open()
        most = _LARGEST_DOCUMENT if key.endswith(_DOCUMENTS) else most_bytes(os.path.getsize(self.path))  # noqa: PTH202
        try:
            start, stop = _range(byte_range, member_of(self._zf, key, most).file_size)
            found = prototype.buffer.from_bytes(read_member(self._zf, key, most, start, stop))
        except KeyError:
            return None  # a chunk that is not there holds the fill value, which zarr knows
        return _checked(key, found) if byte_range is None else found


def _range(asked: Any, size: int) -> tuple[int, int]:
    """Bytes [start, stop) that a request of zarr's stands for."""
    match asked:
        case None:
            return 0, size
        case RangeByteRequest(start=start, end=end):
            return start, end
        case OffsetByteRequest(offset=offset):
            return offset, size
        case SuffixByteRequest(suffix=suffix):
            return max(size - suffix, 0), size
    raise TypeError(f"{asked!r} is no range of bytes")


def store_of(path: str) -> Any:
    """The store of a folder or a zip file."""
    return CheckedFolder(path) if os.path.isdir(path) else CheckedZip(path, mode="r")  # noqa: PTH112
