"""Two folders change their names in one step, where the system can do that."""

import ctypes
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""linux/fs.h"""
_RENAME_SWAP = 2
"""sys/stdio.h of macOS"""


def exchange(one: Path, other: Path) -> bool:
    """Swap what is at two paths of one file system at once; False when that cannot be done, and nothing is."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            done = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
        elif sys.platform == "darwin":  # pragma: no cover
            done = libc.renamex_np(os.fsencode(one), os.fsencode(other), _RENAME_SWAP)
        else:  # pragma: no cover
            return False
    except (AttributeError, OSError, TypeError):  # an older C library, or none
        return False
    return bool(done == 0)
