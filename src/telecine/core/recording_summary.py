"""What is known of a recording without converting it: plain values to print, compare and propose a plan from."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from telecine.core.align import Rate
from telecine.core.dataclass import dataclass
from telecine.core.grid import SECOND, Times
from telecine.core.recording import ClockKind, LeftOut, StreamKind

SECOND_CHOICE = ("log_time", "log_tick", "publish_time", "header_stamp")
"""Timelines that recorders add on their own: when a value was logged need not be when it was measured. Messages have
`capture_time` as well, which is made of these."""


LEAST_PAUSE_NS = SECOND // 4
MOST_PAUSES = 1000


def pauses_of(times: Times, rate: Rate) -> tuple[tuple[int, int], ...]:
    """The pauses of (n,) int64 ns non-decreasing stamps, as `ClockFacts` has them."""
    steps = np.diff(times)
    after = np.flatnonzero(steps > max(5 * rate.period_ns, LEAST_PAUSE_NS))
    after = np.sort(after[np.argsort(-steps[after], kind="stable")[:MOST_PAUSES]])
    return tuple(zip(times[after].tolist(), times[after + 1].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """The stamps of one stream on one clock."""

    name: str
    kind: ClockKind
    first: int
    """ns, or plain counts for a sequence clock."""
    last: int
    rate: Rate
    """In ns, or in counts for a sequence clock, where `hz` is None."""
    backwards: int
    """Samples that arrived with a stamp below that of the sample before."""
    pauses: tuple[tuple[int, int], ...] = ()
    """[start, stop] between samples more than `LEAST_PAUSE_NS` and five periods apart, in order, the longest 1000."""

    @property
    def samples(self) -> int:
        """Samples with a stamp on this clock."""
        return self.rate.samples

    @property
    def seconds(self) -> float | None:
        """From the first stamp to the last; None for counts."""
        return None if self.kind == "sequence" else (self.last - self.first) / 1e9

    @property
    def hz(self) -> float | None:
        """Mean rate outside of pauses; None for counts and for fewer than two stamps."""
        if self.kind == "sequence" or not self.rate.hz:
            return None
        steps = self.samples - self.rate.duplicates - 1 - len(self.pauses)
        moving_ns = self.last - self.first - sum(stop - start for start, stop in self.pauses)
        return steps * SECOND / moving_ns if steps > 0 and moving_ns > 0 else self.rate.hz

    @property
    def nominal_hz(self) -> float | None:
        """The mean rate or, where lost samples pull it down by over 2 %, that of the typical distance; None as `hz`.

        A lost sample leaves a distance of two periods: jitter alone, which moves the typical distance of few samples
        by more than 2 % either way, does not.
        """
        if self.hz is None:
            return None
        typical, lost = 1e9 / self.rate.period_ns, 2 * self.rate.longest_ns > 3 * self.rate.period_ns
        return typical if lost and self.hz < 0.98 * typical else self.hz

    @property
    def jitter_ms(self) -> float:
        """Median deviation from the typical distance of stamps."""
        return self.rate.jitter_ns / 1e6


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """The frames of an image or video stream."""

    encoding: str
    """Codec of a video; jpeg, png or the pixel format of single frames."""
    width: int
    """In px, like `height`; 0 when no frame could be read."""
    height: int
    pix_fmt: str
    matrix: str = "unspecified"
    gop: int = 1
    """Longest distance between keyframes, in frames; 1: every frame stands alone."""
    reorder_delay: int = 0
    """How far decode order runs ahead of display order, in frames (0: no B-frames)."""
    open_gop: bool = False
    intra_refresh: bool = False
    starts_with_keyframe: bool = True
    skipped: int = 0
    """Packets before the first keyframe, which cannot be decoded; the other facts are of the packets from there on."""
    size_bytes: int = 0
    """Of all packets; 0 for single frames, which are not read."""
    stated_hz: float | None = None
    """Frames a second as a video's headers state them, asked for where its stamps only count; None: they do not."""


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What one stream holds."""

    name: str
    kind: StreamKind
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    unit: str | None = None
    static: bool = False
    clocks: tuple[ClockFacts, ...] = ()
    camera: CameraFacts | None = None
    value: str = ""
    """Of a static stream, shortened."""
    texts: tuple[str, ...] = ()
    """The first different texts of a text stream, shortened."""
    problems: tuple[str, ...] = ()
    """What could not be read, or is damaged."""
    first_logged: int | None = None
    """Of numbers, where the source knows it: grows in order of logging within one recording."""
    remarks: tuple[tuple[str, str], ...] = ()
    """(finding code, message) of what was odd but is dealt with."""

    @property
    def is_camera(self) -> bool:
        """Frames that change with time."""
        return self.kind in ("image", "video") and not self.static

    @property
    def is_depth(self) -> bool:
        """Frames whose pixels are distances, in `unit`."""
        return self.is_camera and self.unit in ("mm", "m")

    @property
    def entity(self) -> str:
        """The path before the first colon."""
        return self.name.partition(":")[0]

    @property
    def trait(self) -> tuple[Any, ...]:
        """What has to be equal in all recordings of a dataset: the size of a camera's frames, the shape of numbers."""
        if self.kind in ("image", "video"):
            return ("camera", self.camera.width, self.camera.height) if self.camera else ("camera",)
        return (self.kind, self.shape)

    @property
    def most_samples(self) -> int:
        """Samples on the clock that has most of them."""
        return max((c.samples for c in self.clocks), default=0)

    def on(self, clock: str) -> ClockFacts | None:
        """The stamps on the clock of that name."""
        return next((c for c in self.clocks if c.name == clock), None)

    @property
    def label(self) -> str:
        """Kind and size in a few words: "vector float64 (7)", "h264 320x240"."""
        if self.camera is not None and self.camera.width:
            return f"{self.camera.encoding} {self.camera.width}x{self.camera.height}"
        if self.kind == "vector":
            return f"vector {self.dtype} ({', '.join(map(str, self.shape))})"
        return self.kind if self.camera is None else f"{self.kind} {self.camera.encoding}"


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What one recording holds."""

    label: str
    format: str
    path: str
    id: str
    size_bytes: int
    streams: tuple[StreamSummary, ...]
    attrs: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """(finding code, message) met while opening."""
    features: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(feature key, streams) as the format itself names them."""
    left_out: tuple[LeftOut, ...] = ()
    """As in `Recording`."""

    def stream(self, name: str) -> StreamSummary | None:
        """The stream of that name."""
        return next((s for s in self.streams if s.name == name), None)

    def clock_names(self) -> tuple[str, ...]:
        """All clocks, those that nobody chose last."""
        names = dict.fromkeys(c.name for s in self.streams for c in s.clocks)
        return tuple(sorted(names, key=lambda n: n in SECOND_CHOICE))

    @property
    def seconds(self) -> float:
        """The longest span of any stream on any clock that counts time."""
        return max((c.seconds or 0.0 for s in self.streams for c in s.clocks), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        body = asdict(self)
        for stream, facts in zip(body["streams"], self.streams, strict=True):
            stream["label"] = facts.label
            for clock, known in zip(stream["clocks"], facts.clocks, strict=True):
                clock |= {"samples": known.samples, "seconds": known.seconds, "hz": known.hz}
        return {**body, "attrs": dict(self.attrs), "features": dict(self.features), "seconds": self.seconds}


def shared_attr(recordings: Sequence[RecordingFacts], attr: str) -> str:
    """The value of `attr` in all recordings; "" when it is absent in one or differs."""
    values = {dict(r.attrs).get(attr, "").strip() for r in recordings}
    return values.pop() if len(values) == 1 else ""


def across(recordings: Sequence[RecordingFacts]) -> Iterator[tuple[StreamSummary, int]]:
    """Every stream of any recording, as most recordings have it, and how many of them have it.

    One that is whole, moves, and has the shape of most others stands for all: a short, empty or odd recording does not
    change what is proposed for the others.
    """
    by_name: dict[str, list[StreamSummary]] = {}
    for recording in recordings:
        for stream in recording.streams:
            by_name.setdefault(stream.name, []).append(stream)
    yield from ((typical(found), len(found)) for found in by_name.values())


def typical(found: Sequence[StreamSummary]) -> StreamSummary:
    """Of whole and moving ones, where there are any, the largest group of one shape; of it the one of median rate."""
    whole = [s for s in found if not s.problems] or list(found)
    moving = [s for s in whole if not s.static] or whole
    groups: dict[tuple[Any, ...], list[StreamSummary]] = {}
    for stream in moving:
        groups.setdefault(stream.trait, []).append(stream)
    group = moving if len(groups) == 1 else max(groups.values(), key=_size)
    counts = [s.most_samples for s in group]
    half = max(counts) / 2
    long = sorted((s for s, count in zip(group, counts, strict=True) if count >= half), key=_rate_hz)
    return long[(len(long) - 1) // 2]


def _size(group: Sequence[StreamSummary]) -> tuple[int, int]:
    return len(group), sum(s.most_samples for s in group)


def _rate_hz(stream: StreamSummary) -> float:
    return max((c.nominal_hz or 0.0 for c in stream.clocks), default=0.0)
