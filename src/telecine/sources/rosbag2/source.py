"""rosbag2 recordings: .db3 files, and folders with a metadata.yaml, whose parts are one recording.

metadata.yaml is a hint: it names the parts and their order. What is in them is read from the parts themselves, as
the two are known to disagree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from telecine.core.errors import SourceError, raised_as
from telecine.core.findings import Finding
from telecine.core.recording import Recording, Ref
from telecine.core.text.documents import plain_yaml
from telecine.core.text.numbers import counted_of
from telecine.sources.format import Found
from telecine.sources.mcap import source
from telecine.sources.messages.model import Attachment, Contents
from telecine.sources.rosbag2.store import MAGIC, Db3Store, truncation
from telecine.sources.shared.compressed import first_bytes
from telecine.sources.shared.confinement import Confinement, confined, open_regular
from telecine.sources.shared.truncation import CUT_FIX, notes_of

if TYPE_CHECKING:
    from telecine.sources.messages.store import Store

NAME = "rosbag2"
SUFFIXES = (".db3", ".db3.zstd")
METADATA = "metadata.yaml"
_ROOT = "rosbag2_bagfile_information"
_LARGEST_BYTES = 1 << 22


def claims(path: str) -> bool:
    """True for a folder with rosbag2's metadata.yaml, and for an SQLite file with a table of messages."""
    if Path(path).is_dir():
        confined(path).check(Path(path) / METADATA)
        with open_regular(Path(path) / METADATA) as file:
            return _ROOT.encode() in file.read(4096)
    start = first_bytes(path, 8192)
    return start.startswith(MAGIC) and (b"messages" in start or b"topics" in start)


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref for a folder or a file; see `Format.index`. Files that metadata.yaml does not name are recordings too."""
    del token
    if not Path(path).is_dir():
        return _index_file(path, recover)
    folder = _folder(path)
    findings = list(_missing(path, folder))
    for part in folder.parts:
        findings += _index_part(part, recover).findings
    refs = []
    if not any(finding.severity == "error" for finding in findings):
        size = sum(Path(part).stat().st_size for part in folder.parts)
        refs.append(Ref(NAME, path, "", size, recover))
    for other in folder.others:
        found = _index_part(other, recover)
        refs += found.refs
        findings += found.findings
    return Found(tuple(refs), tuple(findings))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The recording `ref` names; see `Format.open`."""
    from telecine.sources.messages.streams import recording_of

    return recording_of(ref, contents(ref.path, ref.recover))


def contents(path: str, recover: bool) -> Contents:
    """Topics, attachments and metadata of a folder or a .db3 file.

    Raises:
        SourceError: it cannot be read, or is damaged and `recover` was not asked for.
    """
    from telecine.sources.messages.store import contents_of

    is_folder = Path(path).is_dir()
    folder = _folder(path) if is_folder else _Folder((path,))
    stores: list[Store] = []
    attachments: tuple[Attachment, ...] = ()
    extra = [("rosbag2", folder.custom)] if folder.custom else []
    notes: list[tuple[str, str]] = []
    try:
        for part in folder.parts:
            if _is_mcap(part):
                opened = source.part_of(part, recover)
                stores.append(opened.store)
                attachments += opened.attachments
                extra += opened.metadata
                notes += opened.notes
            else:
                store = _db3(part, recover)
                stores.append(store)
                notes += notes_of("", store.lost, recover)
    except BaseException:
        for one in stores:
            one.close()
        raise
    return contents_of(stores, attachments=attachments, metadata=tuple(extra), notes=tuple(notes))


def _db3(path: str, recover: bool) -> Db3Store:
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        cut = truncation(path)
        if cut and not recover:
            raise SourceError(f"{path}: {cut.damage(path)}; {CUT_FIX}")
        store = Db3Store(path, recover)
    if cut:
        store.lost.insert(0, f"the end of the file: {cut.problem}")
    return store


def _index_part(path: str, recover: bool) -> Found:
    return source.index(path, recover=recover) if _is_mcap(path) else _index_file(path, recover)


def _is_mcap(path: str) -> bool:
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        return source.claims(path)


def _index_file(path: str, recover: bool) -> Found:
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        cut = truncation(path)
    if cut and not recover:
        return Found(findings=(Finding("source-truncated", "error", path, cut.damage(path), CUT_FIX),))
    _db3(path, recover).close()
    return Found((Ref(NAME, path, "", Path(path).stat().st_size, recover),))


@dataclass(frozen=True, slots=True)
class _Folder:
    """parts: files that are there, in order; missing: names of those that are not; others: files nobody names."""

    parts: tuple[str, ...]
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    custom: Mapping[str, str] = field(default_factory=dict)


def _folder(path: str) -> _Folder:
    metadata = _metadata(path)
    inside = confined(path)
    names = [str(name) for name in metadata.get("relative_file_paths") or ()]
    there = {name: _part(path, name, inside) for name in names}
    parts = tuple(dict.fromkeys(part for part in there.values() if part))
    if not parts:
        named = ", ".join(names) or "it names none"
        raise SourceError(f"{path}: none of the files that {METADATA} names is there: {named}")
    custom = metadata.get("custom_data")
    return _Folder(
        parts,
        tuple(name for name, part in there.items() if not part),
        tuple(_others(path, parts, inside)),
        {str(key): str(value) for key, value in custom.items()} if isinstance(custom, dict) else {},
    )


def _metadata(path: str) -> dict[str, Any]:
    file = Path(path) / METADATA
    with raised_as(SourceError, f"{file}: cannot be read", OSError), open_regular(file) as opened:
        raw = opened.read(_LARGEST_BYTES + 1)
    if len(raw) > _LARGEST_BYTES:
        raise SourceError(f"{file}: more than {_LARGEST_BYTES} bytes are too many for it")
    try:
        metadata = plain_yaml(raw.decode(errors="replace"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise SourceError(f"{file}: cannot be read: {first}; name the files in the folder themselves") from error
    if isinstance(metadata, dict) and isinstance(metadata.get(_ROOT), dict):
        return dict(metadata[_ROOT])
    raise SourceError(f"{file}: has no {_ROOT}; name the files in the folder themselves")


def _part(folder: str, name: str, inside: Confinement) -> str | None:
    """The file that is meant: names may lead through the folder itself, and lack or have the ending of zstd.

    Raises: SourceError when the only one there is lies elsewhere.
    """
    problem = ""
    for candidate in (Path(folder, name), Path(folder, Path(name).name)):
        for path in (candidate, Path(f"{candidate}.zstd"), candidate.with_suffix("")):
            if path.is_file():
                if not (why := inside.problem(path)):
                    return str(path)
                problem = problem or why
    if problem:
        raise SourceError(f"{folder}: {METADATA} names {name}, which {problem}")
    return None


def _others(folder: str, parts: tuple[str, ...], inside: Confinement) -> Iterator[str]:
    for path in sorted(Path(folder).iterdir()):
        known = str(path) in parts or not path.name.lower().endswith((*SUFFIXES, *source.SUFFIXES))
        if not known and path.is_file() and not inside.problem(path):
            yield str(path)


def _missing(path: str, folder: _Folder) -> Iterator[Finding]:
    if folder.missing:
        names = ", ".join(folder.missing[:3]) + (" ..." if len(folder.missing) > 3 else "")
        message = (
            f"{counted_of(len(folder.missing), len(folder.missing) + len(folder.parts), 'part', 'is', 'are')} "
            f"not there: {names}"
        )
        yield Finding("source-part-missing", "warning", path, message, "copy them here, or take what the others hold")
