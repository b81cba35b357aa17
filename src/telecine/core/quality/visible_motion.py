"""Which joints a camera shows: how much of its frames' change each of them explains. Pure.

A wrist camera does not see what the other arm does, and no camera shows a gripper that closes a little; so that frames
which stay the same while only those move are no defect.
"""

import numpy as np

from telecine.core.stats import Floats

PRIOR = 4.0
"""Samples that the belief counts for that a camera shows all joints alike."""
ROUNDS = 300


def joint_paths(values: Floats) -> Floats:
    """(n, w) the path of each element up to each row, in parts of its range; zeros for elements that never move."""
    span = np.ptp(values, axis=0)
    steps = np.abs(np.diff(values, axis=0)) / np.where(span > 0, span, 1.0)
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])


def joint_weights(changes: Floats, moved: Floats) -> Floats:
    """(w,) at least 0: how much a camera shows of each joint's motion, 1 on average over joints that move.

    changes: (s,) of the frames, from one sample to the next. moved: (s, w) parts of ranges meanwhile, at least 0.
    Least squares with a prior of equal weights, so that few samples say little; all 1 where nothing is seen to move.
    """
    moves = (moved > 0).any(axis=0)
    inputs = moved[:, moves]
    whole = inputs.sum(axis=1)
    scale = float(changes @ whole) / max(float(whole @ whole), 1e-300)
    if scale <= 0:
        return np.ones(moved.shape[1])
    count = int(moves.sum())
    start = np.full(count, scale)
    known = inputs.T @ inputs
    held = PRIOR / len(changes) * np.diag(np.diag(known))
    matrix, target = known + held, inputs.T @ changes + held @ start
    weights = start
    for _ in range(ROUNDS):  # multiplicative steps, which stay at or above 0
        weights = weights * target / np.maximum(matrix @ weights, 1e-300)
    made = np.zeros(moved.shape[1])
    made[moves] = weights * count / max(float(weights.sum()), 1e-300)
    return made


def seen_motion(moved: Floats, weights: Floats) -> Floats:
    """(s,) how far the robot moves as a camera shows it, in parts of ranges, averaged over joints that ever move.

    In each sample without the joint that counts most: what one joint alone does may be hidden, or hardly to be seen.
    """
    parts = moved * weights
    moves = int((weights > 0).sum())
    if moves < 2:
        return np.zeros(len(moved))
    made: Floats = (parts.sum(axis=1) - parts.max(axis=1)) / (moves - 1)
    return made
