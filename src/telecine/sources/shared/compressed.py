"""Compressed bytes of recordings, expanded within a promised size: a lie in a damaged file never costs its memory."""

import bz2
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Array
from telecine.core.text.addresses import is_stored
from telecine.core.text.numbers import counted
from telecine.sources.format import MissingExtra
from telecine.sources.shared.buffer_pool import BufferPool

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LARGEST_BYTES = 1 << 32
"""Of one chunk or message; a larger promise is damage."""
PLAIN_BYTES, PLAIN_RATIO = 1 << 28, 8
"""What is compressed may promise so many bytes, and times its own."""
_PIECE_BYTES = 1 << 22


Raw = bytes | memoryview


def expand(kind: str, raw: Raw, size_bytes: int | None, *, partly: bool = False) -> bytes:
    """`raw`, compressed as `kind` ("", "none", "zstd", "lz4", "bz2"), back to `size_bytes` bytes.

    size_bytes: what it has to be; None: anything that is plausible. partly: raw may be cut, give what there is.

    Raises:
        SourceError: it is damaged, or its size is another.
        MissingExtra: the package for `kind` is not installed.
    """
    most = _most(raw) if size_bytes is None else _plausible(size_bytes, raw)
    if kind in ("", "none"):
        found = bytes(raw)
    elif kind in _KINDS:
        found = _pieces(_KINDS[kind](), raw, most, partly)
    else:
        raise SourceError(f"the compression {kind!r} is not known; expected zstd, lz4 or none")
    if size_bytes is not None and not partly and len(found) != size_bytes:
        raise SourceError(f"it holds {counted(len(found), 'byte')} instead of {size_bytes}")
    if len(found) > most:
        raise SourceError(f"it holds more than {counted(most, 'byte')}, which is not plausible")
    return found


def _plausible(size_bytes: int, raw: Raw) -> int:
    """The size that is promised. Raises: SourceError for more than `raw` can mean."""
    if size_bytes > _most(raw):
        raise SourceError(f"{counted(len(raw), 'byte says', 'bytes say')} to hold {size_bytes}, which is not plausible")
    return size_bytes


def _most(raw: Raw) -> int:
    return min(LARGEST_BYTES, PLAIN_BYTES + PLAIN_RATIO * len(raw))


def expand_into(pool: BufferPool, kind: str, raw: Raw, size_bytes: int, *, partly: bool = False) -> Array:
    """(size_bytes,) uint8, `expand` into `pool`; shorter when raw is cut and `partly`. Raises: as `expand`."""
    if kind == "zstd" and not partly:
        return _zstd_into(pool, raw, _plausible(size_bytes, raw))
    plain = kind in ("", "none") and (partly or len(raw) == size_bytes)
    found = raw if plain else expand(kind, raw, None if partly else size_bytes, partly=partly)
    buffer = pool.take(len(found))
    buffer[:] = np.frombuffer(found, np.uint8)
    return buffer


ExpandStep = Callable[[Raw, int], tuple[bytes, bool]]
"""(input, most bytes of output) -> (output, True when nothing more comes)."""


def _pieces(step: ExpandStep, raw: Raw, most: int, partly: bool) -> bytes:
    found, left = [], most + 1
    try:
        while left > 0:
            piece, done = step(raw, min(left, _PIECE_BYTES))
            raw = b""
            found.append(piece)
            left -= len(piece)
            if done or not piece:
                break
    except (ValueError, OSError, EOFError, RuntimeError) as error:
        if not partly:
            raise SourceError(f"its compressed bytes are damaged: {error}") from error
    return found[0] if len(found) == 1 else b"".join(found)


def _zstd_into(pool: BufferPool, raw: Raw, size_bytes: int) -> Array:
    """The fast way for chunks of usual size; the size that the frame declares is checked, too."""
    package = zstandard()
    try:
        declared = package.frame_content_size(raw)
        if declared not in (-1, size_bytes):
            raise SourceError(f"it holds {counted(declared, 'byte')} instead of {size_bytes}")
        buffer = pool.take(size_bytes)
        reader = package.ZstdDecompressor().stream_reader(raw)
        count, more = 0, size_bytes
        while more and (step := reader.readinto(buffer.data[count:])):
            count, more = count + step, more - step
        if more or reader.read(1):
            raise SourceError(f"it holds {'more than ' * (not more)}{counted(count, 'byte')} instead of {size_bytes}")
        return buffer
    except package.ZstdError as error:
        raise SourceError(f"its compressed bytes are damaged: {error}") from error


