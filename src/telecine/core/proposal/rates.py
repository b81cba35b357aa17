"""The rate of a proposal's rows, how old its samples may be, and where its recordings pause."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from telecine.core.align import STALL_WITHIN_NS, STEADY_SAMPLES, is_steady
from telecine.core.grid import SECOND
from telecine.core.plan.episodes import split_advice
from telecine.core.plan.fields import format_duration
from telecine.core.proposal.notes import Notes
from telecine.core.recording_summary import ClockFacts, RecordingFacts, StreamSummary, shared_attr
from telecine.core.text.numbers import counted, counted_of

USUAL_RATES = (5, 6, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 200, 240)
NO_CAMERA_FPS = 30
MOST_FPS = 1000
SPLIT_GAPS_NS = 2 * SECOND
"""Pauses of all streams that are longer separate episodes, where shorter ones do not have to."""
SHORTEST_PART_NS = SECOND
"""What a pause cuts off, such as the frames before a stall at the start, is an episode from this length on."""
BRIDGED_NS = SECOND
"""A stream that stops for no longer than this may show its last sample meanwhile, with a word."""


def choose_fps(
    given: int | None, declared: int | None, cameras: Sequence[StreamSummary], vectors: Sequence[StreamSummary],
    timeline: str, rate: str | None, notes: Notes,
) -> tuple[int, bool]:  # fmt: skip
    """(rows a second, True when it is a guess): as given, as the recorder was asked, or as the cameras run.

    rate: as given with --rate; it stands in where there is nothing else to go by.
    """
    if given:
        return given, False
    if declared:
        notes.comments["fps"] = [f"the recorder was asked for {counted(declared, 'frame')} a second"]
        return declared, False
    rates = {s.name: c.nominal_hz for s in cameras if (c := s.on(timeline)) and c.nominal_hz}
    if rates:
        return _of_cameras(rates, notes), False
    if rate is not None:
        return min(max(round(Fraction(rate)), 1), MOST_FPS), False
    others = [c.nominal_hz for s in vectors if (c := s.on(timeline)) and c.nominal_hz]
    fps = max(min([NO_CAMERA_FPS, *(round(hz) for hz in others)]), 1)
    notes.guesses.append(f"fps {fps}: there is no camera with a rate to take it from; --rate or --fps sets it")
    return fps, True


def _of_cameras(rates: dict[str, float], notes: Notes) -> int:
    """The rate of the cameras, the slowest where they differ."""
    name, slowest = min(rates.items(), key=lambda item: item[1])
    near = min(USUAL_RATES, key=lambda usual: abs(usual / slowest - 1))
    fps = near if abs(near / slowest - 1) < 0.02 else min(max(round(slowest), 1), MOST_FPS)
    if abs(fps / slowest - 1) > 0.005:
        notes.guesses.append(f"fps {fps}: {name} runs at {slowest:.2f} Hz")
    if max(rates.values()) > 1.1 * slowest:
        listed = ", ".join(f"{camera} {hz:.1f} Hz" for camera, hz in rates.items())
        notes.guesses.append(f"fps {fps}: the slowest of cameras at different rates ({listed}); the others lose frames")
    notes.comments["fps"] = [f"{camera} runs at {hz:.2f} Hz" for camera, hz in rates.items()]
    return fps


def declared_fps(recordings: Sequence[RecordingFacts]) -> int | None:
    """The rate that the recorder was asked for, where recordings state it."""
    asked = shared_attr(recordings, "fps")
    return int(asked) if asked.isdecimal() and 1 <= int(asked) <= MOST_FPS else None


FRAME_COUNT = "frame_index"
"""LeRobot's count of frames, which Rerun's importers make the timeline of its datasets."""


def counted_rate(
    recordings: Sequence[RecordingFacts], streams: Sequence[StreamSummary], declared: int | None, notes: Notes
) -> str | None:
    """How many steps of `FRAME_COUNT` make a second, where all that moves has it; None where nothing tells.

    declared: what the recordings state; else what all videos state in their headers.
    """
    moving = [s for s in streams if not s.static]
    if not moving or any(s.on(FRAME_COUNT) is None for s in moving):
        return None
    found = [s.camera.stated_hz for r in recordings for s in r.streams if s.kind == "video" and s.camera is not None]
    stated = {float(declared)} if declared else set(found)
    if len(stated) != 1 or not (hz := stated.pop()):
        return None
    who = "the recordings state" if declared else "the videos state in their headers"
    notes.guesses.append(f"{FRAME_COUNT} counts frames, and {who} {hz:g} a second")
    return str(Fraction(hz).limit_denominator(1001))


def is_seldom(name: str, timeline: str, recordings: Sequence[RecordingFacts], paused_ns: Mapping[str, int]) -> bool:
    """Logged when the value changes rather than at a rate, in most of the recordings that are long enough to show it.

    paused_ns: label of a recording -> how long all streams pause in it together.
    """
    clocks = [(r, c) for r in recordings if (s := r.stream(name)) is not None and (c := s.on(timeline)) is not None]
    long = [(r, c) for r, c in clocks if c.samples >= STEADY_SAMPLES] or clocks
    seldom = sum(not is_steady(c.rate, c.last - c.first - paused_ns.get(r.label, 0)) for r, c in long)
    return 2 * seldom > len(long)


def split_of(
    streams: Sequence[StreamSummary], timeline: str, recordings: Sequence[RecordingFacts], notes: Notes
) -> dict[str, str] | None:
    """`split: {gaps: ...}` where all planned streams pause for longer than their limits; None where they do not.

    What lies before, between and behind the pauses is left out where it is too short to learn from.
    """
    names = [s.name for s in streams if not s.static and s.kind != "text"]
    found = {r.label: common_pauses(names, timeline, r) for r in recordings}
    pauses = [stop - start for spans in found.values() for start, stop in spans]
    if not pauses:
        return None
    shortest, count = min(pauses), len(pauses)
    gap = SPLIT_GAPS_NS if shortest > SPLIT_GAPS_NS else shortest * 4 // 5 // 1_000_000 * 1_000_000
    longest = max(pauses) / 1e9
    notes.guesses.append(
        f"split at pauses of more than {format_duration(gap)}: no planned stream has samples in {count} of them, the "
        f"longest {longest:.1f} s"
    )
    parts = [part for r in recordings for part in _parts(_running(names, timeline, r), found[r.label])]
    short = [part for part in parts if part < SHORTEST_PART_NS]
    if not short or len(short) == len(parts):
        return {"gaps": format_duration(gap)}
    least = format_duration(SHORTEST_PART_NS)
    notes.guesses.append(f"{counted_of(len(short), len(parts), 'part', 'is', 'are')} shorter than {least}: left out")
    return {"gaps": format_duration(gap), "shortest": least}


def _parts(running: Sequence[ClockFacts], pauses: Sequence[tuple[int, int]]) -> list[int]:
    """How long what lies before, between and behind the pauses is, in ns; none without a pause."""
    if not pauses:
        return []
    starts = [min(c.first for c in running), *(stop for _, stop in pauses)]
    stops = [*(start for start, _ in pauses), max(c.last for c in running)]
    return [stop - start for start, stop in zip(starts, stops, strict=True)]


def _running(names: Sequence[str], timeline: str, recording: RecordingFacts) -> list[ClockFacts]:
    """The clocks of those streams that are steady enough to pause."""
    clocks = [c for n in names if (s := recording.stream(n)) is not None and (c := s.on(timeline)) is not None]
    return [c for c in clocks if c.samples >= STEADY_SAMPLES and c.kind != "sequence"]


def common_pauses(names: Sequence[str], timeline: str, recording: RecordingFacts) -> list[tuple[int, int]]:
    """[start, stop) in ns of the pauses that all those streams of a recording make together, as far as they matter.

    A pause matters when it is longer than the limit of one of the streams.
    """
    running = _running(names, timeline, recording)
    if not running:
        return []
    shared = list(running[0].pauses)
    for clock in running[1:]:
        shared = _overlaps(shared, clock.pauses)
    limit = min(c.rate.auto_limit_ns for c in running)
    return [(start, stop) for start, stop in shared if stop - start > limit]


def _overlaps(ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans that lie in both, each list in order of time and without overlaps."""
    found, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        start, stop = max(ours[i][0], theirs[j][0]), min(ours[i][1], theirs[j][1])
        if stop > start:
            found.append((start, stop))
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
    return found


