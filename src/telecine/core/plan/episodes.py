"""The parts of a plan that cut recordings: several episodes out of one, and idle time at its ends."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from telecine.core.plan.fields import Duration, Model, format_duration, parse_duration
from telecine.core.text.numbers import fraction_of

ABSOLUTE_NS = 10**17
"""Moments from here on (1973 in Unix time) are stamps; below they count from the start of the recording."""


def split_advice(stream: str, gap_ns: int) -> str:
    """What makes episodes of the parts between pauses of a stream that are longer than `gap_ns`.

    >>> split_advice("/cam", 250_000_000)
    "`split: {gaps: 250ms, stream: '/cam'}` makes episodes of what lies between"
    """
    return f"`split: {{gaps: {format_duration(gap_ns)}, stream: '{stream}'}}` makes episodes of what lies between"


def parse_moment(value: Any) -> Any:
    """Integer ns from 12.5 or "12.5" (s), "12.5s", "800ms", or a stamp in s or ns since 1970."""
    text = str(value).strip()
    if not re.fullmatch(r"\d+(\.\d+)?(e\+?\d+)?", text):
        return parse_duration(value)
    number = fraction_of(text)
    return int(number) if number >= ABSOLUTE_NS else round(number * 10**9)


def _format_moment(ns: int) -> int | str:
    return ns if ns >= ABSOLUTE_NS else format_duration(ns)


Moment = Annotated[int, BeforeValidator(parse_moment), PlainSerializer(_format_moment)]


class EpisodeSpan(Model):
    """One episode by hand: a span of a recording, with what is known of it."""

    recording: str | None = Field(None, description="Recording id or file name; any recording if absent.")
    start: Moment = Field(description="Seconds from the start of the recording, or a timestamp in s or ns since 1970.")
    stop: Moment = Field(description="Like `start`.")
    task: str | None = Field(None, description="Task of this episode; default: the plan's.")
    success: bool | None = Field(None, description="Whether it went well; stored with the episode.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stop <= self.start:
            raise ValueError(f"stop {_format_moment(self.stop)} does not lie after start {_format_moment(self.start)}")
        if (self.start >= ABSOLUTE_NS) != (self.stop >= ABSOLUTE_NS):
            raise ValueError(
                "start and stop are of two kinds; give both in seconds from the start, or both as timestamps"
            )
        if self.task is not None and not self.task.strip():
            raise ValueError("the task text is empty; policies are conditioned on it")
        return self


class Split(Model):
    """Several episodes out of one recording: by exactly one of `gaps`, `marker` and `spans`."""

    gaps: Duration | None = Field(None, description="A pause of more than this ends an episode.")
    stream: str | None = Field(None, description="With gaps: whose pauses count; default: when no stream has samples.")
    marker: str | None = Field(None, description="A stream of numbers or text that separates episodes.")
    edges: Literal["high", "change"] = Field(
        "high", description="With marker: an episode while it is not zero, or a new one at every change."
    )
    start: str | None = Field(None, description="With marker: the value that starts an episode.")
    stop: str | None = Field(None, description="With start: the value that ends it; default: the next start.")
    spans: tuple[EpisodeSpan, ...] | None = Field(None, description="The episodes, one by one.")
    shortest: Duration = Field(0, description="Shorter episodes are left out, and named.")

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """YAML reads `start: 1` as a number and `start: on` as a truth value; markers are compared as text."""
        if not isinstance(value, Mapping):
            return value
        return {k: _plain(v) if k in ("start", "stop") and v is not None else v for k, v in value.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("gaps", "marker", "spans") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of gaps, marker and spans, got {', '.join(given) or 'none'}")
        if self.gaps is not None and self.gaps <= 0:
            raise ValueError("gaps: a pause longer than zero is needed, e.g. 2s")
        if self.spans is not None and not self.spans:
            raise ValueError("spans: none given")
        if self.stream is not None and self.gaps is None:
            raise ValueError("stream: has a meaning with gaps only")
        if self.marker is None and (self.start is not None or self.stop is not None or self.edges != "high"):
            raise ValueError("start, stop and edges have a meaning with marker only")
        if self.start is None and self.stop is not None:
            raise ValueError("stop: give `start` as well")
        if self.start is not None and self.edges != "high":
            raise ValueError("edges: leave it out where `start` is given")
        return self

    @property
    def needs_numbers(self) -> bool:
        """The marker is read as high or low."""
        return self.marker is not None and self.start is None and self.edges == "high"


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


class Trim(Model):
    """Idle time at the start and the end of episodes left out."""

    still: float = Field(gt=0, description="What moves less than this, in units of its stream, counts as still.")
    margin: Duration = Field(
        500_000_000, ge=0, description="Time that stays before the first and after the last motion."
    )
    by: tuple[str, ...] = Field((), description="Streams whose motion counts; default: action and observations.")
