"""The messages of one rosbag2 SQLite file (.db3), of any schema version.

Source: https://github.com/ros2/rosbag2/blob/rolling/rosbag2_storage_sqlite3 (versions 1 to 4: topics without and with
QoS, a schema table, and message definitions).
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure, raised_as
from telecine.core.grid import Rows, Times
from telecine.core.text.numbers import counted
from telecine.sources.messages.decoding.protocol import Batch, Definition
from telecine.sources.messages.model import MessageClock
from telecine.sources.messages.store import Channel
from telecine.sources.shared.compressed import ZSTD_MAGIC, expand_file
from telecine.sources.shared.confinement import kind_problem
from telecine.sources.shared.truncation import CUT_FIX

MAGIC = b"SQLite format 3\0"
_BATCH_BYTES = 4 << 20
_IDS = 500
"""Rows asked for at once; SQLite allows some 1000 parameters."""
_DAMAGE = (sqlite3.Error, ValueError, TypeError, OverflowError)
"""What a damaged file may raise: sqlite3 does not wrap texts that are no UTF-8, nor do values say their type."""
_LATCHED = re.compile(r"durability:\s*(1\b|transient_local)")


_STEPS_AT_ONCE = 100_000
_STEPS_PER_BYTE = 50
_LEAST_STEPS = 200_000_000


class _Steps:
    """Ends a statement of SQLite that takes more steps than any reading of so large a file has use for."""

    def __init__(self, size_bytes: int) -> None:
        self._left = (_LEAST_STEPS + _STEPS_PER_BYTE * size_bytes) // _STEPS_AT_ONCE

    def __call__(self) -> int:
        self._left -= 1
        return int(self._left < 0)


def _only_reads(action: int, *_: object) -> int:
    """Allows reading tables and nothing else: no functions of extensions, no other files, no recursion."""
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


class Db3Store:
    """A `Store` over one file. recover: what cannot be read is named in `lost`."""

    def __init__(self, path: str, recover: bool) -> None:
        self.label, self.lost, self._recover = path, list[str](), recover
        self._copy: Any = None
        with closed_on_failure(self.close), raised_as(SourceError, f"{path}: cannot be read", *_DAMAGE):
            self._database = self._opened(path)
            self._known = self._definitions()
            self.channels: Sequence[Channel] = [self._channel(row) for row in self._rows(self._topics())]
            self._ids, self._times, self._topic_ids = self._index()

    def _opened(self, path: str) -> sqlite3.Connection:
        self._database = sqlite3.connect(":memory:")  # so that `close` has something to close
        with Path(path).open("rb") as file:
            start = file.read(len(MAGIC))
            if start.startswith(ZSTD_MAGIC):
                file.seek(0)
                self._copy = tempfile.NamedTemporaryFile(prefix="telecine-", suffix=".db3")  # noqa: SIM115
                try:
                    expand_file(file, self._copy)
                except SourceError as error:
                    if not self._recover:
                        raise SourceError(f"{path}: {error}; {CUT_FIX}") from error
                    self.lost.append(str(error))
                self._copy.flush()
                path = self._copy.name
            elif start != MAGIC:
                raise SourceError(f"{path}: not an SQLite file: it begins with {start!r}")
        # without a log beside it nobody writes to it, and reading needs no lock file in the folder
        waiting = Path(f"{path}-wal")
        still = "" if waiting.exists() and waiting.stat().st_size else "&immutable=1"
        if problem := kind_problem(path):
            raise SourceError(f"{path}: {problem}")
        address = f"file:{quote(str(Path(path).resolve()))}?mode=ro{still}"
        database = sqlite3.connect(address, uri=True, check_same_thread=False)
        database.execute("PRAGMA trusted_schema = OFF")
        if self._recover:  # or SQLite opens no file that is shorter than its header says; it is open for reading alone
            database.execute("PRAGMA writable_schema = ON")
        database.set_authorizer(_only_reads)
        database.set_progress_handler(_Steps(Path(path).stat().st_size), _STEPS_AT_ONCE)
        return database

    def _rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        return iter(self._database.execute(query, values))

    def _columns(self, table: str) -> set[str]:
        """Of a table, none of what is not there. Raises: SourceError for a view, whose query could be anything."""
        query = "SELECT type, rootpage FROM sqlite_master WHERE name = ? COLLATE NOCASE"
        for kind, page in self._rows(query, table):
            if kind != "table" or not page:
                kind = "virtual table" if kind == "table" else kind
                raise SourceError(f"{self.label}: {table} is a {kind}, not a table, so it is not read")
        return {row[1] for row in self._rows(f"PRAGMA table_info({table})")}

    def _topics(self) -> str:
        columns = self._columns("topics")
        if not {"id", "name", "type"} <= columns or not {"topic_id", "timestamp", "data"} <= self._columns("messages"):
            raise SourceError(f"{self.label}: an SQLite file, but no rosbag2 recording: it has no topics and messages")
        optional = [name if name in columns else "''" for name in ("serialization_format", "offered_qos_profiles")]
        return f"SELECT id, name, type, {', '.join(optional)} FROM topics ORDER BY id"  # noqa: S608  # nosec B608  # names of ours

    def _definitions(self) -> dict[str, tuple[str, bytes]]:
        if not self._columns("message_definitions"):
            return {}
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        return {str(name): (str(kind), str(text).encode()) for name, kind, text in self._rows(query)}

    def _channel(self, row: tuple[Any, ...]) -> Channel:
        number, name, kind, encoding, qos = row
        written_as, text = self._known.get(str(kind), ("", b""))
        written_as = written_as if written_as in ("ros2msg", "ros2idl") else ""
        definition = Definition(str(kind), str(encoding or "cdr"), written_as, text if written_as else b"")
        return Channel(int(number), str(name), definition, bool(_LATCHED.search(str(qos))))

    def _index(self) -> tuple[Rows, Times, Rows]:
        """Row ids, times and topics of all messages, in the order they were stored."""
        found: list[tuple[int, int, int]] = []
        try:
            for row in self._rows("SELECT rowid, timestamp, topic_id FROM messages ORDER BY rowid"):
                found.append((int(row[0]), int(row[1]), int(row[2])))  # noqa: PERF401 - kept when it fails on the way
        except _DAMAGE as error:
            if not self._recover:
                raise SourceError(f"{self.label}: the file is damaged: {error}; {CUT_FIX}") from error
            self.lost.append(f"all behind the first {counted(len(found), 'message')} ({error})")
        try:
            table = np.array(found, np.int64).reshape(-1, 3)
        except OverflowError as error:
            raise SourceError(f"{self.label}: messages have times or topics that are no 64-bit numbers") from error
        return table[:, 0], table[:, 1], table[:, 2]

    @property
    def seconds(self) -> float:
        """From the first to the last message that is whole; 0 without any."""
        return float(np.ptp(self._times)) / 1e9 if len(self._times) else 0.0

    @property
    def message_count(self) -> int:
        """How many messages are whole, as far as that is told without reading them."""
        return len(self._times)

    def times(self, keys: Sequence[int], clock: MessageClock) -> Times:
        """See `Store.times`; most versions have only one time for each message."""
        del clock
        return self._times[np.isin(self._topic_ids, keys)]

    def batches(self, keys: Sequence[int], rows: Rows | None) -> Iterator[Batch]:
        """See `Store.batches`: a few megabytes at a time."""
        ids = self._ids[np.isin(self._topic_ids, keys)]
        wanted: Rows = np.arange(len(ids)) if rows is None else rows
        held: list[bytes] = []
        first = total_bytes = 0
        for data in self._payloads(ids[wanted]):
            held.append(data)
            total_bytes += len(data)
            if total_bytes > _BATCH_BYTES:
                yield _batch(wanted[first : first + len(held)], held)
                first, total_bytes, held = first + len(held), 0, []
        if held:
            yield _batch(wanted[first:], held)

    def _payloads(self, ids: Rows) -> Iterator[bytes]:
        try:
            for start in range(0, len(ids), _IDS):
                part = ids[start : start + _IDS].tolist()
                marks = ",".join("?" * len(part))
                query = f"SELECT rowid, data FROM messages WHERE rowid IN ({marks}) ORDER BY rowid"  # noqa: S608  # nosec B608  # question marks
                yield from self._in_step(part, self._rows(query, *part))
        except _DAMAGE as error:
            raise SourceError(f"{self.label}: the file is damaged: {error}; {CUT_FIX}") from error

    def _in_step(self, ids: list[int], rows: Iterator[tuple[Any, ...]]) -> Iterator[bytes]:
        for expected in ids:
            number, data = next(rows, (None, None))
            if number != expected:
                raise SourceError(f"{self.label}: the file is damaged: message {expected} is gone; {CUT_FIX}")
            yield data if isinstance(data, bytes) else b""  # no type fits an empty message, so it is counted

    def prefixes(self, keys: Sequence[int]) -> Iterator[Batch]:
        """See `Store.prefixes`."""
        return self.batches(keys, None)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
        if self._copy is not None:
            self._copy.close()


def _batch(rows: Rows, held: list[bytes]) -> Batch:
    sizes = np.array([len(data) for data in held], np.int64)
    return Batch(rows, np.frombuffer(b"".join(held), np.uint8), np.cumsum(sizes) - sizes, sizes)


@dataclass(frozen=True, slots=True)
class Truncation:
    """An SQLite file that is shorter than its header says. problem: what is wrong with its length."""

    problem: str
    size_bytes: int
    full_bytes: int

    def damage(self, path: str) -> str:
        """What is wrong, and how much is whole: seconds, and of about how many by the share of bytes that are there."""
        text = f"the file is truncated: {self.problem}"
        try:
            store = Db3Store(path, recover=True)
        except SourceError:
            return text  # not even its tables can be read
        with closing(store):
            all_s = store.seconds * self.full_bytes / max(self.size_bytes, 1)
            whole = counted(store.message_count, "message")
            return f"{text}; {store.seconds:.1f} of about {all_s:.1f} s are whole ({whole})"


def truncation(path: str) -> Truncation | None:
    """What is wrong with the length of an SQLite file (None: nothing); https://www.sqlite.org/fileformat2.html, 1.3."""
    with Path(path).open("rb") as file:
        head = file.read(100)
        size_bytes = file.seek(0, 2)
    if head.startswith(ZSTD_MAGIC):
        return None
    if len(head) < 100:
        return Truncation(f"it ends within its header, after {counted(size_bytes, 'byte')}", size_bytes, 100)
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    full_bytes = page * int.from_bytes(head[28:32], "big")
    if head[24:28] == head[92:96] and size_bytes < full_bytes:
        return Truncation(f"it has {size_bytes} of {counted(full_bytes, 'byte')}", size_bytes, full_bytes)
    return None
