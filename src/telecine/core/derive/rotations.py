"""Representations of rotations, row by row. Quaternions are x, y, z, w, as in ROS and scipy. Pure.

Matrices act on column vectors. Euler angles as scipy names them: small letters for fixed axes (extrinsic), capitals for
axes that turn along (intrinsic). 6D: the first two columns of the matrix (Zhou et al. 2019, arXiv:1812.07035).
Euler from quaternions: Bernardes and Viollet 2022 (doi:10.1371/journal.pone.0276302).
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[Any]


def unit(quaternions: Rows) -> Rows:
    """(n, 4) of length 1. Raises: ValueError: a row has length 0, or not 4 numbers."""
    if quaternions.ndim != 2 or quaternions.shape[1] != 4:
        raise ValueError(f"a quaternion has 4 numbers (x, y, z, w), not {quaternions.shape[-1]}")
    lengths = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"the quaternion of row {int(np.argmin(lengths))} has length 0")
    return np.asarray(quaternions / lengths)


def multiply(one: Rows, other: Rows) -> Rows:
    """(n, 4): first `other`, then `one`."""
    ax, ay, az, aw = unit(one).T
    bx, by, bz, bw = unit(other).T
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=1,
    )


def inverse(quaternions: Rows) -> Rows:
    """(n, 4): the rotations back."""
    return np.asarray(unit(quaternions) * np.array([-1, -1, -1, 1], quaternions.dtype))


def rotate(quaternions: Rows, vectors: Rows) -> Rows:
    """(n, 3) vectors turned."""
    unit_rows = unit(quaternions)
    axis, w = unit_rows[:, :3], unit_rows[:, 3:]
    twice = 2 * np.cross(axis, vectors)
    return np.asarray(vectors + w * twice + np.cross(axis, twice))


def continuous(quaternions: Rows, starts: npt.NDArray[np.int64]) -> Rows:
    """(n, 4): q and -q are one rotation; the sign in which w begins positive and nothing jumps.

    starts: the first row of each episode.
    """
    rows = unit(quaternions)
    signs = np.ones(len(rows))
    signs[1:] = np.where(np.sum(rows[1:] * rows[:-1], axis=1) < 0, -1.0, 1.0)
    running = np.cumprod(signs)
    lengths = np.diff(np.append(starts, len(rows)))
    first = np.where(rows[starts, 3] < 0, -1.0, 1.0) * running[starts]
    made: Rows = rows * (running * np.repeat(first, lengths))[:, None].astype(rows.dtype)
    return made


def to_matrix(quaternions: Rows) -> Rows:
    """(n, 3, 3)."""
    x, y, z, w = unit(quaternions).T
    return np.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
        ],
        axis=1,
    ).reshape(-1, 3, 3)  # fmt: skip


def from_matrix(matrices: Rows) -> Rows:
    """(n, 4) of (n, 3, 3) rotations, w not negative (Shepperd's method: by the largest of four)."""
    m = matrices
    diagonal = np.einsum("nii->ni", m)
    trace = diagonal.sum(axis=1)
    turned = np.stack([m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]], axis=1)
    quads = np.empty((len(m), 4, 4), m.dtype)  # each row is the quaternion, times one of its own elements
    quads[:, :3, :3] = m + m.transpose(0, 2, 1)
    for axis in range(3):
        quads[:, axis, axis] = 1 - trace + 2 * diagonal[:, axis]
    quads[:, :3, 3] = quads[:, 3, :3] = turned
    quads[:, 3, 3] = 1 + trace
    largest = np.argmax(np.concatenate([diagonal, trace[:, None]], axis=1), axis=1)
    rows = unit(quads[np.arange(len(m)), largest])
    made: Rows = rows * np.where(rows[:, 3:] < 0, -1, 1).astype(rows.dtype)
    return made


def to_6d(quaternions: Rows) -> Rows:
    """(n, 6): the first column of the matrix, then the second."""
    matrix = to_matrix(quaternions)
    return np.concatenate([matrix[:, :, 0], matrix[:, :, 1]], axis=1)


