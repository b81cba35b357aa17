"""Finds recordings and opens them, by the format that claims each."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from telecine.core.dataclass import dataclass
from telecine.core.errors import OutsideError, PlanError, SourceError, StoreError
from telecine.core.findings import Finding
from telecine.core.naming import natural
from telecine.core.recording import Recording, Ref
from telecine.core.text.addresses import is_stored
from telecine.core.text.numbers import counted
from telecine.core.text.renamed import renamed
from telecine.core.text.secrets import scrubbed
from telecine.sources.border import border
from telecine.sources.claims import format_of, formats, has_suffix, is_one_recording, named
from telecine.sources.format import Format, Found, Joining, MissingExtra
from telecine.sources.paths import is_url, places
from telecine.sources.shared.confinement import links_followed
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
    form = named(claim.format)
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
        file = Path(claim.path)
        message = "the file is empty (0 bytes)" if file.is_file() and not file.stat().st_size else message
        if isinstance(error, OutsideError):  # it says itself what to do
            return Found((), (Finding(error.code, "error", claim.path, message, recording=claim.path),))
        return Found((), (unreadable(claim.path, message),))


def _index_copy(claim: Claim, *, recover: bool) -> Found:
    """`index` of a local copy, what it finds by addresses."""
    from telecine.sources.stored.copies import latest_names, local_path

    try:
        path = local_path(claim.path, claim.format, is_index=True)
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
    fix = "make it again, or leave it out; other recordings are not affected"
    return Finding("source-unreadable", "error", place, why, fix, recording=place)


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
    return hasattr(named(name), "join")


def join(refs: Sequence[Ref]) -> Found:
    """The recording that files of one id make."""
    try:
        with border(refs[0].label), links_followed(refs[0].follow_links):
            joining = cast("Joining", named(refs[0].format))
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
    form = named(ref.format)
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
            raise PlanError(f"{shown}: secrets do not belong in an address; give the token in --catalog-token-file")
        for place in places(os.fspath(path), is_one_recording):
            if place.problem:
                yield Claim("", place.path, place.problem, refused=place.leaves and has_suffix(place.path))
            elif (form := format_of(place.path, place.typed)) is not None:
                same = place.path if is_url(place.path) else os.path.realpath(place.path)
                if same not in seen:
                    seen.add(same)
                    yield Claim(form.NAME, place.path)


def _duplicates(refs: Sequence[Ref]) -> Iterator[Finding]:
    """A warning for every recording id that more than one file carries; places inside a file are no ids."""
    by_id: dict[str, list[str]] = {}
    for ref in refs:
        by_id.setdefault(ref.id, []).append(ref.path)
    for name, paths in by_id.items():
        if name and not name.startswith("/") and len(paths) > 1:
            message = (
                f"{counted(len(paths), 'file holds', 'files hold')} a recording with the id {name!r}: "
                f"{', '.join(paths)}"
            )
            fix = "all are kept; remove one if it is a copy"
            yield Finding("source-duplicate-id", "warning", paths[0], message, fix)
