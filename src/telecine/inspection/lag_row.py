"""What `--lag` says of one stream: for people, for JSON, as findings, and as the `offset` of a plan."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from telecine.core.findings import Finding
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import Proposal

STATE, ACTION = "observation.state", "action"


@dataclass(frozen=True, slots=True)
class LagRow:
    """One line of what `--lag` says. ms: None where it cannot be told, see `why`.

    Positive: a camera shows later what the joints (`against`) did; the joints do later what the action says.
    interval_ms: (low, high) in which the truth lies 19 times of 20. episodes: how many say something, and of how many.
    drifts: recording -> ms by which the lag grows from its beginning to its end. odd: recording -> its own ms, where
    that is far from the others'.
    """

    stream: str
    """Its name in the recordings; of a dataset the same as `key`."""
    key: str
    against: str
    ms: float | None
    interval_ms: tuple[float, float] | None
    why: str
    episodes: tuple[int, int] = (0, 0)
    drifts: Mapping[str, float] = field(default_factory=dict)
    odd: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        interval = None if self.interval_ms is None else list(self.interval_ms)
        body = {"stream": self.stream, "key": self.key, "against": self.against, "ms": self.ms, "interval_ms": interval}
        more = {"drifts_ms": dict(self.drifts), "odd_ms": dict(self.odd)}
        return {**body, "why": self.why, "episodes": list(self.episodes), **more}

    @property
    def text(self) -> str:
        """In words, without the name."""
        if self.ms is None or self.interval_ms is None:
            return f"cannot tell: {self.why}"
        low, high = self.interval_ms
        if self.key == ACTION:
            return f"{self.against} follows after {self.ms:.0f} ms ({low:.0f} to {high:.0f})"
        return f"{self.ms:+.0f} ms ({low:+.0f} to {high:+.0f}) after {self.against}"


def lag_findings(rows: Sequence[LagRow]) -> Iterator[Finding]:
    """What a person has to know of lags beside their size: drift, and episodes unlike the others."""
    for row in rows:
        for label, ms in row.drifts.items():
            text = f"the lag of {row.stream} changes by {ms:+.0f} ms from the beginning to the end: its clock drifts"
            fix = "let both clocks follow one (NTP, PTP); an offset in a plan takes the mean away, not the drift"
            yield _finding("lag-drift", label, row, text, fix)
        for label, ms in row.odd.items():
            text = f"the lag of {row.stream} is {ms:.0f} ms, in the other episodes {row.ms:.0f} ms"
            yield _finding("lag-unlike", label, row, text, "give it an `offset` in a plan of its own, or leave it out")


def _finding(code: str, label: str, row: LagRow, text: str, fix: str) -> Finding:
    """At a recording's stream, or at an episode's feature."""
    episode = re.search(r"#/episode_(\d+)$", label)
    if episode and row.stream == f"/{row.key}":
        number = int(episode.group(1))
        return Finding(code, "warning", f"episode {number}", text, fix, episode=number, key=row.key)
    return Finding(code, "warning", label, text, fix, recording=label, stream=row.stream, key=row.key)


def with_offsets(proposal: Proposal, rows: Sequence[LagRow]) -> Proposal:
    """The proposal with an `offset` for each camera whose lag is certainly not zero; the action keeps its lead."""
    features, comments = dict(proposal.body["features"]), dict(proposal.comments)
    for row in rows:
        given = features.get(row.key)
        if (
            row.ms is None
            or row.interval_ms is None
            or row.key == ACTION
            or row.interval_ms[0] <= 0 <= row.interval_ms[1]
        ):
            continue
        taken = {"stream": row.stream, "offset": f"{round(-row.ms)}ms"}
        features[row.key] = {**given, "from": taken} if isinstance(given, Mapping) else {"from": taken}
        low, high = row.interval_ms
        line = f"measured {row.ms:.0f} ms ({low:.0f} to {high:.0f}) after {row.against}; the offset takes that away"
        comments[row.key] = (*comments.get(row.key, ()), line)
    body = {**proposal.body, "features": features}
    plan = None if proposal.plan is None else make_plan(body)
    return replace(proposal, body=body, plan=plan, comments=comments)
