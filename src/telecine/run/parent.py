"""A worker ends with the process that started it, however that one ended.

A worker notices the end of its input in a thread, which needs the interpreter: a native library that never returns may
hold that for ever. So on Linux the kernel is asked as well.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it from its main thread, is gone.

    The signal comes when the *thread* that started a process ends (prctl(2)), so only main threads may ask for it.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a libc without it; then the end of the input has to do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os._exit(1)
