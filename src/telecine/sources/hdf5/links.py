"""Where an HDF5 file may lead: nowhere but into itself, and by filters that are known.

A link, a virtual dataset and external storage are names of other files, which HDF5 opens without asking: a recording
could copy any file of the person who converts it into a dataset. So all of them are looked for before anything is read.
Format: "HDF5 File Format Specification 3.0", IV.A.2.g (links), IV.A.2.h (external files), IV.A.2.i (layouts).
"""

import os
from collections.abc import Iterator
from typing import Any

from telecine.core.errors import OutsideError, SourceError
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.known_members import lies_in_file
from telecine.sources.shared.confinement import FOLLOW_FIX

DEEPEST = 64
_MOST_OBJECTS = 10_000_000
_MOST_MAPPINGS = 100_000
HARD, _SOFT = 0, 1
_VIRTUAL = 3
_FILTERS = {
    1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf",
    307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd",
}  # fmt: skip
"""By the numbers that The HDF Group gives out; the second line needs plugins, which only the user's machine names."""


def check_links(file: Any, path: str, *, follows: bool) -> None:
    """Nothing, for a file that leads only into itself. Raises: SourceError, naming what leads elsewhere."""
    import h5py

    for group, name, above, kind, member in _members(file):
        if kind not in (HARD, _SOFT) and not follows:
            raise OutsideError(f"{path}: {_path(above, name)} is a link to {_target(group, name)}; {FOLLOW_FIX}")
        if isinstance(member, h5py.h5d.DatasetID):
            _check_dataset(member, f"{path}: {_path(above, name)}", follows, group)


def _path(above: str, name: bytes) -> str:
    return f"{above}/{name.decode(errors='replace')}"


def _target(group: Any, name: bytes) -> str:
    try:
        return " of ".join(part.decode(errors="replace") for part in reversed(group.links.get_val(name)))
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return "something outside of the file"


def links_of(group: Any) -> list[tuple[bytes, int, int]]:
    """(name, kind, address of the object behind a hard link) of a group's links, in order of name.

    group: an `h5py.h5g.GroupID`.
    """
    links: list[tuple[bytes, int, int]] = []
    group.links.iterate(lambda name, link: links.append((name, link.type, link.u)), info=True)
    return links


def _members(file: Any) -> Iterator[tuple[Any, bytes, str, int, Any]]:
    """(group, name of a member, the group's path, kind of link, the member) of what hard links reach, groups once.

    The member is an h5py identifier; None behind other links, which are not followed.
    """
    import h5py

    top = file["/"].id
    waiting, met, count = [(top, b".", "", 0)], {h5py.h5o.get_info(top).addr}, 0
    while waiting:
        parent, own, above, depth = waiting.pop()
        group = h5py.h5g.open(parent, own)  # only now: thousands that are open cost HDF5 time and memory
        links = links_of(group)
        count += len(links)
        if count > _MOST_OBJECTS or depth > DEEPEST:
            raise SourceError(f"{file.filename}: {above}: more than {_MOST_OBJECTS} objects, or {DEEPEST} levels")
        for name, kind, address in links:
            member = h5py.h5o.open(group, name) if kind == HARD else None
            yield group, name, above, kind, member
            if isinstance(member, h5py.h5g.GroupID) and address not in met:
                met.add(address)
                waiting.append((group, name, _path(above, name), depth + 1))


def _check_dataset(array: Any, where: str, follows: bool, group: Any) -> None:
    if lies_in_file(array):
        return
    made = array.get_create_plist()
    if made.get_external_count() and not follows:
        raise OutsideError(f"{where} is stored in {os.fsdecode(made.get_external(0)[0])}; {FOLLOW_FIX}")
    if made.get_layout() == _VIRTUAL:
        _check_mappings(made, where, follows, group)
    unknown = [number for i in range(made.get_nfilters()) if (number := made.get_filter(i)[0]) not in _FILTERS]
    if unknown:
        raise SourceError(f"{where} is compressed by filter {unknown[0]}, which is not one that telecine reads")


def _check_mappings(made: Any, where: str, follows: bool, group: Any) -> None:
    """That a virtual dataset shows stored ones of this file. One that shows itself makes HDF5 call itself for ever."""
    import h5py

    count = made.get_virtual_count()
    if count > _MOST_MAPPINGS:
        raise SourceError(f"{where} is put together of {counted(count, 'part')}, more than {_MOST_MAPPINGS}")
    for source in {(made.get_virtual_filename(i), made.get_virtual_dsetname(i)) for i in range(count)}:
        name, inner = source
        if name != "." or "%" in inner:
            if not follows:
                raise OutsideError(f"{where} shows {inner} of {name}; {FOLLOW_FIX}")
            continue
        try:
            shown = h5py.h5d.open(h5py.h5i.get_file_id(group), inner.encode(errors="surrogateescape"))
        except (KeyError, ValueError, OSError):
            continue  # what is not there shows as the fill value
        if shown.get_create_plist().get_layout() == _VIRTUAL:
            raise SourceError(f"{where} shows {inner}, which shows others itself")
