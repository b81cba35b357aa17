"""The sources that other packages publish, found without reading the metadata of all that is installed.

`importlib.metadata.entry_points` parses what every package publishes, 7 ms of 200 packages. Nearly always none of them
has a source, which the bytes of these files tell.
"""

import os
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

_ABOUT = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"


def entry_points(group: str) -> Iterable[metadata.EntryPoint]:
    """What installed packages publish in `group`."""
    return metadata.entry_points(group=group) if _may_be_there(group) else ()


def _may_be_there(group: str) -> bool:
    """False where no file of an installed package names the group, and nothing but folders holds packages."""
    others = (f for f in sys.meta_path if f is not PathFinder and hasattr(f, "find_distributions"))
    return any(True for _ in others) or any(_holds(folder, group.encode()) for folder in sys.path)


def _holds(folder: str, group: bytes) -> bool:
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return False
    except OSError:  # an archive, which holds packages too
        return True
    if folder.endswith(".egg"):
        return True
    return any(group in _bytes(f"{folder or '.'}/{name}/{_FILE}") for name in names if name.endswith(_ABOUT))


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # it publishes nothing; old packages have a file and no folder
        return b""
