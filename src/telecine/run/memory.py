"""How much memory there is, and how much a process takes. Known on Linux; elsewhere it stays unknown."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""(limit, in use) of a control group, version 2 and 1."""


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, its share of what several have; 0 when that cannot be known."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, ValueError, StopIteration):
        pass  # an old kernel; then shared memory counts more than once
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def available_bytes() -> int | None:
    """What this process and its children may still take, container limits included; None when unknown."""
    known = [size for size in (_machine(), _container()) if size is not None]
    return min(known, default=None)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _container() -> int | None:
    """What is left of a control group's limit; the page cache in it counts as free."""
    for limit, used in _LIMITS:
        try:
            most, now = int((_CGROUP / limit).read_text()), int((_CGROUP / used).read_text())
            return max(0, most - now + _cached((_CGROUP / limit).parent))
        except (OSError, ValueError):
            continue  # no such group, or no limit ("max")
    return None


def _cached(group: Path) -> int:
    for line in (group / "memory.stat").read_text().splitlines():
        name, _, size = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(size)
    return 0
