"""Where two witnesses of a damaged dataset disagree, so that a repair would have to choose whom to believe.

Witnesses are the rows, the metadata (tasks, sizes, statistics) and the videos. A repair that chose in silence would
make a clean dataset of a wrong one and erase the evidence.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, TelecineError
from telecine.core.frame_ranges import FrameRange, UnknownFrames
from telecine.core.frame_witness import FrameWitness
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.dataset.values import coded_frames, to_numpy
from telecine.dataset.verify.finding_log import FindingLog
from telecine.dataset.verify.frame_owners import frames_from, owner_problem
from telecine.dataset.verify.frames import (
    DecodedFrames,
    check_decoded,
    decoded_images,
    parsed_statistics,
)
from telecine.lerobot_format.frame_statistics import FrameStatistics
from telecine.lerobot_format.metadata import DatasetMeta, FeatureMeta
from telecine.lerobot_format.row_statistics import RowStatistics
from telecine.lerobot_format.video_spans import is_copy
from telecine.recovery.cameras import StoredCamera
from telecine.recovery.rows import EpisodeRows, RowReader
from telecine.recovery.stated_rows import counted_rows, of_statistics
from telecine.video.frames.colour import Rgb
from telecine.video.mp4_reader import decode_at

Trust = Literal["rows", "meta", "video"]
"""Whom to believe: the rows, the metadata, or the videos."""


FRAMES: tuple[Trust, ...] = ("video", "meta")
"""Whom one can believe where frames and the metadata disagree."""
ROWS: tuple[Trust, ...] = ("rows", "meta")
"""Whom one can believe where rows and the metadata disagree."""


def chosen(choices: Sequence[Trust], trust: Sequence[Trust]) -> Trust | None:
    """The first of those trusted that is a choice; None where none is."""
    return next((one for one in trust if one in choices), None)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two witnesses that disagree. choices: whom one can believe; with one alone there is nothing to choose.

    episodes: those it is about; none when it is about all.
    """

    witness: Literal["tasks", "sizes", "statistics", "counts", "rates", "copies"]
    where: str
    message: str
    choices: tuple[Trust, ...]
    episodes: tuple[int, ...] = ()

    def believed(self, trust: Sequence[Trust]) -> Trust | None:
        """Whom the repair believes; None when the user has to decide."""
        if len(self.choices) == 1:
            return self.choices[0]
        return chosen(self.choices, trust)

    @property
    def fix(self) -> str:
        """What to type."""
        return f"say whom to believe: {' or '.join(f'--trust {choice}' for choice in self.choices)}"


def answers(conflicts: Sequence[Conflict], trust: Sequence[Trust]) -> tuple[tuple[Trust, ...], ...]:
    """Whom to trust so that every conflict is decided: the rows and videos, or the metadata where all can be by it.

    trust: who is trusted already. None when nothing is undecided.
    """
    undecided = [conflict.choices for conflict in conflicts if conflict.believed(trust) is None]
    direct = [next(one for one in choices if one != "meta") for choices in undecided]
    by_meta: list[Trust] = ["meta"] if all("meta" in choices for choices in undecided) else []
    return tuple(tuple(dict.fromkeys((*trust, *more))) for more in (direct, by_meta) if undecided and more)


def task_conflicts(metadata: DatasetMeta, runs: Sequence[EpisodeRows]) -> Iterator[Conflict]:
    """Episodes whose rows have other tasks, by the table of tasks, than meta/episodes states."""
    for run in runs:
        stated = metadata.by_index.get(run.episode)
        known = metadata.tasks or {}
        texts = {known.get(number) for number in set(run.tasks.tolist())}
        found, is_part = texts - {None}, None in texts
        if stated is None or not stated.tasks or not found:
            continue
        if found <= set(stated.tasks) if is_part else found == set(stated.tasks):
            continue
        rows, meta = (", ".join(map(repr, sorted(map(str, each)))) for each in (found, stated.tasks))
        choices = ROWS if len(stated.tasks) == 1 else ("rows",)
        yield Conflict(
            "tasks",
            f"episode {run.episode}",
            f"its rows are of {rows}, meta/episodes says {meta}",
            choices,
            (run.episode,),
        )


