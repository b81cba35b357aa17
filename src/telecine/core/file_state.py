"""What tells a file from what it was before: what is cached of it holds as long as this stays the same."""

from typing import Any

FileState = tuple[str, int, int, int, int]
"""(path, inode, bytes, ns of the last writing, ns of the last change of any kind) of a file.

Differs after every change: the last of them cannot be set by hand, as tools that copy files set the one before.
"""


def state_from(path: str, found: Any) -> FileState:
    """The state of the file at `path`; found: `os.stat_result` of it, which the core does not know."""
    return path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
