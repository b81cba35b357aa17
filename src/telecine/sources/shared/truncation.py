"""How a file of records ends, and what follows from it: the same words and rules for MCAP files and ROS bags."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.recording import Ref
from telecine.sources.format import Found

EndState = Literal["complete", "open", "cut", "garbage"]
CUT_FIX = "use --recover to take what is whole"


@dataclass(frozen=True, slots=True)
class End:
    """complete: closed by its writer; open: ends behind a whole record; cut: within one; garbage: no record follows.

    whole: (records, bytes, of how many bytes) that can be read. holds_messages: False when there is nothing to save.
    outer: what is wrong with the compression of the whole file.
    """

    state: EndState
    problem: str
    whole: tuple[int, int, int]
    holds_messages: bool
    outer: str = ""

    @property
    def damage(self) -> str:
        """What is wrong, "" when every record in the file is whole."""
        problem = self.outer or self.problem
        fine = self.state == "complete" or (self.state == "open" and self.holds_messages)
        if fine and not self.outer and (self.state == "open" or not self.problem):
            return ""
        kind = "damaged" if self.state in ("garbage", "complete") else "truncated"
        records, whole_bytes, size_bytes = self.whole
        return f"the file is {kind}: {problem}; {records} records, {whole_bytes} of {size_bytes} bytes, are whole"


class RecordScan(Protocol):
    """What a scan over a file of records found, as far as its end is concerned."""

    state: EndState
    problem: str
    records: int
    whole_bytes: int
    size_bytes: int

    @property
    def blocks(self) -> Sequence[object]:
        """What holds messages."""
        ...


def end_of(scan: RecordScan, outer: str) -> End:
    """How the file ends."""
    whole = (scan.records, scan.whole_bytes, scan.size_bytes)
    return End(scan.state, scan.problem, whole, bool(scan.blocks), outer)


def found_of(name: str, path: str, end: End, recover: bool) -> Found:
    """One Ref for a file of the format `name`, and what is wrong with its end; no Ref when that is an error."""
    findings = findings_of(path, end, recover)
    if any(finding.severity == "error" for finding in findings):
        return Found(findings=findings)
    return Found((Ref(name, path, "", Path(path).stat().st_size, recover),), findings)


def findings_of(path: str, end: End, recover: bool) -> tuple[Finding, ...]:
    """What to say about the end of a file before it is read."""
    if end.damage and not end.holds_messages:
        return (Finding("source-truncated", "error", path, end.damage, "record it again or remove it"),)
    if end.damage:
        return () if recover else (Finding("source-truncated", "error", path, end.damage, CUT_FIX),)
    if end.state == "open":
        message = (
            f"it has no end marker after {end.whole[0]} whole records: still being written, or its recorder was "
            "stopped; read up to the last record"
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


def notes_of(damage: str, lost: Sequence[str], recover: bool) -> tuple[tuple[str, str], ...]:
    """One note on everything that was left out of a file."""
    text = "; ".join([*([damage] if damage else []), *(f"lost: {what}" for what in lost)])
    return (("source-recovered" if recover else "source-truncated", text),) if text else ()
