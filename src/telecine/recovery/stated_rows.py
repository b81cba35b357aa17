"""How many rows each episode of a damaged dataset had, by what was stated when it was written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from telecine.dataset.verify.reading import UNREADABLE
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.read import read_statistics
from telecine.recovery.rows import EpisodeRows

T = TypeVar("T")


def stated_rows(metadata: DatasetMeta, runs: Sequence[EpisodeRows]) -> list[int | None]:
    """By run: how many rows its statistics or its provenance count, or meta/episodes where that says more.

    None where nothing tells. Of an episode of which rows are known to be lost, how many are left.
    """
    counted = _counts(metadata)
    found = []
    for run in runs:
        meta, ticks = metadata.by_index.get(run.episode), metadata.provenance.get(run.episode, {}).get("ticks")
        counts = (meta.length if meta is not None else None, ticks, counted.get(run.episode))
        more = max((n for n in counts if isinstance(n, int) and n > run.count), default=None)
        found.append(run.count if run.is_cut else more if more is not None else counted.get(run.episode, ticks))
    return found


def counted_rows(metadata: DatasetMeta, runs: Sequence[EpisodeRows]) -> dict[int, tuple[int, str]]:
    """By episode whose rows are not as many as when it was written: how many there were, and what counts them.

    Not those of which rows are known to be lost, which are named already.
    """
    counts = _counts(metadata)
    found: dict[int, tuple[int, str]] = {}
    for run in runs:
        ticks = metadata.provenance.get(run.episode, {}).get("ticks")
        said, witness = counts.get(run.episode), "statistics"
        if said is None and isinstance(ticks, int):
            said, witness = ticks, "provenance"
        if said is not None and said != run.count and not run.is_cut:
            found[run.episode] = (said, witness)
    return found


def _counts(metadata: DatasetMeta) -> dict[int, int | None]:
    """By episode: how many rows its statistics were made of."""
    keys = [key for key, feature in metadata.features.items() if feature.is_numeric]
    return of_statistics(metadata, keys[:1], lambda own: row_count(own, keys[:1]))


def of_statistics(metadata: DatasetMeta, keys: Sequence[str], of: Callable[[dict[str, Any]], T]) -> dict[int, T]:
    """What `of` makes of the statistics of these features, by episode; nothing where they cannot be read."""
    try:
        each = zip(metadata.episodes, read_statistics(metadata.root, keys), strict=True)
        return {episode.index: of(own) for episode, own in each}
    except (*UNREADABLE, ValueError, TypeError, AttributeError):
        return {}


def row_count(statistics: Mapping[str, Any], keys: Sequence[str]) -> int | None:
    """How many rows statistics were made of."""
    count = next((statistics[key].get("count") for key in keys if key in statistics), None)
    return count[0] if isinstance(count, list) and len(count) == 1 and isinstance(count[0], int) else None
