"""Whether a dataset is still the one that an edit was made for, by digests of its episodes.

The fingerprint covers the features and, for each of the first `count` episodes, its length, tasks and the statistics
of its numbers. So an edit survives episodes that are appended behind them, and renumbering is noticed.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any


def episode_digest(length: int, tasks: Sequence[str], stats: bytes) -> str:
    """Of one episode. stats: float64, little-endian, as meta/episodes has them, in the order of their names."""
    return hashlib.sha256(json.dumps([length, list(tasks)]).encode() + stats).hexdigest()


def fingerprint(fps: int, features: Iterable[tuple[str, str, Sequence[int]]], episodes: Iterable[str]) -> str:
    """Of a dataset. features: (key, dtype, shape), in any order. episodes: their digests, in order."""
    listed = sorted([key, dtype, list(shape)] for key, dtype, shape in features)
    return _digest([fps, listed, list(episodes)])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()
