"""Single frames of an MP4 in any order, for people who look at it: the file stays open between them."""

from contextlib import ExitStack
from fractions import Fraction
from typing import Self

import av

from telecine.core.errors import VideoError, closed_on_failure
from telecine.video.mp4_reader import TOLERANCE_S, frame_from, keyframe_before, opened_video, timing

_NEAR = 8
"""Frames ahead of the last one that are decoded to, rather than seeked to."""


class FrameReader:
    """A video file, open. One thread at a time. A context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._stack = ExitStack()
        with closed_on_failure(self._stack.close):
            self._source, self._scout = (self._stack.enter_context(opened_video(path)) for _ in range(2))
        self._stream = self._source.streams.video[0]
        rate, self._base = timing(self._stream)
        if not rate or not self._base:
            self._stack.close()
            raise VideoError(f"{path}: the file does not tell how many frames it shows per second")
        self._ticks = Fraction(1) / (rate * self._base)
        self._last: tuple[int, av.VideoFrame] | None = None
        self._shown = self._source.decode(self._stream)

    def at(self, number: int) -> av.VideoFrame:
        """The frame `number` of the file, decoded from the keyframe before. Raises: VideoError."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        try:
            try:
                frame = self._found(number)
            except av.FFmpegError:  # a keyframe of an open group of pictures, see `frames_at`
                self._last = None
                frame = self._found(number, whole=True)
        except av.FFmpegError as error:
            self._last = None
            raise VideoError(f"{self.path}: frame {number} cannot be read: {error.strerror}") from error
        self._last = (number, frame)
        return frame

    def _found(self, number: int, *, whole: bool = False) -> av.VideoFrame:
        """whole: decoded from the start of the file."""
        if self._last is None or not 0 < number - self._last[0] <= _NEAR:
            target = 0 if whole else keyframe_before(self._scout, number, self._ticks)[0]
            self._source.seek(target, stream=self._stream)
            self._shown = self._source.decode(self._stream)
        self._last = None
        frame = frame_from(self._shown, number, self._ticks, self.path)
        if frame.is_corrupt or abs(frame.pts - number * self._ticks) * self._base >= TOLERANCE_S:
            raise VideoError(f"{self.path}: frame {number} is damaged, or not at its place")
        return frame

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
