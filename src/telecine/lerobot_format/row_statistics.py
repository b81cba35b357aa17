"""Whether an episode's rows are those that its statistics were made of: a second witness of whose rows they are.

Statistics state the least and greatest values, means and deviations for each episode. Rows that have other ones, and
the ends of another episode's, are that episode's.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.recording import Array
from telecine.core.row_witness import rows_differ
from telecine.core.stats import Floats
from telecine.lerobot_format.episode_statistics import EpisodeStatistics, episode_statistics
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.paths import VERSION

_MOVING = ("action", "observation.state")
"""Features whose values differ from episode to episode, so that they tell whose rows are."""
_MOMENTS = ("min", "max", "mean", "std")


@dataclass(frozen=True, slots=True)
class OtherRows:
    """What is wrong with rows that are not those of their statistics. owner: whose they are, where that is told."""

    message: str
    owner: int | None = None


class RowStatistics:
    """What the statistics of `dataset` say of the rows of its episodes; read when they are first asked for."""

    def __init__(self, dataset: DatasetMeta) -> None:
        self._dataset = dataset
        self._is_v3 = dataset.info.get("codebase_version") == VERSION
        self._names = _MOMENTS if self._is_v3 else _MOMENTS[:2]
        self._stored: dict[str, EpisodeStatistics] = {}

    def problem(self, key: str, episode: int, values: Array) -> OtherRows | None:
        """Why the (n, *shape) numbers of a feature are not an episode's; None where they may be its own.

        v3.0: by what `verify` compares, but for quantiles. v2.1: by the ends of what moves, where they are another's.
        """
        if not len(values) or not (self._is_v3 or (key in _MOVING and np.issubdtype(values.dtype, np.floating))):
            return None
        if key not in self._stored:
            self._stored[key] = episode_statistics(self._dataset, key, self._names)
        stored, flat = self._stored[key], values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
        own, width = stored.of(episode), flat.shape[1]
        if own is None or own.size != len(self._names) * width:
            return None
        ends = _ends_of(flat)
        if self._is_v3:
            parts = dict(zip(self._names, own.reshape(-1, 1, width), strict=True))
            is_own = not rows_differ(flat, np.array([len(flat)], np.int64), parts)[0]
        else:
            is_own = bool(_are_near(own, ends).all())
        if is_own:
            return None
        whose = _owner(ends, stored.values[:, : 2 * width], list(stored.rows)) if key in _MOVING else None
        if whose is not None and whose != episode:
            return OtherRows(f"{key}: its rows are not those of its statistics, but those of episode {whose}'s", whose)
        return OtherRows(f"{key}: its statistics are not those of its rows") if self._is_v3 else None


def _ends_of(values: Array) -> Floats:
    """(2 * width,) least, then greatest values of (n, width) values."""
    found: Floats = np.concatenate([values.min(axis=0), values.max(axis=0)]).astype(np.float64)
    return found


def _owner(ends: Floats, stated: Floats, episodes: Sequence[int]) -> int | None:
    """The episode whose statistics have these ends. stated: (n, 2 * width) of the n episodes, width > 0."""
    near = np.flatnonzero(_are_near(stated[:, 0], ends[:1]))  # few, of very many episodes
    fits = near[_are_near(stated[near], ends).all(axis=1)]
    return episodes[int(fits[0])] if fits.size else None


def _are_near(stated: Floats, ends: Floats) -> npt.NDArray[np.bool_]:
    return np.isclose(stated, ends, rtol=1e-4, atol=1e-6)