def size_conflicts(metadata: DatasetMeta, cameras: Sequence[StoredCamera]) -> Iterator[Conflict]:
    """Cameras whose frames have another size than info.json declares; exchanged ones name each other."""
    partners = exchanged(metadata, cameras)
    for camera in cameras:
        declared = metadata.features[camera.key].shape[:2]
        others = {size for size in camera.sizes if size != declared}
        if len(declared) != 2 or min(declared) < 1 or not others:  # no size is no witness
            continue
        found = " and ".join(f"{height} x {width}" for height, width in sorted(others))
        message = f"its frames are {found}, info.json declares {declared[0]} x {declared[1]} (height x width)"
        partner = partners.get(camera.key)
        if partner:
            message += f"; those of {partner} are the other way round, so their videos may have been exchanged"
        yield Conflict("sizes", camera.key, message, FRAMES if partner else ("video",))


def exchanged(metadata: DatasetMeta, cameras: Sequence[StoredCamera]) -> dict[str, str]:
    """Cameras whose sizes are those of one another: key -> the other's key."""
    declared = {camera.key: {metadata.features[camera.key].shape[:2]} for camera in cameras}
    found: dict[str, str] = {}
    for one in cameras:
        for other in cameras:
            swapped = one.sizes == declared[other.key] and other.sizes == declared[one.key]
            if swapped and declared[one.key] != declared[other.key]:
                found[one.key] = other.key
    return found


def count_conflicts(cameras: Sequence[StoredCamera]) -> Iterator[Conflict]:
    """Episodes whose frames and rows do not go together by their counts or times, each reason once."""
    found: dict[tuple[str, str, tuple[Trust, ...]], list[int]] = {}
    for camera in cameras:
        for episode, place in camera.ranges.items():
            if isinstance(place, UnknownFrames) and place.is_choice:
                found.setdefault((camera.key, place.why, FRAMES), []).append(episode)
            elif isinstance(place, FrameRange) and place.doubt:
                found.setdefault((camera.key, place.doubt, ("video",)), []).append(episode)
    for (key, why, choices), episodes in found.items():
        named = f"episode{'s' if len(episodes) > 1 else ''} {', '.join(map(str, sorted(episodes)))}"
        yield Conflict("counts", f"{named} {key}", why, choices, tuple(episodes))


def row_count_conflicts(
    metadata: DatasetMeta, runs: Sequence[EpisodeRows], cameras: Sequence[StoredCamera]
) -> Iterator[Conflict]:
    """Episodes that had other rows when they were written, unless their frames are in doubt already."""
    there = {run.episode: run.count for run in runs}
    for episode, (rows, witness) in counted_rows(metadata, runs).items():
        places = [camera.ranges[episode] for camera in cameras]
        if all(isinstance(place, FrameRange) and not place.doubt for place in places):
            text = (
                f"it had {counted(rows, 'row')} by its {witness}, {there[episode]} are there: "
                "nothing tells which are missing or too many"
            )
            yield Conflict("counts", f"episode {episode}", text, ROWS, (episode,))


def copy_conflicts(metadata: DatasetMeta, cameras: Sequence[StoredCamera]) -> Iterator[Conflict]:
    """Cameras of which a video is a copy of another's, byte for byte, unless statistics say that they saw the same."""
    frames = FrameStatistics(metadata)
    for one, other in combinations(cameras, 2):
        copies = [a for a, (path, _) in enumerate(one.files) if any(is_copy(path, own) for own, _ in other.files)]
        mine = [e for e, place in one.ranges.items() if isinstance(place, FrameRange) and place.file in copies]
        looks = [(frames.witness(one.key, e), frames.witness(other.key, e)) for e in mine]
        equal = all(a is not None and b is not None and np.allclose(a.own, b.own) for a, b in looks)
        if mine and not equal:
            text = (
                f"{len(copies)} of its {counted(len(one.files), 'video is', 'videos are')} copies of those of "
                f"{other.key}, byte for byte; "
                f"if both cameras saw the same, say --trust video, else leave this one out with --without {one.key}"
            )
            yield Conflict("copies", one.key, text, FRAMES, tuple(mine))


def statistics_conflicts(metadata: DatasetMeta, cameras: Sequence[StoredCamera]) -> Iterator[Conflict]:
    """Episodes whose frames, where the repair takes them from, are not those that their statistics were made of."""
    stored = of_statistics(metadata, [camera.key for camera in cameras], dict)
    frames = FrameStatistics(metadata)
    for camera in cameras:
        for episode, place in camera.ranges.items():
            if isinstance(place, FrameRange):
                own, witness = stored.get(episode, {}), frames.witness(camera.key, episode)
                message = _statistics_problem(metadata, camera, place, own, witness)
                if message:
                    where = f"episode {episode} {camera.key}"
                    yield Conflict("statistics", where, message, FRAMES, (episode,))


