"""The videos of a new dataset: whole files linked, episodes of others copied packet by packet, cuts re-encoded.

A file is linked when the new dataset has all of its episodes, whole and in their order. Of a file that changes, runs
of episodes are copied; where one is cut, only the group of pictures that the cut goes through is re-encoded.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.copying.decide import decide_cut
from telecine.core.copying.splice import Copied, Splice
from telecine.core.edit.model import CameraEdit
from telecine.core.edit.resolve import OutputEpisode
from telecine.core.errors import DatasetError, VideoError
from telecine.core.plan.model import Video
from telecine.core.stats import Stats, camera_stats
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, PacketIndex
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.rolling_files import VideoFiles
from telecine.lerobot_format.paths import FileIndex, Limits, video_path
from telecine.video.clip import ClipPacket, unwritten_clip
from telecine.video.decode import frames
from telecine.video.encode import encode
from telecine.video.mp4_frames import cropped
from telecine.video.mp4_stream import CLOCK, Mp4Stream, open_film, read_index
from telecine.video.presets import depth_settings, video_settings
from telecine.video.splice import splice

Source = tuple[int, FileIndex]
"""(input, file) of a source video."""


@dataclass(eq=False, slots=True)
class WrittenVideos:
    """What became of one camera. Lists have one entry per new episode."""

    spans: list[tuple[FileIndex, float, float]] = field(default_factory=list)
    """(file, from, to) in seconds."""
    stats: dict[int, Stats] = field(default_factory=dict)
    """New episode -> statistics of its frames, where they are not those of the source episode."""
    rebuilt: set[int] = field(default_factory=set)
    """New episodes whose frames are in new files, which hold the frames of their rows and no others."""
    linked: int = 0
    """Files that are the same as before."""
    copied: int = 0
    """Frames copied into new files."""
    encoded: int = 0
    """Frames re-encoded."""
    size_bytes: int = 0
    """Of new files, about."""
    why: list[str] = field(default_factory=list)
    """Why some were."""
    encoder: dict[str, Any] | None = None
    """video.* keys of info.json, where all frames were re-encoded."""
    size: tuple[int, int] | None = None
    """(width, height) in px, where all frames were re-encoded."""
    codec: str = ""
    """Where all frames were re-encoded."""


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Consecutive frames of one source file that belong together: one new episode, or several whole ones."""

    source: Source
    episodes: tuple[int, ...]
    first: int
    count: int
    is_cut: bool


def write_videos(selection: Selection, key: str, folder: Path, scratch: Path, limits: Limits) -> WrittenVideos:
    """The videos of camera `key` below `folder`. Raises: VideoError, DatasetError; OSError when the disk refuses."""
    made = WrittenVideos()
    clips = _Clips(selection, key, scratch)
    index = FileIndex()
    for whole, episodes in _groups(selection, key):
        if whole:
            facts = [selection.facts(selection.episodes[n]) for n in episodes]
            old = selection.source_key(selection.episodes[episodes[0]].source[0], key)
            path = _path(selection, key, _source(selection, selection.episodes[episodes[0]], key))
            link(path, folder / video_path(key, index))
            made.spans += [(index, f.videos[old].from_s, f.videos[old].to_s) for f in facts]
            made.linked += 1
            index = index.next(limits)
            continue
        files = VideoFiles(folder, key, selection.inputs[0].fps, limits, first=index)
        try:
            for part in _parts(selection, key, episodes):
                clip, packets = clips.clip(part, made)
                file_index, first = files.append(clip, packets)
                if packets is None:
                    Path(clip.path).unlink()
                made.size_bytes += clip.size_bytes
                _note(selection, part, clip, (file_index, first), made)
        finally:
            files.close()
        index = files.file_index.next(limits)
    return made


@dataclass(frozen=True, slots=True)
class ForeseenVideos:
    """What would become of one camera."""

    linked: int
    copied: int
    encoded: int
    size_bytes: int
    """Of new files, about; links take no space."""


