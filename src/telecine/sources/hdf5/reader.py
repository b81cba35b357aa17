"""The arrays of one episode of an HDF5 file as streams, each at its own times, and what is odd about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from telecine.core.label import TimedLabels
from telecine.core.naming import element_names
from telecine.core.recording import LeftOut, Stream
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.chunks import CheckedRows
from telecine.sources.hdf5.layouts import LayoutEpisode
from telecine.sources.hdf5.odd_cameras import depth_camera, odd_camera, unit_of
from telecine.sources.hdf5.own_stamps import OwnStamps, clock_of, own_stamps
from telecine.sources.shared.arrays import ArrayPart, CompressedArray, PixelLayout, static, stream_of
from telecine.sources.shared.held_arrays import ImageFiles
from telecine.sources.shared.segments import timed_labels
from telecine.sources.shared.stamps import Stamps
from telecine.sources.shared.timing import Timing
from telecine.sources.shared.video_file import VideoFileStream

SMALL = 64
"""Arrays of up to this many numbers whose length is not that of the episode are one value, like a camera matrix."""
_MARKS = frozenset(
    {
        *("is_first", "is_last", "is_terminal", "terminals", "terminal", "timeouts", "timeout", "terminated"),
        *("terminations", "truncated", "truncations", "done", "dones", "reward", "rewards", "discount", "discounts"),
        *("index", "frame_index", "episode_index", "step", "steps", "frame", "frame_id", "success", "episode_id"),
        "episode_ends",
    }
)
"""Names of arrays of an unknown tree that count or judge its rows: no state of a robot."""
_LATER = "next_obs"
_INDEX_PAIRED = "its arrays have no timestamps: rows of equal number are taken for one moment"


class EpisodeReader:
    """Makes the streams of one episode and notes what is odd about their lengths and times."""

    def __init__(self, group: Any, episode: LayoutEpisode, arrays: Sequence[tuple[str, Any]]) -> None:
        """arrays: (path below `group`, array) of all that are below it."""
        self.group = group
        self.episode = episode
        self._every_array = sorted(arrays, key=lambda entry: entry[0])
        self.notes: list[tuple[str, str]] = []
        self._placed: set[str] = set()

    def streams(self) -> Iterator[Stream]:
        """Every stream: arrays, what follows from them, video_files beside the file, values that the layout tells."""
        for path, array in self._arrays():
            yield from self._of_array(path, array)
        for path in self.episode.followed:
            yield from self._next(path)
        for name, place in self.episode.video_files.items():
            timing = self._timing("")
            self._placed |= set() if timing.stamps is None else {name}
            yield VideoFileStream(name, place, timing, self._first, self._steps)
        yield from self._of_files()
        for name, value in self.episode.values.items():
            yield static(name, value)

    def labels(self) -> tuple[TimedLabels, ...]:
        """What the layout says of the steps, on each of their clocks."""
        return timed_labels(self.episode.labels, self._timing(""), self._steps)

    def _of_files(self) -> Iterator[Stream]:
        """Depth with a file for each frame."""
        for name, (folder, files) in self.episode.depth_files.items():
            steps = np.array(sorted(files), np.int64)
            array = ImageFiles(folder, [files[step] for step in steps.tolist()])
            part = ArrayPart(name, array, 0, steps.size, self._timing(""), steps)
            yield CompressedArray(part, unit="mm")

    def all_notes(self, streams: Mapping[str, Stream]) -> tuple[tuple[str, str], ...]:
        """What the layout and the arrays give rise to, after `streams` were made."""
        moving = {name for name, s in streams.items() if s.clocks and not self._is_stamp(name)}
        if not moving:
            return (*self.episode.notes, ("source-empty", "no array has one row per step"))
        stated = [n for n in self.episode.notes if n[0] != "source-assumed" or moving - self._placed]
        if not self._placed and self.episode.fps is None:
            stated.append(("source-assumed", _INDEX_PAIRED))
        return tuple(dict.fromkeys((*stated, *self.notes, *self._stamp_notes())))

    def left_out(self, streams: Mapping[str, Stream]) -> Iterator[LeftOut]:
        """Every array that is no stream, or never training data, with the reason."""
        if "/success" in self.episode.values:
            yield LeftOut("/success", "offered", "it is the episode's fact `success`, and `next.success`")
        yield from (depth_camera(name, "mm") for name in self.episode.depth_files)
        for path, array in self._every_array:
            name = f"/{path}"
            if self._is_stamp(name):
                yield LeftOut(name, "offered", "timestamps: they say when other samples were, and are no state")
            elif array.ndim > 2 and (odd := odd_camera(path, array, self._layout(path, array).unit)):
                yield odd
            elif path.startswith(f"{_LATER}/"):
                yield LeftOut(name, "offered", "what `obs` holds one step later")
            elif name in streams:
                if not self.episode.features and path.rpartition("/")[2].lower() in _MARKS:
                    yield LeftOut(name, "offered", "it counts or judges rows, which is no state of a robot")
            elif self.episode.leaves_out(path):
                yield LeftOut(name, "offered", "its layout takes it for a fact of the recording, or for a copy")
            elif not array.size:
                yield LeftOut(name, "offered", "it is empty")
            else:
                why = f"its elements, {array.dtype} of shape {array.shape}, are no numbers, texts or images"
                yield LeftOut(name, "unreadable", why)

    # --- lengths and times -----------------------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        return self.episode.span[0] if self.episode.span else 0

    @cached_property
    def _steps(self) -> int:
        anchor = self.episode.anchor
        if anchor and anchor in self.group:
            return int(self.group[anchor].shape[0])
        lengths = [a.shape[0] for _, a in self._arrays() if a.ndim and a.shape[0] > 1]
        values, counts = np.unique(lengths, return_counts=True)
        return int(values[counts.argmax()]) if lengths else 0

    @cached_property
    def _stamps(self) -> OwnStamps:
        """Where the layout's rate is what the file says, the layout knows better."""
        asks = self.episode.fps is None or self.episode.is_rate_assumed
        return own_stamps(list(self._arrays()), self.episode.span) if asks else OwnStamps()

    def _is_stamp(self, name: str) -> bool:
        path = name.removeprefix("/")
        return path in self._stamps.found or path in self._stamps.refused

    def _stamp_notes(self) -> Iterator[tuple[str, str]]:
        for path, why in self._stamps.refused.items():
            yield "source-timestamps", f"/{path} places nothing: {why}"
        for path, stamps in self._stamps.found.items():
            if stamps.guessed:
                yield "source-assumed", f"/{path} counts {stamps.unit}, by its steps: nothing says its unit"

    def _own(self, path: str, rows: int) -> Stamps | None:
        """The stamps that place an array of so many rows; "" stands for what lies beside the file."""
        if path in self._stamps.found:
            return self._stamps.found[path]
        place = self._stamps.place(path, rows)
        if place is None:
            return None
        if path and place[1]:
            text = f"/{path} has no timestamps beside it; it has as many rows as /{place[0]}, which places it"
            self.notes.append(("source-assumed", text))
        return self._stamps.found[place[0]]

    def _timing(self, path: str, rows: int | None = None) -> Timing:
        own = self._own(path, self._steps if rows is None else rows)
        if own is None:
            return Timing(self.episode.fps, self.episode.stamps)
        self._placed.add(f"/{path}")
        clock, kind = clock_of(own)
        nominal = self.episode.fps if self.episode.features else None  # of an unknown tree stamps are surer than a rate
        return Timing(nominal, own.times, clock, kind)

    # --- arrays ----------------------------------------------------------------------------------------------------

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        return ((path, array) for path, array in self._every_array if not self.episode.leaves_out(path))

    def _of_array(self, path: str, array: Any) -> Iterator[Stream]:
        name = f"/{path}"
        rows = int(array.shape[0]) if array.ndim else 0
        one_a_step = rows in (self._steps, self._steps + 1)
        is_value = not array.ndim or (not one_a_step and (rows == 1 or array.size <= SMALL))
        if is_value and not (rows > 1 and self._own(path, rows)):
            if array.size and array.dtype.kind in "fiubOS":
                yield from _value(name, array)
            return
        made = stream_of(self._part(path, array, rows), self._layout(path, array), self._names)
        if made is not None:
            yield made

    def _layout(self, path: str, array: Any) -> PixelLayout:
        """How its frames are stored; the unit of depth as the layout knows it, or an attribute says it."""
        layout = self.episode.pixel_layout(f"/{path}")
        known = layout.unit is not None or array.ndim < 3  # rows of fewer dimensions are no frames
        return layout if known else replace(layout, unit=unit_of(array))

    def _part(self, path: str, array: Any, rows: int) -> ArrayPart:
        name = f"/{path}"
        scattered = self.episode.at.get(name)
        if scattered is not None:
            return ArrayPart(name, CheckedRows(array), 0, rows, self._timing(path, self._steps), scattered)
        timing = self._timing(path, rows)
        if rows and name not in self._placed and rows not in (self._steps, self._steps + 1):
            text = (
                f"{name} has {counted(rows, 'row')} where the episode has {self._steps}; rows are matched from "
                "the start"
            )
            self.notes.append(("source-incomplete", text))
        first, stop = self.episode.span or (0, rows)
        most = rows if timing.stamps is None else first + timing.stamps.size
        return ArrayPart(name, CheckedRows(array), first, min(stop, rows, most), timing)

    def _next(self, path: str) -> Iterator[Stream]:
        """`/next/...`: at each step what the array holds one step later; the last step has none."""
        array = self.group.get(path.removeprefix("/"))
        if array is not None and array.shape[0] > 1:
            rows = int(array.shape[0])
            first, stop = self.episode.span or (0, rows)
            timing = self._timing(path.removeprefix("/"), rows)
            made = stream_of(
                ArrayPart(f"/next{path}", CheckedRows(array), first + 1, stop, timing), PixelLayout(), self._names
            )
            if made is not None:
                self._placed |= {made.name} if timing.stamps is not None else set()
                yield made

    def _names(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
        return self.episode.names.get(name) or element_names(name.rpartition("/")[2], shape, self.episode.quaternion)


def _value(name: str, array: Any) -> Iterator[Stream]:
    value = array[0] if array.ndim and array.shape[0] == 1 else array[()]
    if isinstance(value, str | bytes) or np.asarray(value).dtype.kind in "fiub":
        yield static(name, value)
