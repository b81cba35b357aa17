"""What is odd within one recording, and what differs between recordings that are to become one dataset."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from telecine.core.align import is_steady
from telecine.core.findings import REMARKS, Finding, FindingSpan, placed
from telecine.core.plan.episodes import split_advice
from telecine.core.proposal.rates import BRIDGED_NS, stalls_of
from telecine.core.recording_summary import ClockFacts, RecordingFacts, StreamSummary
from telecine.core.text.numbers import counted, counted_of
from telecine.core.video import LONG_GOP


@dataclass(frozen=True, slots=True)
class PlanScope:
    """What of recordings counts: findings are about what the plan makes of them."""

    timeline: str
    used: Collection[str] | None = None
    """Streams that the plan uses; None: all. Odd stamps and messages of others, and where they are missing, change
    nothing."""
    split_ns: int | None = None
    """The plan splits at pauses of all its streams that are longer, so gaps as long are none."""

    def uses(self, stream: str) -> bool:
        """True where the plan does, or where it is not known."""
        return self.used is None or stream in self.used


def recording_findings(facts: RecordingFacts, view: PlanScope) -> Iterator[Finding]:
    """What is odd within one recording. A stream that cannot be read is a warning."""
    yield from placed(_of_recording(facts, view), recording=facts.label)


def _of_recording(facts: RecordingFacts, view: PlanScope) -> Iterator[Finding]:
    for code, message in facts.notes:
        yield Finding(code, "warning", facts.label, message)
    for item in facts.left_out:
        if item.what == "unreadable":
            where = f"{facts.label} {item.stream}"
            yield Finding("stream-unreadable", "warning", where, item.why, item.fix, stream=item.stream)
    if not any(c.samples for s in facts.streams for c in s.clocks):
        yield Finding("source-empty", "warning", facts.label, "nothing in it has a timestamp, so no row can be made")
    for stream in facts.streams:
        yield from placed(_of_stream(stream, view, f"{facts.label} {stream.name}"), stream=stream.name)


def _of_stream(stream: StreamSummary, view: PlanScope, where: str) -> Iterator[Finding]:
    code = "video-damaged" if stream.is_camera else "stream-unreadable"
    for problem in stream.problems:
        yield Finding(code, "warning", where, problem, "leave the stream out of the plan, or repair the recording")
    for code, message in stream.remarks:
        of_use = view.uses(stream.name) or not code.startswith(("clock-", "source-messages"))
        yield Finding(code, REMARKS[code] if of_use else "info", where, message)
    if view.uses(stream.name):
        yield from _camera_findings(stream, where)
        yield from _clock_findings(stream, view, where)


def _camera_findings(stream: StreamSummary, where: str) -> Iterator[Finding]:
    camera = stream.camera
    if camera is None or not camera.width:
        return
    if camera.skipped:
        text = (
            f"its first {counted(camera.skipped, 'packet comes', 'packets come')} before a keyframe and cannot "
            "be decoded; rows start after them"
        )
        yield Finding("video-damaged", "warning", where, text, "start recording with a keyframe")
    if camera.open_gop or camera.intra_refresh:
        what = "open groups of pictures" if camera.open_gop else "intra refresh without keyframes"
        yield Finding("video-long-gop", "info", where, f"{what}: cannot be copied, will be encoded")
    elif camera.gop > LONG_GOP:
        text = (
            f"a keyframe every {counted(camera.gop, 'frame')}: one random read decodes about "
            f"{camera.gop // 2 + 1} of them"
        )
        yield Finding("video-long-gop", "info", where, text, "set video copy: never to encode for fast reads")


def _clock_findings(stream: StreamSummary, view: PlanScope, where: str) -> Iterator[Finding]:
    """On the plan's clock: what is odd on others changes nothing."""
    clock = stream.on(view.timeline)
    if clock is None:
        return
    at, rate = f"{where} on {clock.name}", clock.rate
    reordered = stream.camera is not None and stream.camera.reorder_delay > 0
    if clock.backwards and not reordered:
        text = (
            f"{counted_of(clock.backwards, clock.samples, 'timestamp', 'goes', 'go')} back in time; samples "
            "are sorted by timestamp"
        )
        yield Finding("align-backwards", "warning", at, text, "check the recorder's clock")
    if rate.duplicates:
        text = (
            f"{counted_of(rate.duplicates, clock.samples, 'sample', 'has', 'have')} the timestamp of the one "
            "before; the last counts"
        )
        yield Finding("align-duplicates", "info", at, text)
    splits = sum(view.split_ns is not None and stop - start > view.split_ns for start, stop in clock.pauses)
    if rate.gaps > splits and stream.kind != "text" and clock.kind != "sequence":
        text = f"{counted(rate.gaps, 'gap')} longer than three periods, the longest {rate.longest_ns / 1e9:.3f} s"
        fix = _gap_fix(stream.name, clock, view)
        yield Finding("align-gap", "warning", at, text, fix, stream=stream.name, span=_longest_pause(clock))