def foresee_videos(selection: Selection, key: str) -> ForeseenVideos:
    """What `write_videos` would do. Reads headers of files that are cut. Raises: VideoError, DatasetError."""
    linked = copied = encoded = size = 0
    held = _frames_held(selection, key)
    read = lru_cache(maxsize=1)(read_index)  # reads all of a file, of which parts mostly follow one another
    for whole, episodes in _groups(selection, key):
        linked += whole
        for part in _parts(selection, key, episodes) if not whole else ():
            path = _path(selection, key, part.source)
            again = 0
            if key in selection.cameras:
                again = part.count
            elif part.is_cut:
                again = _cut_frames(*read(str(path)), part)
            encoded, copied = encoded + again, copied + part.count - again
            size += path.stat().st_size * part.count // max(held[part.source], 1)
    return ForeseenVideos(linked, copied, encoded, size)


def _frames_held(selection: Selection, key: str) -> Counter[Source]:
    """How many frames of episodes each source file holds."""
    held = Counter[Source]()
    for number, dataset in enumerate(selection.inputs):
        old = selection.source_key(number, key)
        for episode in dataset.episodes:
            held[number, episode.videos[old].file_index] += episode.length
    return held


def _cut_frames(index: PacketIndex, hidden: int, part: _Part) -> int:
    """How many frames of a part are re-encoded."""
    decision = decide_cut(np.arange(part.first, part.first + part.count, dtype=np.int64) + hidden, index)
    return decision.encoded if isinstance(decision, Splice) else part.count


def _note(selection: Selection, part: _Part, clip: Clip, at: tuple[FileIndex, int], made: WrittenVideos) -> None:
    """Where the frames of a part are now."""
    file_index, first = at
    fps = selection.inputs[0].fps
    made.rebuilt.update(part.episodes)
    for number in part.episodes:
        length = selection.episodes[number].length
        made.spans.append((file_index, first / fps, (first + length) / fps))
        first += length
    if clip.sampled and len(part.episodes) == 1:
        made.stats[part.episodes[0]] = camera_stats(clip.histogram, clip.sampled, clip.depth)


def _source(selection: Selection, episode: OutputEpisode, key: str) -> Source:
    number = episode.source[0]
    return number, selection.facts(episode).videos[selection.source_key(number, key)].file_index


def _path(selection: Selection, key: str, source: Source) -> Path:
    number, file_index = source
    path = selection.inputs[number].root / video_path(selection.source_key(number, key), file_index)
    if not path.is_file():
        raise DatasetError(f"{path}: missing; the dataset is not complete; see what `telecine repair` can save")
    return path


def _groups(selection: Selection, key: str) -> Iterator[tuple[bool, list[int]]]:
    """(True, the episodes of a file that stays as it is) or (False, episodes whose frames go into new files)."""
    contents = _contents(selection, key)
    changed: list[int] = []
    at = 0
    while at < len(selection.episodes):
        source = _source(selection, selection.episodes[at], key)
        held = contents[source]
        if key not in selection.cameras and _stays(selection, at, held):
            if changed:
                yield False, changed
                changed = []
            yield True, list(range(at, at + len(held)))
            at += len(held)
        else:
            changed.append(at)
            at += 1
    if changed:
        yield False, changed


def _stays(selection: Selection, at: int, held: Sequence[tuple[int, int]]) -> bool:
    """True when the episodes from `at` on are those of a file, whole and in its order."""
    wanted = selection.episodes[at : at + len(held)] if selection.episodes[at].source == held[0] else ()
    return len(wanted) == len(held) and all(
        episode.source == name and selection.is_whole(episode) for episode, name in zip(wanted, held, strict=True)
    )


def _contents(selection: Selection, key: str) -> dict[Source, list[tuple[int, int]]]:
    """Each source file's episodes, in the order of their frames."""
    found: dict[Source, list[tuple[float, tuple[int, int]]]] = {}
    for number, dataset in enumerate(selection.inputs):
        old = selection.source_key(number, key)
        for facts in dataset.episodes:
            span = facts.videos[old]
            found.setdefault((number, span.file_index), []).append((span.from_s, (number, facts.index)))
    return {source: [name for _, name in sorted(held)] for source, held in found.items()}


def _parts(selection: Selection, key: str, numbers: Sequence[int]) -> Iterator[_Part]:
    """The frames of some episodes: whole ones that follow each other in a file together, others one by one."""
    pending: _Part | None = None
    for number in numbers:
        episode = selection.episodes[number]
        source = _source(selection, episode, key)
        dataset, facts = selection.inputs[source[0]], selection.facts(episode)
        start = round(facts.videos[selection.source_key(source[0], key)].from_s * dataset.fps)
        part = _Part(source, (number,), start + episode.start, episode.length, not selection.is_whole(episode))
        if pending is not None and _follows(pending, part) and key not in selection.cameras:
            pending = _Part(
                source, (*pending.episodes, number), pending.first, pending.count + part.count, is_cut=False
            )
            continue
        if pending is not None:
            yield pending
        pending = part
    if pending is not None:
        yield pending


