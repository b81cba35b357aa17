"""Rerun recordings in files (.rrd), read chunk by chunk, without a server.

Reads files with a table of contents (any file that was closed properly by a current Rerun) by loading only the
chunks asked for, and others by streaming through them. Damaged files are found before rerun-sdk sees them.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from telecine.core.errors import SourceError, raised_as
from telecine.core.findings import Finding, Severity
from telecine.core.recording import Recording, Ref
from telecine.sources.format import Found
from telecine.sources.rrd import sdk
from telecine.sources.rrd.chunks import Chunks, ScannedChunks, StoredChunks
from telecine.sources.rrd.framing import MAGIC, Walk, copy_store_infos, trim, walk
from telecine.sources.rrd.messages import damaged_contents, first_damaged
from telecine.sources.rrd.properties import Properties
from telecine.sources.rrd.streams import streams_of

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
        findings = _findings(path, seen, recover)
        if any(finding.severity == "error" for finding in findings):
            return Found(findings=findings)
        ids, blueprints = _recording_ids(path, file, seen, recover)
    if not ids:
        severity: Severity = "warning" if blueprints else "error"
        what = "only a blueprint (a layout of the viewer)" if blueprints else "no recording"
        empty = Finding("source-empty", severity, path, f"the file holds {what}", "remove it, or record again")
        return Found(findings=(*findings, empty))
    size = seen.size_bytes // len(ids)
    return Found(tuple(Ref(NAME, path, name, size, recover) for name in ids), findings)


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording `ref` names; see `Format.open`."""
    with _opened(ref.path) as (file, size_bytes):
        seen = walk(file, size_bytes, ref.path)
        if ref.recover:
            whole_bytes, messages, damage = _whole(ref, file, seen)
            if damage:
                return _open_recovered(ref, file, (whole_bytes, messages), damage)
        elif seen.state in ("cut", "garbage"):
            raise SourceError(f"{ref.label}: {_cut_message(seen)}; {_CUT_FIX}")
        _check_contents(ref.label, file, seen)
    return _recording(ref, ref.path, seen.footer, lambda: _check_messages(ref))


_CUT_FIX = "use --recover to take what is whole"


def _findings(path: str, seen: Walk, recover: bool) -> tuple[Finding, ...]:
    if seen.state == "open":
        message = (
            f"it has no end marker after {seen.messages} whole messages: still being written, or its recorder "
            "was stopped; read up to the last message"
        )
        return (Finding("source-truncated", "warning", path, message, "convert it again once it is finished"),)
    if seen.state == "complete" or (recover and seen.messages):
        return ()
    fix = _CUT_FIX if seen.messages else "record it again or remove it"
    return (Finding("source-truncated", "error", path, _cut_message(seen), fix),)


def _cut_message(seen: Walk) -> str:
    kind = "truncated" if seen.state == "cut" else "damaged"
    return (
        f"the file is {kind}: {seen.problem}; {seen.messages} messages, {seen.whole_bytes} of "
        f"{seen.size_bytes} bytes, are whole"
    )


def _recording_ids(path: str, file: BinaryIO, seen: Walk, recover: bool) -> tuple[list[str], int]:
    """(ids of the recordings, sorted; number of blueprints)."""
    with _store_infos(path, file, seen, recover) as small:
        reader = sdk.reader(small)
        try:
            ids = sorted({str(entry.recording_id) for entry in reader.recordings()})
            return ids, len(reader.blueprints())
        except sdk.errors() as error:
            raise SourceError(f"{path}: cannot be read: {sdk.first_line(error)}") from error


@contextmanager
def _store_infos(path: str, file: BinaryIO, seen: Walk, recover: bool) -> Iterator[str]:
    """The file itself when its table of contents names the recordings, else a small one that does."""
    if seen.footer and not recover:
        _check_contents(path, file, seen)
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
            _check_contents(ref.label, file, seen)
            _entry(sdk.reader(ref.path), ref)
        except SourceError as error:  # its table of contents is damaged, which only rerun-sdk can tell
            damage = str(error)
    return seen.whole_bytes, seen.messages, damage


def _check_contents(label: str, file: BinaryIO, seen: Walk) -> None:
    """SourceError when rerun-sdk would not survive reading the table of contents."""
    problem = damaged_contents(file, seen.size_bytes) if seen.state == "complete" else ""
    if problem:
        raise SourceError(f"{label}: the file is damaged: its table of contents: {problem}; {_CUT_FIX}")


def _check_messages(ref: Ref) -> None:
    with _opened(ref.path) as (file, size_bytes):
        bad = first_damaged(file, size_bytes)
    if bad is not None:
        raise SourceError(f"{ref.label}: the file is damaged: message {bad[0]} at byte {bad[1]}: {bad[2]}; {_CUT_FIX}")


def _open_recovered(ref: Ref, file: BinaryIO, whole: tuple[int, int], damage: str) -> Recording:
    """The whole messages of a damaged file, from a trimmed copy that goes when the recording is closed."""
    folder = tempfile.TemporaryDirectory(prefix="telecine-recover-")
    try:
        copy = Path(folder.name) / "whole.rrd"
        with copy.open("wb") as target:
            trim(file, target, whole[0])
        note = f"{damage}; the {whole[1]} whole messages before it were taken"
        recording = _recording(ref, str(copy), False, lambda: None)
    except BaseException:
        folder.cleanup()
        raise
    close = recording.close

    def close_all() -> None:
        close()
        folder.cleanup()

    recording.close = close_all
    recording.notes = (("source-recovered", note), *recording.notes)
    return recording


def _recording(ref: Ref, path: str, footer: bool, check: Any) -> Recording:
    reader = sdk.reader(path)
    entry = _entry(reader, ref)
    if footer:
        store = _call(ref, lambda: reader.store(store=entry))
        chunks: Chunks = StoredChunks(store, ref.label, check)
    else:
        check()
        chunks = ScannedChunks(lambda: reader.stream(store=entry), ref.label)
    return recording_of(ref, chunks, str(entry.application_id))


def recording_of(ref: Ref, chunks: Chunks, application_id: str = "") -> Recording:
    """The recording made of `chunks`, shared by files and catalogs."""
    streams = streams_of(chunks)
    notes = () if streams else (("source-empty", "the recording holds no data"),)
    return Recording(ref, streams, Properties(chunks, application_id), notes, chunks.close)


def _entry(reader: Any, ref: Ref) -> Any:
    entries = _call(ref, reader.recordings)
    for entry in entries:
        if str(entry.recording_id) == ref.id:
            return entry
    known = ", ".join(sorted(str(entry.recording_id) for entry in entries)) or "none"
    raise SourceError(f"{ref.path}: no recording {ref.id!r} in this file; it holds: {known}")


def _call(ref: Ref, call: Any) -> Any:
    try:
        return call()
    except sdk.errors() as error:
        raise SourceError(f"{ref.label}: cannot be read: {sdk.first_line(error)}") from error


@contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    with raised_as(SourceError, f"{path}: cannot be read", OSError), Path(path).open("rb") as file:
        yield file, os.fstat(file.fileno()).st_size
