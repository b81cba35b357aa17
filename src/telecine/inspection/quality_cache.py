"""What was found in a dataset, kept in the user's cache folder by the state of its files, never in it."""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from telecine import __version__
from telecine.core.dataclass import dataclass
from telecine.core.findings import Finding

VERSION = 13
"""Grows when a check changes what it finds."""
MOST_ENTRIES = 200
_FOLDERS = ("meta", "data", "videos", "images")


def cache_dir() -> Path:
    """Where a user's caches are, by the rules of the system; XDG_CACHE_HOME and LOCALAPPDATA are such rules."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "telecine" / "quality"
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "telecine" / "quality"


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """The files of the dataset at `root` as they were when it was walked; states: name, bytes, times of changes."""

    root: Path
    states: tuple[tuple[str, int, int, int], ...]

    @classmethod
    def of(cls, root: str | Path) -> Self:
        """Walks the folder: what several ask for, the first passes on."""
        found = ((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in _states(Path(root)))
        return cls(Path(root), tuple(found))

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(size for _, size, _, _ in self.states)


def _states(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(name below root, state) of each file, sorted; names are made as text, as paths take ten times as long."""
    for folder in _FOLDERS:
        top = str(root / folder)
        for above, folders, names in os.walk(top):
            folders.sort()
            below = folder + above[len(top) :]
            for name in sorted(names):
                with suppress(OSError):  # a link that leads nowhere
                    state = Path(above, name).stat()
                    if stat.S_ISREG(state.st_mode):
                        yield f"{below}/{name}", state


def entry(files: DatasetFiles, looked_for: Collection[str]) -> Path:
    """Where what is found in just these files is kept; names everything that it depends on."""
    told = [VERSION, __version__, sorted(looked_for), str(files.root.resolve()), files.states]
    return cache_dir() / f"{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]}.json"


def load(place: Path) -> tuple[Finding, ...] | None:
    """What is kept at an `entry`, if anything is."""
    try:
        listed = json.loads(place.read_text(encoding="utf-8"))
        return tuple(Finding(**{**one, "rows": one["rows"] and tuple(one["rows"])}) for one in listed)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or cut off: it is found again


def save(place: Path, found: Iterable[Finding]) -> None:
    """Keep what was found; a disk that refuses costs only the time of the next look."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps([f.to_dict() for f in found]), encoding="utf-8")
        unfinished.replace(place)
        entries = sorted(place.parent.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        for old in entries[:-MOST_ENTRIES]:
            old.unlink(missing_ok=True)
