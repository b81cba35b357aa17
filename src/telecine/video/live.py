"""Frames coded while they are taken: one thread a camera, a short queue in front of it.

Whoever takes the frames waits only when the encoder has fallen behind by the whole queue; nothing is dropped.
"""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np

from telecine.core.errors import VideoError
from telecine.core.recording import Array, Buffer
from telecine.core.video import Clip, FrameFormat, VideoSettings
from telecine.video.append import VideoFile
from telecine.video.clip import ClipWriter, read_clip
from telecine.video.encode import check_frame
from telecine.video.encoder import Setup, coded, open_encoder
from telecine.video.frames.colour import Rgb, to_rgb24, to_yuv420p
from telecine.video.presets import encoder_options

QUEUED = 16
"""Frames that wait for their encoder: half a second at 30 fps."""


class LiveClip:
    """One camera of one episode, being coded into the clip at `path`.

    frames: frames taken so far. size: (width, height) in px of them.
    """

    def __init__(self, key: str, settings: VideoSettings, fps: int, path: str, *, queued: int = QUEUED) -> None:
        self.key, self.path, self.settings, self.fps = key, path, settings, fps
        self.frames = 0
        self.size = (0, 0)
        self._queue: queue.Queue[Rgb | None] = queue.Queue(queued)
        self._spare: deque[Rgb] = deque()
        self._error: VideoError | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=f"telecine {key}", daemon=True)
        self._thread.start()

    def add(self, rgb: Rgb) -> None:
        """Take a frame, (height, width, 3) uint8, which is copied. Waits while the queue is full.

        Raises: VideoError when an earlier frame could not be coded.
        """
        if self._error is not None:
            raise self._error
        self._queue.put(self._copied(rgb))
        self.size = (rgb.shape[1], rgb.shape[0])
        self.frames += 1

    def _copied(self, rgb: Rgb) -> Rgb:
        """In memory that an earlier frame had."""
        held = self._spare.popleft() if self._spare else None
        if held is None or held.shape != rgb.shape:
            held = np.empty(rgb.shape, np.uint8)
        np.copyto(held, rgb, casting="unsafe")
        return held

    def close(self) -> None:
        """Code what waits, and end the clip. Raises: VideoError when a frame could not be coded."""
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._code()
        except VideoError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  the border of the thread: nobody may wait for it for ever
            self._error = VideoError(f"{self.key}: {type(error).__name__}: {error}")
        while not self._is_over:  # so that nobody waits for a place in the queue
            self._is_over = self._queue.get() is None

    def _code(self) -> None:
        packets = coded_frames(self._waiting(), self.settings, self.fps, key=self.key)
        first = next(packets, None)
        if first is None:
            return
        with ClipWriter(self.path) as clip:
            for packet in chain([first], packets):
                clip.add(bytes(packet), packet.pts, packet.is_keyframe)

    def _waiting(self) -> Iterator[Rgb]:
        while (rgb := self._queue.get()) is not None:
            yield rgb
            self._spare.append(rgb)
        self._is_over = True


def coded_frames(
    frames: Iterable[Array], settings: VideoSettings, fps: int, *, key: str, threads: int = 1
) -> Iterator[av.Packet]:
    """What the encoder makes of the frames, as they come; packet.pts is the number of its frame.

    frames: (height, width, 3) uint8, or (height, width) uint16 where `settings.depth`, which becomes 16-bit PNG. The
        memory of a frame may be used for another when the next one is asked for.

    Raises: VideoError when the encoder refuses.
    """
    depth = settings.depth
    setup = Setup("png", "gray16be", {"compression_level": "1"}) if depth else encoder_options(settings, live=True)
    converted = _depth_frames(frames) if depth else _colour_frames(frames, settings, key)
    first = next(converted, None)
    if first is not None:
        encoder = open_encoder(setup, (first.width, first.height), fps, key=key, threads=threads)
        yield from coded(chain([first], converted), encoder, key)


def _depth_frames(frames: Iterable[Array]) -> Iterator[av.VideoFrame]:
    for depth in frames:
        yield av.VideoFrame.from_ndarray(depth, format="gray16be")


def _colour_frames(frames: Iterable[Rgb], settings: VideoSettings, key: str) -> Iterator[av.VideoFrame]:
    single = settings.codec == "png"
    # A PNG encoder gets the frame itself, which so must be a copy; the others get one that was converted.
    wrap, convert = (_copied, to_rgb24) if single else (av.VideoFrame.from_numpy_buffer, to_yuv420p)
    before: av.VideoFrame | None = None
    for number, rgb in enumerate(frames):
        frame = wrap(rgb, format="rgb24")
        check_frame(frame, before, settings, f"{key}: frame {number}")
        before = frame if before is None else before  # all have the size of the first
        yield convert(frame, settings.size)


def _copied(rgb: Rgb, format: str) -> av.VideoFrame:  # noqa: A002 - the name that PyAV has
    return av.VideoFrame.from_ndarray(rgb, format=format)


def clip_packets(path: str, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
    """Packets [start, stop) of a clip in decode order. Raises: VideoError when it cannot be read."""
    for number, (data, _, _) in enumerate(read_clip(path)):
        if stop is not None and number >= stop:
            return
        if number >= start:
            yield bytes(data)


def write_mp4(path: Path, clip: LiveClip) -> None:
    """The frames of a finished clip as an MP4 file at their rate. Raises: VideoError."""
    packets = [(display, key) for _, display, key in read_clip(clip.path)]
    delay = max((number - display for number, (display, _) in enumerate(packets)), default=0)
    width, height = clip.size
    finished = Clip(
        key=clip.key,
        path=clip.path,
        format=FrameFormat(clip.settings.codec, width, height, "yuv420p"),
        frames=clip.frames,
        preroll=0,
        reorder_delay=max(delay, 0),
        copied=False,
        why="recorded",
        size_bytes=0,
        gop=clip.settings.gop,
        histogram=np.zeros((3, 256), np.int64),
        sampled=0,
    )
    file = VideoFile(path, clip.fps)
    file.append(finished)
    file.close()
