"""What was found in a dataset, kept in the user's cache folder by the state of its files, never in it."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from telecine import __version__
from telecine.core.findings import Finding

VERSION = 7
"""Grows when a check changes what it finds."""
MOST_ENTRIES = 200
_FOLDERS = ("meta", "data", "videos", "images")


def cache_dir() -> Path:
    """Where a user's caches are, by the rules of the system; XDG_CACHE_HOME and LOCALAPPDATA are such rules."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "telecine" / "quality"
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "telecine" / "quality"


def files_of(root: Path) -> Iterator[Path]:
    """The files of a dataset, sorted."""
    for folder in _FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.is_file())


def _path_of(root: Path, codes: frozenset[str]) -> Path:
    """Names everything that what is found depends on."""
    states = []
    for path in files_of(root):
        state = path.stat()
        states.append([str(path.relative_to(root)), state.st_size, state.st_mtime_ns, state.st_ctime_ns])
    told = [VERSION, __version__, sorted(codes), str(root.resolve()), states]
    return cache_dir() / f"{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]}.json"


def load(root: Path, codes: frozenset[str]) -> tuple[Finding, ...] | None:
    """What was found, if these codes were looked for in just these files."""
    try:
        listed = json.loads(_path_of(root, codes).read_text(encoding="utf-8"))
        return tuple(Finding(**{**one, "rows": one["rows"] and tuple(one["rows"])}) for one in listed)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or cut off: it is found again


def save(root: Path, codes: frozenset[str], found: tuple[Finding, ...]) -> None:
    """Keep what was found; a disk that refuses costs only the time of the next look."""
    path = _path_of(root, codes)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps([f.to_dict() for f in found]), encoding="utf-8")
        unfinished.replace(path)
        entries = sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        for old in entries[:-MOST_ENTRIES]:
            old.unlink(missing_ok=True)
