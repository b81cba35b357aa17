"""What the headers of one packet hold about its picture, the same for all codecs."""

from typing import Literal, NamedTuple

from telecine.core.video import FrameFormat

Entry = Literal["none", "key", "cra", "open", "refresh"]
"""Whether decoding can start at a picture.

key: for good (IDR). cra: for good unless leading pictures follow. open: pictures that follow may refer across it.
refresh: the picture becomes whole only some pictures later. none: it cannot.
"""

MATRICES = {1: "bt709", 2: "unspecified", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
"""MatrixCoefficients of ITU-T H.273 by the names of `FrameFormat.matrix`; all others are "other"."""

NOT_H264 = "only H.264 can repeat a frame without encoding it"
ENDLESS = 1 << 30
"""`AccessUnit.repeats` where no picture order count is needed."""
LARGEST_PX = 16_384
"""Width and height above this are taken for damage."""


class AccessUnit(NamedTuple):
    """One packet.

    order: rises with display time among the packets since the last `restart`.
    reference: other pictures of the same or a higher temporal `layer` may refer to it.
    leading: displayed before the entry point that it follows (RASL, RADL).
    problem: why the packet is damaged; the other fields are guesses then.
    repeats: how many skipped pictures may follow that repeat it, as far as its own headers show.
    fixed: why none may, "" when some may.
    repeats_previous: it shows the picture before once more (`core/bitstream/pskip.py`).
    """

    order: int
    restart: bool = False
    entry: Entry = "none"
    reference: bool = True
    layer: int = 0
    leading: bool = False
    format: FrameFormat | None = None
    problem: str = ""
    repeats: int = 0
    fixed: str = NOT_H264
    repeats_previous: bool = False


def pixel_format(chroma: int, depth: int, *, full_range: bool, rgb: bool = False) -> str:
    """FFmpeg's name for planar pictures of chroma_format_idc `chroma` (0 gray, 1 4:2:0, 2 4:2:2, 3 4:4:4).

    Full range shows in the name for 8-bit YUV only, as yuvj*. That holds for AV1 too, which FFmpeg itself does not
    name so: LeRobot's decoders show such a stream wrong, and the name must show it.
    """
    suffix = "" if depth == 8 else f"{depth}le"
    if chroma == 0:
        return f"gray{suffix}"
    if rgb and chroma == 3:
        return f"gbrp{suffix}"
    sampling = {1: "420", 2: "422", 3: "444"}[chroma]
    return f"yuvj{sampling}p" if full_range and depth == 8 else f"yuv{sampling}p{suffix}"
