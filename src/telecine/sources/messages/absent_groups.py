"""Values that a message marks as not there."""

import numpy as np

from telecine.core.errors import SourceError
from telecine.sources.messages.model import Topic


def absent_groups(topic: Topic) -> frozenset[str]:
    """Fields that the first message marks as not measured: the first element of their covariance is -1 (Imu)."""
    fields = {leaf.path: leaf.path.removesuffix("_covariance[]") for leaf in topic.leaves
              if leaf.path.endswith("_covariance[]") and leaf.size == 9}  # fmt: skip
    if not fields:
        return frozenset()
    seen = topic.read(list(fields), np.zeros(1, np.int64))
    if not len(seen.rows):
        raise SourceError(f"{topic.name}: its first message cannot be read: {seen.failures[0].reason}")
    return frozenset(field for path, field in fields.items() if seen.columns[path].values[:1].tolist() == [-1.0])
