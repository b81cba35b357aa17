"""A clip from a stream in one pass over its packets: copied, repeated without encoding, or re-encoded.

In memory are the packets of the current group of decoded, if some of it are re-encoded, and one decoded frame
besides those that the codecs hold back. Some frames of the result are decoded for statistics.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain

import av
import numpy as np

from telecine.core.bitstream.packets import is_self_contained, with_parameter_sets, with_unit
from telecine.core.bitstream.pskip import Repeater, unused_number
from telecine.core.copying.splice import Copied, Encoded, Repeated, Splice, shown, stored
from telecine.core.depth import DepthScale
from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Codec, VideoStream
from telecine.core.text.numbers import counted
from telecine.core.video import Clip, PacketIndex
from telecine.video.clip import ClipWriter
from telecine.video.decode import DecodeSpan, decoded, spans, video_decoder
from telecine.video.encoder import colour_of
from telecine.video.reencode import reencode
from telecine.video.sample_frames import Sampler, sampled_frames

LONGEST_GOP = 30
"""Keyframes of frames re-encoded are no further apart."""


def splice(
    stream: VideoStream,
    clock: str,
    index: PacketIndex,
    decision: Splice,
    rows: Rows,
    fps: int,
    *,
    key: str,
    path: str,
    why: str,
    depth: DepthScale | None = None,
) -> Clip:
    """The clip at `path` with the runs of `decision`, each keyframe with its parameter sets.

    rows: (count,) int64 positions in display order, which the runs show. depth: of frames that are codes of distances.

    Raises:
        VideoError: packets are missing or damaged, or the runs do not show the rows.
        SourceError: the stream cannot be read.
    """
    where = f"{key}: {stream.name}"
    _check(decision, rows, index, where)
    codec: Codec = stream.schema.encoding  # type: ignore[assignment]
    display, keyframe = stored(decision, index, LONGEST_GOP)
    # Distances are scaled by their least and greatest values, which a few frames would miss.
    sample = sampled_frames(display, keyframe, decision.preroll, rows.size, dense=depth is not None)
    sampler = Sampler(codec, display, keyframe, sample, where=where, depth=depth is not None)
    splicer = _Splicer(stream, clock, index, decision, rows, fps, where=where)
    with ClipWriter(path) as clip:
        for data, position, is_key in zip(splicer.packets(), display.tolist(), keyframe.tolist(), strict=True):
            clip.add(data, position, is_key)
            sampler.see(data)
    sampler.finish()
    return Clip(
        key=key,
        path=path,
        format=index.formats[0],
        frames=clip.frames,
        preroll=decision.preroll,
        reorder_delay=int(np.max(np.arange(display.size) - display)),
        copied=True,
        why=why,
        size_bytes=clip.size_bytes,
        gop=int(np.max(np.diff(np.append(np.flatnonzero(keyframe), display.size)))),
        histogram=sampler.histogram.counts,
        sampled=sampler.histogram.sampled,
        depth=depth,
        starts_file=isinstance(first := decision.runs[0], Copied) and index.must_start_file(first.first),
    )


def _check(decision: Splice, rows: Rows, index: PacketIndex, where: str) -> None:
    """VideoError unless the runs show the rows, in frames of one format."""
    if len(index.formats) != 1:
        raise VideoError(f"{where} has {counted(len(index.formats), 'frame format')}, one can be copied")
    try:
        places = shown(decision, rows, index)
    except ValueError as error:
        raise VideoError(f"{where} cannot be copied: {error}") from error
    first = decision.preroll
    if not rows.size or not np.array_equal(places[first : first + rows.size], rows):
        raise VideoError(
            f"{where} cannot be copied: {counted(len(decision.runs), 'run does', 'runs do')} not show the "
            f"{counted(rows.size, 'row')}"
        )


class _Pass:
    """The packets of a stream, each read once, with parameter sets before every keyframe.

    Those of the current group of decoded stay at hand when its keyframe is one of `kept`.

    keyframe: the last of those that passed.
    """

    def __init__(
        self, stream: VideoStream, clock: str, index: PacketIndex, first: int, stop: int, kept: frozenset[int]
    ) -> None:
        codec: Codec = stream.schema.encoding  # type: ignore[assignment]
        head = next(iter(stream.packets(clock, first, first + 1)), b"")
        self._at = first if is_self_contained(head, codec) else 0  # its parameter sets were sent long before
        self._source = iter(with_parameter_sets(stream.packets(clock, self._at, stop), codec))
        self._index, self._kept, self._name = index, kept, stream.name
        self._group: list[Buffer] | None = None
        self.keyframe: Buffer = b""

    def packets(self, first: int, stop: int) -> Iterator[Buffer]:
        """Packets [first, stop): from here on, or from the keyframe of the current group, which is kept.

        Raises: VideoError when the stream ends before.
        """
        if first < self._at:
            assert self._group is not None
            yield from self._group[: stop - first]
        while self._at < stop:
            data = self._next()
            if self._at > first:
                yield data

    def _next(self) -> Buffer:
        try:
            data = next(self._source)
        except StopIteration:
            raise VideoError(f"{self._name} ends after {self._at} of {counted(self._index.count, 'packet')}") from None
        if self._index.keyframe[self._at]:
            self._group = None
            if self._at in self._kept:
                self._group, self.keyframe = [], data
        if self._group is not None:
            self._group.append(data)
        self._at += 1
        return data


class _Splicer:
    """Makes the packets of a clip, run by run, while those of the stream pass by."""

    def __init__(
        self, stream: VideoStream, clock: str, index: PacketIndex, decision: Splice, rows: Rows, fps: int, *, where: str
    ) -> None:
        self._index, self._runs, self._rows, self._fps = index, decision.runs, rows, fps
        self._where, self._name = where, stream.name
        self._spans = {run: tuple(self._spans_of(run)) for run in decision.runs if isinstance(run, Encoded)}
        self._repeated = {run.packet for run in decision.runs if isinstance(run, Repeated)}
        keys = np.flatnonzero(index.keyframe)
        self._repeating = {int(keys[np.searchsorted(keys, p, side="right") - 1]) for p in self._repeated}
        self._repeater = Repeater()
        taken = [(r.first, r.stop) for r in decision.runs if isinstance(r, Copied)]
        taken += [(span.start, span.stop) for several in self._spans.values() for span in several]
        kept = frozenset(span.start for several in self._spans.values() for span in several)
        first, stop = min(first for first, _ in taken), max(stop for _, stop in taken)
        self._source = _Pass(stream, clock, index, first, stop, kept)

    @cached_property
    def _decoder(self) -> av.VideoCodecContext:
        return video_decoder(self._index.formats[0].codec, self._index)

    def _spans_of(self, run: Encoded) -> Iterator[DecodeSpan]:
        return spans(np.unique(self._rows[run.start : run.stop]), self._index, self._name)

    def packets(self) -> Iterator[Buffer]:
        """All packets of the clip in the order in which they are stored."""
        for run in self._runs:
            if isinstance(run, Copied):
                yield from self._copied(run)
            elif isinstance(run, Repeated):
                yield from (self._repeater.repeat() for _ in range(run.times))
            else:
                yield from self._encoded(run)

    def _copied(self, run: Copied) -> Iterator[Buffer]:
        for number, data in enumerate(self._source.packets(run.first, run.stop), run.first):
            if number in self._repeating:
                self._repeater.read(data)
                yield with_unit(data, self._repeater.own_set())
                continue
            if number in self._repeated:
                self._repeater.read(data)
            yield data

    def _encoded(self, run: Encoded) -> Iterator[Buffer]:
        (fmt,) = self._index.formats
        decoded = self._to_encode(run)
        first = next(decoded)
        number = unused_number(self._source.keyframe) if fmt.codec == "h264" else 0
        return reencode(
            chain([first], decoded),
            fmt,
            self._fps,
            count=run.stop - run.start,
            gop=LONGEST_GOP,
            number=number,
            colour=colour_of(self._decoder),
            key=self._where,
        )

    def _to_encode(self, run: Encoded) -> Iterator[av.VideoFrame]:
        """The frame of each row, decoded; the same frame object again where rows repeat."""
        _, times = np.unique(self._rows[run.start : run.stop], return_counts=True)
        frames = chain.from_iterable(map(self._decoded, self._spans[run]))
        for frame, count in zip(frames, times.tolist(), strict=True):
            for _ in range(count):
                yield frame

    def _decoded(self, span: DecodeSpan) -> Iterator[av.VideoFrame]:
        self._decoder.flush_buffers()
        return decoded(self._source.packets(span.start, span.stop), self._decoder, self._index, span, self._name)
