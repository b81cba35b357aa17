"""The clocks of messages: what the recorder noted, what the sender stamped, and both put together.

    capture_time    the sender's stamp on the recorder's clock, the recorder's time where stamps cannot be used
    header_stamp    the sender's stamp as it is
    log_time        when the recorder took the message
    publish_time    when it was sent, as far as the recorder knew

Which sender's clock lies where is found from a few messages of each topic; what it means is `core/clocks.py`'s.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from telecine.core.clocks import Domain, domains, faults, format_offset, log_scale, on_stamps, pace, shared_pace
from telecine.core.errors import SourceError
from telecine.core.grid import SECOND, Rows, Times
from telecine.core.recording import ClockKind
from telecine.core.text.numbers import counted
from telecine.core.video import Flags
from telecine.sources.messages.model import (
    LOG_TIME,
    NO_STAMP,
    PUBLISH_TIME,
    MessageClock,
    Topic,
    header_stamps,
    stamp_paths,
)
from telecine.sources.shared.sample_order import Order

CAPTURE = "capture_time"
HEADER = "header_stamp"
SAMPLES = 24
"""Messages of each topic that are sampled to distinguish the senders' clocks."""
_CORRECT = "an `offset` of the stream corrects it: `from: [{{stream: NAME, offset: {}ms}}]` in the plan"
_DO_NOT_FIT = f"topics of other clocks and without timestamps do not fit; leave them out, or use `timeline: {LOG_TIME}`"
Remarks = tuple[tuple[str, str], ...]
"""(finding code, message): what was odd in the samples."""


class Clocks:
    """What the topics of one recording tell about each other's clocks."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = [t for t in topics if t.count and not t.unreadable]

    def recorded(self, topic: Topic, clock: MessageClock) -> Times:
        """(count,) int64 ns as the recorder noted, in order of arrival."""
        times, factor = topic.times(clock), self.scale[0]
        return np.asarray(times if factor == 1 else times * factor, np.int64)

    @cached_property
    def start_ns(self) -> int:
        """When the recorder took the first message of all."""
        return min((int(self.recorded(t, LOG_TIME).min()) for t in self._topics), default=0)

    @cached_property
    def scale(self) -> tuple[int, str]:
        """What the recorder's times have to be multiplied with to be ns, and what they count instead ("": ns)."""
        logged = [log for log, _ in self._sampled.values()]
        stamps = [stamp for _, stamp in self._sampled.values()]
        nothing = np.zeros(0, np.int64)
        return log_scale(np.concatenate([nothing, *logged]), np.concatenate([nothing, *stamps]))

    @cached_property
    def _sampled(self) -> Mapping[str, tuple[Times, Times]]:
        """Topic -> (recorder's times, the sender's stamps) of a few messages, unset ones left out."""
        found = {}
        for topic in self._topics:
            paths = stamp_paths(topic)
            if paths is None:
                continue
            rows = np.unique(np.linspace(0, topic.count - 1, SAMPLES).astype(np.int64))
            try:
                seen = topic.read(paths, rows)
            except SourceError:
                continue  # who asks for the topic will meet it again
            seconds, nanos = (seen.columns[path].values.astype(np.int64) for path in paths)
            stamps = seconds * SECOND + nanos
            there = stamps > 0
            if there.any():
                found[topic.name] = topic.times(LOG_TIME)[seen.rows][there], stamps[there]
        return found

    @cached_property
    def paces(self) -> Mapping[str, float]:
        """Topic -> how fast the clock that stamps it runs against the recorder's, where that can be known."""
        factor, _ = self.scale
        found = {name: pace(stamps, logged * factor) for name, (logged, stamps) in self._sampled.items()}
        return {name: ratio for name, ratio in found.items() if ratio is not None}

    @cached_property
    def pace(self) -> float:
        """That of all stamps, 1 where they differ: a simulation makes all of them run slow or fast together."""
        return shared_pace(self.paces.values())

    @cached_property
    def unstamped(self) -> bool:
        """True where topics have no stamps of their own."""
        return any(topic.name not in self._sampled for topic in self._topics)

    @cached_property
    def domains(self) -> Mapping[str, Domain]:
        """Topic -> the clock that stamps it; where stamps run slow or fast, as it lay at the start of the recording."""
        distances = {}
        for name, (sampled, stamps) in self._sampled.items():
            logged = sampled * self.scale[0]
            drift = np.rint((1 - self.pace) * (logged - self.start_ns)).astype(np.int64)
            distances[name] = int(np.median(logged - stamps - drift))
        return {topic: domain for domain in domains(distances) for topic in domain.topics}

    @cached_property
    def _longest(self) -> tuple[Topic, tuple[Times, Times]] | None:
        """The topic with most usable stamps where all stamps run slow or fast on one clock: (recorder's times, stamps).

        None where stamps run as fast as the recorder's clock, or nobody knows whose clock is meant.
        """
        if self.pace == 1 or len(set(self.domains.values())) != 1:
            return None
        stamped = [topic for topic in self._topics if topic.name in self.domains]
        for topic in sorted(stamped, key=lambda topic: -topic.count):
            stamps, logged = header_stamps(topic), self.recorded(topic, LOG_TIME)
            if stamps is not None and not faults(np.where(stamps == NO_STAMP, 0, stamps), logged):
                order = np.argsort(logged, kind="stable")
                return topic, (logged[order], np.maximum.accumulate(stamps[order]))
        return None

    @property
    def simulated(self) -> bool:
        """True where messages without stamps are moved onto the clock of the others."""
        return self._longest is not None

    def without_stamps(self, logged: Times) -> tuple[Times, Remarks]:
        """The recorder's times of messages without stamps, moved where the stamps of the others run slow or fast."""
        if self._longest is None or not logged.size:
            return logged, ()
        topic, (theirs, stamps) = self._longest
        moved = on_stamps(logged, (theirs, stamps + self.domains[topic.name].offset_ns), self.pace)
        text = f"no timestamps to use, and others run at {self.pace:.3f} of the recorder's clock, as of a simulation"
        return moved, (("clock-pace", f"it has {text}: moved onto theirs by when {topic.name} was received"),)


