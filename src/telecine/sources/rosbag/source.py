"""ROS 1 bags (.bag), version 2.0: any compression, with or without an index, and bags that were cut."""

from typing import IO

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Recording, Ref
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.messages.model import Contents
from telecine.sources.rosbag.records import MAGIC, BagLayout, walk
from telecine.sources.rosbag.store import BagStore
from telecine.sources.shared.compressed import first_bytes
from telecine.sources.shared.truncation import index_file, open_file

NAME = "rosbag"
SUFFIXES = (".bag",)
_ANY_VERSION = b"#ROSBAG V"


def claims(path: str) -> bool:
    """True for a file that begins like a bag of any version."""
    return first_bytes(path, len(_ANY_VERSION)) == _ANY_VERSION


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref, and what is wrong with the end of the file; see `Format.index`."""
    del token
    return index_file(NAME, path, recover, _walked)


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording `ref` names; see `Format.open`."""
    from telecine.sources.messages.streams import recording_of

    return recording_of(ref, contents(ref.path, ref.recover))


def contents(path: str, recover: bool) -> Contents:
    """The topics of one bag.

    Raises:
        SourceError: it cannot be read, or is damaged and `recover` was not asked for.
    """
    from telecine.sources.messages.store import contents_of

    store, layout, notes = open_file(path, recover, _walked, BagStore)
    gaps = tuple(
        ("source-assumed", f"{counted(size, 'zero')} at byte {at}, no record; what stands behind is read")
        for at, size in layout.gaps[:1]
    )
    return contents_of([store], notes=notes + gaps)


def _walked(file: IO[bytes], size_bytes: int, path: str) -> BagLayout:
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        file.seek(0)
        start = file.read(len(MAGIC))
        if start != MAGIC:
            if start.startswith(_ANY_VERSION):
                raise SourceError(
                    f"{path}: a bag of version {start[9:12]!r}; telecine reads 2.0, which `rosbag fix` makes"
                )
            raise SourceError(f"{path}: not a ROS bag: it begins with {start!r} instead of {MAGIC!r}")
        return walk(file, size_bytes)
