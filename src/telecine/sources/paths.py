"""Files that paths lead to: typed ones, those of folders and of globs, and what there is instead of a regular file.

Nothing is opened here. Links that leave a given folder, FIFOs, sockets and devices are named, never read.
"""

import glob
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.naming import natural
from telecine.sources.shared.confinement import Confinement, confined, kind_problem

IsRecording = Callable[[str], bool]
"""Is this folder one recording, or a set of them, as a whole?"""
DEEPEST = 64
"""Folders within folders that are searched."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file, folder or address where a recording may be. problem: why it must not be read, "" when it may."""

    path: str
    typed: bool = False
    """It was named itself rather than met in a folder."""
    problem: str = ""
    leaves: bool = False
    """The problem is a link that leads out of the given folder."""


def is_url(path: str) -> bool:
    """True for an address like that of a catalog."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path))


def places(path: str, is_recording: IsRecording) -> Iterator[Place]:
    """What a path leads to. Raises: SourceError when that is nothing, or a typed path is no file to read from."""
    if is_url(path):
        yield Place(path, typed=True)
    elif os.path.lexists(path) and (os.path.exists(path) or kind_problem(path)):  # noqa: PTH110 - no UTF-8 needed
        if (problem := kind_problem(path)) and not Path(path).is_dir():
            raise SourceError(f"{path}: {problem}")
        met_in_folder = Path(path).is_dir() and not is_recording(path)
        for place in _below(path, is_recording):
            yield place if met_in_folder else Place(place.path, True, place.problem, place.leaves)
    else:
        for match in _matches(path):
            yield from _below(match, is_recording)


def require_there(path: str) -> None:
    """Nothing, when a path leads somewhere. Raises: SourceError."""
    if not is_url(path) and not os.path.lexists(path):
        _matches(path)


def _matches(pattern: str) -> list[str]:
    """Raises: SourceError without any."""
    # pathlib's glob takes no absolute patterns
    matches = glob.glob(pattern, recursive=True) if glob.has_magic(pattern) else []  # noqa: PTH207
    if not matches:
        raise SourceError(f"{pattern}: does not exist; give a file, a folder, a glob or a catalog address")
    return sorted(matches, key=natural)


def _below(top: str, is_recording: IsRecording) -> Iterator[Place]:
    """Files in a folder and below, hidden ones left out; a file, or a folder that is a recording, gives itself."""
    if not Path(top).is_dir() or is_recording(top):
        yield Place(top, problem="" if Path(top).is_dir() else kind_problem(top))
        return
    inside = confined(top)
    waiting, met = [(top, 0)], {os.path.realpath(top)}
    while waiting:
        folder, depth = waiting.pop()
        if depth > DEEPEST:
            yield Place(folder, problem=f"lies more than {DEEPEST} folders deep")
            continue
        for place, is_folder in _entries(folder, inside):
            if not is_folder or place.problem:
                yield place
            elif (real := os.path.realpath(place.path)) not in met:
                met.add(real)
                if is_recording(place.path):
                    yield place
                else:
                    waiting.append((place.path, depth + 1))


def _entries(folder: str, inside: Confinement) -> Iterator[tuple[Place, bool]]:
    """(entry, whether it is a folder to go into) of what is visible in a folder."""
    try:
        with os.scandir(folder) as entries:
            found = [(e.path, e.is_symlink(), e.is_dir(follow_symlinks=False)) for e in entries if e.name[0] != "."]
    except OSError as error:
        yield Place(folder, problem=f"cannot be read: {error.strerror or error}"), False
        return
    for path, is_link, is_folder in found:
        leads_to_folder = is_folder or (is_link and Path(path).is_dir())
        if not leads_to_folder and (problem := kind_problem(path)):
            yield Place(path, problem=problem), False  # wherever it lies: a device is nobody's recording
        elif is_link and not inside.holds(path):
            yield Place(path, problem=inside.problem(path), leaves=True), False
        elif not leads_to_folder:
            yield Place(path), False
        elif is_folder or inside.follows:  # a folder inside is searched where it is, not where links to it are
            yield Place(path), True
