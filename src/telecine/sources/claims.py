"""Which format reads a file or folder: the table of formats, and how each is asked without reading more than it must.

A format is one package and one line here.
"""

import fnmatch
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import cast

from telecine.core.errors import SourceError
from telecine.core.text.addresses import unknown_scheme
from telecine.sources.border import border
from telecine.sources.format import Format
from telecine.sources.paths import is_url
from telecine.sources.published import entry_points
from telecine.sources.shared.confinement import kind_problem

_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "rrd": (".rrd",),
    "catalog": (),
    "mcap": (".mcap", ".mcap.zstd"),
    "rosbag": (".bag",),
    "rosbag2": (".db3", ".db3.zstd"),
    "robosandbox": ("events.jsonl",),
    "hdf5": (".hdf5", ".h5"),
    "zarr": (".zarr", ".zarr.zip"),
    "rlds": (),
    "unitree": (),
    "bridge_raw": (),
    "gello": (),
    "minari": (),
    "calvin": (),
    "lerobot": (),
    "recorder_spool": (".spool",),
}
"""Our formats, each the name of its package here, and the suffixes that it states: those that a file's name speaks
for are asked first, and the modules of the others are not even imported when they are right."""
_MODULES = {"catalog": "rrd.catalog", "bridge_raw": "pickles.bridge", "gello": "pickles.gello"}
"""Where a format is that has no package of its own."""
_FOLDERS = {
    "rosbag2": ("metadata.yaml",),
    "zarr": (".zgroup", "zarr.json"),
    "lerobot": ("meta",),
    "rlds": ("features.json", "[0-9]*.*.*/features.json"),
    "unitree": ("data.json",),
    "bridge_raw": ("policy_out.pkl",),
    "gello": ("????-??-??T*.pkl",),
    "minari": ("metadata.json",),
    "calvin": ("ep_start_end_ids.npy",),
}
"""Which of our formats claim folders, and what must be in such a folder for them to be asked."""
_FOLDERS_ALONE = frozenset({"lerobot", "unitree", "bridge_raw", "gello", "minari", "calvin"})
"""Those that claim no file."""
_BY_NAME = ("robosandbox", "rlds")
"""Those that know files by their names; the others by first bytes, which are never those of a text in JSON."""
_JSON = (b"{", b"[")
_LIKELY_NAMES = 64
"""Of a folder that are looked at to guess what its recordings are."""
_ENTRY_POINTS = "telecine.sources"


def formats() -> Mapping[str, Format]:
    """Every format by name: ours, then those that other packages publish as entry points."""
    return {**{name: _ours(name) for name in _SUFFIXES}, **_theirs()}


@cache
def _ours(name: str) -> Format:
    return cast("Format", import_module(f"telecine.sources.{_MODULES.get(name, f'{name}.source')}"))


@cache
def _theirs() -> Mapping[str, Format]:
    table: dict[str, Format] = {}
    for point in sorted(entry_points(group=_ENTRY_POINTS), key=lambda p: p.name):
        try:
            theirs = cast("Format", point.load())
        except (ImportError, AttributeError) as error:
            raise SourceError(f"the source {point.name!r} ({point.value}) cannot be loaded: {error}") from error
        if theirs.NAME not in _SUFFIXES:
            table.setdefault(theirs.NAME, theirs)
    return table


def named(name: str) -> Format | None:
    """The format of that name, if there is one."""
    return _ours(name) if name in _SUFFIXES else _theirs().get(name)


def import_likely(paths: Iterable[str]) -> None:
    """Import the formats that the paths, or what lies in folders among them, have suffixes of: before others copy this.

    Nothing is opened, and what cannot be listed is nothing: whoever reads it says why.
    """
    names = {path.lower() for path in paths}
    for path in paths:
        with suppress(OSError):
            if os.path.isdir(path):  # noqa: PTH112 - as below
                names.update(name.lower() for name in islice(os.listdir(path), _LIKELY_NAMES))  # noqa: PTH208
    for name, suffixes in _SUFFIXES.items():
        if any(path.endswith(suffixes) for path in names):
            _ours(name)


def has_suffix(path: str) -> bool:
    """True for a name that one of our formats has."""
    return path.lower().endswith(tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes))


def is_one_recording(folder: str) -> bool:
    """True for a folder that is a recording, or a set of them, as a whole."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError:
        names = []  # whoever looks for files in it says what is wrong
    likely = [name for name, inside in _FOLDERS.items() if any(_holds(folder, names, part) for part in inside)]
    return any(_claims(form, folder) for form in (*map(_ours, likely), *_theirs().values()))


def _holds(folder: str, names: Iterable[str], part: str) -> bool:
    """True for a folder with these `names` in it where `part` is, a pattern of a name and perhaps a file below it."""
    pattern, _, below = part.partition("/")
    return any(_may_be_opened(f"{folder}/{name}/{below}".rstrip("/")) for name in fnmatch.filter(names, pattern))


def _may_be_opened(path: str) -> bool:
    """True for a regular file or a folder; opening a FIFO waits for ever."""
    return Path(path).is_dir() or (os.path.lexists(path) and not kind_problem(path))


def format_of(place: str, asked_for: bool) -> Format | None:
    """The format that reads a file, folder or address, or whose suffix it has; None for what is no recording.

    Raises: SourceError for the last, where it was asked for by name.
    """
    lower = place.lower()
    strange = unknown_scheme(place) if is_url(place) else ""  # whatever its end, no file
    likely = [name for name, suffixes in _SUFFIXES.items() if lower.endswith(suffixes) and not strange]
    for name in likely:
        if _claims(_ours(name), place):
            return _ours(name)
    for form in _asked(place):
        if _claims(form, place):
            return form
    table = formats().values()
    for form in table:
        if form.SUFFIXES and lower.endswith(form.SUFFIXES) and not strange:
            return form
    if asked_for:
        if strange:
            raise SourceError(
                f"{strange}, and the catalogs of Rerun (rerun+http://); download files, then give their path"
            )
        known = ", ".join(sorted(suffix for form in table for suffix in form.SUFFIXES))
        raise SourceError(f"{place}: not a recording that telecine reads; give one of {known}, or a catalog address")
    return None


def _asked(place: str) -> Iterator[Format]:
    """The formats that may claim a place: many files lie in folders of recordings, and most are none."""
    if is_url(place) or os.path.isdir(place):  # noqa: PTH112 - of every file that lies about
        names: Iterable[str] = _SUFFIXES
    elif _begins_as_json(place):
        names = _BY_NAME
    else:
        names = (name for name in _SUFFIXES if name not in _FOLDERS_ALONE)
    yield from map(_ours, names)
    yield from _theirs().values()


def _begins_as_json(path: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of every file that lies about
            return file.read(1) in _JSON
    except OSError:
        return False  # whoever reads it says why


def _claims(form: Format, place: str) -> bool:
    try:
        with border(place):
            return form.claims(place)
    except (SourceError, OSError):
        return False  # if the suffix is known, reading it will say what is wrong
