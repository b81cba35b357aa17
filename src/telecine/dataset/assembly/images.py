"""Statistics of frames that are stored in the rows, for episodes that were cut."""

from collections.abc import Mapping, Sequence

from telecine.core.edit.resolve import OutputEpisode
from telecine.core.errors import VideoError
from telecine.core.stats import Stats, camera_stats
from telecine.dataset.assembly.selection import Selection
from telecine.video.png_clip import histogram_of


def image_stats(selection: Selection, keys: Sequence[str]) -> Mapping[int, Mapping[str, Stats]]:
    """New episode -> statistics by key, of the episodes that are cut. Raises: VideoError, DatasetError."""
    cut = [(n, e) for n, e in enumerate(selection.episodes) if not selection.is_whole(e)] if keys else []
    return {number: {key: _stats(selection, episode, key) for key in keys} for number, episode in cut}


def _stats(selection: Selection, episode: OutputEpisode, key: str) -> Stats:
    number, index = episode.source
    dataset, old = selection.inputs[number], selection.source_key(number, key)
    column = dataset.rows(index, [old]).column(old).slice(episode.start, episode.length)
    images = [value["bytes"] for value in column.to_pylist() if value is not None]
    if len(images) != episode.length:
        raise VideoError(f"{dataset.root}: {old}: episode {index} has rows without a frame")
    histogram, _ = histogram_of(images, key)
    return camera_stats(histogram.counts, histogram.sampled)
