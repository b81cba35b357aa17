"""One episode while it is recorded: samples in memory, frames coded as they come; a recording at its end."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from telecine.core.errors import PlanError, SourceError, VideoError
from telecine.core.grid import Rows, Times
from telecine.core.plan.model import IMAGES
from telecine.core.recording import (
    Array,
    Buffer,
    ClockKind,
    Image,
    MemoryStream,
    Recording,
    Ref,
    Schema,
    Stream,
)
from telecine.core.video import VideoSettings
from telecine.video.live import LiveClip, clip_packets

CLOCK = "time"
FORMAT = "recorder"


@dataclass(slots=True)
class _Samples:
    stamps: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


class LiveEpisode:
    """What was added since `start_episode`. Cameras are features named observation.images.*.

    folder: of its own, where the frames are; goes with `abandon`.
    """

    def __init__(
        self, task: str, folder: Path, settings: VideoSettings, fps: int, names: Mapping[str, Sequence[str]]
    ) -> None:
        self.task = task
        self.folder, self._settings, self._fps, self._names = folder, settings, fps, names
        self._samples: dict[str, _Samples] = {}
        self._cameras: dict[str, tuple[LiveClip, list[int]]] = {}
        self.steps = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The features so far, numbers and texts before cameras."""
        return (*self._samples, *self._cameras)

    def add(self, time_ns: int, values: Mapping[str, Any]) -> None:
        """Take samples of one instant. Raises: PlanError for a value that is none, VideoError from the encoder."""
        for key, value in values.items():
            if key.startswith(IMAGES):
                self._frame(key, time_ns, value)
            else:
                self._sample(key, time_ns, value)
        self.steps += 1

    def add_rows(self, times_ns: Sequence[int], values: Mapping[str, Array]) -> None:
        """Take the numbers of many instants, (len(times_ns), ...) of each feature, which are copied.

        Raises: PlanError, as `add`.
        """
        for key, array in values.items():
            held = np.array(array).reshape(len(times_ns), *(array.shape[1:] or (1,)))
            samples = self._samples.setdefault(key, _Samples())
            self._check(key, samples, held[0])
            samples.stamps.extend(times_ns)
            samples.values.extend(held)

    def _frame(self, key: str, time_ns: int, value: Any) -> None:
        rgb = np.asarray(value)
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise PlanError(f"{key}: got {rgb.dtype} {rgb.shape}, expected uint8 (height, width, 3), red first")
        if key not in self._cameras:
            path = str(self.folder / f"live-{len(self._cameras):03d}.clip")
            self._cameras[key] = (LiveClip(key, self._settings, self._fps, path), [])
        clip, stamps = self._cameras[key]
        clip.add(rgb)
        stamps.append(time_ns)

    def _sample(self, key: str, time_ns: int, value: Any) -> None:
        samples = self._samples.setdefault(key, _Samples())
        if not isinstance(value, str):
            value = np.atleast_1d(np.array(value))  # a copy: the caller may reuse its array
        self._check(key, samples, value)
        samples.stamps.append(time_ns)
        samples.values.append(value)

    @staticmethod
    def _check(key: str, samples: _Samples, value: Any) -> None:
        if not isinstance(value, str) and value.dtype.kind not in "fiub":
            raise PlanError(f"{key}: got {value.dtype}, expected numbers, a text, or a frame named {IMAGES}*")
        if samples.values and not _alike(samples.values[0], value):
            raise PlanError(f"{key}: got {_kind(value)}, in the samples before {_kind(samples.values[0])}")

    def finish(self, ref: Ref, outcome: str) -> Recording:
        """The recording of all that was added. Raises: VideoError when frames could not be coded."""
        for clip, _ in self._cameras.values():
            clip.close()
        streams: dict[str, Stream] = {key: self._stream(key, samples) for key, samples in self._samples.items()}
        for key, (clip, stamps) in self._cameras.items():
            times = np.array(stamps, np.int64)
            shape = (clip.size[1], clip.size[0], 3)
            if clip.settings.codec == "png":
                streams[key] = _SpooledImages(key, clip.path, times, Schema("uint8", shape, encoding="png"))
            else:
                streams[key] = _SpooledVideo(
                    key, clip.path, times, Schema("uint8", shape, encoding=clip.settings.codec)
                )
        streams["task"] = MemoryStream("task", "text", Schema("string"), {}, [self.task])
        return Recording(ref, streams, {"task": self.task, "outcome": outcome})

    def _stream(self, key: str, samples: _Samples) -> Stream:
        stamps = {CLOCK: np.array(samples.stamps, np.int64)}
        first = samples.values[0]
        if isinstance(first, str):
            return MemoryStream(key, "text", Schema("string"), stamps, samples.values, "duration")
        values = np.stack(samples.values)
        names = self._names.get(key)
        schema = Schema(values.dtype.name, values.shape[1:], None if names is None else tuple(names))
        return MemoryStream(key, "vector", schema, stamps, values, "duration")

    def abandon(self) -> None:
        """Stop the encoders, whose errors no longer matter, and remove what they wrote."""
        for clip, _ in self._cameras.values():
            try:
                clip.close()
            except VideoError:
                continue
        shutil.rmtree(self.folder, ignore_errors=True)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return bool(one.dtype == other.dtype and one.shape == other.shape)


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else f"{value.dtype} {value.shape}"


@dataclass(frozen=True, eq=False, slots=True)
class _Spooled:
    """Frames of a live clip with the stamps they were added with."""

    name: str
    path: str
    stamps: Times
    schema: Schema
    static: bool = False

    @property
    def clocks(self) -> Mapping[str, ClockKind]:
        """The recorder's one clock."""
        return {CLOCK: "duration"}

    def times(self, clock: str) -> Times:
        """(n,) int64 ns."""
        if clock != CLOCK:
            raise SourceError(f"{self.name} has no stamps on {clock!r}; a recorder has {CLOCK!r}")
        return np.sort(self.stamps)

    def backwards(self, clock: str) -> int:
        """How many stamps lie below that of the frame before."""
        del clock
        return int(np.sum(np.diff(self.stamps) < 0))


@dataclass(frozen=True, eq=False, slots=True)
class _SpooledVideo(_Spooled):
    kind: Literal["video"] = "video"

    def packets(self, clock: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Access units [start, stop) as they were coded."""
        del clock
        try:
            yield from clip_packets(self.path, start, stop)
        except VideoError as error:
            raise SourceError(str(error)) from error


@dataclass(frozen=True, eq=False, slots=True)
class _SpooledImages(_Spooled):
    kind: Literal["image"] = "image"

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """len(rows) frames; `rows` must be non-decreasing."""
        del clock
        order: Array = np.argsort(self.stamps, kind="stable")[rows]
        if np.any(np.diff(order) < 0):
            raise SourceError(f"{self.name}: frames were added with stamps that go back in time")
        packets = enumerate(clip_packets(self.path))
        number, data = -1, b""
        for wanted in order.tolist():
            while number < wanted:
                number, packet = next(packets)
                data = bytes(packet)
            yield Image(data, "png", self.schema.shape[1], self.schema.shape[0])
