"""FFmpeg for torchcodec out of PyAV's own wheel, so that nobody has to install a system package.

torchcodec, which LeRobot reads video with, asks the system for `libavcodec.so.61` and its sisters. PyAV's wheel
carries exactly these under names that hold a checksum (`av.libs/libavcodec-7ee0753d.so.61.19.101`). A folder of
links with the plain names on LD_LIBRARY_PATH closes the gap. Without it LeRobot falls back to another decoder
with no more than a log line, and the tests would prove less than they say. Refuses to import torch or av: it runs
before the tests do.
"""

import hashlib
import importlib.util
import os
import re
import sys
from pathlib import Path

VARIABLE = "LD_LIBRARY_PATH"
HASHED = re.compile(r"(?P<name>lib(?:av\w+|sw\w+|postproc))-[0-9a-f]+\.so\.(?P<major>\d+)(?:\.\d+)*")


def bundled_libraries() -> list[Path]:
    """The shared libraries inside PyAV's wheel; empty for a PyAV that was built against the system's FFmpeg."""
    spec = importlib.util.find_spec("av")
    if spec is None or spec.origin is None:
        return []
    return sorted((Path(spec.origin).parent.parent / "av.libs").glob("lib*.so*"))


def plain_name(file_name: str) -> str | None:
    """The name that other programs ask for, or None when `file_name` is no library of FFmpeg's.

    >>> plain_name("libavcodec-7ee0753d.so.61.19.101")
    'libavcodec.so.61'
    >>> plain_name("libx264-b1bb65f5.so.165") is None
    True
    """
    found = HASHED.fullmatch(file_name)
    return f"{found['name']}.so.{found['major']}" if found else None


def link_folder(parent: Path) -> Path | None:
    """A folder below `parent` that serves PyAV's FFmpeg under its plain names; None when there is nothing to serve.

    Every library is linked under its own name too: a library looks for its neighbours where it was found, which
    is this folder. Safe to call from several processes at once.
    """
    libraries = bundled_libraries()
    if not sys.platform.startswith("linux") or not any(plain_name(library.name) for library in libraries):
        return None
    digest = hashlib.sha256("\n".join(map(str, libraries)).encode()).hexdigest()[:12]
    folder = parent / f"ffmpeg-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for library in libraries:
        for name in filter(None, (library.name, plain_name(library.name))):
            link = folder / name
            if not link.exists():
                _link(link, library)
    return folder


def _link(link: Path, target: Path) -> None:
    """Put a link in place in one step, over a dangling one or beside a second process that does the same."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def environment_with(folder: Path) -> dict[str, str]:
    """This process's environment with `folder` first among the places where libraries are looked for."""
    others = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part and part != str(folder)]
    return {**os.environ, VARIABLE: os.pathsep.join([str(folder), *others])}


def is_effective(folder: Path) -> bool:
    """True when this process was started with `folder` in place."""
    return str(folder) in os.environ.get(VARIABLE, "").split(os.pathsep)
