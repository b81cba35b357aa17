"""Episodes that lie one after the other in arrays, cut by a list of ends: the row behind the last one of each.

They are called `/episode_0`, `/episode_1` and so on.
"""

import re
from collections.abc import Sequence

from telecine.core.errors import SourceError

_NAME = re.compile(r"/episode_(\d+)")


def episode_names(ends: Sequence[int]) -> list[str]:
    """One for each end.

    >>> episode_names([5, 12])
    ['/episode_0', '/episode_1']
    """
    return [f"/episode_{number}" for number in range(len(ends))]


def check_ends(ends: Sequence[int], where: str) -> None:
    """Nothing, when each episode has a row. Raises: SourceError that begins with `where`."""
    if any(b <= a for a, b in zip([0, *ends], ends, strict=False)):
        raise SourceError(f"{where} does not go up: {ends[:10]}")


def span_of(name: str, ends: Sequence[int], path: str) -> tuple[int, int]:
    """Rows [first, stop) of the episode of that name.

    >>> span_of("/episode_1", [5, 12], "demos.hdf5")
    (5, 12)

    Raises: SourceError when `path` holds no such episode.
    """
    match = _NAME.fullmatch(name)
    number = int(match[1]) if match and len(match[1]) < 10 else len(ends)
    if number >= len(ends):
        raise SourceError(f"{path}: holds no episode {name!r}, only 0 to {len(ends) - 1}")
    return ends[number - 1] if number else 0, ends[number]
