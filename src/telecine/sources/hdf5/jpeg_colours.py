"""Whether JPEG frames have red and blue exchanged, as far as their pixels say so.

cv2.imencode given RGB makes a JPEG that every other decoder shows with red and blue exchanged, and no attribute tells.
But what robots work on does: skin, wood, cardboard and brass are warm, and the same hues with red and blue exchanged
(a dull blue-grey) are rare. The test for warm hues is the one for skin of Kovac, Peer and Solina, "Human skin colour
clustering for face detection" (2003), at uniform daylight, for dull colours: a blue cube, exchanged, is a red one. A
scene of dull blue and nothing warm would deceive it.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from telecine.core.errors import VideoError
from telecine.core.recording import Array, Image
from telecine.sources.shared.arrays import coding
from telecine.video.decode import coded_frame
from telecine.video.frames.colour import to_rgb

Verdict = Literal["rgb", "bgr", "unknown"]
_ENOUGH = 0.02
"""Share of all pixels that have to be warm one way for the frames to say anything."""
_SURE = 4
"""How many times as many pixels have to be warm one way as the other."""
_THINNED = 4
FRAMES = 3
_LUMINANCE = bytes.fromhex(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933"
    "383740485c4e404457453738506d51575f626768673e4d71797064785c656763"
)
"""ITU-T T.81, table K.1, in zigzag order: what libjpeg, and so cv2.imencode, quantises with at quality 50."""
_TABLE = b"\xff\xdb\x00\x43\x00"


def jpeg_order(array: Any) -> tuple[float, float]:
    """(share of warm pixels as decoded, share with red and blue exchanged) of some rows of coded frames."""
    rows = sorted({int(n) for n in np.linspace(0, array.shape[0] - 1, FRAMES)}) if array.shape[0] else []
    shares = [share for row in rows if (share := _shares(array[row])) is not None]
    return (
        (0.0, 0.0) if not shares else (sum(s[0] for s in shares) / len(shares), sum(s[1] for s in shares) / len(shares))
    )


def is_quality_50(array: Any) -> bool:
    """True where the first coded frame was made at quality 50, as ALOHA's and ACT's own writers ask cv2 for."""
    return _TABLE + _LUMINANCE in _bytes(array[0])[:1024] if array.shape[0] else False


def verdict(shares: Sequence[tuple[float, float]]) -> Verdict:
    """What the frames of several cameras say together.

    >>> verdict([(0.3, 0.01)]), verdict([(0.0, 0.2), (0.01, 0.1)]), verdict([(0.2, 0.2)]), verdict([])
    ('rgb', 'bgr', 'unknown', 'unknown')
    """
    plain, exchanged = (sum(s[side] for s in shares) / max(len(shares), 1) for side in (0, 1))
    if max(plain, exchanged) < _ENOUGH:
        return "unknown"
    return "rgb" if plain >= _SURE * exchanged else "bgr" if exchanged >= _SURE * plain else "unknown"


def _bytes(row: Any) -> bytes:
    return row if isinstance(row, bytes) else np.asarray(row).tobytes()


def _shares(row: Any) -> tuple[float, float] | None:
    data = _bytes(row)
    if coding(data) != "jpeg":
        return None
    try:
        rgb = to_rgb(coded_frame(Image(data, "jpeg"), "frame"))[::_THINNED, ::_THINNED]
    except VideoError:
        return None  # whoever reads that frame says that it is damaged
    return _warm(rgb), _warm(rgb[..., ::-1])


def _warm(rgb: Array) -> float:
    red, green, blue = (rgb[..., i].astype(np.int16) for i in range(3))
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    warm = (red > 95) & (green > 40) & (blue > 20) & (spread > 15) & (red - green > 15) & (green >= blue)
    dull = (3 * spread <= 2 * red) & (7 * (green - blue) >= red - blue)
    return float((warm & dull).mean())
