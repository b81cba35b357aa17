"""Joints that move as people move them, and what cameras would see of it, with a known lag."""

import numpy as np

from telecine.core.grid import SECOND
from telecine.core.quality.motion_lag import Energies, Paths

MS = 1_000_000


def joints(seed, *, seconds=10.0, hz=100, width=6, start_ns=0):
    """Smooth moves of some tenths of a second, with pauses, of several joints each."""
    rng = np.random.default_rng([seed, 1])
    at = np.arange(round(seconds * hz)) / hz
    values = np.zeros((len(at), width))
    moment = rng.uniform(0, 0.3)
    while moment < seconds:
        lasts = rng.uniform(0.25, 1.0)
        share = np.clip((at - moment) / lasts, 0, 1)
        values += np.outer(share * share * (3 - 2 * share), rng.normal(0, 0.4, width) * (rng.random(width) < 0.7))
        moment += lasts + rng.choice([0.0, 0.3])
    return Paths(start_ns + np.round(at * SECOND).astype(np.int64), values)


def swinging(seconds=10.0, hz=100, period=0.7):
    """The same move again and again."""
    at = np.arange(round(seconds * hz)) / hz
    values = np.stack([np.sin(2 * np.pi * at / period), 0.5 * np.sin(2 * np.pi * at / period + 0.4)], axis=1)
    return Paths(np.round(at * SECOND).astype(np.int64), values)


def seen(path, lag_ns, *, seed=0, fps=30, noise=0.03, jitter_ns=0):
    """Energies of a camera that shows `path` later by `lag_ns`, in parts that depend a little on the pose."""
    rng = np.random.default_rng([seed, 2])
    first, last = int(path.times[0]), int(path.times[-1])
    taken = np.arange(first, last, SECOND // fps, dtype=np.int64)
    steps = np.abs(np.diff(path.values, axis=0)) @ rng.uniform(0.5, 2, path.values.shape[1])
    gain = 1 + 0.3 * np.tanh(path.values[1:, 0])
    moved = np.interp(taken, path.times, np.concatenate([[0.0], np.cumsum(steps * gain)]))
    energy = np.diff(moved)
    energy = np.maximum(energy + rng.normal(0, noise * energy.max(), len(energy)), 0)
    stamps = taken + lag_ns + rng.integers(-jitter_ns, jitter_ns + 1, len(taken))
    return Energies(np.sort(stamps), energy)
