"""The frames of each episode: in which files they are, and where there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.depth import DepthScale
from telecine.core.errors import VideoError
from telecine.core.frame_claims import with_exchanged_files, with_forgotten, with_order, with_unnamed
from telecine.core.frame_ranges import (
    ClaimedFrames,
    FrameRange,
    FrameTimes,
    UnknownFrames,
    assign_frames,
    frame_times,
    with_gaps,
)
from telecine.core.text.numbers import counted
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.paths import FileIndex, file_index_of
from telecine.recovery.repair_log import RepairLog
from telecine.recovery.rows import EpisodeRows
from telecine.recovery.stated_rows import counted_rows, stated_rows
from telecine.video.mp4_reader import ReadableFrames, copy_readable, readable_frames

_V2 = re.compile(r"episode_(\d{6,9})\.mp4$")
_UNNUMBERED = 10**9
"""In place of a chunk, behind all there are: of videos whose names have no number, such as `chunk-9f86d081`."""
_ENCODER = ("video.g", "video.crf", "video.preset", "video.fast_decode", "video.video_backend", "video.extra_options")


@dataclass(frozen=True, slots=True)
class StoredCamera:
    """A camera whose frames are in videos.

    files: (path, codec) in order. ranges: by episode, where its frames are or why that is unknown.
    file_sizes: (height, width) of the frames of each file, (0, 0) where there are none. encoder: what info.json says of
        how they were made.
    """

    key: str
    files: tuple[tuple[Path, str], ...]
    ranges: Mapping[int, FrameRange | UnknownFrames]
    encoder: Mapping[str, Any] = field(default_factory=dict)
    depth: DepthScale | None = None
    file_sizes: tuple[tuple[int, int], ...] = ()

    @property
    def sizes(self) -> frozenset[tuple[int, int]]:
        """(height, width) of the frames of its files."""
        return frozenset(size for size in self.file_sizes if any(size))

    def renamed(self, key: str) -> "StoredCamera":
        """The same videos as those of another camera."""
        return replace(self, key=key)


def find_camera(
    key: str, metadata: DatasetMeta, runs: Sequence[EpisodeRows], log: RepairLog, *, scratch: Path, trust_video: bool
) -> StoredCamera | None:
    """Where each episode's frames of one camera are; None when there is no readable video of it at all.

    trust_video: believe that a file with too few frames lacks its last ones. scratch: for what files that end early
        still hold.
    """
    files = _files(metadata.root, key)
    probed = [_probed(path, metadata.root, log) for path, _ in files]
    if not any(facts.times.size for facts in probed):
        return None
    numbers = {name: number for number, (_, name) in enumerate(files)}
    ends = _ends(metadata, key, numbers)
    times = [frame_times(facts.times, metadata.fps, ends.get(number)) for number, facts in enumerate(probed)]
    by_episode = _ranges(metadata, key, runs, _Files(files, numbers, probed, times), log, trust_video=trust_video)
    info = metadata.features[key].info
    try:
        depth = metadata.features[key].depth
    except ValueError as error:
        log.lost(key, f"its frames are {error}")
        return None
    codec = next(facts.codec for facts in probed if facts.times.size)
    is_of_first = info.get("video.codec", codec) == codec  # which the copy declares
    encoder = {name: info[name] for name in _ENCODER if name in info and is_of_first}
    sizes = tuple(facts.size if facts.times.size else (0, 0) for facts in probed)
    paths: list[tuple[Path, str]] = []
    for (path, _), facts in zip(files, probed, strict=True):
        whole = scratch / f"{key}-{len(paths)}" / path.name if facts.is_cut else path
        if facts.is_cut:
            whole.parent.mkdir(exist_ok=True)
            copy_readable(str(path), str(whole))
        paths.append((whole, facts.codec))
    return StoredCamera(key, tuple(paths), by_episode, encoder, depth, sizes)


@dataclass(frozen=True, slots=True)
class _Files:
    """The videos of one camera: (path, index), the place of each index, their frames, and what those times say."""

    names: Sequence[tuple[Path, FileIndex]]
    numbers: Mapping[FileIndex, int]
    probed: Sequence[ReadableFrames]
    times: Sequence[FrameTimes]


def _ranges(
    metadata: DatasetMeta, key: str, runs: Sequence[EpisodeRows], files: _Files, log: RepairLog, *, trust_video: bool
) -> dict[int, FrameRange | UnknownFrames]:
    """By episode, where its frames are or why that is unknown."""
    counts = [facts.times.size + len(own.missing) for facts, own in zip(files.probed, files.times, strict=True)]
    named = [_claimed(metadata, key, run.episode, files.numbers, counts) for run in runs]
    unnumbered = {number for number, (_, index) in enumerate(files.names) if index.chunk == _UNNUMBERED}
    given = with_unnamed([run.count for run in runs], counts, named, unnumbered)
    for run, before, own in zip(runs, named, given, strict=True):
        if own is not None and own != before:
            name = files.names[own.file][0].relative_to(metadata.root).as_posix()
            text = f"the video that the metadata names is not there; {name}, which nothing names, holds its frames"
            log.recovered(f"episode {run.episode} {key}", f"{text} by their count")
    if len(counts) > 1:  # what no counts place is in an order that nothing tells
        placed = {own.file for own in given if own is not None}
        counts = [0 if number in unnumbered - placed else count for number, count in enumerate(counts)]
    lost = _without_rows(metadata, key, runs, files.numbers, counts)
    without_rows, episodes = list(lost.values()), [*(run.episode for run in runs), *lost]
    lengths = [*(run.count for run in runs), *(claim.count for claim in without_rows)]
    forgotten = with_forgotten(lengths[: len(runs)], given)
    claimed = with_exchanged_files(lengths, counts, [*forgotten, *without_rows])
    in_order = with_order(lengths, counts, claimed, episodes)
    cut = {number for number, facts in enumerate(files.probed) if facts.is_cut}
    assigned = assign_frames(
        lengths, counts, in_order if trust_video else claimed, cut,
        sound=_sound(metadata, key, runs, claimed, counts),
        stated=[*stated_rows(metadata, runs), *(claim.count for claim in without_rows)], trust_video=trust_video,
    )  # fmt: skip
    doubts = _miscounted(counted_rows(metadata, runs), runs, claimed, assigned, counts)
    by_episode: dict[int, FrameRange | UnknownFrames] = {}
    for run, before, own, ordered, place in zip(runs, forgotten, claimed, in_order, assigned, strict=False):
        found = with_gaps(place, files.times[place.file].missing) if isinstance(place, FrameRange) else place
        if isinstance(found, FrameRange) and files.times[found.file].is_irregular:
            found = _doubtful(found, _IRREGULAR, trust_video=trust_video)
        if isinstance(found, FrameRange) and not found.doubt and run.episode in doubts:
            found = _doubtful(found, doubts[run.episode], trust_video=trust_video)
        if isinstance(found, FrameRange) and own is not None and ordered is not None and ordered != own:
            found = _out_of_order(found, own.first, ordered.first, trust_video=trust_video)
        if isinstance(found, FrameRange) and own != before:
            found = replace(found, doubt="its video has the number of another file, by the counts of frames and rows")
        if isinstance(found, FrameRange) and found.note:
            log.changed(f"episode {run.episode} {key}", found.note)
        by_episode[run.episode] = found
    return by_episode


def _without_rows(
    metadata: DatasetMeta,
    key: str,
    runs: Sequence[EpisodeRows],
    numbers: Mapping[FileIndex, int],
    counts: Sequence[int],
) -> dict[int, ClaimedFrames]:
    """By episode, where the metadata says the frames of those are whose rows are lost."""
    known = {run.episode for run in runs}
    lost = [episode.index for episode in metadata.episodes if episode.index not in known]
    claims = ((number, _claimed(metadata, key, number, numbers, counts)) for number in lost)
    return {n: claim for n, claim in claims if claim is not None and claim.file >= 0 and claim.count > 0}


def _out_of_order(found: FrameRange, stated: int, ordered: int, *, trust_video: bool) -> FrameRange | UnknownFrames:
    text = (
        f"the metadata has its frames from frame {stated} of their file on, and those of other episodes in another "
        f"order than that of episodes, in which they begin at frame {ordered}; if they lie in the order of episodes, "
        "as every writer has them, say --trust video"
    )
    return _doubtful(found, text, trust_video=trust_video)


_IRREGULAR = (
    "the times of its video's packets lie neither on the grid of its rate nor at equal distances, so that frames "
    "may be missing or doubled; if each row has the frame of its number, say --trust video"
)


def _doubtful(found: FrameRange, text: str, *, trust_video: bool) -> FrameRange | UnknownFrames:
    return replace(found, doubt=text) if trust_video else UnknownFrames(text, is_choice=True)


def _miscounted(
    counted_by: Mapping[int, tuple[int, str]],
    runs: Sequence[EpisodeRows],
    claims: Sequence[ClaimedFrames | None],
    assigned: Sequence[FrameRange | UnknownFrames],
    counts: Sequence[int],
) -> dict[int, str]:
    """By episode: why its rows may show the frames of others although there is a frame for each.

    Statistics, provenance or spans that fill one another count other rows than there are. Where a file then has as many
    frames as rows, one of each is missing, or doubled, anywhere in it.
    """
    doubts: dict[int, str] = {}
    by_file: dict[int, list[tuple[EpisodeRows, ClaimedFrames | None]]] = {}
    for run, claim, place in zip(runs, claims, assigned, strict=False):
        if isinstance(place, FrameRange):
            by_file.setdefault(place.file, []).append((run, claim))
    for file, mine in by_file.items():
        said = {run.episode: counted_by[run.episode] for run, _ in mine if run.episode in counted_by}
        is_full = sum(run.count for run, _ in mine) == counts[file]
        spans = [claim for _, claim in mine if claim is not None and claim.file == file]
        ends = np.cumsum([0, *(claim.count for claim in spans)]).tolist()
        if is_full and not said and len(spans) == len(mine) and [claim.first for claim in spans] == ends[:-1]:
            stated = {run.episode: (claim.count, "spans in its videos") for run, claim in mine if claim is not None}
            said = {run.episode: stated[run.episode] for run, _ in mine if stated[run.episode][0] != run.count}
            said = said if ends[-1] > counts[file] else {}
        text = _miscount(said, {run.episode: run.count for run, _ in mine}) if said else ""
        doubts |= {run.episode: text for run, _ in mine if said and (is_full or run.episode in said)}
    return doubts


def _miscount(said: Mapping[int, tuple[int, str]], there: Mapping[int, int]) -> str:
    each = [
        f"episode {episode} had {counted(rows, 'row')} by its {witness}, {there[episode]} are there"
        for episode, (rows, witness) in list(said.items())[:_NAMED]
    ]
    more = f", and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return (
        f"{'; '.join(each)}{more}: nothing tells which rows and frames are missing or too many, and rows behind them "
        "would show the frames of others; if each row has the frame of its number, say --trust video"
    )


_NAMED = 3
"""Episodes in a message."""


def _ends(metadata: DatasetMeta, key: str, numbers: Mapping[FileIndex, int]) -> dict[int, int]:
    """Where the last episode of each file ends, by the metadata, in frames."""
    ends: dict[int, int] = {}
    for episode in metadata.episodes:
        span = episode.videos.get(key)
        if span is not None and span.file_index in numbers:
            number = numbers[span.file_index]
            ends[number] = max(ends.get(number, 0), round(span.to_s * metadata.fps))
    return ends


def _sound(
    metadata: DatasetMeta,
    key: str,
    runs: Sequence[EpisodeRows],
    claims: Sequence[ClaimedFrames | None],
    counts: Sequence[int],
) -> set[int]:
    """Files in which telecine left frames that no row shows, and which hold those and no others."""
    ends: dict[int, int] = {}
    wrong: set[int] = set()
    for run, claim in zip(runs, claims, strict=False):
        if claim is None:
            continue
        before, held = _hidden(metadata, key, run)
        end = ends.get(claim.file, 0)
        if claim.first != end + before:
            wrong.add(claim.file)
        ends[claim.file] = end + held
    return {file for file, end in ends.items() if file not in wrong and 0 <= file < len(counts) and end == counts[file]}


def _hidden(metadata: DatasetMeta, key: str, run: EpisodeRows) -> tuple[int, int]:
    """(frames before the first row's, all frames) of an episode whose packets were copied."""
    origin = metadata.provenance.get(run.episode, {})
    for camera in (origin.get("cameras") or ()) if origin.get("ticks") == run.count else ():
        if isinstance(camera, dict) and camera.get("key") == key:
            before, held = camera.get("preroll"), camera.get("frames")
            if isinstance(before, int) and isinstance(held, int):
                return before, max(held, before + run.count)
    return 0, run.count


_NOTHING = ReadableFrames(np.empty(0), is_cut=False, codec="", size=(0, 0))


def _probed(path: Path, root: Path, log: RepairLog) -> ReadableFrames:
    """The frames of a video; none when it cannot be read."""
    name = path.relative_to(root).as_posix()
    try:
        found = readable_frames(str(path))
    except (VideoError, UnicodeDecodeError) as error:
        log.lost(name, str(error).removeprefix(f"{path}: "))
        return _NOTHING
    if found.is_cut:
        log.recovered(
            name, f"the file ends early; {counted(found.times.size, 'whole frame was', 'whole frames were')} read"
        )
    return found


def _files(root: Path, key: str) -> list[tuple[Path, FileIndex]]:
    """The videos of a camera, where v3.0 or v2.x have them, in order.

    The index in v2.x is (-1, episode); of other names (_UNNUMBERED, place), which tells nothing of their order.
    Symbolic links are not followed outside.
    """
    found: list[tuple[Path, FileIndex]] = []
    for place, path in enumerate(sorted((root / "videos").glob("*/*/*.mp4"))):
        relative = path.relative_to(root / "videos")
        v3, v2 = file_index_of(relative.as_posix()), _V2.search(relative.name)
        if v3 and relative.parts[0] == key:
            found.append((path, v3))
        elif v2 and relative.parts[1] == key:
            found.append((path, FileIndex(-1, int(v2[1]))))
        elif not (v2 or v3) and key in relative.parts[:2]:
            found.append((path, FileIndex(_UNNUMBERED, place)))
    return sorted(found, key=lambda pair: pair[1])


def _claimed(
    metadata: DatasetMeta, key: str, episode: int, numbers: Mapping[FileIndex, int], counts: Sequence[int]
) -> ClaimedFrames | None:
    stated = metadata.by_index.get(episode)
    span = stated.videos.get(key) if stated else None
    if span is not None:
        first = round(span.from_s * metadata.fps)
        file = numbers.get(span.file_index, -1)
        return ClaimedFrames(file, first, max(0, round(span.to_s * metadata.fps) - first))
    own = numbers.get(FileIndex(-1, episode))  # v2.x: a file per episode
    return None if own is None else ClaimedFrames(own, 0, counts[own])
