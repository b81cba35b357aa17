"""Rerun recordings in files (.rrd), read chunk by chunk, without a server.

Reads files with a table of contents (any file that was closed properly by a current Rerun) by loading only the
chunks asked for, and others by streaming through them. Damaged files are found before rerun-sdk sees them.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError, closed_on_failure, raised_as
from telecine.core.findings import Finding, Severity
from telecine.core.recording import Recording, Ref
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.rrd import layers, sdk
from telecine.sources.rrd.chunks import RESERVED, Chunks, ComponentColumn, LayeredChunks, ScannedChunks, StoredChunks
from telecine.sources.rrd.framing import MAGIC, Walk, copy_store_infos, trim, walk
from telecine.sources.rrd.messages import damaged_contents, first_damaged
from telecine.sources.rrd.properties import Properties
from telecine.sources.rrd.streams import streams_of
from telecine.sources.shared.fingerprint import file_state
from telecine.sources.shared.truncation import CUT_FIX, End, findings_of, refuse

NAME = "rrd"
SUFFIXES = (".rrd",)
_BLUEPRINT_SUFFIX = ".rbl"


def claims(path: str) -> bool:
    """True for a file that starts like an RRD; blueprints (.rbl) are not recordings."""
    if path.lower().endswith(_BLUEPRINT_SUFFIX):
        return False
    with Path(path).open("rb") as file:
        return file.read(3) == MAGIC[:3]


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per recording in the file, by recording id; see `Format.index`."""
    del token
    with _opened(path) as (file, size_bytes):
        seen = walk(file, size_bytes, path)
        findings = findings_of(path, _end(seen), recover)
        if any(finding.severity == "error" for finding in findings):
            return Found(findings=findings)
        ids, empty_ids, blueprints = _recording_ids(path, file, seen, recover)
    if not ids and not empty_ids:
        severity: Severity = "warning" if blueprints else "error"
        what = "only a blueprint (a layout of the viewer)" if blueprints else "no recording"
        empty = Finding("source-empty", severity, path, f"the file holds {what}", "remove it, or record again")
        return Found(findings=(*findings, empty))
    size = seen.size_bytes // (len(ids) or 1)
    shared = empty_ids[0] if len(empty_ids) == 1 else ""
    refs = tuple(Ref(NAME, path, name, size, recover, shared_id=shared) for name in ids)
    return Found(refs, findings, tuple(Ref(NAME, path, name, 0, recover) for name in empty_ids))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording `ref` names; see `Format.open`."""
    files: list[File] = []
    with ExitStack() as held:
        for path in (ref.path, *ref.layers):
            files.append(open_file(replace(ref, path=path, layers=())))
            held.callback(files[-1].chunks.close)
        chunks = files[0].chunks if len(files) == 1 else LayeredChunks([file.chunks for file in files])
        recording = recording_of(ref, chunks, files[0].application_id, files[0].shared)
        held.pop_all()
    recording.notes = (*(note for file in files for note in file.notes), *recording.notes)
    return recording


def join(refs: Sequence[Ref]) -> Found:
    """Files of one recording id as one recording; see `Format.join`."""
    return layers.join(refs, lambda ref: open_file(ref).chunks)


@dataclass(frozen=True, slots=True)
class File:
    """The chunks of one recording in one file."""

    chunks: Chunks
    application_id: str
    notes: tuple[tuple[str, str], ...] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    """Properties of a recording of properties only, which all recordings of the file share."""


def open_file(ref: Ref) -> File:
    """What one file holds of the recording. Raises: SourceError when it cannot be read."""
    with _opened(ref.path) as (file, size_bytes):
        seen = walk(file, size_bytes, ref.path)
        if ref.recover:
            whole_bytes, messages, damage = _whole(ref, file, seen)
            if damage:
                return _open_recovered(ref, file, (whole_bytes, messages), damage)
        else:
            refuse(ref.label, _end(seen), recover=False)
        _check_contents(ref.label, ref.path, seen)
    return _file(ref, ref.path, seen.footer, lambda: _check_messages(ref))


def _end(seen: Walk) -> End:
    whole = (seen.messages, seen.whole_bytes, seen.size_bytes)
    return End(seen.state, seen.problem, whole, seen.state == "open" or seen.messages > 0, unit="message")


def _recording_ids(path: str, file: BinaryIO, seen: Walk, recover: bool) -> tuple[list[str], list[str], int]:
    """(ids of the recordings; ids of those that hold only properties; number of blueprints), ids sorted."""
    with _store_infos(path, file, seen, recover) as small:
        reader = sdk.reader(small)
        with sdk.asked(f"{path}: cannot be read"):
            entries = {str(entry.recording_id): entry for entry in reader.recordings()}
            empty: list[str] = []
            if small == path and (len(entries) > 1 or seen.size_bytes < _SMALL_BYTES):
                empty = [name for name in sorted(entries) if not _has_data(reader, entries[name], path)]
            return sorted(entries.keys() - set(empty)), empty, len(reader.blueprints())


_SMALL_BYTES = 1 << 16
"""A single recording without data takes less; larger files are not asked, which would take time for each."""


def _has_data(reader: Any, entry: Any, path: str) -> bool:
    columns = StoredChunks(reader.store(store=entry), path, lambda: None).columns
    return any(not column.entity.startswith(RESERVED) for column in columns)


@contextmanager
def _store_infos(path: str, file: BinaryIO, seen: Walk, recover: bool) -> Iterator[str]:
    """The file itself when its table of contents names the recordings, else a small one that does."""
    if seen.footer and not recover:
        _check_contents(path, path, seen)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="telecine-") as folder:
        small = Path(folder) / "stores.rrd"
        with small.open("wb") as target:
            copy_store_infos(file, seen.size_bytes, target)
        yield str(small)


def _whole(ref: Ref, file: BinaryIO, seen: Walk) -> tuple[int, int, str]:
    """(bytes, messages) from the start that can be read, and what is wrong behind them ("": nothing)."""
    bad = first_damaged(file, seen.size_bytes)
    if bad is not None:
        return bad[1], bad[0], f"message {bad[0]} at byte {bad[1]} is damaged ({bad[2]})"
    damage = seen.problem
    if seen.state == "complete":
        try:
            _check_contents(ref.label, ref.path, seen)
            _entry(sdk.reader(ref.path), ref)
        except SourceError as error:  # its table of contents is damaged, which only rerun-sdk can tell
            damage = str(error)
    return seen.whole_bytes, seen.messages, damage


def _check_contents(label: str, path: str, seen: Walk) -> None:
    """SourceError when rerun-sdk would not survive reading the table of contents."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        problem = _damaged_contents(*file_state(path)) if seen.state == "complete" else ""
    if problem:
        raise SourceError(f"{label}: the file is damaged: its table of contents: {problem}; {CUT_FIX}")


