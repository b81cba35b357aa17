"""MCAP files (.mcap), whatever wrote them: with or without chunks, index, summary or end, and files that were cut.

Reads the container itself; `sources/messages/streams.py` decides what the messages mean. Recordings of several
files with a metadata.yaml are read by `sources/rosbag2`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from telecine.core.errors import SourceError, raised_as
from telecine.core.recording import Recording, Ref
from telecine.sources.format import Found
from telecine.sources.mcap.records import MAGIC, AttachmentRecord, McapLayout, walk
from telecine.sources.mcap.store import McapStore
from telecine.sources.messages.model import Attachment, Contents
from telecine.sources.shared.compressed import first_bytes
from telecine.sources.shared.truncation import index_file, open_file

NAME = "mcap"
SUFFIXES = (".mcap", ".mcap.zstd")
_NEWLINES_CHANGED = (b"\x89MCAP0\n", b"\x89MCAP0\r\r\n")


def claims(path: str) -> bool:
    """True for a file that begins like an MCAP, also below zstd or with newlines that a tool has changed."""
    return first_bytes(path, len(MAGIC)).startswith((MAGIC, *_NEWLINES_CHANGED))


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref, and what is wrong with the end of the file; see `Format.index`."""
    del token
    return index_file(NAME, path, recover, _walked)


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording `ref` names; see `Format.open`."""
    from telecine.sources.messages.streams import recording_of

    return recording_of(ref, contents(ref.path, ref.recover))


def contents(path: str, recover: bool) -> Contents:
    """Topics, attachments and metadata of one file.

    Raises:
        SourceError: it cannot be read, or is damaged and `recover` was not asked for.
    """
    from telecine.sources.messages.store import contents_of

    part = part_of(path, recover)
    return contents_of([part.store], attachments=part.attachments, metadata=part.metadata, notes=part.notes)


@dataclass(frozen=True, slots=True)
class McapPart:
    """One file of a recording."""

    store: McapStore
    attachments: tuple[Attachment, ...]
    metadata: tuple[tuple[str, Mapping[str, str]], ...]
    notes: tuple[tuple[str, str], ...]


def part_of(path: str, recover: bool) -> McapPart:
    """One file; see `contents`."""
    store, layout, notes = open_file(path, recover, _walked, McapStore)
    attachments = tuple(_attachment(store, record) for record in layout.attachments)
    metadata = tuple((name, values) for name, values in layout.metadata)
    return McapPart(store, attachments, metadata, notes)


def _walked(file: IO[bytes], size_bytes: int, path: str) -> McapLayout:
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        file.seek(0)
        start = file.read(len(MAGIC))
        if start.startswith(_NEWLINES_CHANGED):
            raise SourceError(
                f"{path}: a tool has changed its newlines (git with autocrlf, or a transfer as text): its content is "
                "lost; copy the original again as binary"
            )
        if start != MAGIC:
            raise SourceError(f"{path}: not an MCAP file: it begins with {start!r} instead of {MAGIC!r}")
        return walk(file, size_bytes)


def _attachment(store: McapStore, record: AttachmentRecord) -> Attachment:
    return Attachment(
        record.name,
        record.media_type,
        record.log_time_ns,
        record.size_bytes,
        lambda: store.bytes_at(record.at, record.size_bytes),
    )
