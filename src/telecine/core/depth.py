"""Depth as LeRobot 0.6 stores it: distances on 4096 steps that grow with distance, in lossless 12-bit video. Pure.

The formula and its constants are `lerobot.datasets.depth_utils.quantize_depth` and `lerobot.configs.video` of 0.6.1:
code = round(4095 * (ln(d + shift) - ln(min + shift)) / (ln(max + shift) - ln(min + shift))), clipped. A step is 1.2 mm
near the camera and 4.4 mm at 10 m; what lies nearer than 1 cm or is unknown (0) becomes the nearest step, what lies
farther than 10 m the farthest.
"""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

LEVELS = 4096
MIN_M, MAX_M, SHIFT_M = 0.01, 10.0, 3.5
PIX_FMT = "gray12le"
UNIT = "mm"
"""What statistics of depth are in, and what LeRobot gives when loading."""
ENCODER: dict[str, Any] = {
    "video.depth_min": MIN_M, "video.depth_max": MAX_M, "video.shift": SHIFT_M, "video.use_log": True,
}  # fmt: skip
"""The keys of info.json that LeRobot decodes by."""

DepthUnit = Literal["mm", "m"]
LEAST_PX = 16
"""Width and height below which x265 opens no encoder for one channel (measured with 3.5 and 4.1)."""


def depth_size_problem(width: int, height: int) -> str:
    """Why depth of this size cannot be stored; "" when it can. Odd sizes can."""
    if min(width, height) >= LEAST_PX:
        return ""
    return f"depth of {width}x{height} px cannot be stored: its H.265 encoder needs {LEAST_PX} px each way"


def depth_codes(depth: npt.NDArray[Any], unit: DepthUnit) -> npt.NDArray[np.uint16]:
    """Codes, in the shape of `depth`; NaN and negative values count as unknown."""
    scale = np.float32(1000 if unit == "mm" else 1)
    known = np.maximum(np.nan_to_num(depth.astype(np.float32), nan=0.0), np.float32(0))
    low, high = (math.log(float(np.float32(end) * scale + np.float32(SHIFT_M) * scale)) for end in (MIN_M, MAX_M))
    steps = (np.log(known + np.float32(SHIFT_M) * scale) - low) / (high - low) * (LEVELS - 1)
    return np.rint(steps).clip(0, LEVELS - 1).astype(np.uint16)


def depth_levels() -> npt.NDArray[np.float64]:
    """(4096,) mm: what LeRobot reads for each code."""
    low, high = math.log(MIN_M + SHIFT_M), math.log(MAX_M + SHIFT_M)
    metres = np.exp(np.arange(LEVELS) * ((high - low) / (LEVELS - 1)) + low) - SHIFT_M
    return np.asarray(np.rint(np.clip(metres, MIN_M, MAX_M) * 1000), np.float64)


def is_depth(pix_fmt: str) -> bool:
    """Whether a video of this pixel format holds depth."""
    return pix_fmt == PIX_FMT
