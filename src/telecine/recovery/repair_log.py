"""What a repair found out, in findings: recovered, changed, lost, and in conflict."""

from telecine.core.findings import Finding
from telecine.dataset.verify.finding_log import MOST

_ALL = ("repair-lost", "repair-conflict")
"""Codes of which every finding is listed."""


class RepairLog:
    """Findings of a repair; of each kind the first 20 are listed and the rest counted."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def recovered(self, where: str, message: str) -> None:
        """Something unreadable was read after all."""
        self._findings.append(Finding("repair-recovered", "info", where, message))

    def changed(self, where: str, message: str) -> None:
        """Something is different in the repaired copy, and no data is lost by it."""
        self._findings.append(Finding("repair-changed", "info", where, message))

    def lost(self, where: str, message: str, fix: str = "") -> None:
        """Something is not in the repaired copy."""
        self._findings.append(Finding("repair-lost", "warning", where, message, fix))

    def conflict(self, where: str, message: str, fix: str = "") -> None:
        """Two witnesses disagree."""
        self._findings.append(Finding("repair-conflict", "error", where, message, fix))

    def all(self) -> list[Finding]:
        """In the order they were noticed; losses all of them, of the others the first of each kind."""
        counts: dict[str, int] = {}
        listed = []
        for finding in self._findings:
            counts[finding.code] = counts.get(finding.code, 0) + 1
            if finding.code in _ALL or counts[finding.code] <= MOST:
                listed.append(finding)
        for code, count in counts.items():
            if code not in _ALL and count > MOST:
                listed.append(Finding(code, "info", "dataset", f"{count - MOST} more of this kind are not listed"))
        return listed
