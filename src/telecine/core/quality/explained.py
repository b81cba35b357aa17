"""Findings that another one of the same episode explains, left out so that one defect is one finding."""

from collections.abc import Iterable

from telecine.core.findings import Finding

_BY: dict[str, frozenset[str]] = {
    "look-range": frozenset({"look-spikes", "look-jump", "look-units", "look-order", "look-values"}),
    "look-clipped": frozenset({"look-stuck", "look-units"}),
    "look-frozen": frozenset({"look-dark", "look-white", "look-copy"}),
    "look-blurred": frozenset({"look-dark", "look-white", "look-dim", "look-cameras", "look-torn"}),
    "look-dim": frozenset({"look-dark", "look-cameras"}),
    "look-torn": frozenset({"look-dark", "look-white"}),
    "look-lag": frozenset({"look-stuck", "look-action-state", "look-units", "look-order"}),
    "look-order": frozenset({"look-units"}),
    "look-idle": frozenset({"look-stuck"}),
    "look-dead": frozenset({"look-stuck", "look-short"}),
    "look-gripper": frozenset({"look-short"}),
    "look-jump": frozenset({"look-repeated"}),
}
"""Code -> the codes that explain it, on the same rows and of the same feature."""


def without_explained(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that follow from another one, and copies once an episode."""
    listed = list(findings)
    by_code: dict[tuple[str, int | None], list[Finding]] = {}
    for finding in listed:
        by_code.setdefault((finding.code, finding.episode), []).append(finding)

    def explained(finding: Finding) -> bool:
        if finding.code == "look-copy" and finding.key is not None:
            return any(f.key is None for f in by_code["look-copy", finding.episode])
        causes = [f for code in _BY.get(finding.code, ()) for f in by_code.get((code, finding.episode), ())]
        return finding.episode is not None and any(_same_place(finding, cause) for cause in causes)

    return [finding for finding in listed if not explained(finding)]


def _same_place(finding: Finding, cause: Finding) -> bool:
    if finding.key != cause.key and None not in (finding.key, cause.key) and cause.code != "look-cameras":
        return False
    if finding.rows is None or cause.rows is None:
        return True
    stays = finding.code == "look-range" and cause.code == "look-jump"
    return cause.rows[0] < finding.rows[1] and (stays or finding.rows[0] < cause.rows[1])
