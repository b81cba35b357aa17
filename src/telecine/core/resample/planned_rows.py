"""Which sample each row would use, for people who look at a plan before they convert. Reads stamps, never a value.

The same arithmetic as `resample`, but nothing is refused: a row without a usable sample is MISSING, and what `resample`
would say stands in `problem`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from telecine.core.align import MISSING, between, hold, measure, nearest
from telecine.core.errors import AlignError
from telecine.core.findings import Finding
from telecine.core.grid import Rows, Times
from telecine.core.plan.bind import BoundFeature, Source, bind
from telecine.core.plan.model import Plan
from telecine.core.recording import Recording
from telecine.core.resample.overlap import age_limit
from telecine.core.resample.resample import rows_of, ticks_of
from telecine.core.text.numbers import counted


@dataclass(frozen=True, eq=False, slots=True)
class SourceRows:
    """What the rows take from one stream.

    times: (n,) int64 ns, of its samples. ticks: (m,) int64 ns, the moments that rows want a sample of.
    rows: (m,) int64, the sample of each row, or the one before it where two are blended; MISSING where there is none.
    """

    key: str
    source: Source
    how: str
    limit_ns: int | None
    times: Times
    ticks: Times
    rows: Rows
    problem: str = ""
    """Why `resample` would refuse it."""

    @property
    def ages(self) -> Times:
        """(m,) int64 ns from the sample to the row's moment: negative where the sample is later, 0 where missing."""
        return np.where(self.rows == MISSING, 0, self.ticks - self.times[np.maximum(self.rows, 0)])


@dataclass(frozen=True, eq=False, slots=True)
class PlannedRows:
    """The rows of one episode before anything is read for them. ticks: (m,) int64 ns."""

    ticks: Times
    sources: tuple[SourceRows, ...]
    findings: tuple[Finding, ...]


def planned_rows(recording: Recording, plan: Plan) -> PlannedRows:
    """The rows of `recording` by `plan`. Static streams, and the task, are not among the sources.

    Raises: PlanError when the plan does not fit, AlignError when there is no row at all, SourceError.
    """
    binding = bind(plan, recording)
    where = recording.ref.label
    ticks, findings = ticks_of(binding, plan, where, recording.ref.part)
    last = max(bound.feature.shift for bound in binding.features)
    if ticks.size <= last:
        raise AlignError(f"{where}: {counted(ticks.size, 'row is', 'rows are')} too few for a shift of {last}")
    count = ticks.size - last
    sources = (
        source
        for bound in binding.features
        for source in _of_feature(bound, ticks[bound.feature.shift : bound.feature.shift + count], where)
    )
    return PlannedRows(ticks[:count], tuple(sources), tuple(findings))


def _of_feature(bound: BoundFeature, ticks: Times, where: str) -> Iterator[SourceRows]:
    feature = bound.feature
    for source in bound.sources:
        if source.stream.static:
            continue
        times = source.times()
        limit = age_limit(feature, source, measure(times))
        problem = ""
        if feature.how in ("linear", "slerp"):
            rows = between(times, ticks, limit).before
            missing = int(np.sum(rows == MISSING))
            problem = f"no samples on both sides of {missing} of {counted(ticks.size, 'row')}" if missing else ""
        else:
            rows = (hold if feature.how == "hold" else nearest)(times, ticks, limit)
            try:
                rows_of(bound, source, ticks, where)
            except AlignError as error:
                problem = str(error).removeprefix(f"{where}: ")
        yield SourceRows(feature.key, source, feature.how, limit, times, ticks, rows, problem)