def _zstd() -> ExpandStep:
    reader: Any = None

    def step(raw: Raw, most: int) -> tuple[bytes, bool]:
        nonlocal reader
        if reader is None:
            reader = zstandard().ZstdDecompressor().stream_reader(raw)
        try:
            piece = reader.read(most)
        except zstandard().ZstdError as error:
            raise ValueError(str(error)) from error
        return piece, len(piece) < most

    return step


def _lz4() -> ExpandStep:
    try:
        from lz4 import frame
    except ModuleNotFoundError as error:
        raise MissingExtra("reading lz4 needs: pip install 'telecine[mcap]'") from error
    return _steps(frame.LZ4FrameDecompressor())


def _steps(decompressor: Any) -> ExpandStep:
    """Of lz4 and bz2, which have the interface of the standard library."""

    def step(raw: Raw, most: int) -> tuple[bytes, bool]:
        piece = decompressor.decompress(raw, most)
        return piece, decompressor.eof or (decompressor.needs_input and not piece)

    return step


_KINDS: dict[str, Callable[[], ExpandStep]] = {"zstd": _zstd, "lz4": _lz4, "bz2": lambda: _steps(bz2.BZ2Decompressor())}


def zstandard() -> Any:
    """The package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import zstandard as package
    except ModuleNotFoundError as error:
        raise MissingExtra("reading zstd needs: pip install 'telecine[mcap]'") from error
    return package


def first_bytes(path: str, count: int) -> bytes:
    """The first `count` bytes of a file, of what is inside when the file is compressed with zstd.

    Raises:
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - one call for each file of a folder
        start = file.read(max(count, 4))
        if not start.startswith(ZSTD_MAGIC):
            return start[:count]
        try:
            return b"".join(_expanded(file, start, count))[:count]
        except SourceError:
            return b""


def open_expanded(path: str) -> tuple[IO[bytes], int, str]:
    """(file, bytes, what is wrong with its end) of a file, or of a temporary copy of what zstd compressed in it.

    Raises:
        SourceError: it cannot be opened.
    """
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        file = open_file(path)
        start = file.read(len(ZSTD_MAGIC))
        if start != ZSTD_MAGIC:
            return file, file.seek(0, os.SEEK_END), ""
        problem = ""
        with file:
            file.seek(0)
            copy = tempfile.TemporaryFile(prefix="telecine-")  # noqa: SIM115
            try:
                expand_file(file, copy)
            except SourceError as error:
                problem = str(error)
        return copy, copy.tell(), problem


def open_file(path: str) -> BinaryIO:
    """A file, or one in a store, read where it lies. The caller closes it."""
    if not is_stored(path):
        return open(path, "rb")  # noqa: PTH123
    from telecine.sources.stored.ranges import open_ranged

    return open_ranged(path)


def expand_file(source: BinaryIO, target: IO[bytes]) -> None:
    """A file compressed with zstd, written to `target`.

    Raises:
        SourceError: it is damaged or cut; what could be read is in `target`.
    """
    for piece in _expanded(source, b"", None):
        target.write(piece)


def _expanded(file: BinaryIO, start: bytes, most: int | None) -> Iterator[bytes]:
    decompressor = zstandard().ZstdDecompressor().decompressobj()
    try:
        while raw := start or file.read(1 << 17):
            start = b""
            yield (piece := decompressor.decompress(raw))
            if most is not None and (most := most - len(piece)) <= 0:
                return
    except zstandard().ZstdError as error:
        raise SourceError(f"its zstd compression is damaged: {error}") from error
    if most is None and not decompressor.eof:
        raise SourceError("its zstd compression ends too early")
