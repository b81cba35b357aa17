"""Every frame of a stream decoded once, to find damage that headers do not show. Nothing is kept of them."""

import av

from telecine.core.bitstream.packets import with_parameter_sets
from telecine.core.recording import Codec, VideoStream
from telecine.core.video import PacketIndex
from telecine.video.decode import VIDEO_DECODERS


def damaged_packets(stream: VideoStream, clock: str, index: PacketIndex) -> tuple[tuple[int, str], ...]:
    """(packet, what) of the first packet of each group of pictures that does not give its frame whole.

    Packets that `index.problems` names already, and the rest of their groups, are not decoded. Not found: damage
    within a slice of H.265, which FFmpeg's decoder fills in and never reports.

    Raises: SourceError when the stream cannot be read.
    """
    codec: Codec = stream.schema.encoding  # type: ignore[assignment]
    known = {packet for packet, _ in index.problems}
    found: list[tuple[int, str]] = []
    group = _Group(codec, index)
    skipping = True
    for number, data in enumerate(with_parameter_sets(stream.packets(clock), codec)):
        if index.keyframe[number]:
            found += [] if skipping else group.close()
            skipping = False
        skipping = skipping or number in known
        if not skipping and (problem := group.feed(number, data)):
            found.append((number, problem))
            skipping = True
        if skipping:
            group.drop()
    return tuple(found if skipping else [*found, *group.close()])


class _Group:
    """The decoder of one group of pictures at a time."""

    def __init__(self, codec: Codec, index: PacketIndex) -> None:
        self._display = index.display.tolist()
        decoder = av.CodecContext.create(VIDEO_DECODERS[codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        decoder.options = {"err_detect": "crccheck+explode"}
        if index.reorder_delay:  # else frames that come late are lost (see decode.py)
            decoder.options = {**decoder.options, "strict": "strict"}
        self._decoder = decoder
        self._waiting: dict[int, int] = {}

    def feed(self, number: int, data: object) -> str:
        """Decode packet `number`; what is wrong with it, or ""."""
        packet = av.Packet(data)
        packet.pts = self._display[number]
        self._waiting[packet.pts] = number
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError as error:
            return f"it cannot be decoded: {error.strerror}"
        return self._took(frames)

    def _took(self, frames: list[av.VideoFrame]) -> str:
        for frame in frames:
            if self._waiting.pop(frame.pts, None) is None or frame.is_corrupt:
                return "frames do not come out of the decoder whole"
        return ""

    def close(self) -> list[tuple[int, str]]:
        """The end of the group: the first packet whose frame never came, if any."""
        problem = ""
        try:
            problem = self._took(self._decoder.decode(None))
        except av.FFmpegError as error:
            problem = f"it cannot be decoded: {error.strerror}"
        late = min(self._waiting.values(), default=None)
        self.drop()
        return [] if late is None else [(late, problem or "it gives no frame")]

    def drop(self) -> None:
        """Forget what was fed."""
        self._decoder.flush_buffers()
        self._waiting.clear()
