"""Known lags of simulated cameras, fixed and on the wrist, with jitter, at several rates, as H.264 video.

Its small brother in the gate is the simulated one of `test_lag.py`.
"""

import numpy as np
import pytest

from telecine.inspection.lag_of_path import lag_rows
from telecine.recorder.sim.record import record
from telecine.recorder.sim.spoil import Spoil

MS = 1_000_000
CAMERAS = ("observation.images.front", "observation.images.wrist")


def measured(folder, seed):
    """(true lag in ms, the rows) of three episodes with a lag, a rate and jitter that depend on the seed."""
    rng = np.random.default_rng(seed)
    lag_ms, fps = int(rng.integers(-120, 201)), int(rng.choice([15, 30, 60]))
    jitter_ns = int(rng.integers(0, 150 * MS // fps))
    spoil = [Spoil("lag", None, lag_ms * MS), Spoil("jitter", None, jitter_ns)]
    record(folder / str(seed), kind="mcap", episodes=3, seed=10 * seed, seconds=6, fps=fps, size=(128, 96), spoil=spoil)
    return lag_ms, {row.key: row for row in lag_rows(folder / str(seed))}


def judged(folder, seeds):
    """Of each camera: how often the truth is within the interval, of how often it is told; and the widths."""
    inside, widths = dict.fromkeys(CAMERAS, 0), {key: [] for key in CAMERAS}
    for seed in seeds:
        truth, rows = measured(folder, seed)
        for key in CAMERAS:
            row = rows[key]
            print(seed, key, truth, row.ms, row.interval_ms, row.why)
            if row.ms is not None:
                low, high = row.interval_ms
                inside[key] += low <= truth <= high
                widths[key].append(high - low)
    return inside, widths


@pytest.mark.long
@pytest.mark.usefixtures("mujoco", "mcap")
def test_of_20_simulated_lags_19_are_within_the_interval(tmp_path):
    inside, widths = judged(tmp_path, range(20))
    for key in CAMERAS:
        assert len(widths[key]) >= 19
        assert inside[key] >= len(widths[key]) - 1
        assert np.quantile(widths[key], 0.9) <= 40
