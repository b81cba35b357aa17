"""Poses in lists, and values that a message says are not there."""

from collections.abc import Iterator

import numpy as np

from telecine.core.errors import SourceError
from telecine.sources.messages.clocks import TopicTimes
from telecine.sources.messages.groups import QUATERNION_NAMES, XYZ, pose_paths
from telecine.sources.messages.model import Topic
from telecine.sources.messages.vectors import NumberStream, TopicSamples, unreadable


def pose_array_streams(lead: str, times: TopicTimes) -> Iterator["PoseArrayStream"]:
    """A stream of all poses of a PoseArray side by side, where the topic holds such."""
    known = {leaf.path for leaf in times.topic.leaves}
    if known.issuperset(pose_paths("poses[]")):
        yield PoseArrayStream(f"{lead}:poses", times)


class PoseArrayStream(NumberStream):
    """n poses as 7 n numbers, named by their position in the list; n has to stay the same."""

    def _read(self) -> TopicSamples:
        paths = pose_paths("poses[]")
        seen = self._topic.read(paths)
        lengths = seen.columns[paths[0]].lengths()
        values = np.stack([seen.columns[path].values for path in paths], axis=1).astype(np.float64)
        used = lengths > 0
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[used] * len(paths))])
        count = int(lengths[used][0]) if used.any() else 0
        names = tuple(f"{i}.{axis}" for i in range(count) for axis in (*XYZ, *QUATERNION_NAMES))
        remarks = unreadable(seen, self._topic)
        return TopicSamples(seen.rows[used], values.reshape(-1), bounds, names, remarks=remarks)


def absent_groups(topic: Topic) -> frozenset[str]:
    """Fields that the first message says are not measured: the first element of their covariance is -1 (Imu)."""
    fields = {leaf.path: leaf.path.removesuffix("_covariance[]") for leaf in topic.leaves
              if leaf.path.endswith("_covariance[]") and leaf.size == 9}  # fmt: skip
    if not fields:
        return frozenset()
    seen = topic.read(list(fields), np.zeros(1, np.int64))
    if not len(seen.rows):
        raise SourceError(f"{topic.name}: its first message cannot be read: {seen.failures[0].reason}")
    return frozenset(field for path, field in fields.items() if seen.columns[path].values[:1].tolist() == [-1.0])
