"""Operators on the numbers of a feature: declared in the plan, and reversible from it. Pure.

Units, range, scale and offset_by make y = gain * x + bias of each element x, in this order. What a policy predicts from
such numbers goes back to the robot by `ElementMap.undo`.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_validator

from telecine.core.dataclass import dataclass
from telecine.core.plan.fields import Model
from telecine.core.text.numbers import counted

Numbers = npt.NDArray[np.float64]
UNITS: dict[str, tuple[str, float]] = {
    "rad": ("an angle", 1.0), "deg": ("an angle", math.pi / 180), "turn": ("an angle", 2 * math.pi),
    "m": ("a length", 1.0), "cm": ("a length", 0.01), "mm": ("a length", 0.001), "inch": ("a length", 0.0254),
    "s": ("a time", 1.0), "ms": ("a time", 0.001), "N": ("a force", 1.0), "kN": ("a force", 1000.0),
}  # fmt: skip
"""Unit -> (what it measures, how many of the first unit of its kind it is)."""


def _parse_elements(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Elements = Annotated[float | tuple[float, ...] | None, BeforeValidator(_parse_elements)]


class Operators(Model):
    """What is done to each number, in the order units, range, scale, offset_by."""

    units: str | None = Field(
        None, description="Units that are changed, e.g. `deg to rad`; or that the numbers have and keep, e.g. `rad`."
    )
    range: tuple[float, float] | None = Field(
        None, description="[a, b]: values that become 0 and 1, e.g. a gripper's closed and open width."
    )
    scale: Elements = Field(None, description="Factor, one for all elements or a list with one for each.")
    offset_by: Elements = Field(None, description="Added to the values (`offset` is for time), one or one for each.")

    @model_validator(mode="after")
    def _reversible(self) -> Self:
        if self.units is not None:
            _factor(self.units)
        if self.range is not None and not (np.isfinite(self.range).all() and self.range[0] != self.range[1]):
            raise ValueError(f"range {list(self.range)}: two different numbers, which become 0 and 1")
        for name, value in (("scale", self.scale), ("offset_by", self.offset_by)):
            if value is not None and not np.isfinite(value).all():
                raise ValueError(f"{name} {value}: numbers only")
        if self.scale is not None and not np.all(self.scale):
            raise ValueError(f"scale {self.scale}: a factor of 0 cannot be undone")
        return self

    @property
    def changes_values(self) -> bool:
        """Whether any of them is given."""
        return bool(self.described)

    @property
    def described(self) -> str:
        """For the report: "deg to rad, range 0 to 0.08, scale 2"; "" without any."""
        parts = [self.units] if self.units and self.units not in UNITS else []
        parts += [f"range {self.range[0]:g} to {self.range[1]:g}"] if self.range else []
        named = (("scale", self.scale), ("offset_by", self.offset_by))
        return ", ".join([*parts, *(f"{name} {value}" for name, value in named if value is not None)])


def _factor(units: str) -> float:
    """What numbers are multiplied by: 1 where their unit is stated and stays."""
    if units in UNITS:
        return 1.0
    before, _, after = (part.strip() for part in units.partition(" to "))
    for unit in (before, after):
        if unit not in UNITS:
            raise ValueError(
                f"units {units!r}: write it as `deg to rad`, or `rad` where they stay; known are {', '.join(UNITS)}"
            )
    (kind, size), (other_kind, other_size) = UNITS[before], UNITS[after]
    if kind != other_kind:
        raise ValueError(f"units {units!r}: {before} is {kind}, {after} is {other_kind}")
    return size / other_size


@dataclass(frozen=True, eq=False, slots=True)
class ElementMap:
    """y = gain * x + bias for each of w elements; gain, bias: (w,) float64, no gain is 0.

    >>> half = ElementMap(np.array([0.5]), np.array([1.0]))
    >>> half.undo(half.apply(np.array([[3.0]]))).tolist()
    [[3.0]]
    """

    gain: Numbers
    bias: Numbers

    def apply(self, values: npt.NDArray[Any]) -> Numbers:
        """(..., w) values as the dataset has them."""
        return values.astype(np.float64) * self.gain + self.bias

    def undo(self, values: npt.NDArray[Any]) -> Numbers:
        """(..., w) values as the recording, or the robot, has them."""
        return (values.astype(np.float64) - self.bias) / self.gain

    def then(self, other: "ElementMap") -> "ElementMap":
        """This map, and then another one."""
        return ElementMap(self.gain * other.gain, self.bias * other.gain + other.bias)


def element_map(operators: Operators, width: int) -> ElementMap:
    """The map that `operators` make of `width` elements. Raises: ValueError for lists of another length."""
    gain, bias = _constant(1.0, width), _constant(0.0, width)
    if operators.units is not None:
        gain = gain * _factor(operators.units)
    if operators.range is not None:
        low, high = operators.range
        gain, bias = gain / (high - low), bias - np.float64(low / (high - low))
    for name, value in (("scale", operators.scale), ("offset_by", operators.offset_by)):
        if isinstance(value, tuple) and len(value) != width:
            raise ValueError(f"{name}: {counted(len(value), 'number')} for {counted(width, 'element')}")
    if operators.scale is not None:
        gain, bias = gain * np.asarray(operators.scale), bias * np.asarray(operators.scale)
    if operators.offset_by is not None:
        bias = bias + np.asarray(operators.offset_by)
    return ElementMap(gain, bias)


def _constant(value: float, width: int) -> Numbers:
    return np.full(width, value)


def joined_map(sources: Sequence[Operators], whole: Operators, widths: Sequence[int]) -> ElementMap:
    """Of a feature: the maps of its streams, of `widths` elements, side by side, and then that of the whole.

    The way from a dataset back to the robot: `plan = parse_plan((root / "meta/telecine/plan.yaml").read_text())`, then
    `joined_map(feature.sources, feature, widths).undo(values)` with a feature of `plan.features`.
    """
    parts = [element_map(one, width) for one, width in zip(sources, widths, strict=True)]
    side_by_side = ElementMap(
        np.concatenate([np.zeros(0), *(p.gain for p in parts)]), np.concatenate([np.zeros(0), *(p.bias for p in parts)])
    )
    return side_by_side.then(element_map(whole, sum(widths)))
