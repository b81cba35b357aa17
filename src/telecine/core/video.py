"""Copy or encode: a decision on packet numbers. Never sees a picture."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.recording import Codec
from telecine.core.time import Rows

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """What the parameter sets say of every picture."""

    codec: Codec | Literal["png"]
    """"png": pictures that go into Parquet, one by one, instead of a video file (preset `images`)."""
    width: int
    height: int
    pix_fmt: str
    """As FFmpeg names it: yuv420p, yuvj420p (full range), yuv420p10le ..."""
    matrix: str = "unspecified"
    """"bt601", "bt709", "bt2020" or "unspecified"."""


@dataclass(frozen=True, eq=False, slots=True)
class PacketIndex:
    """What the headers of n packets, in decode order, tell without decoding.

    keyframe: (n,) bool, packets where decoding can start for good (IDR; never an open GOP).
    display: (n,) int64, the position of each packet's picture in display order, a permutation of range(n).
    disposable: (n,) bool, pictures that no other refers to.
    sizes: (n,) int64 bytes.
    formats: every picture format met, in order of appearance.
    problems: places where the stream is damaged, as (packet, what).
    """

    keyframe: Flags
    display: Rows
    disposable: Flags
    sizes: Rows
    formats: tuple[PictureFormat, ...]
    open_gop: bool = False
    """Keyframes exist that later pictures refer across (CRA with leading pictures, recovery points only)."""
    intra_refresh: bool = False
    """Recovery points without keyframes after the first."""
    problems: tuple[tuple[int, str], ...] = ()
    repeats: Rows | None = None
    """(n,) int64: how often the picture of each packet can be shown again by skipped pictures put in behind it,
    before the next packet; None: no picture can."""
    no_repeats: str = ""
    """Why some or all pictures cannot be repeated so; "" when all can."""

    @property
    def count(self) -> int:
        """Number of packets, one picture each."""
        return int(self.keyframe.size)

    @property
    def reorder_delay(self) -> int:
        """How far decode order runs ahead of display order, in pictures (0: no B-frames)."""
        if not self.count:
            return 0
        return int(np.max(np.arange(self.count) - self.display, initial=0))

    @property
    def longest_gop(self) -> int:
        """Greatest distance between keyframes, in packets, the end of the stream counting as one."""
        starts = np.flatnonzero(self.keyframe)
        return int(np.max(np.diff(np.append(starts, self.count)), initial=0)) if starts.size else self.count


@dataclass(frozen=True, slots=True)
class Wish:
    """What a camera of the dataset shall look like, every choice made."""

    codec: Codec | Literal["png"]
    copy: Literal["auto", "always", "never"]
    crf: int
    gop: int
    preset: Literal["train", "lerobot", "archive", "images"]
    size: tuple[int, int] | None = None
    """(width, height) in px, or None to keep the source's."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Take packets [first, stop) in decode order.

    An episode that starts between keyframes either has its first rows encoded again (`head`), or keeps the pictures
    from the keyframe on in the file, unused (`preroll`). The latter is lossless, and exact wherever `from_timestamp`
    is honoured; LeRobot's streaming reader does not, and would show every row `preroll` pictures early.
    """

    first: int
    stop: int
    preroll: int
    count: int
    """Rows shown by the copied packets: pictures preroll .. preroll + count - 1 of them."""
    head: int = 0
    """Rows before those, from between keyframes: encoded again as a group of their own."""


@dataclass(frozen=True, slots=True)
class Encode:
    """Decode and encode again, because `why`."""

    why: str


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """One camera of one episode, coded, in a scratch file, ready to be appended to the dataset's video."""

    key: str
    path: str
    format: PictureFormat
    frames: int
    """Pictures in the file: preroll + rows + unused ones after the last row."""
    preroll: int
    reorder_delay: int
    copied: bool
    why: str
    size_bytes: int
    gop: int
    """Longest distance between keyframes."""
    histogram: npt.NDArray[np.int64]
    """(channels, 256) counts of 8-bit RGB values over the sampled pixels, for statistics."""
    sampled: int
    """Pictures that went into `histogram`."""
    encoder: dict[str, Any] = field(default_factory=dict)
    """video.* keys of info.json: g, crf, preset ...; empty when copied."""


