"""Numbers in an HDF5 file that its library takes as orders for memory, compared with the bytes that are there.

HDF5 allocates, and clears, what a variable-length value declares as its length before it compares that with the file,
and reads rows that were never stored as zeros. So both are checked first, in the bytes of the file. Layouts
of bytes: "HDF5 File Format Specification 3.0", IV.A (object headers), IV.A.2.m (attributes), VIII.B (references).

What this refuses to do: check object headers of version 2 ("latest"), which have checksums that HDF5 checks itself, and
arrays that are compressed.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.known_members import KnownArray
from telecine.sources.hdf5.links import HARD, links_of
from telecine.sources.shared.compressed import open_file

SPARSE_BYTES = 64 << 20
"""Arrays up to this size may lack what they say they have; it is zeros then."""
CHUNK_BYTES = 1 << 30
"""What is compressed together, and so unpacked together."""
_CONTINUATION, _ATTRIBUTE, _VARIABLE = 0x10, 0x0C, 9
_BLOCKS, _BLOCK_BYTES, _FAR = 256, 1 << 24, 1 << 62
"""Of one object header: how many parts, how long each, how far away: where sound ones end."""
_ADDRESS = Struct("<QQ")
_REFERENCE = np.dtype([("count", "<u4"), ("collection", "<u8"), ("number", "<u4")])


def check_attributes(file: Any, holder: Any, path: str) -> None:
    """Compare the lengths that attributes of a file, or of a group in it, say with the file's. Raises: SourceError."""
    import h5py

    if file.id.get_create_plist().get_sizes() != (8, 8):
        return  # Nobody writes those; HDF5 itself can be asked for them.
    start = h5py.h5o.get_info(holder.id).addr
    with open_file(path) as raw:
        size = raw.seek(0, os.SEEK_END)
        for body in _attribute_messages(raw, int(file.userblock_size), start):
            name, most = _longest(body)
            if most > size:
                where = f"{path}: attribute {name!r} of {holder.name}"
                raise SourceError(f"{where} says it has {counted(most, 'byte')}, more than the file's {size}")


def _attribute_messages(raw: BinaryIO, base: int, start: int) -> Iterator[bytes]:
    """The bodies of attribute messages in an object header of version 1, as far as it can be read."""
    raw.seek(base + start)
    head = raw.read(16)
    if head[:4] == b"OHDR":
        return
    blocks = [(start + len(head), int.from_bytes(head[8:12], "little"))]
    for where, length in _taken(blocks):
        raw.seek(base + where)
        for kind, body in _messages(raw.read(min(length, _BLOCK_BYTES))):
            if kind == _ATTRIBUTE:
                yield body
            elif kind == _CONTINUATION and len(body) >= _ADDRESS.size:
                blocks.append(_ADDRESS.unpack_from(body))


