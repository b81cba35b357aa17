"""Short captions on frames, in capitals of five by seven pixels; no font file is needed."""

import numpy as np

from telecine.core.video import Flags
from telecine.video.frames.colour import Rgb

_SHAPES = """
0=EHJLPHE 1=4C4444E 2=EH1248V 3=V2421HE 4=26AIV22 5=VGU11HE 6=68GUHHE 7=V124888 8=EHHEHHE 9=EHHF12C
A=EHHVHHH B=UHHUHHU C=EHGGGHE D=SIHHHIS E=VGGUGGV F=VGGUGGG G=EHGNHHF H=HHHVHHH I=E44444E J=72222IC
K=HIKOKIH L=GGGGGGV M=HRLLHHH N=HHPLJHH O=EHHHHHE P=UHHUGGG Q=EHHHLID R=UHHUKIH S=FGGE11U T=V444444
U=HHHHHHE V=HHHHHA4 W=HHHLLLA X=HHA4AHH Y=HHHA444 Z=V1248GV .=00000CC ,=0000C48 :=0CC0CC0 -=000V000
_=000000V /=01248G0 (=2488842 )=8422248 +=044V440 %=OP248J3 #=AAVAVAA ?=EH12404
"""
"""Seven rows of five pixels each, as digits of base 32; the left pixel counts most."""
_GLYPHS = dict(pair.split("=", 1) for pair in _SHAPES.split())
HEIGHT_PX = 11


def caption(text: str, width_px: int) -> Rgb:
    """(11, width_px, 3) uint8: dark text on white, cut where it does not fit; what has no glyph is a "?".

    >>> caption("front 1.5 s", 80).shape
    (11, 80, 3)
    """
    made = np.full((HEIGHT_PX, width_px, 3), 255, np.uint8)
    for position, letter in enumerate(text.upper()[: (width_px - 2) // 6]):
        if letter != " ":
            left = 2 + 6 * position
            made[2:9, left : left + 5][_glyph(letter)] = (30, 30, 30)
    return made


def _glyph(letter: str) -> Flags:
    """(7, 5) bool."""
    rows = [int(digit, 32) for digit in _GLYPHS.get(letter, _GLYPHS["?"])]
    return np.array([[bool(row >> bit & 1) for bit in (4, 3, 2, 1, 0)] for row in rows])
