"""How many rows an episode lost because streams started late, ended early or paused. Reads stamps only."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from telecine.core.align import measure
from telecine.core.errors import AlignError
from telecine.core.findings import Finding
from telecine.core.grid import SECOND, Grid
from telecine.core.plan.bind import Source, bind
from telecine.core.plan.model import Plan
from telecine.core.proposal.rates import SPLIT_GAPS_NS
from telecine.core.recording import Recording
from telecine.core.resample.overlap import Bounds, bounds_of
from telecine.core.text.numbers import counted, counted_of, percent_text
from telecine.recorder.options import duration_text


@dataclass(frozen=True, slots=True)
class Cut:
    """What one stream cost at one side of the episode."""

    stream: str
    side: str
    rows: int
    at_s: float
    """Where the stream begins or ends, in seconds from the first sample of all."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """rows: of the episode. expected: from the first sample of any stream to the last one. cuts: the greatest first."""

    rows: int
    expected: int
    cuts: tuple[Cut, ...]

    def findings(self, where: str) -> list[Finding]:
        """One for each stream that cost rows."""
        return [
            Finding(
                "align-trimmed",
                "warning",
                f"{where} {cut.stream}",
                f"{cut.rows} of {counted(self.expected, 'row')} cut from the {cut.side}: no samples "
                f"{'before' if cut.side == 'start' else 'after'} {cut.at_s:.3f} s",
                "check the sensor; strict=True rejects such episodes",
            )
            for cut in self.cuts
        ]

    def check(self, min_rows: float, *, strict: bool) -> None:
        """Nothing, when enough rows are left. Raises: AlignError naming the streams that cost them."""
        if strict and self.cuts:
            raise AlignError(f"strict: {self._text}")
        if self.cuts and self.rows < min_rows * self.expected:
            raise AlignError(f"{self._text}; at least {percent_text(min_rows)} of the rows are asked for (min_rows)")

    @property
    def culprits(self) -> tuple[str, ...]:
        """Streams that alone cost more than half of the rows."""
        return tuple(dict.fromkeys(cut.stream for cut in self.cuts if 2 * cut.rows > self.expected))

    @property
    def _text(self) -> str:
        streams = "; ".join(
            (
                f"{c.stream} {'starts' if c.side == 'start' else 'ends'} at {c.at_s:.3f} s, which costs "
                f"{counted(c.rows, 'row')}"
            )
            for c in self.cuts
        )
        return f"{counted_of(self.rows, self.expected, 'expected row', 'is', 'are')} left: {streams}"


def trimmed(recording: Recording, plan: Plan, grid: Grid | None = None) -> Trimmed:
    """What is cut from the streams to get to `grid`, or to the time in which all of them have samples.

    Text counts neither way: it comes when it comes.
    """
    bounds = _bounds(recording, plan)
    starts = [b.start_ns for b in bounds]
    ends = [b.last_ns for b in bounds]
    if grid is None:
        shared = min(b.stop_ns if b.stop_ns is not None else max(ends) for b in bounds)
        grid = Grid.between(max(starts), shared, Fraction(plan.fps))
    ticks = grid.ticks()
    first, last = (int(ticks[0]), int(ticks[-1])) if grid.count else (grid.start_ns, grid.start_ns)
    start, stop = min(starts, default=first), max(ends, default=last)
    cuts = []
    for bound in bounds:
        late = _ticks(min(bound.start_ns, first) - start, grid)
        early = 0 if bound.stop_ns is None else _ticks(stop - max(bound.stop_ns, last), grid)
        if late:
            cuts.append(Cut(bound.name, "start", late, (bound.start_ns - start) / SECOND))
        if early:
            cuts.append(Cut(bound.name, "end", early, ((bound.stop_ns or 0) - start) / SECOND))
    cuts.sort(key=lambda cut: -cut.rows)
    before, after = _ticks(first - start, grid), _ticks(stop - last, grid)
    return Trimmed(grid.count, grid.count + before + after, tuple(cuts))


def _bounds(recording: Recording, plan: Plan) -> list[Bounds]:
    bounds = bounds_of(bind(plan, recording), plan.fps, recording.ref.label)
    return [b for b in bounds if recording.streams[b.name].kind != "text"]


def _ticks(span_ns: int, grid: Grid) -> int:
    return int((max(span_ns, 0) + 1) * grid.fps // SECOND)  # ticks are rounded to a ns


@dataclass(frozen=True, slots=True)
class Pause:
    """The longest time that a stream had no sample, where that is longer than its limit."""

    stream: str
    at_s: float
    length_ns: int
    limit_ns: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A time in which no stream had a sample: after which stamp, and how long. first_ns: of the episode."""

    first_ns: int
    after_ns: int
    length_ns: int


def stops(recording: Recording, plan: Plan) -> list[Stop]:
    """Where nothing at all was added for so long that a recording is split there, as when its clock jumps."""
    every = [source.times() for source, _ in _sampled(recording, plan)]
    times = np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)
    steps = np.diff(times)
    return [Stop(int(times[0]), int(times[at]), int(steps[at])) for at in np.flatnonzero(steps > SPLIT_GAPS_NS)]


def pauses(recording: Recording, plan: Plan) -> list[Pause]:
    """Of every numeric stream and camera that paused for longer than its limit, between its own samples.

    Where nothing at all was added is no pause of a stream; see `stops`.
    """
    found = []
    stopped = stops(recording, plan)
    for source, asked in _sampled(recording, plan):
        times = source.times()
        if times.size < 2:
            continue
        for stop in reversed(stopped):
            times = np.where(times > stop.after_ns, times - stop.length_ns, times)
        limit = measure(times).auto_limit_ns if asked == "auto" else asked
        steps = np.diff(times)
        at = int(steps.argmax())
        if isinstance(limit, int) and steps[at] > limit:
            seconds = float(times[at] - times[0]) / SECOND
            found.append(Pause(source.stream.name, seconds, int(steps[at]), limit))
    return found


def _sampled(recording: Recording, plan: Plan) -> list[tuple[Source, int | str | None]]:
    """(stream, its limit) of what comes at a rate: no texts."""
    sources = [(source, bound.feature.limit) for bound in bind(plan, recording).features for source in bound.sources]
    return [(source, limit) for source, limit in sources if source.stream.kind != "text" and not source.stream.static]


def pause_text(found: Sequence[Pause], stopped: Sequence[Stop] = ()) -> str:
    """The pauses, and what to give to the recorder so that it takes such episodes."""
    stood = "; ".join(
        f"nothing was added for {s.length_ns / SECOND:.3f} s at {(s.after_ns - s.first_ns) / SECOND:.3f} s: its clock "
        "jumped, or the program stood still"
        for s in stopped
    )
    if not found:
        return stood
    what = (f"{stood}; " if stood else "") + "; ".join(
        f"{p.stream} had no sample for {p.length_ns / SECOND:.3f} s at {p.at_s:.3f} s, "
        f"longer than its limit of {p.limit_ns / SECOND:.3f} s"
        for p in found
    )
    ages = ", ".join(f'"{p.stream}": "{duration_text(p.length_ns)}"' for p in found)
    return f"{what}; Recorder(max_age={{{ages}}}) accepts that"
