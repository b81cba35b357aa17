"""The labels of an episode's rows: what the recording says itself, and what the plan takes from texts and spans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from telecine.core.episode import EpisodeFacts
from telecine.core.errors import AlignError
from telecine.core.findings import Finding
from telecine.core.grid import Times
from telecine.core.label import STYLES, Label, TimedLabels, label_problems
from telecine.core.labels.spans import at_ticks, open_rows, over, until_next
from telecine.core.outcome import WORDS
from telecine.core.plan.bind import Binding, Source
from telecine.core.plan.episodes import ABSOLUTE_NS
from telecine.core.plan.labels import LabelRule, described
from telecine.core.plan.model import Plan
from telecine.core.recording import STATIC_NS, Recording
from telecine.core.resample.split import ends
from telecine.core.text.numbers import counted

_NAMED = 5
"""Problems that one message names."""


def labels_at(
    recording: Recording, plan: Plan, binding: Binding, ticks: Times
) -> tuple[tuple[Label, ...], tuple[Finding, ...]]:
    """(labels of the rows at `ticks`, what is to be said of them). ticks: (n,) int64 ns, rising.

    What the plan says goes over what the recording says.

    Raises: AlignError: labels of the plan contradict each other, or need what is not there.
    """
    where, cameras = recording.ref.label, [b.feature.key for b in binding.features if b.is_camera]
    timeline, end = plan.clock.timeline, int(ticks[-1]) + 1
    own = [label for timed in recording.labels if timed.clock == timeline for label in timed.labels]
    planned = _of_spans(plan.labels, recording, binding, end)
    planned += [label for rule, source in binding.labels for label in _of_stream(rule, source, end)]
    stated, lost = at_ticks(own, ticks)
    given, more = at_ticks(planned, ticks)
    if problems := [problem.text for problem in label_problems(given, len(ticks), cameras)]:
        listed = "; ".join(problems[:_NAMED]) + (f" and {len(problems) - _NAMED} more" if len(problems) > 5 else "")
        raise AlignError(f"{where}: {counted(len(problems), 'wrong label')} of the plan, by rows: {listed}")
    stated, odd = _sound(stated, len(ticks), cameras)
    findings = [*odd, *_lost((*lost, *more), ticks, recording)]
    here = [_said(timed) for timed in recording.labels if timed.clock == timeline]
    elsewhere = [timed for timed in recording.labels if timed.clock != timeline and _said(timed) not in here]
    if elsewhere:
        count, clocks = sum(len(t.labels) for t in elsewhere), ", ".join(t.clock for t in elsewhere)
        text = f"{counted(count, 'label is', 'labels are')} on {clocks}, not on {timeline}: left out"
        findings.append(Finding("label-lost", "warning", where, text, f"convert with --index {elsewhere[0].clock}"))
    labels = over(stated, given)
    for style, rows in open_rows(labels, len(ticks)).items():
        text = (
            f"{counted(rows, 'row')} behind the end of a {style} without one; LeRobot shows the last one until the next"
        )
        findings.append(Finding("label-open", "info", where, text, "label these rows too, e.g. `idle`"))
    return labels, tuple(findings)


def _said(timed: TimedLabels) -> list[tuple[str, str | None]]:
    """What labels say, whatever their clock."""
    return [(label.style, label.text) for label in timed.labels]


def with_success(facts: EpisodeFacts, labels: Sequence[Label], count: int) -> EpisodeFacts:
    """The facts with the success that a label of the last of `count` rows states."""
    said = next((one for one in labels if one.style == "success" and one.stop == count), None)
    if said is None:
        return facts
    return replace(facts, success=bool(said.number), outcome=WORDS[bool(said.number)])


def _of_spans(rules: Sequence[LabelRule], recording: Recording, binding: Binding, end: int) -> list[Label]:
    spans = [rule for rule in rules if rule.start is not None]
    own = [rule for rule in spans if rule.recording is None or rule.recording in recording.ref.names]
    origin = ends(binding)[0] if own else 0
    found = []
    for rule in own:
        start, stop = (None if t is None else t if t >= ABSOLUTE_NS else origin + t for t in (rule.start, rule.stop))
        assert start is not None
        found.append(Label(start, max(end, start + 1) if stop is None else stop, rule.style, **described(rule)))
    return until_next(found, [rule.stop is None for rule in own])


def _of_stream(rule: LabelRule, source: Source, end: int) -> Iterator[Label]:
    """A label for each text, until the next one."""
    stream, times = source.stream, source.times()
    assert stream.kind == "text"
    texts = [text.strip() for text in stream.take(np.arange(times.size), source.clock)]
    starts = times.tolist()
    for start, stop, text in zip(starts, [*starts[1:], max(end, *starts[-1:], STATIC_NS + 1)], texts, strict=True):
        if text and start < stop:
            yield Label(start, stop, rule.style, text, **described(rule))


def _sound(labels: Sequence[Label], count: int, cameras: Sequence[str]) -> tuple[tuple[Label, ...], list[Finding]]:
    """The labels of a recording without those that no dataset can have; of two that hold at once the later counts."""
    found: list[Finding] = []
    staying: tuple[Label, ...] = ()
    for label in labels:
        problems = list(label_problems([label], count, cameras)) if label.style in STYLES else []
        if problems:
            text = f"a label of the recording is left out: {problems[0].text}"
            found.append(Finding("label-lost", "warning", "labels", text, rows=problems[0].rows))
        else:
            staying = over(staying, [label])
    return staying, found


def _lost(labels: Sequence[Label], ticks: Times, recording: Recording) -> Iterator[Finding]:
    """Labels that no row has; those of other parts of the recording are no loss."""
    first, last = int(ticks[0]), int(ticks[-1])
    inside = [one for one in labels if one.stop > first and one.start <= last]
    outside = len(labels) - len(inside)
    if inside:
        named = ", ".join(f"{one.style} {one.text or ''}".strip() for one in inside[:_NAMED])
        text = f"{counted(len(inside), 'label')} between two rows, which no row has: {named}"
        yield Finding("label-lost", "warning", recording.ref.label, text, "raise fps, or lengthen them")
    if outside and recording.ref.part is None:
        text = f"{counted(outside, 'label')} outside of the {counted(len(ticks), 'row')} of the episode"
        yield Finding("label-lost", "warning", recording.ref.label, text)
