"""Rare branches of small functions, each by its effect."""

import errno

import numpy as np
import pytest

from telecine.core import errors
from telecine.core.errors import DatasetError
from telecine.core.plan.model import make_plan
from telecine.core.proposal import check
from telecine.core.quality_screen import suspects


def disk_guard():
    return next(
        f
        for f in vars(errors).values()
        if callable(f) and (f.__doc__ or "").startswith("Inside it `folder` is written")
    )


def test_what_a_disk_refuses_is_named_once_and_other_errors_stay(tmp_path):
    guard = disk_guard()
    with pytest.raises(DatasetError, match="cannot be written"), guard(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(KeyError), guard(tmp_path):
        raise KeyError("a")


def test_a_rate_of_none_is_no_rate():
    body = {"fps": 5, "clock": {"timeline": "t", "rate": None}, "features": {"a": "/a"}, "task": "x"}
    assert make_plan(body).clock.rate is None


def test_episodes_without_rows_and_without_numbers_are_screened():
    assert suspects({}, np.array([0, 3]), 10, state="s", action="a").tolist() == [True, True]
    assert suspects({"other": np.zeros((4, 1))}, np.array([4]), 10, state="s", action="a").tolist() == [False]


def test_matrices_whose_shapes_differ_get_no_width():
    class Recording:
        def __init__(self, shape):
            self.shape = shape

        def stream(self, name):
            return self

    found = [Recording((2, 2)), Recording((2, 2)), Recording((3, 3))]
    before = check.typical
    check.typical = lambda streams: streams[0]
    try:
        assert check._with_width("/a", found) == "/a"
    finally:
        check.typical = before
