"""Whether an episode fits a dataset, found out before anything is written. Reads no file but the sizes of clips."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from telecine.core.depth import LEVELS, DepthScale
from telecine.core.episode import MOST_ELEMENTS, Episode, FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.labels.columns import LABEL_COLUMNS
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, FrameFormat
from telecine.dataset.values import Values, to_numpy
from telecine.lerobot_format.paths import Limits
from telecine.lerobot_format.schema import INDEX_COLUMNS, LEAVES, CameraSpec, Features, arrow_type

RESERVED = {*(column.key for column in INDEX_COLUMNS), "task"}
_LANGUAGE = {(column.dtype, key) for key, column in LABEL_COLUMNS.items() if column.dtype == "language"}
_TIMESTAMP = INDEX_COLUMNS[0]
_LARGEST = float(np.finfo(np.float32).max)


class ClipOutline(Protocol):
    """What is asked of an episode's camera: a `Clip`, or what is known of one before it is made.

    frames: preroll, one for each row, and unused ones.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def format(self) -> FrameFormat: ...  # noqa: D102
    @property
    def depth(self) -> DepthScale | None: ...  # noqa: D102
    @property
    def frames(self) -> int: ...  # noqa: D102
    @property
    def preroll(self) -> int: ...  # noqa: D102


def check_episode(
    episode: Episode, features: Features | None, *, fps: int, limits: Limits, any_coding: bool = False
) -> dict[str, Values]:
    """The values of the episode's numeric columns, by key, when the episode can be added.

    features: what the first episode set, None for the first itself. any_coding: codec and pixel format of its videos
        may be others than those of the first.

    Raises:
        DatasetError: every reason why not, with the feature, what was got and what was expected.
    """
    planned = Features.of(episode) if features is None else features
    problems, values = _problems(
        episode, episode.clips, planned, fps=fps, limits=limits, is_first=features is None, any_coding=any_coding
    )
    for clip in episode.clips:
        problems += (f"{clip.key}: {problem}" for problem in _file_problems(clip))
    _refuse(episode, problems)
    return values


def check_planned(
    episode: Episode, clips: Sequence[ClipOutline], features: Features | None, *, fps: int, limits: Limits
) -> Features:
    """Of `check_episode`, with any coding, what can be said before there are clips; what later episodes must have.

    Raises: DatasetError as `check_episode`.
    """
    cameras = tuple(CameraSpec(clip.key, clip.format, depth=clip.depth) for clip in clips)
    planned = Features(episode.columns, cameras) if features is None else features
    problems, _ = _problems(episode, clips, planned, fps=fps, limits=limits, is_first=features is None, any_coding=True)
    _refuse(episode, problems)
    return planned


def _problems(
    episode: Episode,
    clips: Sequence[ClipOutline],
    features: Features,
    *,
    fps: int,
    limits: Limits,
    is_first: bool,
    any_coding: bool,
) -> tuple[list[str], dict[str, Values]]:
    """(what is wrong without a look at the files of clips, the values)."""
    problems = list(
        _feature_problems(features) if is_first else _changes(episode, clips, features, any_coding=any_coding)
    )
    problems += _row_problems(episode, fps)
    values: dict[str, Values] = {}
    if not problems:
        problems += _value_problems(episode, values, fps)
    for clip in clips:
        problems += (f"{clip.key}: {problem}" for problem in _clip_problems(clip, episode.grid.count, fps, limits))
    return problems, values


def _refuse(episode: Episode, problems: Sequence[str]) -> None:
    if problems:
        raise DatasetError(f"{episode.ref.label} cannot be added: " + "; ".join(problems))


def _feature_problems(features: Features) -> Iterator[str]:
    """What is wrong with the features themselves."""
    keys = [column.key for column in features.columns] + [camera.key for camera in features.cameras]
    for key in dict.fromkeys(keys):
        if keys.count(key) > 1:
            yield f"{key}: named {counted(keys.count(key), 'time')}, expected once"
        if not key or "/" in key:
            yield f"{key!r}: expected a feature name without '/', which LeRobot uses as a separator"
        if key in RESERVED:
            yield f"{key}: LeRobot's own column; expected another name"
    for camera in features.cameras:
        if not camera.key.startswith("observation."):
            yield f"{camera.key}: policies find cameras by the name observation.images.<camera>; rename it"
    for column in features.columns:
        yield from (f"{column.key}: {problem}" for problem in _column_problems(column))


def _column_problems(column: FeatureColumn) -> Iterator[str]:
    if column.dtype not in LEAVES and (column.dtype, column.key) not in _LANGUAGE:
        yield f"got dtype {column.dtype}, expected one of {', '.join(LEAVES)}"
    if not 1 <= len(column.shape) <= 5 or any(size < 1 for size in column.shape):
        yield f"got shape {column.shape}, expected 1 to 5 dimensions of at least 1"
    if column.shape and column.shape[-1] > MOST_ELEMENTS:
        yield (
            f"got {counted(column.shape[-1], 'element')}, expected at most {MOST_ELEMENTS}: LeRobot keeps ten "
            "statistics of "
            "each for every episode; take fewer with `fields`, or leave it out"
        )
    if column.dtype == "string" and column.shape != (1,):
        yield f"got strings of shape {column.shape}, expected (1,)"
    if column.names is not None and len(column.shape) == 1 and len(column.names) != column.shape[0]:
        yield f"got {counted(len(column.names), 'name')}, expected {column.shape[0]}"
    if column.dtype in ("bool", "string") and column.key.startswith(("observation", "action")):
        yield (
            f"got {column.dtype}, but every feature named observation* or action* is an input of the policy and "
            "must be a number; store it as float32 or under another name"
        )