def _follows(one: _Part, other: _Part) -> bool:
    return not (one.is_cut or other.is_cut) and (one.source, one.first + one.count) == (other.source, other.first)


class _Clips:
    """Makes clips of source files, one file open at a time."""

    def __init__(self, selection: Selection, key: str, scratch: Path) -> None:
        self._selection, self._key, self._scratch = selection, key, scratch
        self._open: tuple[Source, Mp4Stream] | None = None
        self._made = 0

    def clip(self, part: _Part, made: WrittenVideos) -> tuple[Clip, Iterator[ClipPacket] | None]:
        """The frames of a part, and its packets where they are in no scratch file. Raises: VideoError."""
        edit = self._selection.cameras.get(self._key)
        path = _path(self._selection, self._key, part.source)
        if edit is not None:
            clip = self._encoded(path, part, edit)
            made.encoder, made.size = clip.encoder, (clip.format.width, clip.format.height)
            made.codec = clip.format.codec
            made.encoded += part.count
            return clip, None
        stream = self._stream(part.source, path)
        rows = np.arange(part.first, part.first + part.count, dtype=np.int64) + stream.hidden
        if rows[-1] >= stream.index.count:
            raise VideoError(
                f"{path}: holds {counted(stream.index.count - stream.hidden, 'frame')}, {rows[-1] + 1} are referred to"
            )
        decision = decide_cut(rows, stream.index)
        exact = isinstance(decision, Splice) and not decision.encoded and len(decision.runs) == 1
        if exact and not part.is_cut:  # statistics of a cut one need some of its frames
            assert isinstance(decision, Splice)
            (run,) = decision.runs
            assert isinstance(run, Copied)
            made.copied += part.count
            data = stream.packets(CLOCK, run.first, run.stop)
            return unwritten_clip(str(path), data, stream.index, slice(run.first, run.stop), key=self._key)
        return self._cut(stream, decision, rows, part, made, path), None

    def _stream(self, source: Source, path: Path) -> Mp4Stream:
        if self._open is None or self._open[0] != source:
            self._open = None
            self._open = (source, open_film(str(path)))
        return self._open[1]

    def _target(self) -> str:
        self._made += 1
        return str(self._scratch / f"clip-{self._made:06d}.arrow")

    def _cut(self, stream: Mp4Stream, decision: Any, rows: Any, part: _Part, made: WrittenVideos, path: Path) -> Clip:
        """What a cut goes through is re-encoded, all of the part only where nothing else is possible."""
        fps, target = self._selection.inputs[0].fps, self._target()
        number = part.source[0]
        depth = self._selection.inputs[number].depth(self._selection.source_key(number, self._key))
        if isinstance(decision, Splice):
            made.encoded += decision.encoded
            made.copied += part.count - decision.encoded
            how = {"key": self._key, "path": target, "why": "cut"}
            return splice(stream, CLOCK, stream.index, decision, rows, fps, depth=depth, **how)
        made.encoded += part.count
        made.why.append(f"{self._key} {path.name}: {counted(part.count, 'frame')} re-encoded: {decision.why}")
        settings = video_settings("train", stream.codec) if depth is None else depth_settings(Video(), depth)
        shown = frames(stream, rows, CLOCK, index=stream.index)
        return encode(shown, settings, fps, count=part.count, key=self._key, path=target, why=decision.why)

    def _encoded(self, path: Path, part: _Part, edit: CameraEdit) -> Clip:
        """Every frame of a part, cropped and scaled, in the codec that is asked for."""
        fps = self._selection.inputs[0].fps
        settings = video_settings("train", edit.codec, size=edit.size)
        shown = cropped(str(path), range(part.first, part.first + part.count), edit.crop)
        why = "the edit asks for another size, crop or codec"
        return encode(shown, settings, fps, count=part.count, key=self._key, path=self._target(), why=why)


def link(path: Path, target: Path) -> None:
    """The file at `path`, or behind it, at `target` as well: a hard link, else a copy. Raises: OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)  # of a symbolic link itself, Linux would make another one
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, target)
