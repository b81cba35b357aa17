"""The table of formats: what finds recordings and opens them. A format is one package and one line here."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.naming import natural
from telecine.core.recording import Recording, Ref
from telecine.sources.format import Format, Found, Joining, MissingExtra
from telecine.sources.lfs import pointer_problem

__all__ = [
    "Claim",
    "Format",
    "Found",
    "MissingExtra",
    "claimed",
    "find",
    "formats",
    "index",
    "join",
    "joined",
    "layered",
    "open",
    "unreadable",
    "with_layers",
]

_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "rrd": (".rrd",),
    "catalog": (),
    "mcap": (".mcap", ".mcap.zstd"),
    "rosbag": (".bag",),
    "rosbag2": (".db3", ".db3.zstd"),
    "robosandbox": ("events.jsonl",),
    "hdf5": (".hdf5", ".h5"),
    "zarr": (".zarr", ".zarr.zip"),
    "lerobot": (),
    "recorder_spool": (".spool",),
}
"""Our formats, each the name of its package here, and the suffixes that it states: those that a file's name speaks
for are asked first, and the modules of the others are not even imported when they are right."""
_MODULES = {"catalog": "rrd.catalog"}
"""Where a format is that has no package of its own."""
_FOLDERS = {"rosbag2": ("metadata.yaml",), "zarr": (".zgroup", "zarr.json"), "lerobot": ("meta",)}
"""Which of our formats claim folders, and what must be in such a folder for them to be asked."""
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


def _named(name: str) -> Format | None:
    return _ours(name) if name in _SUFFIXES else _theirs().get(name)


def find(paths: Sequence[str | os.PathLike[str]], *, recover: bool = False, token: str | None = None) -> Found:
    """Every recording in files, folders (recursive), globs and catalog addresses, in an order that never changes.

    Refs are sorted by file, then by recording id, numbers in names by value. A file that cannot be read is a
    finding, never an exception. Files that no format knows are passed over.

    Raises:
        SourceError: a path does not exist, or no recording is there.
    """
    found = joined(paths, (index(claim, recover=recover, token=token) for claim in claimed(paths)))
    return with_layers(found, map(join, layered(found)))


@dataclass(frozen=True, slots=True)
class Claim:
    """A file, folder or address, and the name of the format that reads it."""

    format: str
    path: str


def claimed(paths: Iterable[str | os.PathLike[str]]) -> list[Claim]:
    """What there is to index, in an order that never changes. Reads first bytes, by no library. Raises: see `find`."""
    return sorted(_claimed(paths), key=lambda claim: natural(claim.path))


def index(claim: Claim, *, recover: bool = False, token: str | None = None) -> Found:
    """What is in one file."""
    form = _named(claim.format)
    assert form is not None
    if problem := pointer_problem(claim.path):
        return Found((), (unreadable(claim.path, problem),))
    try:
        return form.index(claim.path, recover=recover, token=token)
    except MissingExtra as error:
        fix = "install it, then run this again"
        return Found((), (Finding(error.code, "error", claim.path, str(error), fix, recording=claim.path),))
    except SourceError as error:
        message = str(error).removeprefix(f"{claim.path}: ")
        return Found((), (unreadable(claim.path, message),))


def unreadable(place: str, why: str) -> Finding:
    """The finding for a file that cannot be read."""
    return Finding("source-unreadable", "error", place, why, "the other recordings are not affected", recording=place)


def joined(paths: Iterable[str | os.PathLike[str]], found: Iterable[Found]) -> Found:
    """All that was found at `paths`, in order. Raises: SourceError when that is nothing."""
    refs: list[Ref] = []
    findings: list[Finding] = []
    properties: list[Ref] = []
    for part in found:
        refs += part.refs
        findings += part.findings
        properties += part.properties
    if not refs and not findings and not properties:
        known = ", ".join(sorted(suffix for form in formats().values() for suffix in form.SUFFIXES))
        asked = ", ".join(str(path) for path in paths) or "no path given"
        raise SourceError(f"{asked}: no recording found; expected files like {known}, or a catalog address")
    if not refs:
        refs, properties = properties, []  # opening them says what is wrong
    return Found(_sorted(refs), tuple(findings), _sorted(properties))


def _sorted(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    return tuple(sorted(refs, key=lambda ref: (natural(ref.path), natural(ref.id))))


def layered(found: Found) -> list[tuple[Ref, ...]]:
    """References with one id from several files, of formats that can make one recording of them."""
    groups: dict[tuple[str, str], list[Ref]] = {_key(ref): [] for ref in found.refs}
    for ref in _sorted((*found.refs, *found.properties)):
        if _key(ref) in groups:
            groups[_key(ref)].append(ref)
    return [tuple(refs) for (name, ident), refs in groups.items() if ident and len(refs) > 1 and _joins(name)]


def _key(ref: Ref) -> tuple[str, str]:
    """What all files of one recording share."""
    return ref.format, ref.id


def _joins(name: str) -> bool:
    return hasattr(_named(name), "join")


def join(refs: Sequence[Ref]) -> Found:
    """The recording that files of one id make."""
    return cast("Joining", _named(refs[0].format)).join(refs)


def with_layers(found: Found, joins: Iterable[Found]) -> Found:
    """`found` with each group of `layered` replaced by what `join` made of it, in the same order."""
    refs = set(found.refs)
    findings = list(found.findings)
    alone = set(found.properties)
    for group, answer in zip(layered(found), joins, strict=True):
        refs = refs - set(group) | set(answer.refs)
        alone -= set(group)
        findings += answer.findings
    for ref in _sorted(alone):
        text = "it holds properties and no data, so it is no episode"
        text += "; its properties go to the recordings of its file" if any(ref.id == r.shared_id for r in refs) else ""
        findings.append(Finding("source-properties", "info", ref.label, text))
    return Found(_sorted(refs), (*findings, *_duplicates(_sorted(refs))))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording that `ref` names, its streams known, nothing decoded.

    Raises:
        SourceError: it cannot be read (any more), or no format has that name.
    """
    form = _named(ref.format)
    if form is None:
        raise SourceError(f"{ref.label}: no format {ref.format!r}; known: {', '.join(sorted(formats()))}")
    return form.open(ref)


