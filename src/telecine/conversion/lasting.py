"""What a dataset keeps of the conversion that made it: a summary, a row for each recording, and what was left out.

The same for every run that makes the same dataset, on every machine. So it names neither the time it took nor what was
resumed, and files without the folders that they lie in.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine._version import __version__
from telecine.conversion.report import ClipReport, EpisodeReport, FrameCounts, Rejected, Report, accounts
from telecine.core.data import arrow
from telecine.core.data.serialize import from_plain
from telecine.core.episode import Use
from telecine.core.findings import Finding, grouped
from telecine.lerobot_format.paths import REPORT_ROWS

_OF_ONE_RUN = {"convert-resumed", "convert-leftover", "convert-crashed", "convert-known"}
"""Findings about how a run went, not about what came out of it."""
_BATCH = 1000
MOST_FINDINGS = 100
_FINDING = ("code", "severity", "where", "message", "fix", "key")


def _struct(of: type, kinds: dict[Any, pa.DataType]) -> pa.DataType:
    return pa.struct([(field.name, kinds[field.type]) for field in fields(of)])


_LEAVES: dict[Any, pa.DataType] = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
_SCHEMA = pa.schema(
    [
        ("recording", pa.string()),
        ("episode_index", pa.int64()),
        ("rows", pa.int64()),
        ("tasks", pa.list_(pa.string())),
        ("success", pa.bool_()),
        ("uses", pa.list_(_struct(Use, _LEAVES))),
        ("clips", pa.list_(_struct(ClipReport, _LEAVES | {FrameCounts: _struct(FrameCounts, _LEAVES)}))),
        ("findings", pa.list_(pa.struct([(name, pa.string()) for name in _FINDING]))),
    ]
)
"""Of meta/telecine/report.parquet. A rejected recording has no episode_index and no rows; its finding is the reason."""


def lasting_accounts(report: Report, folders: Iterable[str]) -> str:
    """meta/telecine/left_out.json."""
    body = _without(_prefix(folders), accounts(report.left_out, report.guesses))
    return json.dumps({"tool": f"telecine {__version__}", **body}, indent=1, ensure_ascii=False) + "\n"


def lasting_summary(report: Report, folders: Iterable[str]) -> str:
    """meta/telecine/report.json: of about the same size, however many recordings there were."""
    found = grouped(f for f in report.findings if f.code not in _OF_ONE_RUN)
    body = {
        "tool": f"telecine {__version__}",
        "fps": report.fps,
        "rows": report.rows,
        "plan_digest": report.plan_digest,
        "total_episodes": len(report.episodes),
        "total_rejected": len(report.rejected),
        "total_known": len(report.known),
        "total_not_wanted": len(report.not_wanted),
        "outcomes": report.outcomes,
        "rejected_by_code": dict(sorted(Counter(r.reason.code for r in report.rejected).items())),
        "findings_by_code": dict(sorted(Counter(f.code for e in report.episodes for f in e.findings).items())),
        "cameras": _cameras(report.episodes),
        "findings": [asdict(finding) | {"more": more} for finding, more in found[:MOST_FINDINGS]],
        "more_findings": max(0, len(found) - MOST_FINDINGS),
        "recordings": REPORT_ROWS,
    }
    return json.dumps(_without(_prefix(folders), body), indent=1, ensure_ascii=False) + "\n"


def lasting_tables(report: Report, folders: Iterable[str]) -> Iterator[pa.Table]:
    """meta/telecine/report.parquet, in tables of some recordings: the episodes in order, then what was rejected."""
    prefix = _prefix(folders)
    entries: tuple[EpisodeReport | Rejected, ...] = (*report.episodes, *report.rejected)
    for start in range(0, len(entries), _BATCH):
        records = [_without(prefix, _record(entry)) for entry in entries[start : start + _BATCH]]
        yield arrow.table(records, _SCHEMA)


def rejected_table(rejected: Sequence[Rejected]) -> pa.Table:
    """Rows of meta/telecine/report.parquet for recordings that were rejected."""
    return arrow.table([_record(entry) for entry in rejected], _SCHEMA)


def read_rejected(file: pq.ParquetFile) -> Iterator[Rejected]:
    """The rejected recordings in meta/telecine/report.parquet; of row groups without one only the numbers are read.

    Raises: pa.ArrowException; KeyError, TypeError or ValueError when it is another file.
    """
    for group in range(file.num_row_groups):
        numbers = file.read_row_group(group, ["episode_index"], use_threads=False).column("episode_index")
        if numbers.null_count:
            table = file.read_row_group(group, ["recording", "findings"], use_threads=False)
            for row in table.filter(numbers.is_null()).to_pylist():
                (reason,) = row["findings"]
                yield Rejected(row["recording"], from_plain(Finding, {**reason, "recording": row["recording"]}))


def without_folders(value: Any, folders: Iterable[str]) -> Any:
    """A plain value with the folders that files lie in taken out of every text in it."""
    return _without(_prefix(folders), value)


def _cameras(episodes: Sequence[EpisodeReport]) -> dict[str, dict[str, int]]:
    """By camera: its frames in all episodes, and where they come from."""
    found: dict[str, Counter[str]] = {}
    for clip in (clip for episode in episodes for clip in episode.clips):
        one, counts = found.setdefault(clip.key, Counter()), clip.pictures
        one.update(frames=clip.frames, copied=counts.copied, encoded=counts.encoded, shifted=counts.shifted)
        one.update(repeated=counts.repeated, left_out=counts.left_out)
    return {key: dict(counts) for key, counts in found.items()}


def _record(entry: EpisodeReport | Rejected) -> dict[str, Any]:
    if isinstance(entry, Rejected):
        empty = {"episode_index": None, "rows": None, "tasks": (), "success": None, "uses": (), "clips": ()}
        return {"recording": entry.recording, **empty, "findings": [_finding(entry.reason)]}
    body = asdict(entry)
    return body | {"episode_index": body.pop("index"), "findings": [_finding(f) for f in entry.findings]}


def _finding(finding: Finding) -> dict[str, str | None]:
    return {name: getattr(finding, name) for name in _FINDING}


def _prefix(folders: Iterable[str]) -> re.Pattern[str]:
    """Matches the folders that files lie in, and one below whose name is random."""
    parts = [
        rf"{re.escape(folder.rstrip('/'))}/(?:new-[^/\s]+/)?"
        for folder in sorted(set(folders), key=len, reverse=True)
        if len(folder) > 1
    ]
    return re.compile("|".join(parts) or r"(?!)")


def _without(prefix: re.Pattern[str], value: Any) -> Any:
    """A plain value with `prefix` taken out of every text in it."""
    if isinstance(value, str):
        return prefix.sub("", value)
    if isinstance(value, dict):
        return {key: _without(prefix, entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without(prefix, entry) for entry in value]
    return value
