"""One recording as the page asks for it: its streams and clocks, a plan's rows on them, and single frames."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from telecine.core.accounting import account
from telecine.core.align import measure
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import DatasetError, SourceError, closed_on_failure
from telecine.core.grid import Times
from telecine.core.plan.model import Plan, make_plan, parse_plan
from telecine.core.proposal.propose import propose
from telecine.core.proposal.text import command_line
from telecine.core.recording import Part, Recording, Ref, Stream
from telecine.core.recording_summary import StreamSummary
from telecine.core.resample.planned_rows import PlannedRows, planned_rows
from telecine.core.resample.split import split
from telecine.core.text.numbers import counted
from telecine.core.video import PacketIndex
from telecine.inspection.recording_findings import PlanScope, recording_findings
from telecine.inspection.recordings import inspect_recording
from telecine.sources import registry
from telecine.sources.border import border
from telecine.sources.shared.chunk_file import CHUNK_BUDGET
from telecine.sources.shared.recent_values import DECODED
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb
from telecine.video.frames.jpeg import to_jpeg
from telecine.viewer import recording_strips as strips
from telecine.viewer.entries import Entry, let_go_of_copies, why_none

P = ParamSpec("P")
R = TypeVar("R")
STILL_WIDTH_PX = 960
CHUNKS_BYTES = 16 << 20
"""Of expanded chunks that stay in memory: the page reads stamps once, and then single frames."""
VALUES_BYTES = 16 << 20
"""Of decoded values that stay in memory: the page shows when samples were taken, not what they hold."""


def _alone(method: Callable[Concatenate["RecordingView", P], R]) -> Callable[Concatenate["RecordingView", P], R]:
    """The method in the view's own thread, which others wait for."""

    @wraps(method)
    def in_its_thread(view: "RecordingView", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return view.thread.submit(method, view, *args, **kwargs).result()

    return in_its_thread


class RecordingView:
    """The recordings of one file, one of them open at a time. Raises: SourceError when none can be read.

    All of them are read in one thread: files are open there, and the local copy of what is in a store is held there.
    """

    def __init__(self, entry: Entry) -> None:
        self.thread = ThreadPoolExecutor(1, "telecine recording")
        with closed_on_failure(self.thread.shutdown):
            self._find(entry)

    @_alone
    def _find(self, entry: Entry) -> None:
        if entry.claim is None:
            raise SourceError(f"{entry.path}: {entry.problem or 'is no recording'}")
        self.path = entry.path
        found = registry.index(entry.claim)
        if not found.refs:
            raise SourceError(why_none(found, entry.path))
        self.refs: tuple[Ref, ...] = found.refs
        self._less = ExitStack()
        self._less.enter_context(CHUNK_BUDGET.at_most(CHUNKS_BYTES))
        self._less.enter_context(DECODED.at_most(VALUES_BYTES))
        self._open: tuple[int, Recording] | None = None
        self._facts: dict[int, dict[str, Any]] = {}
        self._rows: tuple[str, PlannedRows, list[Part]] | None = None
        self._indexes: dict[str, PacketIndex] = {}

    @_alone
    def facts(self, item: int) -> dict[str, Any]:
        """What a recording holds, and the plan that it suggests. Raises: SourceError."""
        if item not in self._facts:
            self._facts = {item: self._inspected(item)}
        return self._facts[item]

    @_alone
    def rows(
        self, item: int, plan: Plan, part: int, window: tuple[int, int] | None, px: int, *, others: bool = False
    ) -> dict[str, Any]:
        """What the plan makes of a recording, in a window of ns from its first row on. Raises: TelecineError.

        others: with the samples of the streams that no row uses.
        """
        planned, parts = self._planned(item, plan, part)
        origin = int(planned.ticks[0])
        start, stop = window or strips.whole(planned, origin)
        sources = [strips.strip(s, planned, (start, stop), px) for s in planned.sources]
        recording = self._recording(item)
        used = dict(account(recording, plan).used)
        drawn = {s.source.stream.name for s in planned.sources}
        rest = (s for s in recording.streams.values() if others and s.name not in drawn)
        timed = strips.timed(rest, plan.clock.timeline, plan.clock.rate)
        unused = [strips.other_strip(s, times - origin, (start, stop), px) for s, times in timed]
        first, last = np.searchsorted(planned.ticks - origin, (start, stop))
        return {
            "origin_ns": str(origin),
            "window": [start, stop],
            "whole": list(strips.whole(planned, origin)),
            "rows": int(planned.ticks.size),
            "fps": plan.fps,
            "ticks": strips.some_ticks(planned.ticks - origin, int(first), int(last)),
            "sources": sources,
            "others": unused,
            "parts": [[p.start_ns - origin, p.stop_ns - origin] for p in parts],
            "part": min(max(part, 0), max(len(parts) - 1, 0)),
            "used": used,
            "findings": [asdict(f) for f in planned.findings],
            "plan": plan.to_dict(),
            "yaml": plan.to_yaml(),
        }

    @_alone
    def samples(self, item: int, clock: str, window: tuple[int, int] | None, px: int) -> dict[str, Any]:
        """All samples on a clock, for a plan that makes no rows: ns from the first, a count as a second.

        Raises: SourceError, DatasetError when there is nothing on this clock.
        """
        streams = self._recording(item).streams.values()
        timed = list(strips.timed(streams, clock, None))
        if not timed:
            raise DatasetError(f"{self.path}: nothing that can be drawn is on the clock {clock[:100]!r}")
        origin = min(int(times[0]) for _, times in timed)
        whole = (0, max(int(times[-1]) for _, times in timed) - origin + 1)
        kinds = {stream.clocks[clock] for stream, _ in timed}
        return {
            "whole": list(whole),
            "window": list(window or whole),
            "counts": "sequence" in kinds,
            "others": [strips.other_strip(s, times - origin, window or whole, px) for s, times in timed],
        }

    @_alone
    def frame(self, item: int, stream: str, clock: str, sample: int) -> bytes:
        """One frame of a camera as JPEG. Raises: SourceError, VideoError, DatasetError when there is none."""
        found = self._stream(item, stream)
        if found.kind not in ("image", "video") or clock not in found.clocks:
            raise DatasetError(f"{stream}: is no camera on {clock}")
        if not 0 <= sample < found.times(clock).size:
            raise DatasetError(f"{stream}: has {counted(found.times(clock).size, 'frame')}, no frame {sample}")
        with border(stream):
            index = None
            if found.kind == "video":
                key = f"{item} {stream} {clock}"
                if key not in self._indexes:
                    codec: Any = found.schema.encoding
                    self._indexes = {key: index_packets(found.packets(clock), codec)}
                index = self._indexes[key]
            frame = next(frames(found, np.array([sample], np.int64), clock, index=index))
            width = min(frame.width, STILL_WIDTH_PX)
            return to_jpeg(to_rgb(frame, (width, max(round(frame.height * width / frame.width), 1))))

    def close(self) -> None:
        """Let go of the file."""
        self._close()
        self.thread.shutdown()

    @_alone
    def _close(self) -> None:
        self._let_go()
        self._less.close()
        let_go_of_copies(self.path)

    def _let_go(self) -> None:
        if self._open is not None:
            self._open[1].__exit__(None, None, None)
            self._open = None

    def _recording(self, item: int) -> Recording:
        if not 0 <= item < len(self.refs):
            raise DatasetError(f"{self.path} holds {counted(len(self.refs), 'recording')}, from 0")
        if self._open is None or self._open[0] != item:
            self._let_go()
            self._rows, self._indexes = None, {}
            self._open = (item, registry.open(self.refs[item]))
        return self._open[1]

    def _stream(self, item: int, name: str) -> Stream:
        streams = self._recording(item).streams
        if name not in streams:
            raise DatasetError(f"there is no stream {name[:100]!r}")
        return streams[name]

    def _inspected(self, item: int) -> dict[str, Any]:
        ref = self.refs[item] if 0 <= item < len(self.refs) else None
        recording = self._recording(item)
        assert ref is not None
        with border(ref.label):
            seen = inspect_recording(recording)
        proposal = propose([seen])
        scope = PlanScope(proposal.timeline, proposal.used, proposal.split_ns)
        return {
            "path": self.path,
            "label": seen.label,
            "items": [r.id or r.label for r in self.refs],
            "item": item,
            "format": ref.format,
            "seconds": seen.seconds,
            "size_bytes": ref.size_bytes,
            "attrs": dict(seen.attrs),
            "streams": [_stream_facts(summary, recording.streams[summary.name]) for summary in seen.streams],
            "left_out": [asdict(i) for i in seen.left_out],
            "reasons": dict(proposal.reasons),
            "findings": [asdict(f) for f in recording_findings(seen, scope)],
            "proposal": proposal.body,
            "timeline": proposal.timeline,
            "missing": list(proposal.missing),
            "guesses": list(proposal.guesses),
            "command": command_line(proposal, [self.path], "OUT"),
        }

    def _planned(self, item: int, plan: Plan, part: int) -> tuple[PlannedRows, list[Part]]:
        recording = self._recording(item)
        key = json.dumps([item, part, plan.digest()])
        if self._rows is None or self._rows[0] != key:
            with border(recording.ref.label):
                parts = [] if plan.split is None else list(split(recording, plan).parts)
                if parts:
                    chosen = parts[min(max(part, 0), len(parts) - 1)]
                    recording = replace(recording, ref=replace(recording.ref, part=chosen))
                self._rows = (key, planned_rows(recording, plan), parts)
        return self._rows[1], self._rows[2]


def plan_of(given: Mapping[str, Any]) -> Plan:
    """The plan in a request: `yaml`, or plain values in `plan`. Raises: PlanError with every mistake."""
    text = given.get("yaml")
    return parse_plan(text) if isinstance(text, str) else make_plan(given.get("plan") or {})


def lacks_task(given: Mapping[str, Any]) -> bool:
    """The plan names no task yet, on which no row and no age depends."""
    plan = given.get("plan")
    return isinstance(plan, Mapping) and plan.get("task") in (None, "") and not isinstance(given.get("yaml"), str)


def _stream_facts(summary: StreamSummary, stream: Stream) -> dict[str, Any]:
    return {
        "name": summary.name,
        "kind": summary.kind,
        "label": summary.label,
        "names": list(summary.names or ()),
        "unit": summary.unit,
        "static": summary.static,
        "value": summary.value,
        "texts": list(summary.texts),
        "problems": list(summary.problems),
        "clocks": [] if summary.problems and not summary.clocks else list(_clocks(stream)),
    }


def _clocks(stream: Stream) -> Iterator[dict[str, Any]]:
    """Each clock of a stream; `lag_ns`: how far its stamps are behind those of the first clock, at the median."""
    first: Times | None = None
    for name, kind in stream.clocks.items():
        times = stream.times(name)
        hz = None if kind == "sequence" else strips.steady_hz(times)
        facts = {"name": name, "kind": kind, "samples": int(times.size), "hz": hz, "gaps": measure(times).gaps,
                 "backwards": stream.backwards(name), "first_ns": str(times[0]) if times.size else None,
                 "last_ns": str(times[-1]) if times.size else None}  # fmt: skip
        if kind == "timestamp" and times.size:
            if first is None:
                first = times
            elif first.size == times.size:
                apart = times - first
                facts["lag_ns"] = int(np.median(apart))
                facts["lag_spread_ns"] = int(np.percentile(apart, 99) - np.percentile(apart, 1))
        yield facts
