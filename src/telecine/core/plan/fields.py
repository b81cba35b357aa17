"""What plan models are made of: the strict base and durations, written as people write them. Pure."""

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


def parse_duration(value: Any) -> Any:
    """Integer ns from "40ms", "1.5s", "200us" or "7ns"; anything else is passed on to fail validation."""
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(ns|us|ms|s)\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write it as 40ms, 0.5s or 200us")
    scale = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[match[2]]
    return round(Fraction(match[1]) * scale)


def format_duration(ns: int) -> str:
    """The shortest text that `parse_duration` reads back as `ns`."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if ns % scale == 0 and ns:
            return f"{ns // scale}{unit}"
    return f"{ns}ns"


def _parse_limit(value: Any) -> Any:
    if value is None or value == "none":
        return None
    return value if value == "auto" else parse_duration(value)


def _format_limit(value: int | str | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else format_duration(value)


def _parse_phase(value: Any) -> Any:
    return value if value == "auto" else parse_duration(value)


Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
Limit = Annotated[
    int | Literal["auto"] | None, BeforeValidator(_parse_limit), PlainSerializer(_format_limit)
]  # None: any age
Phase = Annotated[int | Literal["auto"], BeforeValidator(_parse_phase), PlainSerializer(_format_limit)]


class Model(BaseModel):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class StatsSettings(Model):
    """Which statistics the dataset has beside those of its features."""

    relative: tuple[str, ...] = Field(
        (), description="Features, such as `action`, with statistics of what they are less `observation.state` too."
    )