def _taken(blocks: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Blocks, those added meanwhile too; no more than a sound header has."""
    for number in range(_BLOCKS):
        if number >= len(blocks) or blocks[number][0] >= _FAR:
            return
        yield blocks[number]


def _messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(block):
        kind, size = (int.from_bytes(block[at + i : at + i + 2], "little") for i in (0, 2))
        yield kind, block[at + 8 : at + 8 + size]
        at += 8 + size


def _longest(body: bytes) -> tuple[str, int]:
    """(name, bytes of its longest value) of an attribute with values of varying length; 0 bytes for others."""
    if len(body) < 8 or (body[0] > 1 and body[1] & 1):
        return "", 0  # The type is shared, that is kept elsewhere.
    sizes = [int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6)]
    padded = [-(-size // 8) * 8 if body[0] == 1 else size for size in sizes]
    at = 9 if body[0] == 3 else 8
    name = body[at : at + sizes[0]].rstrip(b"\0").decode("utf-8", "replace")
    declared = body[at + padded[0] : at + padded[0] + sizes[1]]
    if len(declared) < 16 or declared[0] & 15 != _VARIABLE:
        return name, 0
    return name, _most(body[at + sum(padded) :]) * max(int.from_bytes(declared[12:16], "little"), 1)


def _most(references: bytes) -> int:
    """The largest count in references to values of varying length."""
    whole = len(references) // _REFERENCE.itemsize * _REFERENCE.itemsize
    return int(np.frombuffer(references[:whole], _REFERENCE)["count"].max(initial=0))


def check_arrays(group: Any, path: str) -> dict[str, Any]:
    """Path -> array (`KnownArray`) or group of all below a group, each object once, when arrays hold what they say.

    Raises: SourceError.
    """
    import h5py

    found: dict[str, Any] = {}
    size = Path(path).stat().st_size
    for name, opened in _below(group.id, b"", {h5py.h5o.get_info(group.id).addr}):
        known = name.decode("utf-8", "surrogateescape")
        if isinstance(opened, h5py.h5g.GroupID):
            found[known] = h5py.Group(opened)
        elif isinstance(opened, h5py.h5d.DatasetID):
            array = found[known] = KnownArray(opened)
            _check_array(array, size, path)
    return found


def _below(group: Any, above: bytes, met: set[int]) -> Iterator[tuple[bytes, Any]]:
    """(path, opened) of what hard links reach from a group, each object once, a group before what it holds.

    As `h5py.h5o.visit`, which opens each object twice. met: addresses of those that were there before.
    """
    import h5py

    for name, kind, address in links_of(group):
        if kind != HARD or address in met:
            continue
        met.add(address)
        opened = h5py.h5o.open(group, name)
        yield above + name, opened
        if isinstance(opened, h5py.h5g.GroupID):
            yield from _below(opened, above + name + b"/", met)


def _check_array(array: KnownArray, size: int, path: str) -> None:
    """That the array holds what it says, unless it lies elsewhere; size: that of the file, in bytes."""
    unit = _unit(array.dtype)
    if not (unit or _declared(array) > SPARSE_BYTES) or array.is_virtual or array.external:
        return
    where = f"{path}: {array.name}"
    _check_size(array, where)
    for references in _references(array, path) if unit else ():
        if (most := _most(references) * unit) > size:
            raise SourceError(f"{where} says a value has {counted(most, 'byte')}, more than the file's {size}")


def _declared(array: KnownArray) -> int:
    """Bytes that an array says it has."""
    return (array.size or 0) * int(array.dtype.itemsize)


def _unit(dtype: Any) -> int:
    """Bytes of one element of values of varying length; 0 for other types."""
    import h5py

    if dtype.kind != "O":
        return 0
    text = h5py.check_string_dtype(dtype)
    if text is not None:
        return int(text.length is None)
    inner = h5py.check_vlen_dtype(dtype)
    return 0 if inner is None else max(int(np.dtype(inner).itemsize), 1)


def _check_size(array: KnownArray, where: str) -> None:
    """That an array does not say it has far more than what is stored."""
    width, declared = int(array.dtype.itemsize), _declared(array)
    if declared <= SPARSE_BYTES:
        return
    if array.chunks is None:
        stored = int(array.id.get_storage_size())
    else:
        chunk = int(np.prod(array.chunks, dtype=object)) * width
        if chunk > CHUNK_BYTES:
            raise SourceError(
                f"{where} has chunks of {counted(chunk, 'byte')}; more than {CHUNK_BYTES} are taken for damage"
            )
        # Twice, since chunks at the edges may be mostly empty, and those without data are not stored.
        stored = 2 * int(array.id.get_num_chunks()) * chunk
    if declared > stored + SPARSE_BYTES:
        raise SourceError(
            f"{where} says it holds {array.shape}, {counted(declared, 'byte')}; what is stored is {stored} at most"
        )


def _references(array: Any, path: str) -> Iterator[bytes]:
    """The references of an array of values of varying length, where they are stored as they are."""
    with Path(path).open("rb") as raw:
        for offset, length in _stretches(array):
            raw.seek(offset)
            yield raw.read(length)


def _stretches(array: Any) -> list[tuple[int, int]]:
    """(offset in the file, length) of an array's data that is not compressed."""
    if array.chunks is None:
        offset = array.id.get_offset()
        return [] if offset is None else [(offset, int(array.id.get_storage_size()))]
    if array.id.get_create_plist().get_nfilters():
        return []
    places: list[tuple[int, int]] = []
    if hasattr(array.id, "chunk_iter"):
        array.id.chunk_iter(lambda chunk: places.append((chunk.byte_offset, chunk.size)))
    else:  # h5py on an HDF5 before 1.12.3
        chunks = (array.id.get_chunk_info(number) for number in range(array.id.get_num_chunks()))
        places.extend((chunk.byte_offset, chunk.size) for chunk in chunks)
    return places
