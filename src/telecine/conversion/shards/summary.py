"""report.json and left_out.json of a dataset from those of its parts. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from telecine.conversion.lasting import MOST_FINDINGS
from telecine.core.accounting import FIRST_NAMES
from telecine.core.data.serialize import from_plain
from telecine.core.dataclass import dataclass
from telecine.core.findings import Finding

_COUNTS = ("rows", "total_episodes", "total_rejected", "total_known", "total_not_wanted")
_BY_CODE = ("rejected_by_code", "findings_by_code")


@dataclass(frozen=True, slots=True)
class _CountedFinding(Finding):
    more: int = 0


@dataclass(frozen=True, slots=True)
class _PartReport:
    """The types of report.json of a part."""

    tool: str
    fps: int
    rows: int
    plan_digest: str
    total_episodes: int
    total_rejected: int
    total_known: int
    total_not_wanted: int
    outcomes: Mapping[str, int]
    rejected_by_code: Mapping[str, int]
    findings_by_code: Mapping[str, int]
    cameras: Mapping[str, Mapping[str, int]]
    findings: tuple[_CountedFinding, ...]
    more_findings: int
    recordings: str


@dataclass(frozen=True, slots=True)
class _LeftOut:
    stream: str
    what: str
    why: str
    fix: str
    recordings: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _PartAccounts:
    """The types of left_out.json of a part."""

    tool: str
    left_out: tuple[_LeftOut, ...]
    guesses: tuple[str, ...]


def check_lasting(report: Mapping[str, Any], accounts: Mapping[str, Any]) -> None:
    """Nothing, when what a part keeps can be joined with others. Raises: TypeError or ValueError."""
    from_plain(_PartReport, report)
    from_plain(_PartAccounts, accounts)


def joined_report(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """meta/telecine/report.json of all parts together; equal findings of several parts are one."""
    body: dict[str, Any] = dict(reports[0])
    body |= {name: sum(report[name] for report in reports) for name in _COUNTS}
    body |= {name: dict(sorted(_summed(report[name] for report in reports).items())) for name in _BY_CODE}
    body["outcomes"] = _outcomes(reports)
    body["cameras"] = {
        key: dict(_summed(report["cameras"].get(key, {}) for report in reports))
        for key in dict.fromkeys(key for report in reports for key in report["cameras"])
    }
    findings = _merged([finding for report in reports for finding in report["findings"]])
    body["findings"] = findings[:MOST_FINDINGS]
    body["more_findings"] = sum(r["more_findings"] for r in reports) + max(0, len(findings) - MOST_FINDINGS)
    return body


def joined_accounts(accounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """meta/telecine/left_out.json of all parts together."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in (entry for account in accounts for entry in account["left_out"]):
        key = tuple(entry[name] for name in ("stream", "what", "why", "fix"))
        there = found.setdefault(key, {**entry, "recordings": 0, "first": []})
        there["recordings"] += entry["recordings"]
        there["first"] = [*there["first"], *entry["first"]][:FIRST_NAMES]
    order = sorted(found.values(), key=lambda e: (e["what"] != "unreadable", e["stream"], e["why"]))
    guesses = list(dict.fromkeys(guess for account in accounts for guess in account["guesses"]))
    return {**accounts[0], "left_out": order, "guesses": guesses}


def _summed(counts: Any) -> Counter[str]:
    """Numbers by name, added; a name with 0 stays."""
    found: Counter[str] = Counter()
    for count in counts:
        found.update(count)
    return found


def _outcomes(reports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Episodes by outcome; a part in which none is known counts as unknown where another part knows some."""
    if not any(report["outcomes"] for report in reports):
        return {}
    known = next(report["outcomes"] for report in reports if report["outcomes"])
    return {
        word: sum(
            report["outcomes"].get(word, 0) if report["outcomes"] else report["total_episodes"] * (word == "unknown")
            for report in reports
        )
        for word in known
    }


def _merged(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Findings that say the same of several places once, with how many more there are."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for finding in findings:
        key = tuple(finding[name] for name in ("code", "severity", "message", "fix"))
        if key in found:
            found[key]["more"] += 1 + finding["more"]
        else:
            found[key] = dict(finding)
    return list(found.values())
