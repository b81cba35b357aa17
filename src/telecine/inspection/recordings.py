"""Recordings inspected without converting them: what each stream holds, and what will make trouble.

Reads all stamps and the headers of all video packets; of vectors, texts and frames only the first few. The plan
that follows from it is made in `core/proposal/propose.py`, what is odd is said in `recording_findings.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from telecine.conversion.discovery import find_all
from telecine.core.accounting import LeftOutEverywhere, Tally, account_facts, add, merge, training_findings
from telecine.core.align import measure
from telecine.core.bitstream.packets import NAMES, index_packets
from telecine.core.errors import TelecineError, VideoError
from telecine.core.findings import Finding, Findings
from telecine.core.grid import Times
from telecine.core.plan.model import Plan
from telecine.core.proposal.propose import Proposal, propose
from telecine.core.recording import (
    ClockKind,
    ImageStream,
    Recording,
    Ref,
    Stream,
    TextStream,
    VideoStream,
    first_logged,
    remarks_of,
)
from telecine.core.recording_summary import (
    CameraFacts,
    ClockFacts,
    RecordingFacts,
    StreamSummary,
    across,
    pauses_of,
)
from telecine.core.streams.from_keyframe import from_first_keyframe
from telecine.core.text.html import table
from telecine.core.text.numbers import counted
from telecine.core.video import PacketIndex
from telecine.inspection.lag_row import LagRow
from telecine.inspection.recording_findings import PlanScope, compare, recording_findings
from telecine.inspection.sampling import sampled, sampling_finding
from telecine.run.executor import Executor, Lost, Tell, serial, silent
from telecine.sources.border import border
from telecine.sources.format import MissingExtra
from telecine.sources.part_cache import none_left_open, opened
from telecine.sources.registry import Found
from telecine.video.decode import frames, stated_rate

MOST_TEXTS = 5
TEXTS_READ = 1000
"""Samples of a text stream that are searched for different texts."""
LONGEST_TEXT = 80
MOST_PROBLEMS = 3
_SHORT = 1024
"""Stamps of a clock up to which what is measured of them is remembered."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """All recordings that could be read, and the findings in them and between them; a table in a notebook.

    >>> import telecine as tc
    >>> tc.inspect("recordings").plan.fps
    30
    """

    recordings: tuple[RecordingFacts, ...]
    findings: tuple[Finding, ...]
    proposal: Proposal
    """The plan that they suggest."""
    left_out: tuple[LeftOutEverywhere, ...]
    """The streams that it does not use."""
    contact_sheet: tuple[str, ...] = ()
    """What each row of the contact sheet shows, where one was asked for."""
    found: int = 0
    """How many recordings there are; more than were read where these are a sample."""
    lag: tuple[LagRow, ...] = ()
    """How much later cameras show what the joints did, and what the action said, where that was asked for."""

    @property
    def plan(self) -> Plan | None:
        """The proposed plan; None while something is missing, which `proposal.missing` names."""
        return self.proposal.plan

    def _repr_html_(self) -> str:
        left_out = [(entry.item.stream, entry.item.what, entry.item.why) for entry in self.left_out]
        return (
            table("recordings", ("recording", "seconds", "streams"), self._recording_rows())
            + table("streams", ("stream", "what", "in", "samples", "rate"), self._stream_rows())
            + table("left out of the proposed plan", ("stream", "what", "why"), left_out)
            + table("guessed, please check", ("guess",), ([guess] for guess in self.proposal.guesses))
            + Findings(self.findings)._repr_html_()
        )

    def _stream_rows(self) -> Iterator[tuple[object, ...]]:
        for stream, count in across(self.recordings):
            clock = stream.on(self.proposal.timeline)
            samples, hz = ("", None) if clock is None else (clock.samples, clock.hz)
            rate = "" if hz is None else f"{hz:.2f} Hz"
            yield stream.name, stream.label, f"{count}/{len(self.recordings)}", samples, rate

    def _recording_rows(self) -> Iterator[tuple[str, str, int]]:
        for recording in self.recordings:
            yield recording.label, f"{recording.seconds:.1f}", len(recording.streams)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "left_out": [entry.to_dict() for entry in self.left_out],
            "guesses": list(self.proposal.guesses),
            "found": self.found,
            "recordings": [r.to_dict() for r in self.recordings],
            "findings": [asdict(f) for f in self.findings],
            "lag": [row.to_dict() for row in self.lag],
        }


def inspect_many(
    paths: Sequence[str | Path],
    *,
    recover: bool = False,
    token: str | None = None,
    follow_links: bool = False,
    executor: Executor = serial,
    proposing: Callable[[Sequence[RecordingFacts]], Proposal] = propose,
    all: bool = False,  # noqa: A002 - the flag's name
) -> Inspection:
    """Every recording at `paths`; those that cannot be read are among the findings, with severity error.

    Args:
        paths: files, folders, globs and catalog addresses.
        recover: read damaged files up to their last whole message.
        token: access token of a catalog server.
        follow_links: read files that links in recordings lead to outside.
        executor: who reads; this process by default.
        proposing: `propose` with what is given beside the recordings.
        all: read all recordings, also of more than 1,000; else a sample of so many, which a finding says.

    Returns:
        What they hold, and the plan that they suggest. `telecine.inspect` is the same for one path or several.

    Raises:
        SourceError: a path does not exist or holds no recording.

    >>> len(inspect_many(["recordings"]).recordings)
    2
    """
    found = find_all(paths, recover=recover, token=token, follow_links=follow_links, executor=executor)
    return inspect_found(found, executor, proposing, all=all)


def inspect_found(
    found: Found,
    executor: Executor = serial,
    proposing: Callable[[Sequence[RecordingFacts]], Proposal] = propose,
    *,
    all: bool = False,  # noqa: A002 - the flag's name
) -> Inspection:
    """The recordings that were found, one after the other, where `executor` works, as `inspect_many`."""
    refs = found.refs if all else sampled(found.refs)
    seen = _inspected_refs(refs, executor, proposing)
    if len(refs) < len(found.refs):
        said = sampling_finding(len(found.refs), len(refs), str(Path(found.refs[0].path).parent))
        seen = replace(seen, findings=(said, *seen.findings), found=len(found.refs))
    else:
        seen = replace(seen, found=len(found.refs))
    known = {f.code for f in found.findings}
    own = tuple(f for f in seen.findings if f.code != "source-duplicate-id" or f.code not in known)
    return replace(seen, findings=(*found.findings, *own))


@none_left_open()
def _inspected_refs(
    refs: Sequence[Ref], executor: Executor, proposing: Callable[[Sequence[RecordingFacts]], Proposal]
) -> Inspection:
    recordings: list[RecordingFacts] = []
    findings: list[Finding] = []
    for answer in executor(_inspected, refs, silent):
        match answer:
            case Lost(ref, why):
                findings.append(Finding("source-unreadable", "error", ref.label, why, recording=ref.label))
            case Finding():
                findings.append(answer)
            case RecordingFacts():
                recordings.append(answer)
    proposal = proposing(recordings)
    view = PlanScope(proposal.timeline, proposal.used, proposal.split_ns)
    for facts in recordings:
        findings += recording_findings(facts, view)
    tally: Tally = {}
    for facts in recordings:
        add(tally, facts.label, account_facts(facts, proposal.used, proposal.choices).left_out)
    left_out = merge(tally)
    findings += [*compare(recordings, proposal.used), *training_findings(left_out, "the proposed plan")]
    return Inspection(tuple(recordings), tuple(findings), proposal, left_out)


def _inspected(ref: Ref, tell: Tell) -> RecordingFacts | Finding:
    del tell
    try:
        with opened(ref) as recording:
            return inspect_recording(recording)
    except TelecineError as error:
        return Finding(error.code, "error", ref.label, str(error), recording=ref.label)


def inspect_recording(recording: Recording) -> RecordingFacts:
    """What `recording` holds. A stream that cannot be read has its reason in `problems`."""
    ref = recording.ref
    streams = tuple(_summary(name, recording.streams[name]) for name in sorted(recording.streams))
    attrs = tuple(sorted((str(k), str(v)) for k, v in recording.attrs.items()))
    features = tuple((key, tuple(names)) for key, names in recording.features.items())
    return RecordingFacts(
        *(ref.label, ref.format, ref.path, ref.id, ref.size_bytes),
        *(streams, attrs, recording.notes, features, recording.left_out),
    )


def _summary(name: str, stream: Stream) -> StreamSummary:
    """One stream, or why it cannot be read: that never hides the others."""
    known = StreamSummary(name, stream.kind, "unknown", ())
    try:
        with border(name):
            schema = stream.schema
            facts = (schema.dtype, schema.shape, schema.names, schema.unit, stream.static)
            known = StreamSummary(name, stream.kind, *facts)
            clocks = tuple(_clock(stream, name) for name in stream.clocks)
            logged, remarks = first_logged(stream), remarks_of(stream)
            summary = StreamSummary(name, stream.kind, *facts, clocks, first_logged=logged, remarks=remarks)
            if not clocks and not stream.static:
                return replace(summary, problems=("it holds no sample that can be used",))
            return _with_content(summary, stream)
    except MissingExtra:
        raise  # what is not installed is not the stream's fault
    except TelecineError as error:
        return replace(known, problems=(str(error),))


def _clock(stream: Stream, name: str) -> ClockFacts:
    times, kind, backwards = stream.times(name), stream.clocks[name], stream.backwards(name)
    if times.size <= _SHORT:
        return _known_clock(name, kind, times.tobytes(), backwards)
    return _measured_clock(name, kind, times, backwards)


def _measured_clock(name: str, kind: ClockKind, times: Times, backwards: int) -> ClockFacts:
    rate = measure(times)
    first, last = (int(times[0]), int(times[-1])) if times.size else (0, 0)
    pauses = () if kind == "sequence" else pauses_of(times, rate)
    return ClockFacts(name, kind, first, last, rate, backwards, pauses)


@lru_cache(maxsize=64)
def _known_clock(name: str, kind: ClockKind, times: bytes, backwards: int) -> ClockFacts:
    """The same, remembered: the streams of short episodes have the same stamps, and many episodes too."""
    return _measured_clock(name, kind, np.frombuffer(times, np.int64), backwards)


def _with_content(known: StreamSummary, stream: Stream) -> StreamSummary:
    """The summary with what only samples show, read on the clock that has most of them."""
    clock = max(known.clocks, key=lambda c: c.samples).name if known.clocks else ""
    samples = int(stream.times(clock).size)
    if not samples:
        return known
    match stream.kind:
        case "vector":
            first = stream.take(np.zeros(1, np.int64), clock)[0]  # of all, so that what cannot be read is found
            if not known.static:
                return known
            return replace(known, value=_short(np.array2string(first, threshold=8, precision=6)))
        case "text":
            texts = _texts(stream, clock, samples)
            return replace(known, value=texts[0] if known.static else "", texts=texts)
        case "image":
            return _with_image(known, stream, clock)
        case "video":
            return _with_video(known, stream, clock)


def _texts(stream: TextStream, clock: str, samples: int) -> tuple[str, ...]:
    texts = stream.take(np.arange(min(samples, TEXTS_READ)), clock)
    return tuple(_short(t) for t in list(dict.fromkeys(texts))[:MOST_TEXTS])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 3]}..."


def _with_image(known: StreamSummary, stream: ImageStream, clock: str) -> StreamSummary:
    """The first frame, decoded: a header need not be right."""
    encoding = next(iter(stream.take(np.zeros(1, np.int64), clock))).encoding
    try:
        frame = next(frames(stream, np.zeros(1, np.int64), clock))
    except VideoError as error:
        return replace(known, camera=CameraFacts(encoding, 0, 0, ""), problems=(str(error),))
    return replace(known, camera=CameraFacts(encoding, frame.width, frame.height, frame.format.name))


def _with_video(known: StreamSummary, stream: VideoStream, clock: str) -> StreamSummary:
    encoding = stream.schema.encoding or "unknown"
    codec = next((c for c in NAMES if c == encoding), None)
    if codec is None:
        problem = f"codec {encoding!r} is not supported; supported are {', '.join(NAMES)}"
        return replace(known, camera=CameraFacts(encoding, 0, 0, ""), problems=(problem,))
    try:
        undecodable, index = from_first_keyframe(index_packets(stream.packets(clock), codec))
    except VideoError as error:
        return replace(known, camera=CameraFacts(codec, 0, 0, ""), problems=(str(error),))
    camera = _camera(index, undecodable.size)
    if all(c.kind == "sequence" for c in known.clocks) and index.keyframe.any():
        (packet,) = stream.packets(clock, undecodable.size, undecodable.size + 1)
        camera = replace(camera, stated_hz=stated_rate(packet, codec))
    return replace(known, camera=camera, problems=tuple(_video_problems(index, undecodable.size)))


def _camera(index: PacketIndex, skipped: int) -> CameraFacts:
    seen = index.formats[0]
    return CameraFacts(
        encoding=seen.codec,
        width=seen.width,
        height=seen.height,
        pix_fmt=seen.pix_fmt,
        matrix=seen.matrix,
        gop=index.longest_gop,
        reorder_delay=index.reorder_delay,
        open_gop=index.open_gop,
        intra_refresh=index.intra_refresh,
        starts_with_keyframe=not skipped and bool(index.keyframe[0]),
        skipped=skipped,
        size_bytes=int(index.sizes.sum()),
    )


def _video_problems(index: PacketIndex, skipped: int) -> Iterator[str]:
    """What is wrong from the first keyframe on; packets are counted as the recording has them."""
    if len(index.formats) > 1:
        sizes = ", ".join(f"{f.width}x{f.height} {f.pix_fmt}" for f in index.formats)
        yield f"the frame format changes within the recording: {sizes}"
    if not index.keyframe.any():
        yield f"{counted(index.count, 'packet')} and no keyframe: nothing can be decoded"
        return
    for packet, what in index.problems[:MOST_PROBLEMS]:
        yield f"packet {packet + skipped}: {what}"
    if len(index.problems) > MOST_PROBLEMS:
        yield f"{counted(len(index.problems) - MOST_PROBLEMS, 'more packet is', 'more packets are')} damaged"
