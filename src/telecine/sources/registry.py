"""The table of formats: what finds recordings and opens them. A format is one package and one line here."""

import fnmatch
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError, StoreError
from telecine.core.findings import Finding
from telecine.core.naming import natural
from telecine.core.recording import Recording, Ref
from telecine.core.text.addresses import is_stored, unknown_scheme
from telecine.core.text.renamed import renamed
from telecine.core.text.secrets import scrubbed
from telecine.sources.border import border
from telecine.sources.format import Format, Found, Joining, MissingExtra
from telecine.sources.paths import is_url, places
from telecine.sources.shared.confinement import kind_problem, links_followed
from telecine.sources.shared.lfs import pointer_problem
from telecine.sources.unclaimed import likeness

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


def find(
    paths: Sequence[str | os.PathLike[str]],
    *,
    recover: bool = False,
    token: str | None = None,
    follow_links: bool = False,
) -> Found:
    """Every recording in files, folders (recursive), globs and catalog addresses, in an order that never changes.

    Refs are sorted by file, then by recording id, numbers in names by value. A file that cannot be read is a
    finding, never an exception. Files that no format knows are passed over. Links that leave a given folder are
    refused, unless they are to be followed.

    Raises:
        SourceError: a path does not exist, or no recording is there.
    """
    claims = claimed(paths, follow_links=follow_links)
    found = joined(paths, (index(claim, recover=recover, token=token) for claim in claims))
    return with_layers(found, map(join, layered(found)))


@dataclass(frozen=True, slots=True)
class Claim:
    """A file, folder or address, and the name of the format that reads it."""

    format: str
    path: str
    problem: str = ""
    """Why it is not read, whatever it holds: it is no regular file, or leads outside."""
    refused: bool = False
    """The problem costs a recording, so it is an error."""
    follow_links: bool = False
    stored_bytes: int = 0
    """Of a file in a store."""

    @property
    def size_bytes(self) -> int:
        """Of a file; 0 for what has no size of its own."""
        if is_stored(self.path):
            return self.stored_bytes
        return os.stat(self.path).st_size if Path(self.path).is_file() else 0  # noqa: PTH116


def claimed(paths: Iterable[str | os.PathLike[str]], *, follow_links: bool = False) -> list[Claim]:
    """What there is to index, in an order that never changes. Reads first bytes, by no library. Raises: see `find`."""
    with links_followed(follow_links):
        typed = [os.fspath(path) for path in paths]
        claims = sorted(_stored(typed) if any(map(is_stored, typed)) else _claimed(typed), key=_by_path)
    return [replace(claim, follow_links=follow_links) for claim in claims]


def _by_path(claim: Claim) -> Any:
    return natural(claim.path)


def _stored(paths: Sequence[str]) -> list[Claim]:
    """As `_claimed`, where addresses in stores are among the paths."""
    from telecine.sources.stored.listing import placeholders

    with placeholders(paths) as there:
        return [renamed(replace(claim, stored_bytes=claim.size_bytes), there.names) for claim in _claimed(there.paths)]


def index(claim: Claim, *, recover: bool = False, token: str | None = None) -> Found:
    """What is in one file; what cannot be read is a finding."""
    if claim.problem:
        return Found((), (_not_read(claim),))
    if is_stored(claim.path) and not _is_ranged(claim):
        return _index_copy(claim, recover=recover)
    form = _named(claim.format)
    assert form is not None
    with links_followed(claim.follow_links):
        problem = pointer_problem(claim.path)
    if problem:
        return Found((), (unreadable(claim.path, problem),))
    try:
        with border(claim.path), links_followed(claim.follow_links):
            found = form.index(claim.path, recover=recover, token=token)
            if not claim.follow_links:
                return found
            refs, properties = (tuple(replace(r, follow_links=True) for r in g) for g in (found.refs, found.properties))
            return replace(found, refs=refs, properties=properties)
    except MissingExtra as error:
        fix = "install it, then run this again"
        return Found((), (Finding(error.code, "error", claim.path, str(error), fix, recording=claim.path),))
    except (SourceError, StoreError) as error:
        message = str(error).removeprefix(f"{claim.path}: ")
        return Found((), (unreadable(claim.path, message),))


