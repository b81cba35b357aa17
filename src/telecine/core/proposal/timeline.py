"""The clock of a proposal: one that advances, that the planned streams share, and that somebody chose.

From the surest to the least sure: a time that the person logged; the recorder's own time, where it looks like that of
measuring; steps, which need a rate. A clock that does not advance is never taken. The recorder's time is nonsense in a
file that was written offline: then it is as fast as the disk, unsteady, or different in recordings of equal length.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from telecine.core.align import STANDS_STILL
from telecine.core.proposal.notes import Notes
from telecine.core.recording_summary import SECOND_CHOICE, ClockFacts, RecordingFacts, StreamSummary
from telecine.core.text.numbers import counted, percent_text

NO_TIMELINE = "none"
ADVANCES = 0.05
"""Share of a stream's samples that need a stamp of their own for its clock to count as advancing."""
COVERS = 0.5
"""More than this share, on average of all streams, makes a clock one that the recording was made on."""
FASTEST_CAMERA_HZ = 250
FASTEST_HZ = 2000
ENOUGH = 10
"""Samples from which on a rate means something."""
SPREAD = 1.1
"""Ratio of rates of recordings with equally many samples above which a clock did not count the same time."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    stamps: tuple[tuple[StreamSummary, ClockFacts], ...]
    """Of all recordings."""
    coverage: float
    """Mean share, over all moving streams, of samples with a stamp of their own."""
    streams: int

    @property
    def counts(self) -> bool:
        return self.stamps[0][1].kind == "sequence"

    @property
    def own(self) -> bool:
        """The recorder's, rather than the person's."""
        return self.name in SECOND_CHOICE

    @property
    def advances(self) -> bool:
        """Samples have stamps of their own on it, as far as on any clock, and are not all of one moment."""
        samples = sum(c.samples for _, c in self.stamps)
        return self.coverage >= ADVANCES and sum(_distinct(c) for _, c in self.stamps) * STANDS_STILL > samples

    @property
    def steady(self) -> bool:
        long = [c for s, c in self.stamps if c.samples >= ENOUGH and s.kind != "text"]
        return 2 * sum(2 * c.rate.jitter_ns <= c.rate.period_ns for c in long) >= len(long)

    @property
    def possible(self) -> bool:
        """No stream runs faster than devices do."""
        fastest = {True: FASTEST_CAMERA_HZ, False: FASTEST_HZ}
        return all((c.hz or 0) <= fastest[s.is_camera] for s, c in self.stamps if c.samples >= ENOUGH)

    @property
    def consistent(self) -> bool:
        """Recordings with equally many samples of a stream are equally long, to a tenth."""
        rates: dict[tuple[str, int], list[float]] = defaultdict(list)
        for stream, clock in self.stamps:
            if clock.samples >= ENOUGH and clock.hz:
                rates[stream.name, clock.samples].append(clock.hz)
        return all(max(found) <= SPREAD * min(found) for found in rates.values())


def choose_timeline(
    recordings: Sequence[RecordingFacts], common: Sequence[StreamSummary], notes: Notes, *,
    rate_given: bool = False, rated: str = "",
) -> str:  # fmt: skip
    """The name of the clock to make rows on, or `NO_TIMELINE`. Says in `notes` what was chosen and what that costs.

    rate_given: it is known how many steps make a second, whichever clock counts them. rated: of this clock it is known.
    """
    moving = [s for s in common if not s.static and s.kind != "text"] or [s for s in common if not s.static]
    moving = [s for s in moving if not s.problems] or moving  # what cannot be read says nothing of clocks
    found = list(_candidates(recordings, moving))
    if not found:
        notes.missing.append("no stream has timestamps, so there is no timeline to make rows on")
        return NO_TIMELINE
    counting = any(c.counts and not c.own and c.coverage > COVERS for c in found)
    ranked = sorted(found, key=lambda c: _worth(c, counting, rate_given or c.name == rated), reverse=True)
    best, others = ranked[0], ranked[1:]
    notes.comments["clock"] = [_described(best, moving), *(f"or {_described(other, moving)}" for other in others)]
    notes.guesses.extend(_guesses(best, others))
    rate_given = rate_given or best.name == rated
    if best.counts and not rate_given:
        notes.missing.append(
            f"timeline {best.name!r} counts steps: say how many a second with --rate, or `rate:` in `clock:`"
        )
    elif not best.counts and _tier(best, counting, rate_given) <= 1:
        notes.missing.append(_nonsense(best))
    lost = [s for s in moving if not advances(s, best.name)]
    if lost:
        absent = [s for s in lost if s.on(best.name) is None]
        for streams, why in (
            (absent, "have no timestamps on it"),
            ([s for s in lost if s not in absent], "stand still on it"),
        ):
            if streams:
                names = ", ".join(s.name for s in streams)
                notes.guesses.append(f"timeline {best.name}: left out because they {why}: {names}")
                notes.leave_out(streams, f"timeline {best.name}: the samples {why}")
    return best.name


def advances(stream: StreamSummary, timeline: str) -> bool:
    """True where the stream's samples have stamps of their own on `timeline`, as far as on any clock."""
    clock = stream.on(timeline)
    most = max((_distinct(c) for c in stream.clocks), default=0)
    return clock is not None and _distinct(clock) > 0 and _distinct(clock) >= ADVANCES * most


