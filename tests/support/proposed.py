"""Recordings converted by the plan that telecine proposes, without a change, and what the dataset shows."""

from pathlib import Path
from typing import Any

import numpy as np

from telecine.conversion.pipeline import convert
from telecine.core.plan.model import Plan
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many
from telecine.video.mp4_reader import decode_at


def convert_proposed(place: Path, out: Path, **given: Any) -> tuple[Plan, Dataset]:
    """The plan for what is at `place`, and the dataset at `out`, of which nothing was rejected."""
    plan = propose(inspect_many([place]).recordings, **given).plan
    assert plan is not None
    report = convert([place], out, plan)
    assert not report.rejected
    return plan, Dataset(out)


def shown_frame(dataset: Dataset, key: str, row: int = 0, episode: int = 0) -> np.ndarray:
    """(height, width, 3) uint8 RGB: what camera `key` shows in a row of an episode."""
    path, frame = dataset.frame(key, episode, row)
    ((_, rgb),) = decode_at(str(path), [frame])
    return rgb