@lru_cache(maxsize=256)
def _damaged_contents(*state: Any) -> str:
    """As `damaged_contents`, once for each state of a file: it is asked when a file is found, and when it is opened."""
    with _opened(state[0]) as (file, size_bytes):
        return damaged_contents(file, size_bytes)


def _check_messages(ref: Ref) -> None:
    with raised_as(SourceError, f"{ref.path}: cannot be read", OSError):
        bad = _first_damaged(*file_state(ref.path))
    if bad is not None:
        raise SourceError(f"{ref.label}: the file is damaged: message {bad[0]} at byte {bad[1]}: {bad[2]}; {CUT_FIX}")


@lru_cache(maxsize=256)
def _first_damaged(*state: Any) -> tuple[int, int, str] | None:
    """As `first_damaged`, once for each state of a file: its codecs are asked for before it is converted."""
    with _opened(state[0]) as (file, size_bytes):
        return first_damaged(file, size_bytes)


def _open_recovered(ref: Ref, file: BinaryIO, whole: tuple[int, int], damage: str) -> File:
    """The whole messages of a damaged file, from a trimmed copy that goes when the recording is closed."""
    folder = tempfile.TemporaryDirectory(prefix="telecine-recover-")
    with closed_on_failure(folder.cleanup):
        copy = Path(folder.name) / "whole.rrd"
        with copy.open("wb") as target:
            trim(file, target, whole[0])
        note = f"{damage}; taken: {counted(whole[1], 'whole message')} before it"
        trimmed = _file(ref, str(copy), False, lambda: None)
    return replace(trimmed, chunks=_TemporaryChunks(trimmed.chunks, folder), notes=(("source-recovered", note),))


@dataclass(frozen=True, slots=True)
class _TemporaryChunks:
    """Chunks of a file that goes when they are closed."""

    chunks: Chunks
    folder: "tempfile.TemporaryDirectory[str]"

    @property
    def columns(self) -> Sequence[ComponentColumn]:
        """See `Chunks.columns`."""
        return self.chunks.columns

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Chunks.batches`."""
        return self.chunks.batches(entity, components)

    def close(self) -> None:
        """Let go of the file, and remove it."""
        self.chunks.close()
        self.folder.cleanup()


def _file(ref: Ref, path: str, footer: bool, check: Any) -> File:
    reader = sdk.reader(path)
    entry = _entry(reader, ref)
    if footer:
        with sdk.asked(f"{ref.label}: cannot be read"):
            store = reader.store(store=entry)
        chunks: Chunks = StoredChunks(store, ref.label, check)
    else:
        check()
        chunks = ScannedChunks(lambda: reader.stream(store=entry), ref.label)
    with sdk.asked(f"{ref.label}: cannot be read"):
        shared = _shared_properties(ref, reader) if footer and ref.shared_id else {}
    return File(chunks, str(entry.application_id), shared=shared)


def _shared_properties(ref: Ref, reader: Any) -> Mapping[str, str]:
    entry = next(entry for entry in reader.recordings() if str(entry.recording_id) == ref.shared_id)
    return dict(Properties(StoredChunks(reader.store(store=entry), ref.label, lambda: None), ""))


def recording_of(
    ref: Ref, chunks: Chunks, application_id: str = "", shared: Mapping[str, str] | None = None
) -> Recording:
    """The recording made of `chunks`, shared by files and catalogs."""
    found = streams_of(chunks)
    notes = () if found.streams else (("source-empty", "the recording holds no data"),)
    return Recording(
        *(ref, found.streams, Properties(chunks, application_id, shared or {}), notes, chunks.close),
        left_out=tuple(found.left_out),
    )


def _entry(reader: Any, ref: Ref) -> Any:
    with sdk.asked(f"{ref.label}: cannot be read"):
        entries = reader.recordings()
    for entry in entries:
        if str(entry.recording_id) == ref.id:
            return entry
    known = ", ".join(sorted(str(entry.recording_id) for entry in entries)) or "none"
    raise SourceError(f"{ref.path}: no recording {ref.id!r} in this file; it holds: {known}")


@contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    with raised_as(SourceError, f"{path}: cannot be read", OSError), Path(path).open("rb") as file:
        yield file, os.fstat(file.fileno()).st_size