def _claimed(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Claim]:
    """Every file or address that is, or by its suffix should be, a recording; each once."""
    seen: set[str] = set()
    for path in paths:
        for place, asked_for in _places(os.fspath(path)):
            same = place if _is_url(place) else os.path.realpath(place)
            if same not in seen:
                seen.add(same)
                form = _format_of(place, asked_for)
                if form is not None:
                    yield Claim(form.NAME, place)


def _places(path: str) -> Iterator[tuple[str, bool]]:
    """(file or address, True when it was named itself rather than met in a folder)."""
    if _is_url(path):
        yield path, True
    elif Path(path).exists():
        met_in_folder = Path(path).is_dir() and not _is_one_recording(path)
        yield from ((place, not met_in_folder) for place in _files_below(path))
    else:
        # pathlib's glob takes no absolute patterns
        matches = glob.glob(path, recursive=True) if glob.has_magic(path) else []  # noqa: PTH207
        if not matches:
            raise SourceError(f"{path}: does not exist; give a file, a folder, a glob or a catalog address")
        for match in sorted(matches, key=natural):
            yield from ((place, False) for place in _files_below(match))


def _files_below(folder: str) -> Iterator[str]:
    """Files in a folder and below, hidden ones left out; a file, or a folder that a format claims, gives itself."""
    if not Path(folder).is_dir() or _is_one_recording(folder):
        yield folder
        return
    with os.scandir(folder) as entries:
        visible = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: (e.is_dir(), e.name))
        places = [(e.path, e.is_dir(follow_symlinks=False), e.is_dir()) for e in visible]
    for place, is_folder, leads_to_folder in places:
        if is_folder:
            yield from _files_below(place)
        elif not leads_to_folder:
            yield place


def _is_one_recording(folder: str) -> bool:
    """True for a folder that is a recording, or a set of them, as a whole."""
    likely = [name for name, inside in _FOLDERS.items() if any(os.path.lexists(f"{folder}/{part}") for part in inside)]
    return any(_claims(form, folder) for form in (*map(_ours, likely), *_theirs().values()))


def _format_of(place: str, asked_for: bool) -> Format | None:
    likely = [name for name, suffixes in _SUFFIXES.items() if place.lower().endswith(suffixes)]
    for name in likely:
        if _claims(_ours(name), place):
            return _ours(name)
    table = formats().values()
    for form in table:
        if _claims(form, place):
            return form
    for form in table:
        if form.SUFFIXES and place.lower().endswith(form.SUFFIXES):
            return form
    if asked_for:
        known = ", ".join(sorted(suffix for form in table for suffix in form.SUFFIXES))
        raise SourceError(f"{place}: not a recording that telecine reads ({known}, or a catalog address)")
    return None


def _claims(form: Format, place: str) -> bool:
    try:
        return form.claims(place)
    except OSError:
        return False  # if the suffix is known, reading it will say what is wrong


def _is_url(path: str) -> bool:
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path))


def _duplicates(refs: Sequence[Ref]) -> Iterator[Finding]:
    """A warning for every recording id that more than one file carries; places inside a file are no ids."""
    by_id: dict[str, list[str]] = {}
    for ref in refs:
        by_id.setdefault(ref.id, []).append(ref.path)
    for name, places in by_id.items():
        if name and not name.startswith("/") and len(places) > 1:
            message = f"{len(places)} files hold a recording with the id {name!r}: {', '.join(places)}"
            fix = "all are kept; remove one if it is a copy"
            yield Finding("source-duplicate-id", "warning", places[0], message, fix)