def _index_copy(claim: Claim, *, recover: bool) -> Found:
    """`index` of a local copy, what it finds by addresses."""
    from telecine.sources.stored.copies import latest_names, local_path

    try:
        path = local_path(claim.path, claim.format)
    except (SourceError, StoreError) as error:
        return Found((), (unreadable(claim.path, str(error).removeprefix(f"{claim.path}: ")),))
    return renamed(index(replace(claim, path=path), recover=recover), latest_names())


def _is_ranged(claim: Claim) -> bool:
    from telecine.sources.stored.ranges import is_ranged

    return is_ranged(claim.path, claim.format, claim.stored_bytes)


def _not_read(claim: Claim) -> Finding:
    if claim.refused:
        return Finding("source-outside", "error", claim.path, claim.problem)
    return Finding("source-skipped", "warning", claim.path, f"passed over: it {claim.problem}")


def unreadable(place: str, why: str) -> Finding:
    """The finding for a file that cannot be read."""
    return Finding("source-unreadable", "error", place, why, "the other recordings are not affected", recording=place)


def joined(paths: Sequence[str | os.PathLike[str]], found: Iterable[Found]) -> Found:
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
        looks = likeness(paths)
        expected = f"expected files like {known}, or a catalog address"
        raise SourceError(f"{asked}: no recording found; {f'{looks}; ' if looks else ''}{expected}")
    if not refs:
        refs, properties = properties, []  # opening them reports what is wrong
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
    try:
        with border(refs[0].label), links_followed(refs[0].follow_links):
            joining = cast("Joining", _named(refs[0].format))
            if not is_stored(refs[0].path):
                return joining.join(refs)
            from telecine.sources.stored.copies import join_copies

            return join_copies(refs, joining.join)
    except SourceError as error:
        return Found((), (unreadable(refs[0].label, str(error).removeprefix(f"{refs[0].label}: ")),))


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
    with border(ref.label), links_followed(ref.follow_links):
        if not is_stored(ref.path):
            return form.open(ref)
        from telecine.sources.stored.copies import open_copy

        return open_copy(ref, form.open)


def _claimed(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Claim]:
    """Every file or address that is, or by its suffix should be, a recording; each once."""
    seen: set[str] = set()
    for path in paths:
        if is_url(os.fspath(path)) and (shown := scrubbed(os.fspath(path))) != os.fspath(path):
            raise SourceError(f"{shown}: secrets do not belong in an address; give the token in --catalog-token-file")
        for place in places(os.fspath(path), _is_one_recording):
            same = place.path if is_url(place.path) else os.path.realpath(place.path)
            if place.problem:
                yield Claim("", place.path, place.problem, refused=place.leaves and _has_suffix(place.path))
            elif same not in seen:
                seen.add(same)
                form = _format_of(place.path, place.typed)
                if form is not None:
                    yield Claim(form.NAME, place.path)


def _has_suffix(path: str) -> bool:
    """True for a name that one of our formats has."""
    return path.lower().endswith(tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes))


def _is_one_recording(folder: str) -> bool:
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
        if why := unknown_scheme(place) if is_url(place) else "":
            raise SourceError(f"{why}, and the catalogs of Rerun (rerun+http://)")
        known = ", ".join(sorted(suffix for form in table for suffix in form.SUFFIXES))
        raise SourceError(f"{place}: not a recording that telecine reads ({known}, or a catalog address)")
    return None


def _claims(form: Format, place: str) -> bool:
    try:
        with border(place):
            return form.claims(place)
    except (SourceError, OSError):
        return False  # if the suffix is known, reading it will say what is wrong


def _duplicates(refs: Sequence[Ref]) -> Iterator[Finding]:
    """A warning for every recording id that more than one file carries; places inside a file are no ids."""
    by_id: dict[str, list[str]] = {}
    for ref in refs:
        by_id.setdefault(ref.id, []).append(ref.path)
    for name, paths in by_id.items():
        if name and not name.startswith("/") and len(paths) > 1:
            message = f"{len(paths)} files hold a recording with the id {name!r}: {', '.join(paths)}"
            fix = "all are kept; remove one if it is a copy"
            yield Finding("source-duplicate-id", "warning", paths[0], message, fix)