def from_6d(rows: Rows) -> Rows:
    """(n, 4) of (n, 6), made orthogonal by Gram and Schmidt. Raises: ValueError for columns along one line."""
    if rows.shape[1] != 6:
        raise ValueError(f"6D has 6 numbers, not {rows.shape[1]}")
    first = rows[:, :3] / np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    rest = rows[:, 3:] - np.sum(first * rows[:, 3:], axis=1, keepdims=True) * first
    second = rest / np.linalg.norm(rest, axis=1, keepdims=True)
    if not np.isfinite(second).all():
        raise ValueError("the two columns of a row of 6D lie along one line")
    return from_matrix(np.stack([first, second, np.cross(first, second)], axis=2))


def to_axis_angle(quaternions: Rows) -> Rows:
    """(n, 3): the axis times the angle in rad, 0 to pi."""
    rows = unit(quaternions)
    rows = rows * np.where(rows[:, 3:] < 0, -1, 1).astype(rows.dtype)
    sine = np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, rows[:, 3:])
    factor = np.where(sine > 1e-6, angle / np.where(sine > 1e-6, sine, 1), 2.0)
    made: Rows = rows[:, :3] * factor.astype(rows.dtype)
    return made


def from_axis_angle(rows: Rows) -> Rows:
    """(n, 4) of (n, 3)."""
    if rows.shape[1] != 3:
        raise ValueError(f"axis times angle has 3 numbers, not {rows.shape[1]}")
    angle = np.linalg.norm(rows, axis=1, keepdims=True)
    made: Rows = np.concatenate([rows * np.sinc(angle / (2 * np.pi)) / 2, np.cos(angle / 2)], axis=1)
    return made.astype(rows.dtype)


def from_euler(angles: Rows, order: str) -> Rows:
    """(n, 4) of (n, 3) rad about the axes of `order`."""
    axes = _axes(order)
    if angles.shape[1] != 3:
        raise ValueError(f"Euler angles are 3 numbers, not {angles.shape[1]}")
    made: Rows | None = None
    for position, axis in enumerate(axes):
        turn = np.zeros((len(angles), 4), angles.dtype)
        turn[:, axis], turn[:, 3] = np.sin(angles[:, position] / 2), np.cos(angles[:, position] / 2)
        made = turn if made is None else multiply(made, turn) if order.isupper() else multiply(turn, made)
    assert made is not None
    return made


def to_euler(quaternions: Rows, order: str) -> Rows:
    """(n, 3) rad about the axes of `order`; where two axes fall together, the last angle is 0."""
    axes = _axes(order)
    extrinsic = order.islower()
    i, j, k = axes if extrinsic else axes[::-1]
    symmetric = i == k
    k = 3 - i - j if symmetric else k
    sign = (i - j) * (j - k) * (k - i) // 2
    q = unit(quaternions).astype(np.float64)
    if symmetric:
        a, b, c, d = q[:, 3], q[:, i], q[:, j], q[:, k] * sign
    else:
        a, b = q[:, 3] - q[:, j], q[:, i] + q[:, k] * sign
        c, d = q[:, j] + q[:, 3], q[:, k] * sign - q[:, i]
    middle = 2 * np.arctan2(np.hypot(c, d), np.hypot(a, b))
    plus, minus = np.arctan2(b, a), np.arctan2(d, c)
    first, third = plus - minus, plus + minus
    low, high = np.abs(middle) < 1e-7, np.abs(middle - np.pi) < 1e-7
    both = np.where(low, 2 * plus, 2 * minus * (-1 if extrinsic else 1))  # their sum, or difference, is all there is
    first = np.where(low | high, both if extrinsic else 0.0, first)
    third = np.where(low | high, 0.0 if extrinsic else both, third)
    if not symmetric:
        third, middle = third * sign, middle - np.pi / 2
    made = np.stack([first, middle, third] if extrinsic else [third, middle, first], axis=1)
    return np.asarray((made + np.pi) % (2 * np.pi) - np.pi).astype(quaternions.dtype)


def _axes(order: str) -> list[int]:
    known = re.fullmatch(r"(?i:[xyz]{3})", order) and (order.islower() or order.isupper())
    if not known or order[0] == order[1] or order[1] == order[2]:
        raise ValueError(f"{order!r} is no order of axes; write xyz for fixed axes, XYZ for axes that turn along")
    return ["xyz".index(axis) for axis in order.lower()]