def _distinct(clock: ClockFacts) -> int:
    return clock.samples - clock.rate.duplicates


def _candidates(recordings: Sequence[RecordingFacts], moving: Sequence[StreamSummary]) -> Iterator[_Candidate]:
    """Every clock of the moving streams, in order of name."""
    per_stream = [[s for r in recordings if (s := r.stream(m.name)) is not None and not s.problems] for m in moving]
    for name in sorted({c.name for s in chain(*per_stream) for c in s.clocks}):
        shares, stamps = [], []
        for summaries in per_stream:
            clocks = [(s, c) for s in summaries if (c := s.on(name)) is not None and c.samples]
            most = sum(max((_distinct(c) for c in s.clocks), default=0) for s in summaries)
            shares.append(sum(_distinct(c) for _, c in clocks) / most if most else 0.0)
            stamps += clocks
        if stamps:
            yield _Candidate(name, tuple(stamps), sum(shares) / len(shares), sum(share > 0 for share in shares))


def _tier(candidate: _Candidate, counting: bool, rate_given: bool) -> int:
    if not candidate.advances:
        return 0
    if candidate.coverage <= COVERS:
        return 1
    if candidate.counts:
        return 1 if candidate.own else 4 if rate_given else 2
    if not candidate.own:
        return 5
    sensible = candidate.possible and candidate.consistent and (candidate.steady or not counting)
    return 3 if sensible else 1


def _worth(candidate: _Candidate, counting: bool, rate_given: bool) -> tuple[int, bool, float, int, bool, bool, bool]:
    tier = _tier(candidate, counting, rate_given)
    clock = candidate.stamps[0][1]
    return (
        *(tier, candidate.consistent, round(candidate.coverage, 1), candidate.streams),
        *(candidate.steady, clock.kind != "sequence", clock.kind == "timestamp"),
    )


def _described(candidate: _Candidate, moving: Sequence[StreamSummary]) -> str:
    kind = candidate.stamps[0][1].kind
    still = "" if candidate.advances else ", does not advance"
    return f"{candidate.name} ({kind}, {candidate.streams} of {counted(len(moving), 'stream')}{still})"


def _guesses(best: _Candidate, others: Sequence[_Candidate]) -> Iterator[str]:
    if best.own and not best.counts:
        steps = [c.name for c in others if c.counts and not c.own]
        hint = f"; {', '.join(steps)} counts steps and needs `rate`" if steps else ""
        yield f"timeline {best.name} is when values were logged, not when they were measured{hint}"
    if best.counts and (times := [c.name for c in others if c.own and not c.counts]):
        yield (
            f"timeline {best.name} counts steps; {', '.join(times)} is not taken, because it looks like the time of "
            "writing the file, not of measuring"
        )
    stale = [c.name for c in others if not c.own and not c.counts and not c.advances]
    if stale:
        yield f"timeline {', '.join(stale)} does not advance and is not taken"
    if not best.own and not best.consistent and not best.counts:
        yield f"timeline {best.name}: recordings with equally many samples differ in length by more than a tenth on it"


def _nonsense(best: _Candidate) -> str:
    clock = max((c for _, c in best.stamps), key=lambda c: c.hz or 0)
    if not best.advances:
        why = "does not advance"
    elif best.coverage <= COVERS:
        why = f"has a timestamp for {percent_text(best.coverage)} of the samples only"
    else:
        why = f"looks like the time of writing the file, not of measuring ({clock.hz or 0:.0f} Hz)"
    return f"the only timeline that is time, {best.name!r}, {why}: name one with --index if it is right all the same"