def _changes(episode: Episode, clips: Sequence[ClipOutline], features: Features, *, any_coding: bool) -> Iterator[str]:
    """Where an episode differs from the first one."""
    first = {column.key: column for column in features.columns}
    got = {column.key: _described(_named_like(column, first.get(column.key))) for column in episode.columns}
    got |= {clip.key: _format(clip.format, clip.depth, any_coding=any_coding) for clip in clips}
    expected = {column.key: _described(column) for column in features.columns}
    expected |= {camera.key: _format(camera.format, camera.depth, any_coding=any_coding) for camera in features.cameras}
    for key in dict.fromkeys([*expected, *got]):
        if got.get(key) != expected.get(key):
            wanted = f"expected {expected.get(key, 'no such feature')} as in the first episode"
            yield f"{key}: got {got.get(key, 'nothing')}, {wanted}"
    if len(got) != len(episode.columns) + len(clips):
        yield "a feature occurs twice"


def _named_like(column: FeatureColumn, first: FeatureColumn | None) -> FeatureColumn:
    """The column with the first episode's names when either does not say its own: that is no contradiction."""
    if first is None or (column.names is not None and first.names is not None):
        return column
    return replace(column, names=first.names)


def _described(column: FeatureColumn) -> str:
    names = "" if column.names is None else f" named {', '.join(column.names)}"
    return f"{column.dtype} {column.shape}{names}"


def _format(frame: FrameFormat, depth: DepthScale | None, *, any_coding: bool) -> str:
    """The format in words, without what may differ; depth is stored in one way alone."""
    steps = f", depth in steps of {depth}" if depth else ""
    size = f"{frame.width}x{frame.height}"
    if any_coding and depth is None and frame.codec != "png":
        return f"video {size}"
    return f"{frame.codec} {size} {frame.pix_fmt}{steps}"


def _row_problems(episode: Episode, fps: int) -> Iterator[str]:
    count, grid = episode.rows.num_rows, episode.grid
    if grid.fps != Fraction(fps):
        yield f"got {grid.fps} fps, expected {fps}"
    if count < 1 or count != grid.count:
        yield f"got {counted(count, 'row')}, expected {max(grid.count, 1)}, one per tick"
    got = episode.rows.column_names
    expected = [*(column.key for column in episode.columns), "timestamp", "task"]
    if sorted(got) != sorted(expected):
        yield f"got columns {', '.join(got)}, expected {', '.join(expected)}"


def _value_problems(episode: Episode, values: dict[str, Values], fps: int) -> Iterator[str]:
    """What is wrong with the values; fills `values` on the way."""
    for column in (*episode.columns, _TIMESTAMP):
        data = episode.rows.column(column.key)
        if column.dtype == "string":
            yield from _text_problems(column.key, data)
            continue
        if column.dtype == "language":
            if data.type != arrow_type(column) or data.null_count:
                yield (
                    f"{column.key}: got {data.type} with {counted(data.null_count, 'null')}, expected "
                    f"{arrow_type(column)}"
                )
            continue
        try:
            values[column.key] = to_numpy(data, column)
        except ValueError as error:
            yield f"{column.key}: got {error}, expected {column.dtype} {column.shape}"
            continue
        bad = _not_finite(values[column.key])
        if bad.size:
            yield (
                f"{column.key}: NaN, infinity or a value beyond float32 in {counted(bad.size, 'row')}, first "
                f"in row {bad[0]}"
            )
    yield from _text_problems("task", episode.rows.column("task"))
    expected = (np.arange(episode.rows.num_rows) / fps).astype(np.float32)
    if _TIMESTAMP.key in values and not np.array_equal(values[_TIMESTAMP.key], expected):
        row = int(np.flatnonzero(values[_TIMESTAMP.key] != expected)[0])
        got = float(values[_TIMESTAMP.key][row])
        yield f"timestamp: got {got} s in row {row}, expected {float(expected[row])} s (row / fps)"


def _text_problems(key: str, data: pa.ChunkedArray) -> Iterator[str]:
    if data.type != pa.string():
        yield f"{key}: got {data.type}, expected string"
    elif data.null_count:
        yield f"{key}: got {counted(data.null_count, 'null')}, expected none"


def _not_finite(values: Values) -> Values:
    """(k,) rows that hold NaN or infinity, also after LeRobot's conversion to float32."""
    if not np.issubdtype(values.dtype, np.floating):
        return np.empty(0, np.int64)
    good = np.abs(values) <= _LARGEST  # false for NaN
    return np.flatnonzero(~good.reshape(len(values), -1).all(axis=1))


def _clip_problems(clip: ClipOutline, count: int, fps: int, limits: Limits) -> Iterator[str]:
    shown = clip.frames - clip.preroll
    if clip.preroll < 0 or shown < count:
        yield f"got {counted(shown, 'frame')} from the episode's first on, expected at least {count}, one per row"
    if clip.preroll and (clip.preroll + count) / fps > limits.video_s:
        yield (
            f"got {counted(clip.preroll, 'frame')} before the first row of an episode over {limits.video_s} s, "
            "which LeRobot "
            "then looks up inexactly; encode this camera instead of copying it"
        )


def _file_problems(clip: Clip) -> Iterator[str]:
    if not Path(clip.path).is_file():
        yield f"the clip {Path(clip.path).name} is gone"
    shape = (1, LEVELS) if clip.depth else (3, 256)
    if clip.histogram.shape != shape or clip.sampled < 1 or not np.all(np.sum(clip.histogram, axis=1)):
        yield (
            f"got a histogram of shape {clip.histogram.shape} from {counted(clip.sampled, 'frame')}, expected {shape} "
            "with counts in every channel"
        )
