"""Recorded messages as columns: what the containers (.mcap, .db3, .bag) give, and what streams are made of.

The containers (`sources/mcap`, `rosbag2`, `rosbag`) make `Contents`; `streams.py` turns them into streams and
knows what a JointState or an Image means. Nothing here reads a file.

A path names one leaf field of a message: fields joined by dots, `[]` behind each field that is an array of any kind,
fixed, bounded or unbounded: `header.stamp.sec`, `position[]`, `k[]`, `points[].positions[]`,
`transforms[].transform.rotation.w`. ROS 1 and ROS 2 times are the two leaves `sec` and `nanosec` in both,
protobuf's Timestamp and Duration `seconds` and `nanos`; JSON has whatever its writer chose.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import numpy as np

from telecine.core.grid import SECOND, Rows, Times
from telecine.core.recording import Array

LOG_TIME: Final = "log_time"
"""When the recorder took the message; every message has it."""
PUBLISH_TIME: Final = "publish_time"
"""When it was sent, as far as the recorder knew; equals the log time in ROS 1 bags and most .db3 files."""
MessageClock = Literal["log_time", "publish_time"]

NO_STAMP = int(np.iinfo(np.int64).min)
"""In `header_stamps`: the message has no header that can be read."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf field of a message type.

    dtype: numpy name of a number ("bool", "uint8", "float64" ...), "string" for text.
    size: how many values a message has: 1 for a plain field, n for fixed arrays, None when it may change.
    """

    path: str
    dtype: str
    size: int | None = 1


@dataclass(frozen=True, slots=True)
class LeafColumn:
    """The values of one leaf in k messages, those of arrays one after the other, as Arrow lists have them.

    values: (m,) of the leaf's dtype, native byte order; int64 positions in `texts` for text, so that equal texts
        compare as integers; uint8 for bytes. Of a batch that was just decoded also (k, w), a view of the messages.
    bounds: one array for each `[]` of the path, outermost first. bounds[0] is (k + 1,): message i has the elements
        [bounds[0][i], bounds[0][i + 1]) of the next level, and so on; the last level counts in `values`. Empty for
        a plain field: then m == k.
    texts: the different texts, for text leaves.
    present: (m,) bool where fields may be absent (protobuf `optional`, JSON); None when all are there. Absent numbers
        are 0 in `values` and mean nothing.
    """

    values: Array
    bounds: tuple[Rows, ...] = ()
    texts: tuple[str, ...] | None = None
    present: Array | None = None

    def __len__(self) -> int:
        """k, how many messages."""
        return len(self.bounds[0]) - 1 if self.bounds else len(self.values)

    def lengths(self) -> Rows:
        """(k,) how many values each message has, all levels together."""
        ends = np.arange(len(self) + 1)
        for bounds in self.bounds:
            ends = bounds[ends]
        return np.diff(ends)

    def table(self) -> Array | None:
        """(k, w) when every message has w values, else None. A view of `values`."""
        lengths = self.lengths()
        width = int(lengths[0]) if len(lengths) else 0
        return self.values.reshape(len(lengths), width) if (lengths == width).all() else None

    def strings(self) -> list[str]:
        """(m,) the texts themselves."""
        texts = self.texts or ()
        return [texts[code] for code in self.values.tolist()]

    def take(self, rows: Rows) -> "LeafColumn":
        """The messages at `rows`, in that order; rows may repeat."""
        picked, bounds = np.asarray(rows, np.int64), []
        for level in self.bounds:
            starts, lengths = level[picked], level[picked + 1] - level[picked]
            bounds.append(np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
            picked = np.repeat(starts - bounds[-1][:-1], lengths) + np.arange(bounds[-1][-1])
        present = None if self.present is None else self.present[picked]
        return LeafColumn(self.values.reshape(-1)[picked], tuple(bounds), self.texts, present)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that cannot be decoded: its row in the topic, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """Columns of the messages that could be decoded.

    rows: (k,) int64, increasing: which messages of the topic; all others asked for are in `failures`.
    columns: path -> column of exactly these k messages.
    """

    rows: Rows
    columns: Mapping[str, LeafColumn]
    failures: tuple[Failure, ...] = ()
    tail: tuple[int, int] = (0, 0)
    """(messages with unused bytes behind their last field, the most bytes of one); up to 8 do not count in CDR."""


class Topic(Protocol):
    """All messages of one topic and type in a recording, in the order they were recorded: message i is row i.

    Asking for one topic decodes no other. Methods raise only `SourceError`; a message that cannot be decoded is
    no error but a `Failure`.
    """

    @property
    def name(self) -> str:
        """As recorded, with or without a leading slash, e.g. `/joint_states`."""
        ...

    @property
    def type(self) -> str:
        """`sensor_msgs/msg/JointState` for ROS 1 and 2 alike, `foxglove.Log` for protobuf; "" if unknown."""
        ...

    @property
    def encoding(self) -> str:
        """How messages are coded, by content where labels lie: "cdr", "ros1", "protobuf", "json", or another."""
        ...

    @property
    def count(self) -> int:
        """How many messages were recorded, those that cannot be decoded included."""
        ...

    @property
    def latched(self) -> bool:
        """True for transient-local (ROS 2) and latching (ROS 1) topics: the last value holds for late listeners."""
        ...

    @property
    def unreadable(self) -> str:
        """Why no message of this topic can be decoded (unknown encoding, bad definition); "" when they can."""
        ...

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf field in order of definition; () when unreadable. For JSON, those seen in the messages.

        Arrays of numbers that hold images are leaves like any other (`data[]`, uint8, size None).
        """
        ...

    def times(self, clock: MessageClock) -> Times:
        """(count,) int64 ns as recorded: *not* sorted, nothing repaired."""
        ...

    def read(self, paths: Sequence[str], rows: Rows | None = None) -> Decoded:
        """Columns of the leaves at `paths` (all named by `leaves`, else SourceError) of all messages, or of `rows`.

        One pass over the messages whatever the number of paths; only the leaves asked for are held. rows must
        be increasing. With no paths this checks that the messages can be decoded.
        """
        ...

    def blobs(self, path: str, rows: Rows) -> Iterator[memoryview]:
        """For each of `rows` (non-decreasing, may repeat) the bytes of a uint8 array leaf (`data[]`), lazily.

        Read-only, valid for as long as it is held. Memory does not grow with the number of rows. Base64 in JSON is
        decoded. SourceError at a message that cannot be decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside a recording (MCAP only)."""

    name: str
    media_type: str
    log_time_ns: int
    size_bytes: int
    read: Callable[[], bytes] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in one recording, whether one file or several parts.

    topics: sorted by name, then type. A topic recorded with two types is there twice.
    metadata: (name, values) of MCAP metadata records and of metadata.yaml's custom data.
    notes: (finding code, message) met while opening, e.g. a recovered file or a missing part.
    close: lets go of files.
    """

    topics: tuple[Topic, ...]
    attachments: tuple[Attachment, ...] = ()
    metadata: tuple[tuple[str, Mapping[str, str]], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    close: Callable[[], None] = field(default=lambda: None, compare=False)


_STAMPS = (
    ("header.stamp.sec", "header.stamp.nanosec"),  # ROS
    ("timestamp.seconds", "timestamp.nanos"),  # foxglove in protobuf
    ("header.timestamp.seconds", "header.timestamp.nanos"),
    ("timestamp.sec", "timestamp.nsec"),  # foxglove in JSON
    ("timestamp.sec", "timestamp.nanosec"),
    ("header.stamp.sec", "header.stamp.nsec"),  # ROS 1 in JSON
)


def stamp_paths(topic: Topic) -> tuple[str, str] | None:
    """The leaves that hold seconds and nanoseconds of the message's own stamp; None when its type has none."""
    there = {leaf.path for leaf in topic.leaves}
    return next((pair for pair in _STAMPS if there.issuperset(pair)), None)


def header_stamps(topic: Topic) -> Times | None:
    """(count,) int64 ns, the stamp that each message carries itself, NO_STAMP where it cannot be read.

    None when the type has no stamp. Zero stays zero; nothing is sorted or repaired.
    """
    paths = stamp_paths(topic)
    if paths is None:
        return None
    seen = topic.read(paths)
    seconds, nanos = (seen.columns[path] for path in paths)
    stamps = np.full(topic.count, NO_STAMP, np.int64)
    stamps[seen.rows] = seconds.values.astype(np.int64) * SECOND + nanos.values.astype(np.int64)
    return stamps
