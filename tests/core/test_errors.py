"""Errors: what is behind them, and how those of others become ours."""

import errno

import pytest

from telecine.core.errors import (
    DatasetError,
    PlanError,
    SourceError,
    causes_of,
    closed_on_failure,
    disk_errors_named,
    disk_is_full,
    metadata_error,
    raised_as,
)


def test_a_full_disk_is_found_behind_any_error():
    full = OSError(errno.ENOSPC, "No space left on device")
    error = DatasetError("commit failed")
    error.__cause__ = full
    assert list(causes_of(error)) == [error, full]
    assert disk_is_full(error)
    assert disk_is_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert not disk_is_full(OSError(errno.EACCES, "Permission denied"))


def test_an_error_of_others_becomes_one_of_ours_that_names_the_file():
    denied = PermissionError(errno.EACCES, "Permission denied")
    said = "^a.rrd: cannot be read: Permission denied$"
    with pytest.raises(SourceError, match=said) as caught, raised_as(SourceError, "a.rrd: cannot be read", OSError):
        raise denied
    assert caught.value.__cause__ is denied
    with pytest.raises(SourceError, match="^a.rrd: odd bytes$"), raised_as(SourceError, "a.rrd", ValueError):
        raise ValueError("odd bytes")


def test_errors_of_ours_and_those_not_named_stay_as_they_are():
    with pytest.raises(PlanError, match="^as it was$"), raised_as(SourceError, "a.rrd", ValueError):
        raise PlanError("as it was")
    with pytest.raises(KeyError), raised_as(SourceError, "a.rrd", ValueError):
        raise KeyError("x")


def test_what_is_open_is_closed_only_when_making_something_of_it_fails():
    closed = []
    with closed_on_failure(lambda: closed.append("made")):
        pass
    assert not closed
    for stop in (KeyError("x"), StopIteration(), KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(stop)) as caught, closed_on_failure(lambda stop=stop: closed.append(stop)):
            raise stop
        assert caught.value is stop
        assert closed[-1] is stop


def test_what_a_disk_refuses_is_named_once_and_other_errors_stay(tmp_path):
    with pytest.raises(DatasetError, match="cannot be written"), disk_errors_named(str(tmp_path)):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(KeyError), disk_errors_named(str(tmp_path)):
        raise KeyError("a")


def test_an_error_of_metadata_tells_the_file_and_the_problem_apart():
    error = metadata_error("/data/picks", "meta/info.json", "fps: found '30'")
    assert (str(error), error.path, error.problem) == (
        "/data/picks/meta/info.json: fps: found '30'", "meta/info.json", "fps: found '30'",
    )  # fmt: skip
    assert error.code == "verify-structure"
