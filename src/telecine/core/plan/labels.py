"""Labels in a plan: out of a text stream of the recording, or span by span. Pure."""

from typing import Any, Self

from pydantic import Field, model_validator

from telecine.core.label import EVENTS, STYLES, StyleName
from telecine.core.plan.episodes import ABSOLUTE_NS, Moment
from telecine.core.plan.fields import Duration, Model
from telecine.core.text.pages import page


class LabelRule(Model):
    """Labels of one style: each text of a stream, until the next one; or a span by hand."""

    style: StyleName = Field(description=f"What the label is; the styles: {page('labels')}")
    stream: str | None = Field(None, alias="from", description="Text stream; a blank text ends the label before it.")
    timeline: str | None = Field(None, description="Timeline of the stream when not the plan's.")
    offset: Duration = Field(0, description="Added to every timestamp of the stream.")
    recording: str | None = Field(None, description="Recording id or file name; any recording if absent.")
    start: Moment | None = Field(
        None, description="Seconds from the start of the recording, or a timestamp in s or ns since 1970."
    )
    stop: Moment | None = Field(None, description="Like `start`; default: the next one's start; of an event: none.")
    text: str | None = Field(None, min_length=1, description="The words.")
    value: float | None = Field(None, description="The number, of intervention (1: human), reward, done and success.")
    role: str | None = Field(None, description="Who says it: user, assistant, system, tool; default: by the style.")
    camera: str | None = Field(None, description="Key of the camera that it is about (vqa, trace).")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.stream is None) is (self.start is None):
            raise ValueError("give `from` (a text stream) or `start` (a span), one of the two")
        if self.stream is not None:
            odd = [n for n in ("recording", "stop", "text", "value") if getattr(self, n) is not None]
            if odd:
                raise ValueError(f"{', '.join(odd)}: has no meaning with `from`")
            return self
        if self.timeline is not None or self.offset:
            raise ValueError("timeline and offset have a meaning with `from` only")
        _check_span(self)
        return self


def _check_span(rule: LabelRule) -> None:
    assert rule.start is not None
    style = STYLES[rule.style]
    if rule.stop is not None and rule.stop <= rule.start:
        raise ValueError("stop does not lie after start")
    if rule.stop is not None and (rule.start >= ABSOLUTE_NS) != (rule.stop >= ABSOLUTE_NS):
        raise ValueError("start and stop are of two kinds; give both in seconds from the start, or both as timestamps")
    if rule.stop is not None and style.column == EVENTS:
        raise ValueError(f"stop: {rule.style} is an event, which has no end")
    if style.is_language and not (rule.text or "").strip():
        raise ValueError(f"text: is needed for {rule.style}")
    if not style.is_language and rule.value is None and rule.text is None:
        raise ValueError(f"value: is needed for {rule.style}")
    if style.needs_camera and rule.camera is None:
        raise ValueError(f"camera: is needed for {rule.style}, which is about what a camera shows")


def label_columns(rules: "tuple[LabelRule, ...]") -> set[str]:
    """Keys of the columns that labels of these rules make."""
    return {STYLES[rule.style].column for rule in rules}


def described(rule: LabelRule) -> dict[str, Any]:
    """The fields of a label that the rule gives."""
    given = {"role": rule.role or "", "camera": rule.camera}
    return given | ({} if rule.stream is not None else {"text": rule.text, "value": rule.value})