class TopicTimes:
    """When the messages of one topic were taken, on every clock."""

    def __init__(self, topic: Topic, clocks: Clocks) -> None:
        self.topic = topic
        self.clocks = clocks
        self._of_all: dict[bool, tuple[Order, Remarks]] = {}
        """Of the samples that are in all messages, which the streams of a topic share."""

    @cached_property
    def _stamps(self) -> Times | None:
        return header_stamps(self.topic)

    def order(self, rows: Rows, stamps: Times | None = None, *, now: bool = False) -> tuple[Order, Remarks]:
        """The order of the samples in messages `rows`, and what was odd about their stamps.

        rows: (n,) int64, non-decreasing. stamps: (n,) ns, instead of those in the messages' headers. now: a stamp of
        zero means the time of the message (trajectories) rather than that it was forgotten.
        """
        if stamps is not None or not np.array_equal(rows, np.arange(self.topic.count)):
            return self._order(rows, stamps, now=now)
        if now not in self._of_all:
            self._of_all[now] = self._order(None, None, now=now)
        return self._of_all[now]

    def _order(self, rows: Rows | None, stamps: Times | None, *, now: bool) -> tuple[Order, Remarks]:
        """rows: None for all messages, of which nothing is copied then."""
        logged, published = (self.clocks.recorded(self.topic, clock) for clock in (LOG_TIME, PUBLISH_TIME))
        if rows is not None:
            logged, published = logged[rows], published[rows]
        if stamps is None and self._stamps is not None:
            stamps = self._stamps if rows is None else self._stamps[rows]
        known = {LOG_TIME: logged, PUBLISH_TIME: published}
        there = dict.fromkeys(known, np.ones(logged.size, np.bool_))
        remarks: Remarks = self._scale_remark()
        there[CAPTURE] = there[LOG_TIME]
        if stamps is None:
            known[CAPTURE], more = self.clocks.without_stamps(logged)
            remarks += more
        else:
            stamped = (stamps != NO_STAMP) & (stamps != 0)
            known[HEADER], there[HEADER] = stamps, stamped
            known[CAPTURE], more = self._captured(stamps, stamped, logged, now=now)
            remarks += more
        kinds: dict[str, ClockKind] = {c: "timestamp" for c in (CAPTURE, HEADER, LOG_TIME, PUBLISH_TIME)
                                       if c in known and there[c].any()}  # fmt: skip
        return Order(False, np.arange(logged.size), kinds, known, there), remarks

    def _captured(self, stamps: Times, stamped: Flags, logged: Times, *, now: bool) -> tuple[Times, Remarks]:
        """The sender's stamps on the recorder's clock, or the recorder's own times where they cannot be used."""
        usable = stamped if now else np.ones(stamps.size, np.bool_)
        wrong = faults(np.where(stamps == NO_STAMP, 0, stamps)[usable], logged[usable])
        if wrong or not usable.any():
            captured, remarks = self.clocks.without_stamps(logged)
            if now and not wrong:
                return captured, remarks
            text = f"{wrong} of {counted(stamps.size, 'timestamp')}; the recorder's time is used instead"
            return captured, (("clock-stamps", text), *remarks)
        domain = self.clocks.domains.get(self.topic.name)
        logged, _ = self.clocks.without_stamps(logged)
        if domain is None:
            return np.where(usable, stamps, logged), ()
        return np.where(usable, stamps + domain.offset_ns, logged), self._domain_remarks(domain)

    def _domain_remarks(self, domain: Domain) -> Remarks:
        """What is said of the topic's clock: moved, and why; or that nobody but a person can decide."""
        others = [name for name in domain.topics if name != self.topic.name]
        shared = f", with {', '.join(others[:4])}{' ...' if len(others) > 4 else ''}" if others else ""
        offset = format_offset(domain.distance_ns)
        alone = len(self.clocks.domains) > len(domain.topics) or (self.clocks.unstamped and not self.clocks.simulated)
        code = "clock-offset" if alone else "clock-shared"
        remarks: Remarks = ()
        match domain.relation:
            case "other":
                remarks = ((code, f"stamped by a clock of its own{shared}: moved by {offset} onto the recorder's"),)
            case "later":
                text = f"stamped {-domain.distance_ns / 1e9:.3f} s later than received{shared}, so by another clock"
                remarks = (
                    (
                        "clock-offset",
                        f"{text}: moved by {offset}, which takes its latency for zero; {_CORRECT.format('-30')}",
                    ),
                )
            case "delayed":
                text = f"stamped {domain.distance_ns / 1e9:.3f} s before it was received{shared}, other topics less"
                correct = _CORRECT.format(round(domain.distance_ns / 1e6))
                remarks = (("clock-delayed", f"{text}: latency, or another clock? Not moved; if another, {correct}"),)
        own = self.clocks.paces.get(self.topic.name, 1.0)
        if own != 1:
            unlike = "topics without timestamps are moved onto it" if self.clocks.simulated else _DO_NOT_FIT
            remarks += (("clock-pace", f"its clock runs at {own:.3f} of the recorder's, as of a simulation: {unlike}"),)
        return remarks

    def _scale_remark(self) -> Remarks:
        factor, unit = self.clocks.scale
        return (("clock-unit", f"the recorder's times count {unit}, not ns; taken as such"),) if factor != 1 else ()


def held_from_start(order: Order, start_ns: int) -> Order:
    """The order with the first sample moved to the start of the recording: what a late listener was given, too."""
    if not order.arrival.size:
        return order
    stamps = dict(order.stamps)
    for clock in (CAPTURE, LOG_TIME):
        first = order.by_stamp(clock)[:1]
        moved = stamps[clock].copy()
        moved[first] = np.minimum(moved[first], start_ns)
        stamps[clock] = moved
    return Order(False, order.arrival, order.kinds, stamps, order.there)


def static_order(position: int) -> Order:
    """The order of one value without time, at this position."""
    return Order(True, np.array([position]), {}, {}, {})
