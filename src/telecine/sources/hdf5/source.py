"""Demonstrations in HDF5: Isaac Lab, robomimic, robosuite, LIBERO, ALOHA, RoboMIND, RoboTwin, ManiSkill, DROID, AgiBot.

One file format, many layouts. `layouts.py` recognises them by their content and names their parts; any other tree is
read as it stands. Streams are named by their path within the episode. Every stream has the clock `step`; where the
layout states the rate it has `time` as well. Values are never changed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure, raised_as
from telecine.core.naming import element_names
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.sources.format import Found, MissingExtra
from telecine.sources.hdf5.bounds import check_arrays, check_attributes
from telecine.sources.hdf5.chunks import CheckedRows
from telecine.sources.hdf5.layout_table import episode_of, episodes_of
from telecine.sources.hdf5.layouts import LayoutEpisode, once_per_file
from telecine.sources.hdf5.links import check_links
from telecine.sources.shared.arrays import ArrayPart, PixelLayout, Timing, static, stream_of
from telecine.sources.shared.confinement import confined
from telecine.sources.shared.video_file import VideoFileStream

NAME = "hdf5"
SUFFIXES = (".hdf5", ".h5")
_MAGIC = b"\x89HDF\r\n\x1a\n"
_CACHE_BYTES = 64 << 20
Result = TypeVar("Result")
SMALL = 64
"""Arrays of up to this many numbers whose length is not that of the episode are one value, like a camera matrix."""


def claims(path: str) -> bool:
    """True for a file that starts as HDF5 does."""
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode, named by its place in the file; see `Format.index`."""
    del recover, token
    with _opened(path) as file:
        _asked(path, lambda: _check_shared(file, path))
        _asked(path, lambda: _check_links(file, path, confined(path).follows))
        places = _asked(path, lambda: episodes_of(file))
    size = Path(path).stat().st_size // max(len(places), 1)
    return Found(tuple(Ref(NAME, path, place, size) for place in places))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    file = _opened(ref.path)
    with closed_on_failure(file.close):
        return _asked(ref.label, lambda: _recording(ref, file))


def _opened(path: str) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("reading HDF5 needs: pip install 'telecine[hdf5]'") from error
    with raised_as(SourceError, f"{path}: cannot be read as HDF5, it may be cut off or still open", OSError):
        # No lock: recordings often lie on read-only mounts, and nothing is written.
        return h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE_BYTES)


def _asked(where: str, question: Callable[[], Result]) -> Result:
    """The answer of h5py, with its errors as ours."""
    try:
        return question()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(f"{where}: damaged, or not of the layout it seems to have: {error}") from error


@once_per_file
def _check_links(file: Any, path: str, follows: bool) -> None:
    check_links(file, path, follows=follows)


def _check_shared(file: Any, path: str) -> None:
    """The attributes that tell the layout."""
    check_attributes(file, path)
    if "data" in file:
        check_attributes(file["data"], path)


def _recording(ref: Ref, file: Any) -> Recording:
    _check_links(file, ref.path, ref.follow_links)  # first: a name that is asked for is followed
    if ref.id and ref.id not in file:
        raise SourceError(f"{ref.path}: holds no episode {ref.id!r}")
    _check_shared(file, ref.path)
    check_attributes(file[ref.id or "/"], ref.path)
    check_arrays(file[ref.id or "/"], ref.path)
    episode = episode_of(file, ref.id, ref.path)
    reader = _Reader(file[ref.id or "/"], episode)
    streams = {s.name: s for s in reader.streams()}
    features = {key: names for key, names in episode.features.items() if all(n in streams for n in names)}
    notes = tuple(dict.fromkeys((*episode.notes, *reader.notes)))
    if not any(s.clocks for s in streams.values()):
        notes = (*notes, ("source-empty", "no array has one row per step"))
    attrs = {"layout": episode.layout, **episode.attrs}
    return Recording(ref, streams, attrs, notes, file.close, features, left_out=tuple(reader.left_out(streams)))


