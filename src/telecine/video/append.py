"""One MP4 of one camera that grows by whole clips: packets are stamped anew on one gapless grid, nothing is decoded.

LeRobot's decoders turn a time into a frame number by the average rate, so every file has constant frame rate, a
first frame at 0, and no hole between episodes. Only true keyframes carry the sync flag: FFmpeg's own flag would
also mark recovery points, from which decoders return wrong frames.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av

from telecine.core.bitstream.packets import NAMES, front
from telecine.core.errors import VideoError, raised_as
from telecine.core.recording import Buffer, Codec
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, FrameFormat
from telecine.video.clip import ClipPacket, read_clip

_RAW_FORMATS: dict[Codec, str] = {"h264": "h264", "hevc": "hevc", "av1": "obu"}
_TABLE_BYTES = 16
"""What a frame costs in the file's index: size, time and, with B-frames, offset."""


class VideoFile:
    """An MP4 that is being written; it can be read after `close`.

    frames: frames so far. size_bytes: size of the file if it were closed now, nearly.
    format, reorder_delay: of all its clips, set by the first; None and 0 before.
    """

    def __init__(self, path: str | Path, fps: int | Fraction) -> None:
        self.frames = 0
        self.size_bytes = 0
        self.format: FrameFormat | None = None
        self.reorder_delay = 0
        self._path = str(path)
        self._period = 1 / Fraction(fps)
        self._output: av.container.OutputContainer | None = None

    def accepts(self, clip: Clip) -> bool:
        """Whether `append` will take the clip: free to follow, same format, B-frames no deeper than the first clip's.

        H.265 must be exactly as deep: where the depth falls its decoder gives two frames at once, and torchcodec
        up to 0.11 shows the second one after the next seek (meta-pytorch/torchcodec#1339).
        """
        if self.format is None:
            return True
        if clip.starts_file:
            return False
        if clip.format.codec == "hevc" and clip.reorder_delay != self.reorder_delay:
            return False
        return clip.format == self.format and clip.reorder_delay <= self.reorder_delay

    def append(self, clip: Clip, packets: Iterable[ClipPacket] | None = None) -> int:
        """Add all frames of the clip; the number in this file of the frame that its first row shows.

        packets: of the clip, where they are not in its scratch file.

        Raises:
            VideoError: the clip does not fit this file or cannot be read, or the file cannot be written. The file
                is of no use then.
        """
        if self.format is not None and not self.accepts(clip):
            raise VideoError(
                f"{self._path}: {clip.key} is {_words(clip.format, clip.reorder_delay)}, "
                f"the file holds {_words(self.format, self.reorder_delay)}; start a new file"
            )
        base, count = self.frames, 0
        with raised_as(VideoError, f"{self._path}: cannot be written", av.FFmpegError, OSError):
            for data, display, keyframe in read_clip(clip.path) if packets is None else packets:
                if self._output is None:
                    self._open(clip, data)
                self._mux(data, base + display, base + count, keyframe)
                count += 1
        if count != clip.frames:
            raise VideoError(f"{clip.path}: the clip holds {counted(count, 'frame')}, {clip.frames} were announced")
        self.frames += count
        return base + clip.preroll

    def _open(self, clip: Clip, first: Buffer) -> None:
        """Begin the file with the headers of its first packet: the muxer builds its own from them."""
        codec = clip.format.codec
        if codec == "png":
            raise VideoError(f"{clip.path}: PNG frames go into tables, not into a video file")
        options = {"movflags": "faststart", "fflags": "+bitexact"}
        if not clip.reorder_delay:  # an edit list could only round the end away
            options["use_editlist"] = "0"
        with _described(first, codec) as source:
            self._output = av.open(self._path, "w", format="mp4", options=options)
            stream = self._output.add_stream_from_template(source.streams.video[0], opaque=True)
            stream.time_base = self._period
        self._stream = stream
        self.format, self.reorder_delay = clip.format, clip.reorder_delay

    def _mux(self, data: Buffer, shown: int, stored: int, keyframe: bool) -> None:
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = self._period
        packet.pts = shown
        packet.dts = stored - self.reorder_delay
        packet.duration = 1
        packet.is_keyframe = keyframe
        assert self._output is not None
        self._output.mux(packet)
        self.size_bytes += len(data) + _TABLE_BYTES

    def close(self) -> None:
        """Finish the file, with its index in front. Without any clip there is no file."""
        if self._output is None:
            return
        output, self._output = self._output, None
        with raised_as(VideoError, f"{self._path}: cannot be written", av.FFmpegError, OSError):
            output.close()


@contextmanager
def _described(first: Buffer, codec: Codec) -> Iterator[av.container.InputContainer]:
    """The stream that begins with this packet, as FFmpeg finds it; its headers alone where they say it all.

    FFmpeg decodes what it is given, and the rest of a large keyframe takes ten times as long as its headers.
    """
    data = front(first, codec)
    with av.open(io.BytesIO(data), format=_RAW_FORMATS[codec]) as source:
        if len(data) == len(first) or source.streams.video[0].codec_context.pix_fmt is not None:
            yield source
            return
    with av.open(io.BytesIO(bytes(first)), format=_RAW_FORMATS[codec]) as source:
        yield source


def _words(fmt: FrameFormat, reorder_delay: int) -> str:
    name = "PNG" if fmt.codec == "png" else NAMES[fmt.codec]
    return f"{name} {fmt.width}x{fmt.height} {fmt.pix_fmt} ({fmt.matrix}), B-frames {reorder_delay} deep"
