"""Findings of a verification, collected so that one broken file does not bury the rest."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telecine.core.findings import Finding, Severity
from telecine.core.text.numbers import counted

CONVERT_AGAIN = "convert the recordings again; `telecine repair` shows what can be saved without them"
REPAIR = "see what `telecine repair` makes of it; do not remove it"
MOST = 20
"""Findings listed of one code; the rest are counted."""


class FindingLog:
    """What was found so far."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[tuple[str, Severity]] = Counter()
        self._place: dict[str, Any] = {}

    @contextmanager
    def at(self, **place: Any) -> Iterator[None]:
        """What is logged inside is about this `episode`, `key` or `rows`; see `Finding`."""
        outside, self._place = self._place, self._place | place
        try:
            yield
        finally:
            self._place = outside

    def error(self, code: str, where: str, message: str, fix: str = CONVERT_AGAIN) -> None:
        """Something that breaks loading or training, or makes it wrong."""
        self._add(Finding(code, "error", where, message, fix, **self._place))

    def warning(self, code: str, where: str, message: str, fix: str = "") -> None:
        """Something that works today and is still not as it should be."""
        self._add(Finding(code, "warning", where, message, fix, **self._place))

    def _add(self, finding: Finding) -> None:
        self._counts[finding.code, finding.severity] += 1
        if self._counts[finding.code, finding.severity] <= MOST:
            self._findings.append(finding)

    def all(self) -> list[Finding]:
        """The findings in the order they were made, and how many more there were of each code."""
        more = [
            Finding(
                code,
                severity,
                "dataset",
                f"not listed: {counted(count - MOST, 'more finding')} of this kind",
                "see those above",
            )
            for (code, severity), count in self._counts.items()
            if count > MOST
        ]
        return [*self._findings, *more]