def _gap_fix(name: str, clock: ClockFacts, view: PlanScope) -> str:
    """What helps against pauses that are no split yet: nothing is needed at the start, a long one needs a split."""
    late = [stop - start for start, stop in stalls_of(clock)]
    if clock.pauses and not late:
        return "nothing to do: rows begin behind it"
    if view.split_ns is None and max(late, default=0) > BRIDGED_NS and is_steady(clock.rate, clock.last - clock.first):
        return split_advice(name, clock.rate.auto_limit_ns)
    return "see `limit` in the plan: how old a sample may be"


def _longest_pause(clock: ClockFacts) -> FindingSpan | None:
    start, stop = max(clock.pauses, key=lambda pause: pause[1] - pause[0], default=(0, 0))
    return FindingSpan(start, stop, clock.name) if stop > start else None


def compare(recordings: Sequence[RecordingFacts], used: Collection[str] | None = None) -> Iterator[Finding]:
    """What differs between recordings that are to become one dataset, in the streams that it uses (None: all)."""
    for ident, count in Counter(r.id for r in recordings if r.id and not r.id.startswith("/")).items():
        if count > 1:
            labels = ", ".join(r.label for r in recordings if r.id == ident)
            yield Finding(
                "source-duplicate-id",
                "warning",
                labels,
                f"{counted(count, 'recording carries', 'recordings carry')} the id {ident!r}",
            )
    names = dict.fromkeys(s.name for r in recordings for s in r.streams)
    for name in names if used is None else [n for n in names if n in used]:
        having = [(r, s) for r in recordings if (s := r.stream(name)) is not None]
        lacking = [r.label for r in recordings if r.stream(name) is None]
        if lacking:
            text = f"in {len(having)} of {counted(len(recordings), 'recording')}; missing in {_few(lacking)}"
            fix = "leave it out of the plan, or those recordings will be rejected"
            yield Finding("dataset-mismatch", "warning", name, text, fix)
        yield from _differences(name, having)


def _differences(name: str, having: Sequence[tuple[RecordingFacts, StreamSummary]]) -> Iterator[Finding]:
    fix = "one dataset needs one shape; leave the stream or the odd recordings out"
    shapes = _groups(having, lambda s: f"{s.dtype} ({', '.join(map(str, s.shape))})" if s.kind == "vector" else s.kind)
    if len(shapes) > 1:
        yield Finding("dataset-mismatch", "warning", name, f"differs between recordings: {_describe(shapes)}", fix)
        return
    sizes = _groups(having, lambda s: f"{s.camera.width}x{s.camera.height}" if s.camera and s.camera.width else "")
    sizes.pop("", None)
    if len(sizes) > 1:
        text = f"the frame size differs between recordings: {_describe(sizes)}"
        scaled = "set `video: {size: [WIDTH, HEIGHT]}` to scale all to one"
        depth = any(s.is_depth for _, s in having)
        yield Finding("dataset-mismatch", "warning", name, text, fix if depth else scaled)
    codecs = _groups(having, lambda s: s.camera.encoding if s.camera and s.camera.width else "")
    codecs.pop("", None)  # of one that cannot be read, which is told
    if len(codecs) > 1:
        text = f"the codec differs between recordings: {_describe(codecs)}; those that differ are encoded"
        yield Finding("video-encoded", "info", name, text)


def _groups(having: Sequence[tuple[RecordingFacts, StreamSummary]], trait: Any) -> dict[str, list[str]]:
    """Trait -> labels of the recordings that have it."""
    groups: dict[str, list[str]] = {}
    for recording, stream in having:
        groups.setdefault(trait(stream), []).append(recording.label)
    return groups


def _describe(groups: dict[str, list[str]]) -> str:
    return "; ".join(f"{trait} in {_few(labels)}" for trait, labels in groups.items())


def _few(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return ", ".join(labels[:3]) + more