def limit_of(name: str, timeline: str, recordings: Sequence[RecordingFacts], split: bool, notes: Notes) -> str | None:
    """A longer limit for a steady stream that stalls for a moment in most recordings, else None.

    Of a stall that no limit should bridge it says what to do. One at the start needs none: rows begin behind it.
    split: recordings are split at common pauses, so that those count for nothing here.
    """
    clocks = [c for r in recordings if (s := r.stream(name)) is not None and (c := s.on(timeline)) is not None]
    stalls = [_stall(c, split) for c in clocks]
    too_long = [s for s in stalls if s]
    if too_long and max(too_long) > BRIDGED_NS and not split:
        count = sum(s > BRIDGED_NS for s in too_long)
        notes.guesses.append(
            f"{name} stops for up to {max(too_long) / 1e9:.2f} s in {count} of "
            f"{counted(len(clocks), 'recording')}, which will be "
            f"rejected for it: {split_advice(name, max(c.rate.auto_limit_ns for c in clocks))}"
        )
    if not too_long or 2 * len(too_long) <= len(clocks) or max(too_long) > BRIDGED_NS:
        return None
    limit = format_duration(-(-max(too_long) // 50_000_000) * 50_000_000)
    notes.guesses.append(
        f"{name} stalls for up to {max(too_long) / 1e9:.2f} s: its last sample stands for up to {limit}"
    )
    return limit


def _stall(clock: ClockFacts, split: bool) -> int:
    """The longest pause in ns that is over the limit, but those that count for nothing; 0 where there is none."""
    return 0 if split else max((stop - start for start, stop in stalls_of(clock)), default=0)


def stalls_of(clock: ClockFacts) -> list[tuple[int, int]]:
    """The pauses [start, stop) of a stream but those right after its first samples, which cost the start alone."""
    period = max(clock.rate.period_ns, 1)
    return [
        (start, stop)
        for start, stop in clock.pauses
        if start - clock.first > STALL_WITHIN_NS or 2 * ((start - clock.first) // period + 1) >= clock.samples
    ]
