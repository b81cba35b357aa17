"""Frames that stand for a copied camera of an episode in the statistics, decoded while its packets pass by.

Copying costs next to nothing, so decoding would be nearly all of it: keyframes are taken where they lie densely
enough, since each costs one frame, and more of them where what the camera sees changes at a stroke. Which frames these
are depends on the episode alone.
"""

from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Codec
from telecine.core.video import Flags
from telecine.video.decode import STRICT, VIDEO_DECODERS
from telecine.video.frames.colour import to_rgb
from telecine.video.frames.depth import DepthHistogram, stored_codes
from telecine.video.frames.histogram import Histogram

_FEWEST, _MOST, _ONE_IN = 6, 30, 150
"""Equal parts of an episode, in the middle of each of which a frame is sampled: one in 150 frames, but 6 to 30.

Six are the fewest with which the mean and deviation of a dataset of several episodes stay within 1 % of full scale
(2.55 of 255 levels) on the cameras of the benchmark and the simulator; with four they are up to 2.9 off, and 4.4 on
the demo's, which goes to and fro.
"""
_ALL_UP_TO = 8
"""So many keyframes of a short episode are all sampled: two more cost little, and each stands for a second or more."""
_MORE = 3
"""So many times as many are taken where two neighbours differ so much that a mean could be off by more than 1 %."""
_MAY_BE_OFF = 0.01
"""Of full scale. Where one look of a camera gives way to another, by a step of mean colour between two of n sampled
frames, the mean is off by up to step / 2n."""
_ENOUGH_KEYFRAMES = 4


class SampledFrames(NamedTuple):
    """Frames by display position: those to decode, and those to decode besides where the first differ too much.

    wanted, more: (m,) int64, increasing, and no frame in both.
    """

    wanted: Rows
    more: Rows


def sampled_frames(display: Rows, keyframe: Flags, preroll: int, count: int, *, dense: bool = False) -> SampledFrames:
    """The frames that stand for the rows [preroll, preroll + count) of a clip, spread evenly from end to end.

    display: (n,) int64, keyframe: (n,) bool, of packets in decode order. Keyframes alone, where enough of them are
    near; others are decoded with all before them in their group, so that three times as many cost little more.
    dense: three times as many in any case.
    """
    keys = np.sort(display[keyframe & (display >= preroll) & (display < preroll + count)])
    parts = max(_FEWEST, min(_MOST, count // _ONE_IN))
    if keys.size <= _ALL_UP_TO:
        parts = max(parts, keys.size)
    few, many = (_spread(keys, preroll, count, number) for number in (parts, _MORE * parts))
    if not dense and count > parts and few.size >= min(parts, _ENOUGH_KEYFRAMES) and np.isin(few, keys).all():
        return SampledFrames(few, np.setdiff1d(many[np.isin(many, keys)], few))
    return SampledFrames(many, np.empty(0, np.int64))


def _spread(keys: Rows, preroll: int, count: int, parts: int) -> Rows:
    """The middle of each part, or the nearest keyframe where one is no further from it than the part is long."""
    middles = preroll + (2 * np.arange(parts) + 1) * count // (2 * parts)
    chosen: Rows = middles
    if keys.size:
        after = np.minimum(np.searchsorted(keys, middles), keys.size - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(middles - keys[before] <= keys[after] - middles, keys[before], keys[after])
        chosen = np.where(np.abs(nearest - middles) * parts <= count, nearest, middles)
    sampled: Rows = np.unique(chosen)
    return sampled


class Sampler:
    """Decodes the wanted frames of a clip while its packets pass by; decoding stops behind the last one wanted.

    Keyframes that may be wanted besides are held until all have passed.

    histogram: colours of the frames so far, or their codes of distances (depth).
    """

    def __init__(
        self, codec: Codec, display: Rows, keyframe: Flags, sample: SampledFrames, *, where: str, depth: bool
    ) -> None:
        wanted = sample.wanted
        self.histogram: Histogram | DepthHistogram = DepthHistogram() if depth else Histogram()
        self._where, self._display = where, display.tolist()
        self._wanted = set(wanted.tolist())
        self._parts = wanted.size
        self._more = frozenset(np.argsort(display)[sample.more].tolist())
        self._held: list[tuple[int, bytes]] = []
        self._means: list[npt.NDArray[np.float64]] = []
        holders = np.argsort(display)[wanted]
        starts = np.flatnonzero(keyframe)
        self._last: dict[int, int] = {}
        for holder in np.sort(holders).tolist():
            self._last[int(starts[np.searchsorted(starts, holder, side="right") - 1])] = holder
        decoder = av.CodecContext.create(VIDEO_DECODERS[codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        # Without `explode` damage is concealed; without `strict` frames that come late are lost (see decode.py).
        decoder.options = STRICT
        if np.any(np.arange(display.size) != display):
            decoder.options = {**decoder.options, "strict": "strict"}
        self._decoder = decoder
        self._number = 0
        self._stop = -1

    def see(self, data: Buffer) -> None:
        """Take the next packet in decode order."""
        number = self._number
        self._number += 1
        self._stop = self._last.get(number, self._stop)
        if number in self._more:
            self._held.append((number, bytes(data)))
        if number <= self._stop:
            self._decode(number, data, is_last=number == self._stop)

    def finish(self) -> None:
        """Once all packets have passed: decode what was held, where the frames so far differ too much."""
        steps = np.abs(np.diff(self._means, axis=0)) if len(self._means) > 1 else np.zeros(1)
        if np.max(steps) <= 2 * self._parts * _MAY_BE_OFF:
            return
        for number, data in self._held:
            self._wanted.add(self._display[number])
            self._decode(number, data, is_last=True)

    def _decode(self, number: int, data: Buffer, *, is_last: bool) -> None:
        packet = av.Packet(data)
        packet.pts = self._display[number]
        try:
            frames = self._decoder.decode(packet)
            if is_last:
                frames += self._decoder.decode(None)
                self._decoder.flush_buffers()
        except av.FFmpegError as error:
            raise VideoError(f"{self._where}: packet {number} of the episode is damaged: {error.strerror}") from error
        for frame in frames:
            self._count(frame)
        if is_last:
            self._complete(number)

    def _count(self, frame: av.VideoFrame) -> None:
        if frame.pts in self._wanted:
            self._wanted.remove(frame.pts)
            if frame.is_corrupt:
                raise VideoError(f"{self._where}: frame {frame.pts} of the episode is damaged")
            before = self.histogram.counts.copy()
            if isinstance(self.histogram, DepthHistogram):
                self.histogram.add(stored_codes(frame))
            else:
                self.histogram.add(to_rgb(frame))
            self._means.append(_means(self.histogram.counts - before))

    def _complete(self, number: int) -> None:
        """VideoError when a frame that packets up to `number` hold did not come out."""
        lost = self._wanted.intersection(self._display[: number + 1])
        if lost:
            raise VideoError(f"{self._where}: frame {min(lost)} of the episode was not decoded; packets are damaged")


def _means(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(channels,) means of what (channels, levels) counts hold, of full scale."""
    levels = np.linspace(0, 1, counts.shape[1])
    means: npt.NDArray[np.float64] = counts @ levels / np.maximum(counts.sum(axis=1), 1)
    return means