def image_conflicts(
    metadata: DatasetMeta, runs: Sequence[EpisodeRows], reader: RowReader, keys: Sequence[str]
) -> Iterator[Conflict]:
    """Episodes whose frames in the rows are not those that their statistics were made of."""
    statistics = FrameStatistics(metadata)
    for key in keys:
        for run in runs:
            witness = statistics.witness(key, run.episode)
            if witness is not None and not run.is_cut:
                with suppress(TelecineError, KeyError):  # damaged frames are named when they are stored
                    column, few = reader.table(run, [key]).column(key), DecodedFrames()
                    more = partial(_row_images, column, metadata.features[key])
                    for rgb in more([0, run.count // 2, run.count - 1]):
                        few.add(rgb)
                    if message := owner_problem(more, run.count, witness, few):
                        yield Conflict("statistics", f"episode {run.episode} {key}", message, ROWS, (run.episode,))


def _row_images(column: pa.ChunkedArray, feature: FeatureMeta, rows: Sequence[int]) -> Iterator[Rgb]:
    return decoded_images(coded_frames(column.take(pa.array(rows))), feature.key, feature)


def _statistics_problem(
    metadata: DatasetMeta,
    camera: StoredCamera,
    place: FrameRange,
    stored: Mapping[str, Any],
    witness: FrameWitness | None,
) -> str:
    log = FindingLog()
    own = parsed_statistics("", stored.get(camera.key), metadata.features[camera.key], log)
    if own is None or camera.depth is not None:  # those of depth are of distances that its steps may not reach
        return ""
    decoded, path = DecodedFrames(), str(camera.files[place.file][0])
    wanted = sorted({place.first, place.first + place.count // 2, place.first + place.count - 1})
    try:
        for _, rgb in decode_at(path, wanted):
            decoded.add(rgb)
    except TelecineError:
        return ""  # damaged frames are named when they are copied
    if witness is not None:
        return owner_problem(frames_from(path, place.first), place.count, witness, decoded)
    if decoded.moments:
        check_decoded("", own, decoded, "sample", log)
    return "".join(f"its statistics are not those of its frames: {finding.message}" for finding in log.all()[:1])


def row_conflicts(
    metadata: DatasetMeta,
    runs: Sequence[EpisodeRows],
    reader: RowReader,
    columns: Sequence[FeatureColumn],
    known: Sequence[Conflict],
) -> Iterator[Conflict]:
    """Episodes whose rows are not those that their statistics were made of, as `convert` judges.

    Rows of which some are known to be lost have other statistics, and tell nothing; where the counts differ, which is
    among the `known`, they tell only whose they are.
    """
    numbers = [column for column in columns if column.dtype not in ("string", "language")]
    statistics = RowStatistics(metadata)
    other_count = {episode for conflict in known if conflict.witness == "counts" for episode in conflict.episodes}
    for run in () if not numbers else runs:
        values = {} if run.is_cut else _values(reader, run, numbers)
        found = [statistics.problem(key, run.episode, own) for key, own in values.items()]
        problems = [one for one in found if one and (one.owner is not None or run.episode not in other_count)]
        if problems:
            text = "; ".join(one.message for one in problems)
            text += "; --trust rows makes its statistics anew, --trust meta leaves it out"
            yield Conflict("statistics", f"episode {run.episode}", text, ROWS, (run.episode,))


def _values(reader: RowReader, run: EpisodeRows, columns: Sequence[FeatureColumn]) -> dict[str, Array]:
    """By feature; without what cannot be read or is not finite, which is named when it is stored."""
    found: dict[str, Array] = {}
    with suppress(DatasetError):
        table = reader.table(run, [column.key for column in columns])
        for column in columns:
            with suppress(ValueError, KeyError):
                found[column.key] = to_numpy(table.column(column.key), column)
    is_storable = all(np.isfinite(own).all() for own in found.values())
    return found if is_storable else {}


def with_exchanged(metadata: DatasetMeta, cameras: Sequence[StoredCamera]) -> tuple[StoredCamera, ...]:
    """The cameras with the videos of those that were exchanged put back."""
    partners, by_key = exchanged(metadata, cameras), {camera.key: camera for camera in cameras}
    return tuple(by_key[partners.get(c.key, c.key)].renamed(c.key) for c in cameras)


def other_tasks(metadata: DatasetMeta, run: EpisodeRows) -> list[str]:
    """The task of each row by meta/episodes, which states one for the episode."""
    return [metadata.by_index[run.episode].tasks[0]] * run.count
