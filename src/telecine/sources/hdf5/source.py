"""Demonstrations in HDF5: Isaac Lab, robomimic, robosuite, LIBERO, ALOHA, RoboMIND, RoboTwin, ManiSkill, DROID, AgiBot.

One file format, many layouts. `layouts.py` recognises them by their content and names their parts; any other tree is
read as it stands. Streams are named by their path within the episode. Every stream has the clock `step`; where the
layout states the rate it has `time` as well. Values are never changed.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from telecine.core.errors import SourceError, closed_on_failure, raised_as
from telecine.core.findings import Finding
from telecine.core.recording import Recording, Ref
from telecine.core.text.addresses import is_stored
from telecine.sources.format import Found, MissingExtra
from telecine.sources.hdf5.bounds import check_arrays, check_attributes
from telecine.sources.hdf5.known_members import KnownGroup
from telecine.sources.hdf5.layout_table import episode_of, episodes_of
from telecine.sources.hdf5.layouts import once_per_file, tags_of
from telecine.sources.hdf5.links import check_links
from telecine.sources.hdf5.reader import EpisodeReader
from telecine.sources.shared.compressed import open_file
from telecine.sources.shared.confinement import confined
from telecine.sources.shared.stay_open import shared_file

NAME = "hdf5"
SUFFIXES = (".hdf5", ".h5")
_MAGIC = b"\x89HDF\r\n\x1a\n"
_CACHE_BYTES = 64 << 20
_METADATA_BYTES = 2 << 20
Result = TypeVar("Result")


def claims(path: str) -> bool:
    """True for a file that starts as HDF5 does."""
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode, named by its place in the file; see `Format.index`."""
    del recover, token
    with _opened(path) as file:
        _asked(path, lambda: _check_links(file, path, confined(path).follows))
        _asked(path, lambda: _check_shared(file, path))
        places, empty = _asked(path, lambda: _with_steps(file, episodes_of(KnownGroup(file, {}))))
    with open_file(path) as raw:
        size = raw.seek(0, os.SEEK_END) // max(len(places), 1)
    return Found(tuple(Ref(NAME, path, place, size) for place in places), tuple(_said_empty(path, empty)))


def _with_steps(file: Any, places: list[str]) -> tuple[list[str], list[str]]:
    """(the episodes, those that state to have no steps); a file of nothing else is opened, to say so."""
    found = ((place, file.get(place)) for place in places if place)
    empty = [p for p, group in found if group is not None and np.all(group.attrs.get("num_samples", 1) == 0)]
    return ([p for p in places if p not in set(empty)], empty) if len(empty) < len(places) else (places, [])


def _said_empty(path: str, empty: list[str]) -> Iterator[Finding]:
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        text = f"{empty[0]}{more}: no steps were recorded (`num_samples` is 0), so it is no episode"
        yield Finding("source-empty", "warning", path, text, recording=f"{path}#{empty[0]}")


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`."""
    with raised_as(SourceError, f"{ref.path}: cannot be read", OSError):
        file, close = shared_file(ref.path, _opened)
    with closed_on_failure(close):
        return _asked(ref.label, lambda: _recording(ref, file, close))


def _opened(path: str) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("reading HDF5 needs: pip install 'telecine[hdf5]'") from error
    with raised_as(SourceError, f"{path}: cannot be read as HDF5, it may be cut off or still open", OSError):
        # No lock: recordings often lie on read-only mounts, and nothing is written.
        place = open_file(path) if is_stored(path) else path
        file = _file_type(h5py)(place, "r", locking=False, rdcc_nbytes=_CACHE_BYTES)
    _keep_little(file)
    return file


def _keep_little(file: Any) -> None:
    """Bound what HDF5 keeps of the objects that it has met: 32 MB as stored are ten times as many in memory."""
    kept = file.id.get_mdc_config()
    kept.set_initial_size = True
    kept.initial_size = kept.min_size = _METADATA_BYTES // 2
    kept.max_size = _METADATA_BYTES
    file.id.set_mdc_config(kept)


@lru_cache(maxsize=1)
def _file_type(h5py: Any) -> Any:
    """`h5py.File` that asks HDF5 once for what every question about each of many demonstrations needs to know."""
    asked = ("filename", "driver", "userblock_size")
    return type("OpenFile", (h5py.File,), {name: cached_property(getattr(h5py.File, name).fget) for name in asked})


def _asked(where: str, question: Callable[[], Result]) -> Result:
    """The answer of h5py, with its errors as ours."""
    try:
        return question()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(f"{where}: damaged, or not of the layout it seems to have: {error}") from error


@once_per_file
def _check_links(file: Any, path: str, follows: bool) -> None:
    check_links(file, path, follows=follows)


@once_per_file
def _check_shared(file: Any, path: str) -> None:
    """The attributes that tell the layout."""
    check_attributes(file, file, path)
    if "data" in file:
        check_attributes(file, file["data"], path)


def _recording(ref: Ref, file: Any, close: Callable[[], None]) -> Recording:
    _check_links(file, ref.path, ref.follow_links)  # first: a name that is asked for is followed
    _check_shared(file, ref.path)
    holder = file.get(ref.id) if ref.id else None  # sooner than to ask whether it is there, and then for it
    place = "/" if holder is None else ref.id
    holder = file[place] if holder is None else holder
    if not hasattr(holder, "keys"):
        raise SourceError(f"{ref.label}: it is an array where an episode should be")
    check_attributes(file, holder, ref.path)
    members = check_arrays(holder, ref.path)
    known = KnownGroup(file if place == "/" else holder, members)
    episode = episode_of(KnownGroup(file, {ref.id: known}) if place != "/" else known, ref.id, ref.path)
    root = ref.id if episode.root is None else episode.root
    if root and root != place and root not in file:
        raise SourceError(f"{ref.path}: holds no episode {ref.id!r}")
    if (root or "/") != place:
        members = check_arrays(file[root or "/"], ref.path)
        known = KnownGroup(file[root or "/"], members)
    reader = EpisodeReader(known, episode, [(p, m) for p, m in members.items() if hasattr(m, "shape")])
    streams = {s.name: s for s in reader.streams()}
    features = {key: names for key, names in episode.features.items() if all(n in streams for n in names)}
    notes = reader.all_notes(streams)
    attrs = {"layout": episode.layout, **_tags(file, ref.id), **episode.attrs}
    left_out = tuple(reader.left_out(streams))
    labels = reader.labels() if episode.labels else ()
    return Recording(ref, streams, attrs, notes, close, features, left_out=left_out, labels=labels)


def _tags(file: Any, place: str) -> dict[str, str]:
    """The file's filters that name the episode; `mask` is what they were called before episodes had tags."""
    tags = tags_of(file, place) if place else ()
    return {"tags": ",".join(tags), "mask": ", ".join(tags)} if tags else {}
