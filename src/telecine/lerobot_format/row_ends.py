"""The least and greatest values of an episode's rows: a second witness of whose rows they are.

Statistics state them for each episode. Rows that have other ends than their own statistics, and those of another
episode's, are that episode's.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from telecine.core.recording import Array
from telecine.core.stats import Floats

MOVING = ("action", "observation.state")
"""Features whose values differ from episode to episode."""


def ends_of(values: Array) -> Floats:
    """(2 * width,) least, then greatest values of (n, width) values."""
    found: Floats = np.concatenate([values.min(axis=0), values.max(axis=0)]).astype(np.float64)
    return found


def are_equal(ends: Floats, stated: Floats) -> bool:
    """Whether rows with these ends may be what the statistics were made of."""
    return ends.shape == stated.shape and bool(_are_near(stated, ends).all())


def owner(ends: Floats, stated: Floats, episodes: Sequence[int]) -> int | None:
    """The episode whose statistics have these ends. stated: (n, 2 * width) of the n episodes, width > 0."""
    near = np.flatnonzero(_are_near(stated[:, 0], ends[:1]))  # few, of very many episodes
    fits = near[_are_near(stated[near], ends).all(axis=1)]
    return episodes[int(fits[0])] if fits.size else None


def not_of_statistics(whose: int) -> str:
    """What is wrong with rows whose ends are those of that episode's statistics."""
    return f"its rows are not those of its statistics, but those of episode {whose}'s"


def _are_near(stated: Floats, ends: Floats) -> npt.NDArray[np.bool_]:
    return np.isclose(stated, ends, rtol=1e-4, atol=1e-6)
