"""Values that decisions on coded video are made of: formats, packets, settings, clips. None of them holds a frame."""

from dataclasses import field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale
from telecine.core.grid import Rows
from telecine.core.recording import Codec

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What the parameter sets say of every frame."""

    codec: Codec | Literal["png"]
    """"png": frames that go into Parquet, one by one, instead of a video file (preset `images`)."""
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
    display: (n,) int64, the position of each packet's frame in display order, a permutation of range(n).
    disposable: (n,) bool, frames that no other refers to.
    sizes: (n,) int64 bytes.
    formats: every frame format found, in order of appearance.
    problems: places where the stream is damaged, as (packet, what).
    """

    keyframe: Flags
    display: Rows
    disposable: Flags
    sizes: Rows
    formats: tuple[FrameFormat, ...]
    open_gop: bool = False
    """Keyframes exist that later frames refer across (CRA with leading pictures, recovery points only)."""
    intra_refresh: bool = False
    """Recovery points without keyframes after the first."""
    problems: tuple[tuple[int, str], ...] = ()
    repeats: Rows | None = None
    """(n,) int64: how often the frame of each packet can be repeated by skipped pictures put in behind it,
    before the next packet; None: no frame can."""
    no_repeats: str = ""
    """Why some or all frames cannot be repeated so; "" when all can."""
    counts_on: Flags | None = None
    """(n,) bool: keyframes whose order is counted on from the frames before (H.265's CRA); None: no keyframe's is.

    FFmpeg loses such a frame when one of another stream before it happens to have the same order.
    """
    entry_points: Flags | None = None
    """(n,) bool: keyframes, and open entry points, where decoding can start once the frames shown before them are left
    out (H.265's CRA with leading pictures, H.264's recovery points of I pictures); None: there are only keyframes."""

    @property
    def count(self) -> int:
        """Number of packets, one frame each."""
        return int(self.keyframe.size)

    def must_start_file(self, packet: int) -> bool:
        """Whether video that begins with this packet may stand behind no other video (see `counts_on`)."""
        return self.counts_on is not None and bool(self.counts_on[packet])

    @property
    def reorder_delay(self) -> int:
        """How far decode order runs ahead of display order, in frames (0: no B-frames)."""
        if not self.count:
            return 0
        return int(np.max(np.arange(self.count) - self.display, initial=0))

    @property
    def longest_gop(self) -> int:
        """Greatest distance between keyframes, in packets, the end of the stream counting as one."""
        starts = np.flatnonzero(self.keyframe)
        return int(np.max(np.diff(np.append(starts, self.count)), initial=0)) if starts.size else self.count


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How a camera of the dataset is stored, every choice made."""

    codec: Codec | Literal["png"]
    copy: Literal["auto", "always", "never"]
    crf: int
    gop: int
    preset: Literal["train", "lerobot", "archive", "images"]
    size: tuple[int, int] | None = None
    """(width, height) in px, or None to keep the source's."""
    depth: DepthScale | None = None
    """Of distances instead of colours: always encoded without loss, from the frames' full depth."""


@dataclass(frozen=True, slots=True)
class Encode:
    """Decode and re-encode, because `why`."""

    why: str


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """One camera of one episode, coded, in a scratch file, ready to be appended to the dataset's video."""

    key: str
    path: str
    format: FrameFormat
    frames: int
    """Frames in the file: preroll + rows + unused ones after the last row."""
    preroll: int
    reorder_delay: int
    copied: bool
    why: str
    size_bytes: int
    gop: int
    """Longest distance between keyframes."""
    histogram: npt.NDArray[np.int64]
    """(3, 256) counts of 8-bit RGB values, or (1, 4096) of depth codes, over the sampled pixels, for statistics."""
    sampled: int
    """Frames that went into `histogram`."""
    encoded: int = 0
    """Frames that were encoded, from single images or again."""
    repeats: int = 0
    """Skipped pictures put in to repeat the frame before."""
    depth: DepthScale | None = None
    """Of distances instead of colours."""
    starts_file: bool = False
    """Nothing may come before it in a video file (see `PacketIndex.counts_on`)."""
    encoder: dict[str, Any] = field(default_factory=dict)
    """video.* keys of info.json: g, crf, preset ...; empty when copied."""


TAGGED = ("bt709", "bt2020")
"""Matrices that LeRobot's two decoders read differently."""
LONG_GOP = 15
"""Above this the reader's cost is worth a warning (table in docs/video.md)."""