class _Reader:
    """Makes the streams of one episode and notes what is odd about their lengths."""

    def __init__(self, group: Any, episode: LayoutEpisode) -> None:
        self.group = group
        self.episode = episode
        self.timing = Timing(episode.fps, episode.stamps)
        self.notes: list[tuple[str, str]] = []

    def streams(self) -> Iterator[Stream]:
        """Every stream: arrays, what follows from them, video_files beside the file, values that the layout tells."""
        steps = self._steps()
        for path, array in self._arrays():
            yield from self._of_array(path, array, steps)
        for path in self.episode.followed:
            yield from self._next(path)
        for name, place in self.episode.video_files.items():
            yield VideoFileStream(name, place, self.timing, self._first, steps)
        for name, value in self.episode.values.items():
            yield static(name, value)

    @property
    def _first(self) -> int:
        return self.episode.span[0] if self.episode.span else 0

    def _steps(self) -> int:
        anchor = self.episode.anchor
        if anchor and anchor in self.group:
            return int(self.group[anchor].shape[0])
        lengths = [a.shape[0] for _, a in self._arrays() if a.ndim and a.shape[0] > 1]
        values, counts = np.unique(lengths, return_counts=True)
        return int(values[counts.argmax()]) if lengths else 0

    @cached_property
    def _every_array(self) -> list[tuple[str, Any]]:
        import h5py

        found: list[tuple[str, Any]] = []

        def visit(path: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found.append((path, item))

        self.group.visititems(visit)
        return sorted(found, key=lambda entry: entry[0])

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        return ((path, array) for path, array in self._every_array if not self.episode.leaves_out(path))

    def left_out(self, streams: Mapping[str, Stream]) -> Iterator[LeftOut]:
        """Every array that is no stream, with the reason."""
        for path, array in self._every_array:
            if f"/{path}" in streams:
                continue
            if self.episode.leaves_out(path):
                yield LeftOut(f"/{path}", "offered", "its layout takes it for a fact of the recording, or for a copy")
            elif not array.size:
                yield LeftOut(f"/{path}", "offered", "it is empty")
            else:
                why = f"its elements, {array.dtype} of shape {array.shape}, are no numbers, texts or images"
                yield LeftOut(f"/{path}", "unreadable", why)

    def _of_array(self, path: str, array: Any, steps: int) -> Iterator[Stream]:
        name = f"/{path}"
        rows = int(array.shape[0]) if array.ndim else 0
        if not array.ndim or (rows not in (steps, steps + 1) and (rows == 1 or array.size <= SMALL)):
            if array.size and array.dtype.kind in "fiubOS":
                yield from _value(name, array)
            return
        made = stream_of(self._part(name, array, rows, steps), self.episode.pixel_layout(name), self._names)
        if made is not None:
            yield made

    def _part(self, name: str, array: Any, rows: int, steps: int) -> ArrayPart:
        scattered = self.episode.at.get(name)
        if scattered is not None:
            return ArrayPart(name, CheckedRows(array), 0, rows, self.timing, scattered)
        if rows not in (steps, steps + 1) and rows:
            text = f"{name} has {rows} rows where the episode has {steps}; rows are matched from the start"
            self.notes.append(("source-incomplete", text))
        first, stop = self.episode.span or (0, rows)
        return ArrayPart(name, CheckedRows(array), first, min(stop, rows), self.timing)

    def _next(self, path: str) -> Iterator[Stream]:
        """`/next/...`: at each step what the array holds one step later; the last step has none."""
        array = self.group.get(path.removeprefix("/"))
        if array is not None and array.shape[0] > 1:
            first, stop = self.episode.span or (0, int(array.shape[0]))
            part = ArrayPart(f"/next{path}", CheckedRows(array), first + 1, stop, self.timing)
            made = stream_of(part, PixelLayout(), self._names)
            if made is not None:
                yield made

    def _names(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
        return self.episode.names.get(name) or element_names(name.rpartition("/")[2], shape, self.episode.quaternion)


def _value(name: str, array: Any) -> Iterator[Stream]:
    value = array[0] if array.ndim and array.shape[0] == 1 else array[()]
    if isinstance(value, str | bytes) or np.asarray(value).dtype.kind in "fiub":
        yield static(name, value)