TAGGED = ("bt709", "bt2020")
"""Matrices that LeRobot's two decoders read differently."""
LONG_GOP = 15
"""Above this the reader's cost is worth a warning (table in docs/video.md)."""
LONGEST_GOP = 60
"""Above this `copy: auto` encodes: one random read decodes half a GOP on average."""


def decide(rows: Rows, index: PacketIndex, wish: Wish) -> Copy | Encode:
    """Copy when that shows exactly the pictures that `rows` ask for and reads well; else why not.

    rows: (count,) int64, non-decreasing positions in display order, count > 0.
    """
    obstacle = _wish_obstacle(index, wish) or _stream_obstacle(index) or _rows_obstacle(rows)
    if obstacle:
        return Encode(obstacle)
    keys = np.flatnonzero(index.keyframe)
    before = keys[index.display[keys] <= rows[0]]
    if not before.size:
        return Encode("no keyframe at or before the first row")
    first, head, preroll = int(before[-1]), 0, int(rows[0] - index.display[before[-1]])
    if preroll and wish.copy == "auto":
        inside = keys[(index.display[keys] > rows[0]) & (index.display[keys] <= rows[-1])]
        if not inside.size:
            return Encode("the episode lies between two keyframes")
        if (index.formats[0].pix_fmt, index.formats[0].matrix in TAGGED) != ("yuv420p", False):
            return Encode("the episode starts between keyframes of a stream with colour tags of its own")
        first, preroll = int(inside[0]), 0
        head = int(index.display[first] - rows[0])
    count = int(rows.size) - head
    stop = _stop(index, first, preroll + count)
    if stop is None:
        return Encode("pictures are not stored in whole groups")
    gop = int(np.max(np.diff(np.append(keys[(keys >= first) & (keys < stop)], stop))))
    if wish.copy == "auto" and gop > LONGEST_GOP:
        return Encode(f"keyframes are up to {gop} pictures apart, slow to read in training (copy: always keeps them)")
    return Copy(first, stop, preroll, count, head)


def _stop(index: PacketIndex, first: int, needed: int) -> int | None:
    """Where the fewest packets from `first` on end that show `needed` pictures or more without a hole."""
    shown = index.display[first:] - index.display[first]
    highest = np.maximum.accumulate(shown)
    whole = np.flatnonzero(highest == np.arange(shown.size))
    enough = whole[whole >= needed - 1]
    return None if shown.min() < 0 or not enough.size else first + int(enough[0]) + 1


def _wish_obstacle(index: PacketIndex, wish: Wish) -> str:
    if wish.copy == "never":
        return "the plan says copy: never"
    if wish.codec == "png":
        return "pictures are stored as PNG"
    if any(f.codec != wish.codec for f in index.formats):
        return f"the source is {index.formats[0].codec}, the dataset {wish.codec}"
    if wish.size is not None and any((f.width, f.height) != wish.size for f in index.formats):
        fmt = index.formats[0]
        return f"the source is {fmt.width}x{fmt.height}, resized to {wish.size[0]}x{wish.size[1]}"
    return ""


def _stream_obstacle(index: PacketIndex) -> str:
    if len(index.formats) != 1:
        return f"the stream changes its picture format {max(len(index.formats) - 1, 0)} time(s)"
    (fmt,) = index.formats
    if fmt.pix_fmt != "yuv420p" and not (fmt.pix_fmt == "yuvj420p" and fmt.codec != "av1"):
        return f"pixel format {fmt.pix_fmt} reads wrong in LeRobot's decoders or is refused by its tools"
    if fmt.codec == "hevc" and index.reorder_delay > 1:
        # torchcodec 0.11 answers some backward seeks with an earlier picture (meta-pytorch/torchcodec#1339).
        return "H.265 with nested B-frames: random reads in torchcodec would show wrong pictures"
    if index.open_gop:
        return "open groups of pictures: random reads would fail"
    if index.intra_refresh:
        return "intra refresh without keyframes: random reads would fail"
    return ""


def _rows_obstacle(rows: Rows) -> str:
    steps = np.diff(rows)
    repeats, skips = int(np.sum(steps == 0)), int(np.sum(steps > 1))
    if repeats or skips:
        return f"pictures and rows are not one to one ({repeats} repeated, {skips} times some left out)"
    return ""
