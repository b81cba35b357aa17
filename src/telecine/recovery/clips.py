"""Clips of the frames of episodes, copied packet by packet wherever that is exact.

What becomes of an episode's frames is decided once (`plan`), by what headers say, for a repair that only says what it
would do as for one that does it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from telecine.core.copying.decide import decide_kept
from telecine.core.copying.splice import stored
from telecine.core.depth import PIX_FMT, DepthScale
from telecine.core.errors import VideoError
from telecine.core.frame_ranges import FrameRange
from telecine.core.grid import Rows
from telecine.core.plan.model import Video
from telecine.core.recording import Codec, Image
from telecine.core.text.numbers import counted, counted_of
from telecine.core.tiff import tiff_pixels
from telecine.core.video import Clip, Encode, FrameFormat, VideoSettings
from telecine.recovery.cameras import StoredCamera
from telecine.recovery.repair_log import RepairLog
from telecine.video.decode import frames, raw_frame
from telecine.video.demux import Mp4Facts, film_facts
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_all
from telecine.video.mp4_stream import CLOCK, Mp4Stream, open_film, open_part
from telecine.video.png_clip import keep_images, png_size
from telecine.video.presets import depth_settings, size_problem, video_settings
from telecine.video.splice import LONGEST_GOP, splice

CODECS: tuple[Codec, ...] = get_args(Codec)


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """What a clip will be, and how to make it.

    frames: all that it will hold, `preroll` of them before the first row's.
    """

    key: str
    format: FrameFormat
    frames: int
    make: Callable[[], Clip]
    preroll: int = 0
    depth: DepthScale | None = None


class ClipCutter:
    """Makes clips from the videos of a damaged dataset; the video opened last of each camera stays open."""

    def __init__(self, scratch: Path, fps: int, log: RepairLog) -> None:
        self._scratch, self._fps, self._log = scratch, fps, log
        self._streams: dict[str, tuple[Path, Mp4Stream | Mp4Facts]] = {}
        self._made = 0
        self._clips: list[Path] = []

    def plan(self, camera: StoredCamera, found: FrameRange, count: int) -> PlannedClip:
        """The first `count` frames of an episode. Raises: VideoError when they can neither be copied nor encoded."""
        path, codec = camera.files[found.file]
        rows = np.arange(found.first, found.first + count, dtype=np.int64)
        if codec not in CODECS:
            return self._decoded(camera, found.file, rows, f"{codec} video cannot be copied")
        stream, rows = self._stream(camera.key, path, rows)
        decision = decide_kept(rows, stream.index, depth=camera.depth is not None)
        if isinstance(decision, Encode):
            return self._encoded(camera, stream, rows, decision.why)

        def make() -> Clip:
            how = {"key": camera.key, "path": self._target(), "why": "repaired"}
            clip = splice(stream, CLOCK, stream.index, decision, rows, self._fps, depth=camera.depth, **how)
            return replace(clip, encoder=dict(camera.encoder))

        held = int(stored(decision, stream.index, LONGEST_GOP)[0].size)
        return PlannedClip(camera.key, stream.index.formats[0], held, make, decision.preroll, camera.depth)

    def _stream(self, key: str, path: Path, rows: Rows) -> tuple[Mp4Stream, Rows]:
        """(the video with these rows of the file, their places in it); of a damaged file only what they need.

        Raises: VideoError when that is damaged: it is decoded to know.
        """
        if key not in self._streams or self._streams[key][0] != path:
            self._streams.pop(key, None)  # its packets go before others come
            try:
                self._streams[key] = (path, open_film(str(path)))
            except VideoError:
                self._streams[key] = (path, film_facts(str(path)))
        film = self._streams[key][1]
        if isinstance(film, Mp4Stream):
            return film, rows + film.hidden
        part, first = open_part(str(path), film, rows + film.hidden)
        places = rows + film.hidden - first
        deque(frames(part, places, CLOCK, index=part.index), 0)
        return part, places

    def _encoded(self, camera: StoredCamera, stream: Mp4Stream, rows: Rows, why: str) -> PlannedClip:
        choice = video_settings("train", stream.codec)
        choice = choice if camera.depth is None else depth_settings(Video(), camera.depth)

        def make() -> Clip:
            shown = frames(stream, rows, CLOCK, index=stream.index)
            return encode(shown, choice, self._fps, count=rows.size, key=camera.key, path=self._target(), why=why)

        fmt = stream.index.formats[0]
        return self._anew(camera, Path(stream.name).name, (fmt.width, fmt.height), rows.size, choice, make, why)

    def _decoded(self, camera: StoredCamera, file: int, rows: Rows, why: str) -> PlannedClip:
        path, (height, width) = camera.files[file][0], camera.file_sizes[file]
        if camera.depth is not None:
            raise VideoError(f"{camera.key} {path.name}: depth, and {why}")
        choice = video_settings("train", copy="never")

        def make() -> Clip:
            shown = islice(decode_all(str(path)), int(rows[0]), int(rows[-1]) + 1)
            images = (raw_frame(Image(rgb.tobytes(), "rgb24", rgb.shape[1], rgb.shape[0])) for rgb in shown)
            return encode(images, choice, self._fps, count=rows.size, key=camera.key, path=self._target(), why=why)

        return self._anew(camera, path.name, (width, height), rows.size, choice, make, why)

    def _anew(
        self,
        camera: StoredCamera,
        name: str,
        size: tuple[int, int],
        count: int,
        choice: VideoSettings,
        make: Callable[[], Clip],
        why: str,
    ) -> PlannedClip:
        """Frames that are encoded again, which is said."""
        if problem := size_problem(choice.codec, *size):
            raise VideoError(f"{camera.key} {name}: {why}, and {problem}")
        self._log.changed(f"{camera.key} {name}", f"re-encoded: {why}")
        fmt = FrameFormat(choice.codec, *size, PIX_FMT if choice.depth else "yuv420p")
        return PlannedClip(camera.key, fmt, count, make, depth=choice.depth)

    def images(self, key: str, column: pa.ChunkedArray) -> PlannedClip:
        """Frames stored in rows. Raises: VideoError."""
        images = _whole(key, column)
        sizes = [png_size(data) for data in images]
        if None in sizes or len(set(sizes)) != 1:
            what = (
                f"frames of {counted(len(set(sizes)), 'size')}"
                if None not in sizes
                else f"row {sizes.index(None)} holds no PNG"
            )
            raise VideoError(f"{key}: {what} in one episode")
        (width, height) = sizes[0] or (0, 0)

        def make() -> Clip:
            return keep_images(images, key=key, path=self._target(), why="repaired")

        return PlannedClip(key, FrameFormat("png", width, height, "rgb24"), len(images), make)

    def depth_images(self, key: str, column: pa.ChunkedArray) -> PlannedClip:
        """Depth stored in rows as TIFF files, as depth video. Raises: VideoError."""
        files = _whole(key, column)
        try:
            pixels = tiff_pixels(files[0])
        except ValueError as error:
            raise VideoError(f"{key}: {error}") from error
        settings = depth_settings(Video(), DepthScale(unit="m" if pixels.dtype.kind == "f" else "mm"))

        def make() -> Clip:
            return self._depth_video(key, files, pixels.dtype, settings)

        height, width = pixels.shape
        return PlannedClip(key, FrameFormat("hevc", width, height, PIX_FMT), len(files), make, depth=settings.depth)

    def _depth_video(self, key: str, files: Sequence[bytes], kind: np.dtype[Any], settings: VideoSettings) -> Clip:
        images: Iterator[Any] = (_depth_frame(data, kind) for data in files)
        try:
            return encode(
                images, settings, self._fps, count=len(files), key=key, path=self._target(), why="depth in TIFF files"
            )
        except ValueError as error:
            raise VideoError(f"{key}: {error}") from error

    def clear(self) -> None:
        """Remove the clips made since the last time; nobody reads them any more."""
        for path in self._clips:
            path.unlink(missing_ok=True)
        self._clips.clear()

    def _target(self) -> str:
        """A new file for a clip."""
        self._made += 1
        self._clips.append(self._scratch / f"clip-{self._made:06d}.arrow")
        return str(self._clips[-1])


def _whole(key: str, column: pa.ChunkedArray) -> list[bytes]:
    """The files of a column of images. Raises: VideoError when one is missing."""
    images = [None if value is None else value["bytes"] for value in column.to_pylist()]
    whole = [data for data in images if data is not None]
    if len(whole) < len(images):
        raise VideoError(f"{key}: {counted_of(len(images) - len(whole), len(images), 'row', 'holds', 'hold')} no frame")
    return whole


def _depth_frame(data: bytes, kind: np.dtype[Any]) -> Any:
    """The frame of a TIFF file with pixels of this type. Raises: ValueError, VideoError."""
    pixels = tiff_pixels(data)
    if pixels.dtype != kind:
        raise ValueError(f"depth of {pixels.dtype} and {kind} in one episode")
    height, width = pixels.shape
    return raw_frame(Image(pixels.tobytes(), "grayf32le" if kind.kind == "f" else "gray16le", width, height))
