"""Joints: numbers that are matched by name, message by message, since senders reorder, leave out and omit names.

Knows JointState, controller states, trajectories (of which the first or the last point is taken), DynamicJointState and
foxglove.JointStates by their shape: a list of names beside lists of numbers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.core.naming import numbered
from telecine.core.recording import Array
from telecine.core.text.numbers import counted_of
from telecine.sources.messages.clocks import Remarks, TopicTimes
from telecine.sources.messages.model import Leaf, LeafColumn, Topic
from telecine.sources.messages.vectors import NumberStream, TopicSamples, floats_of, sampled_rows, unreadable

MOST_SETS = 16
"""Streams that one list of a topic can become."""
_CLEARLY_MORE = 1.1
"""So many times more messages have to have some of the joints for these to be a set of their own."""
_NAMES = ("name[]", "joint_names[]", "names[]", "joints[].name")
_DYNAMIC = ("joint_names[]", "interface_values[].interface_names[]", "interface_values[].values[]")
_POINTS = "points[]."
TrajectoryPoint = Literal["first", "last"]
_TRAJECTORY_POINTS: tuple[TrajectoryPoint, ...] = ("first", "last")


@dataclass(frozen=True, slots=True)
class Joints:
    """One list of numbers and the list of names that goes with it.

    name: what stands behind the topic's name. inner: a second list of names, one for each of the first's (then values
    are called "joint/interface"). point: which point of a trajectory.
    """

    name: str
    names: str
    values: str
    inner: str | None = None
    point: TrajectoryPoint | None = None


def joint_lists(leaves: Sequence[Leaf]) -> Iterator[Joints]:
    """Every list of numbers in a message that goes with a list of names."""
    known = {leaf.path: leaf for leaf in leaves}
    if set(_DYNAMIC) <= set(known):
        yield Joints("values", _DYNAMIC[0], _DYNAMIC[2], inner=_DYNAMIC[1])
        return
    owners = {leaf.path.removesuffix(n): leaf.path for leaf in leaves for n in _NAMES if _names_items(leaf, n)}
    for path, leaf in known.items():
        if leaf.dtype == "string" or leaf.dtype == "bool":
            continue
        lead = max((prefix for prefix in owners if path.startswith(prefix)), key=len, default=None)
        if lead is not None:
            yield from _lists_at(path, lead, owners[lead])


def _names_items(leaf: Leaf, names: str) -> bool:
    """True for a list of names, of the message or of a structure in it (`data.name[]` beside `data.position[]`)."""
    path = f".{leaf.path}"
    return leaf.dtype == "string" and path.endswith(f".{names}") and path.count("[]") == 1


def _lists_at(path: str, lead: str, names: str) -> Iterator[Joints]:
    """The list of numbers at `path`, of the structure with the prefix `lead`, which has `names`."""
    field = path.removeprefix(lead)
    if names.endswith("joints[].name"):
        if field.startswith("joints[].") and path.count("[]") == 1:
            yield Joints(f"{lead}{field.removeprefix('joints[].')}", names, path)
    elif field.startswith(_POINTS) and path.endswith("[]") and path.count("[]") == 2:
        for point in _TRAJECTORY_POINTS:
            inner = field.removeprefix(_POINTS).removesuffix("[]")
            yield Joints(f"{lead}{point}.{inner}", names, path, point=point)
    elif path.endswith("[]") and path.count("[]") == 1:
        yield Joints(path.removesuffix("[]"), names, path)


def joint_streams(lead: str, times: TopicTimes, lists: Sequence[Joints]) -> Iterator["JointStream"]:
    """The streams of a topic: one for each list, and for each set of joints that messages share.

    Lists that are empty, absent or NaN in all sampled messages are no streams.
    """
    topic = times.topic
    rows = sampled_rows(topic)
    for joints in lists:
        found = _read(topic, joints, rows)
        sets = _sets(found) if not np.isnan(found.values).all() else []
        known = frozenset(name for names in sets for name in names)
        for number, names in enumerate(sets):
            suffix = f"({names[0]})" if number else ""
            yield JointStream(f"{lead}:{joints.name}{suffix}", times, joints, names, known=known)


@dataclass(frozen=True, slots=True)
class _Named:
    """k messages: names as codes in `texts` and values, each with (k + 1,) bounds."""

    rows: Rows
    texts: tuple[str, ...]
    codes: Rows
    name_bounds: Rows
    values: Array
    bounds: Rows
    remarks: Remarks


def _read(topic: Topic, joints: Joints, rows: Rows | None = None) -> _Named:
    paths = [joints.names, joints.values, *([joints.inner] if joints.inner else [])]
    seen = topic.read(paths, rows)
    names, values = seen.columns[joints.names], seen.columns[joints.values]
    numbers = floats_of(values)
    remarks = unreadable(seen, topic)
    if joints.inner:
        texts, codes = _joined(names, seen.columns[joints.inner])
        bounds = values.bounds[1][values.bounds[0]]
        return _Named(seen.rows, texts, codes, bounds, numbers, bounds, remarks)
    bounds = values.bounds[0]
    if joints.point is not None:
        return _at_point(joints.point, seen.rows, names, values, remarks)
    return _Named(seen.rows, names.texts or (), names.values, names.bounds[0], numbers, bounds, remarks)


def _joined(outer: LeafColumn, inner: LeafColumn) -> tuple[tuple[str, ...], Rows]:
    """Codes of "joint/interface" for each inner name."""
    joints, interfaces = outer.texts or (), inner.texts or ()
    owners = np.repeat(outer.values, np.diff(inner.bounds[1])) if len(outer.values) else outer.values
    if len(owners) != len(inner.values):
        raise SourceError("joints and interface lists are not of one length")
    pairs = owners * max(len(interfaces), 1) + inner.values
    used, codes = np.unique(pairs, return_inverse=True)
    texts = tuple(f"{joints[p // len(interfaces)]}/{interfaces[p % len(interfaces)]}" for p in used.tolist())
    return texts, codes


def _at_point(point: TrajectoryPoint, rows: Rows, names: LeafColumn, values: LeafColumn, remarks: Remarks) -> _Named:
    """The first or last point of each trajectory; one without points cancels, and holds no position."""
    points, bounds = values.bounds
    some = np.flatnonzero(np.diff(points) > 0)
    chosen = points[some] if point == "first" else points[some + 1] - 1
    starts, lengths = bounds[chosen], bounds[chosen + 1] - bounds[chosen]
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    picked = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
    used = names.take(some)
    numbers = np.asarray(values.values[picked], np.float64)
    return _Named(rows[some], used.texts or (), used.values, used.bounds[0], numbers, ends, remarks)


def _sets(found: _Named) -> list[tuple[str, ...]]:
    """The sets of joints that messages share, at most `MOST_SETS`, no joint in two of them; [()] for nameless values.

    The set that most messages have exactly comes first, or the part of it that clearly more messages have; then what is
    left of the messages in the same way. So a joint that only some messages have costs none, or few, of the others. The
    set with most values is moved to the front.
    """
    counts: Counter[frozenset[str]] = Counter()
    order: dict[frozenset[str], tuple[str, ...]] = {}
    values: list[tuple[int, tuple[str, ...]]] = []
    some = np.flatnonzero(np.diff(found.bounds) > 0).tolist()
    for i in some:
        names = _distinct(found, i)
        order.setdefault(frozenset(names), names)
        counts[frozenset(names)] += 1
    while (named := [one for one in counts if one]) and len(values) < MOST_SETS:
        best = max(named, key=lambda one: (counts[one], len(one)))
        holders = {one: sum(count for other, count in counts.items() if other >= one) for one in named if one <= best}
        more = [one for one, count in holders.items() if count > _CLEARLY_MORE * holders[best]]
        best = max(more, key=lambda one: (holders[one], len(one)), default=best)
        values.append((holders[best] * len(best), order[best]))
        left: Counter[frozenset[str]] = Counter()
        for one, count in counts.items():
            left[one - best] += count
            order.setdefault(one - best, tuple(name for name in order[one] if name not in best))
        counts = left
    most = max((number for number, _ in values), default=0)
    sets = [names for _, names in sorted(values, key=lambda item: item[0] != most)]
    return sets if sets or not some else [()]


def _distinct(found: _Named, i: int) -> tuple[str, ...]:
    """The names in message i that stand there once; () when there are not as many names as values."""
    codes = found.codes[found.name_bounds[i] : found.name_bounds[i + 1]].tolist()
    if len(codes) != found.bounds[i + 1] - found.bounds[i]:
        return ()
    times = Counter(codes)
    return tuple(found.texts[code] for code in codes if times[code] == 1)


class JointStream(NumberStream):
    """The values of one set of joints, in the order of the first complete message.

    names: of the set; () for messages without names, whose elements are then called after the topic.
    known: the joints of all streams of the list.
    """

    def __init__(
        self, name: str, times: TopicTimes, joints: Joints, names: tuple[str, ...], *, known: frozenset[str]
    ) -> None:
        super().__init__(name, times)
        self._joints, self._names, self._known = joints, names, known
        self.now = joints.point is not None

    def _read(self) -> TopicSamples:
        found = _read(self._topic, self._joints)
        if not self._names:
            return self._nameless(found)
        position = {name: i for i, name in enumerate(self._names)}
        wanted = np.array([position.get(text, -1) for text in found.texts], np.int64)
        width = len(self._names)
        order = _one_order(found, wanted, width)
        if order is not None:
            values = found.values.reshape(-1, width)[:, order].reshape(-1)
            return TopicSamples(found.rows, values, found.bounds, self._names, remarks=found.remarks)
        rows, picks, lacking = _by_message(found, wanted, width)
        values = found.values[np.concatenate([np.zeros(0, np.int64), *picks])]
        bounds = np.arange(len(picks) + 1, dtype=np.int64) * width
        remarks = found.remarks + self._lacking(lacking) + self._lost(found)
        return TopicSamples(found.rows[rows], values, bounds, self._names, remarks=remarks)

    def _lacking(self, count: int) -> Remarks:
        if not count:
            return ()
        text = (
            f"{counted_of(count, self._topic.count, 'message', 'does', 'do')} not have a value for each of "
            f"{', '.join(self._names[:4])}"
        )
        return (("source-messages", f"{text}{' ...' if len(self._names) > 4 else ''}; they are left out"),)

    def _lost(self, found: _Named) -> Remarks:
        """Of the first stream of a list: joints that no stream has."""
        if self.name.endswith(")") or not (lost := [name for name in found.texts if name not in self._known]):
            return ()
        text = f"values of {', '.join(lost[:4])}{' ...' if len(lost) > 4 else ''} are in no stream: few messages have "
        return (("source-messages", f"{text}them, or they stand twice in a message"),)

    def _nameless(self, found: _Named) -> TopicSamples:
        lengths = np.diff(found.bounds)
        rows, used = found.rows[lengths > 0], lengths[lengths > 0]
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(used)])
        topic = self._topic.name.strip("/").replace("/", "_")
        names = numbered(topic, int(used[0]) if used.size else 0)
        remarks = found.remarks
        if found.codes.size:
            text = (
                "its names do not fit its values: there are more or fewer of them, or all are alike; values are called"
            )
            remarks += (("source-messages", f"{text} {topic}_0, {topic}_1 ... by their position"),)
        return TopicSamples(rows, found.values, bounds, names, remarks=remarks)


def _one_order(found: _Named, wanted: Rows, width: int) -> Rows | None:
    """The order of the names where all messages have the same, each with a value; else None."""
    if not len(found.rows) or np.any(np.diff(found.bounds) != width) or np.any(np.diff(found.name_bounds) != width):
        return None
    codes = found.codes.reshape(-1, width)
    return _order_of(wanted[codes[0]], width) if (codes == codes[0]).all() else None


def _by_message(found: _Named, wanted: Rows, width: int) -> tuple[list[int], list[Rows], int]:
    """(messages that have all joints, where their values stand, how many have some of them only)."""
    used: list[int] = []
    picks: list[Rows] = []
    orders: dict[bytes, Rows | None] = {}
    lacking = 0
    for i in np.flatnonzero(np.diff(found.bounds)).tolist():
        start, stop = int(found.bounds[i]), int(found.bounds[i + 1])
        codes = found.codes[found.name_bounds[i] : found.name_bounds[i + 1]]
        key = codes.tobytes()
        if key not in orders:
            orders[key] = _order_of(wanted[codes], width)
        order = orders[key]
        if order is None or stop - start != codes.size:
            lacking += bool(np.any(wanted[codes] >= 0)) or not codes.size
            continue
        used.append(i)
        picks.append(start + order)
    return used, picks, lacking


def _order_of(positions: Rows, width: int) -> Rows | None:
    """Where in a message each wanted joint stands; None unless each is there exactly once."""
    there = np.flatnonzero(positions >= 0)
    if there.size != width or np.unique(positions[there]).size != width:
        return None
    return there[np.argsort(positions[there])]
