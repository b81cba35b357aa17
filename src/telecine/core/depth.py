"""Depth as LeRobot 0.6 stores it: distances on 4096 steps that grow with distance, in lossless 12-bit video. Pure.

The formula is that of `lerobot.datasets.depth_utils`, its constants those of `lerobot.configs.video` (0.6.1), unless a
dataset has its own: code = round(4095 * (ln(d + shift) - ln(min + shift)) / (ln(max + shift) - ln(min + shift))),
clipped. A step is 1.2 mm near the camera and 4.4 mm at 10 m; what lies nearer than 1 cm or is unknown (0) becomes the
nearest step, what lies farther than 10 m the farthest.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from telecine.core.dataclass import dataclass

LEVELS = 4096
PIX_FMT = "gray12le"

DepthUnit = Literal["mm", "m"]


@dataclass(frozen=True, slots=True)
class DepthScale:
    """Which distance each code stands for; the defaults are LeRobot's, and those that telecine encodes with.

    min_m, max_m: of codes 0 and 4095. shift_m: added before the logarithm. use_log: False for equal steps.
    unit: what statistics are in.
    """

    min_m: float = 0.01
    max_m: float = 10.0
    shift_m: float = 3.5
    use_log: bool = True
    unit: DepthUnit = "mm"

    @property
    def info(self) -> dict[str, Any]:
        """The keys of info.json that LeRobot decodes by."""
        names = ("depth_min", "depth_max", "shift", "use_log")
        return dict(
            zip((f"video.{n}" for n in names), (self.min_m, self.max_m, self.shift_m, self.use_log), strict=True)
        )

    def levels(self, unit: DepthUnit = "mm") -> npt.NDArray[np.float64]:
        """(4096,) what LeRobot reads for each code: whole millimetres, or metres."""
        ends = (self.min_m, self.max_m)
        low, high = (math.log(end + self.shift_m) for end in ends) if self.use_log else ends
        steps = np.arange(LEVELS) * ((high - low) / (LEVELS - 1)) + low
        metres = np.clip(np.exp(steps) - self.shift_m if self.use_log else steps, self.min_m, self.max_m)
        return np.asarray(metres if unit == "m" else np.rint(metres * 1000), np.float64)

    def codes(self, depth: npt.NDArray[Any], unit: DepthUnit) -> npt.NDArray[np.uint16]:
        """Codes, in the shape of `depth`; NaN and negative values count as unknown."""
        factor = 1000 if unit == "mm" else 1
        low, high, shift = (np.float32(value * factor) for value in (self.min_m, self.max_m, self.shift_m))
        steps = np.maximum(np.nan_to_num(depth.astype(np.float32), nan=0.0), np.float32(0))
        first, last = float(low), float(high)
        if self.use_log:
            steps = np.log(steps + shift)
            first, last = math.log(float(low + shift)), math.log(float(high + shift))
        return np.rint((steps - first) / (last - first) * (LEVELS - 1)).clip(0, LEVELS - 1).astype(np.uint16)


def depth_scale(info: Mapping[str, Any]) -> DepthScale:
    """The scale of a depth camera's entry in info.json; what it does not state is as LeRobot takes it.

    Raises: ValueError for a scale by which LeRobot could decode nothing.
    """
    usual = DepthScale()
    stated = {name: usual.info[name] if info.get(name) is None else info[name] for name in usual.info}
    low, high, shift, use_log = stated.values()
    if not all(isinstance(value, int | float) for value in (low, high, shift)) or not isinstance(use_log, bool):
        raise ValueError(f"depth in unknown steps: {stated}")
    if not low < high or (use_log and low + shift <= 0):
        raise ValueError(f"depth in impossible steps: {stated}")
    units: dict[Any, DepthUnit] = {None: "mm", "mm": "mm", "m": "m"}
    unit = info.get("depth_unit")
    if not isinstance(unit, str | None) or unit not in units:
        raise ValueError(f"depth in {unit!r}, expected mm or m")
    return DepthScale(float(low), float(high), float(shift), use_log, units[unit])


LEAST_PX = 16
"""Width and height below which x265 opens no encoder for one channel (measured with 3.5 and 4.1)."""


def depth_size_problem(width: int, height: int) -> str:
    """Why depth of this size cannot be stored; "" when it can. Odd sizes can."""
    if min(width, height) >= LEAST_PX:
        return ""
    return f"depth of {width}x{height} px cannot be stored: its H.265 encoder needs {LEAST_PX} px each way"


def is_depth(pix_fmt: str) -> bool:
    """Whether a video of this pixel format holds depth."""
    return pix_fmt == PIX_FMT
