"""What a process that reads hostile input must never do, seen from inside: run something, touch what lies outside."""

import os
import resource
import sys
from pathlib import Path

RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class", "os.startfile"}
OPENS = {"open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "sqlite3.connect", "os.link"}
MOST_BYTES = 3 << 30
"""Of address space: what asks for more gets a MemoryError, instead of the machine."""
_LONG_AGO_NS = 10**18


def make_outside(folder: Path) -> None:
    """Files next to what is given, which nothing given may lead to."""
    folder.mkdir()
    for name in ("canary", "canary.json", "canary.h5", "canary.db3", "canary.mp4"):
        (folder / name).write_text('{"secret": [1, 2, 3]}')
    _age(folder)


def _age(folder: Path) -> None:
    """Read long ago, so that a file system that notes reads at all notes the next one (relatime)."""
    for path in folder.iterdir():
        os.utime(path, ns=(_LONG_AGO_NS, _LONG_AGO_NS + 10**9))


class Watch:
    """Notices from now on; `seen` says what happened since it was asked last."""

    def __init__(self, outside: Path) -> None:
        self._outside = outside
        self._seen: list[str] = []
        self._names = {path.name for path in outside.iterdir()}
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, resource.RLIM_INFINITY))
        sys.addaudithook(self._note)
        self.is_on = True

    def _note(self, event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
        if not getattr(self, "is_on", False):
            return
        if event in RUNS:
            self._seen.append(f"executed: {event} {arguments!r:.100}")
        elif event in OPENS and any(
            str(self._outside) in str(a) for a in arguments if isinstance(a, str | bytes | Path)
        ):
            self._seen.append(f"outside: {event} {arguments!r:.100}")

    def seen(self) -> list[str]:
        """What happened, native libraries' reads and writes included."""
        self.is_on = False
        changed = {p.name for p in self._outside.iterdir()} ^ self._names
        read = [p.name for p in self._outside.iterdir() if p.stat().st_atime_ns != _LONG_AGO_NS]
        written = [p.name for p in self._outside.iterdir() if p.stat().st_mtime_ns != _LONG_AGO_NS + 10**9]
        found = [
            *self._seen,
            *(
                f"outside: {kind} {names}"
                for kind, names in (("read", read), ("written", [*written, *changed]))
                if names
            ),
        ]
        self._seen.clear()
        _age(self._outside)
        self.is_on = True
        return found
