"""How a file of records ends, and what follows from it: one set of words and rules for MCAP, ROS bags and Rerun."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal, Protocol, TypeVar

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError, closed_on_failure
from telecine.core.findings import Finding
from telecine.core.recording import Ref
from telecine.core.text.addresses import is_stored
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.shared.compressed import open_expanded

EndState = Literal["complete", "open", "cut", "garbage"]
CUT_FIX = "use --recover to take what is whole"


@dataclass(frozen=True, slots=True)
class End:
    """complete: closed by its writer; open: ends behind a whole record; cut: within one; garbage: no record follows.

    whole: (records, bytes, of how many bytes) that can be read. holds_messages: False when there is nothing to save.
    outer: what is wrong with the compression of the whole file. unit: what the format calls a record. times: what is
    known of when its messages were logged.
    """

    state: EndState
    problem: str
    whole: tuple[int, int, int]
    holds_messages: bool
    outer: str = ""
    unit: str = "record"
    times: "LoggedTimes | None" = None

    @property
    def damage(self) -> str:
        """What is wrong, "" when every record in the file is whole."""
        problem = self.outer or self.problem
        fine = self.state == "complete" or (self.state == "open" and self.holds_messages)
        if fine and not self.outer and (self.state == "open" or not self.problem):
            return ""
        kind = "damaged" if self.state in ("garbage", "complete") else "truncated"
        records, whole_bytes, size_bytes = self.whole
        counts = f"{counted(records, self.unit)}, {whole_bytes} of {counted(size_bytes, 'byte')}"
        return f"the file is {kind}: {problem}; {self._share()} whole ({counts})"

    def _share(self) -> str:
        """How much is whole, in seconds where the format tells them."""
        _, whole_bytes, size_bytes = self.whole
        if self.times is None:
            return f"{100 * whole_bytes // max(size_bytes, 1)} % of it is"
        whole_s, all_s = self.times.seconds
        if self.state == "garbage" and all_s == whole_s and whole_bytes:  # times behind the damage are not known
            return f"{whole_s:.1f} of about {whole_s * size_bytes / whole_bytes:.1f} s are"
        return f"{whole_s:.1f} of {all_s:.1f} s are" if f"{all_s:.1f}" != f"{whole_s:.1f}" else f"{whole_s:.1f} s are"


@dataclass(slots=True)
class LoggedTimes:
    """Of messages in whole blocks, and in a block that is cut, in ns: what its header says."""

    first_ns: int
    whole_ns: int
    last_ns: int

    @property
    def seconds(self) -> tuple[float, float]:
        """What is whole, and all that is known of."""
        return (self.whole_ns - self.first_ns) / 1e9, (self.last_ns - self.first_ns) / 1e9


def with_times(known: LoggedTimes | None, first_ns: int, last_ns: int, *, whole: bool = True) -> LoggedTimes:
    """`known`, and the times of one block more.

    >>> with_times(with_times(None, 0, 10**9), 10**9, 3 * 10**9, whole=False).seconds
    (1.0, 3.0)
    """
    if known is None:
        return LoggedTimes(first_ns, last_ns if whole else first_ns, last_ns)
    whole_ns = max(known.whole_ns, last_ns) if whole else known.whole_ns
    return LoggedTimes(min(known.first_ns, first_ns), whole_ns, max(known.last_ns, last_ns))


class RecordScan(Protocol):
    """What a scan over a file of records found, as far as its end is concerned."""

    state: EndState
    problem: str
    records: int
    whole_bytes: int
    size_bytes: int
    times: LoggedTimes | None

    @property
    def blocks(self) -> Sequence[object]:
        """What holds messages."""
        ...


class LossyStore(Protocol):
    """What reads the messages of an open file of records."""

    @property
    def lost(self) -> Sequence[str]:
        """What could not be read."""
        ...


Scan = TypeVar("Scan", bound=RecordScan)
OpenStore = TypeVar("OpenStore", bound=LossyStore)
Notes = tuple[tuple[str, str], ...]


def index_file(name: str, path: str, recover: bool, walk: Callable[[IO[bytes], int, str], RecordScan]) -> Found:
    """`found_of` a file that `walk`(file, its size, its path) scans."""
    file, size_bytes, problem = open_expanded(path)
    with file:
        end = end_of(walk(file, size_bytes, path), problem)
    return found_of(name, path, end, recover, size_bytes if is_stored(path) else Path(path).stat().st_size)


def open_file(
    path: str,
    recover: bool,
    walk: Callable[[IO[bytes], int, str], Scan],
    store_of: Callable[[IO[bytes], Scan, str, bool], OpenStore],
) -> tuple[OpenStore, Scan, Notes]:
    """The store over a file, which owns it from then on, its scan, and notes on everything left out.

    Raises:
        SourceError: it cannot be read, or is damaged and `recover` was not asked for.
    """
    file, size_bytes, problem = open_expanded(path)
    with closed_on_failure(file.close):
        scan = walk(file, size_bytes, path)
        damage = refuse(path, end_of(scan, problem), recover)
        store = store_of(file, scan, path, recover)
    return store, scan, notes_of(damage, store.lost, recover)


def lost_behind(label: str, chunk_at: int, end: int, recover: bool) -> str:
    """What is lost of a chunk that holds no record at its byte `end`.

    Raises:
        SourceError: `recover` was not asked for.
    """
    problem = f"the chunk at byte {chunk_at} holds no record at its byte {end}"
    if not recover:
        raise SourceError(f"{label}: {problem}; {CUT_FIX}")
    return f"what follows where {problem}"


def end_of(scan: RecordScan, outer: str) -> End:
    """How the file ends."""
    whole = (scan.records, scan.whole_bytes, scan.size_bytes)
    return End(scan.state, scan.problem, whole, bool(scan.blocks), outer, times=scan.times)


def found_of(name: str, path: str, end: End, recover: bool, size_bytes: int) -> Found:
    """One Ref for a file of the format `name`, and what is wrong with its end; no Ref when that is an error."""
    findings = findings_of(path, end, recover)
    if any(finding.severity == "error" for finding in findings):
        return Found(findings=findings)
    return Found((Ref(name, path, "", size_bytes, recover),), findings)


def findings_of(path: str, end: End, recover: bool) -> tuple[Finding, ...]:
    """What to say about the end of a file before it is read."""
    if end.damage and not end.holds_messages:
        return (Finding("source-truncated", "error", path, end.damage, "record it again or remove it"),)
    if end.damage:
        return () if recover else (Finding("source-truncated", "error", path, end.damage, CUT_FIX),)
    if end.state == "open":
        message = (
            f"it has no end marker after {end.whole[0]} whole {end.unit}: still being written, or its recorder was "
            f"stopped; read up to the last {end.unit.removesuffix('s')}"
        )
        return (Finding("source-truncated", "warning", path, message, "convert it again once it is finished"),)
    return ()


def refuse(path: str, end: End, recover: bool) -> str:
    """The damage that is accepted, "" for none.

    Raises:
        SourceError: there is damage and `recover` was not asked for.
    """
    if end.damage and not recover:
        raise SourceError(f"{path}: {end.damage}; {CUT_FIX}")
    return end.damage


def notes_of(damage: str, lost: Sequence[str], recover: bool) -> Notes:
    """One note on everything that was left out of a file."""
    text = "; ".join([*([damage] if damage else []), *(f"lost: {what}" for what in lost)])
    return (("source-recovered" if recover else "source-truncated", text),) if text else ()
