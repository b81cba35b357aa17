"""Git LFS pointers: small texts that stand for data in a clone that was made without it.

A pointer has at most 1024 bytes and begins with `version` (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
Every format is asked before its library is, since libraries call a pointer a damaged file.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from telecine.core.text.numbers import counted
from telecine.sources.shared.confinement import confined

_FIRST = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_LONGEST_BYTES = 1024
_MOST_FILES = 20_000
"""Files of a folder that are looked at."""


def pointer_problem(place: str) -> str:
    """What is wrong with a file that is a pointer, or with a folder that holds some; "" where there is none.

    >>> pointer_problem("pyproject.toml")
    ''
    """
    if "://" in place:
        return ""
    pointers = [path for path in islice(_files(Path(place)), _MOST_FILES) if is_pointer(path)]
    if not pointers:
        return ""
    if str(pointers[0]) == place:
        return "it is a Git LFS pointer, not the data: run `git lfs pull` in its repository"
    count = counted(len(pointers), "file in it is a Git LFS pointer", "files in it are Git LFS pointers")
    return f"{count}, not the data ({pointers[0].name}): run `git lfs pull` in its repository"


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    inside = confined(place)
    for folder, folders, names in os.walk(place):
        folders.sort()
        paths = (Path(folder) / name for name in sorted(names))
        yield from (path for path in paths if not path.is_symlink() or inside.holds(path))


def is_pointer(path: Path) -> bool:
    """True for a regular file that is a Git LFS pointer."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_BYTES:
            return False
        with path.open("rb") as file:
            return file.read(64).startswith(_FIRST)
    except OSError:
        return False  # reading it will say what is wrong
