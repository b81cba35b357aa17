"""When freed memory is given back: after many frames, and only when the process has grown."""

import sys

import pytest

from telecine.recorder import malloc_trim

MIB = 1 << 20


@pytest.fixture
def process(monkeypatch):
    """A process of `process["mib"]` MiB, 100 of which are in use; `process["trims"]` counts."""
    now = {"mib": 150, "trims": 0}

    def trim(_):
        now["trims"] += 1
        now["mib"] = min(now["mib"], 100)
        return 1

    monkeypatch.setattr(malloc_trim, "_resident", lambda: now["mib"] * MIB)
    monkeypatch.setattr(malloc_trim, "_trim", lambda: trim)
    return now


def passes(memory, mib):
    return [memory.passed(MIB) for _ in range(mib)].count(True)


def test_memory_is_given_back_when_the_process_has_grown(process):
    memory = malloc_trim.HeapTrimmer()
    assert passes(memory, 63) == 0
    assert passes(memory, 1) == 1
    assert passes(memory, 640) == 0  # it has not grown
    process["mib"] = 131
    assert passes(memory, 64) == 0
    process["mib"] = 132
    assert passes(memory, 640) == 1
    assert process == {"mib": 100, "trims": 2}


def test_other_c_libraries_are_left_alone(process, monkeypatch):
    monkeypatch.setattr(malloc_trim, "_trim", lambda: None)
    assert passes(malloc_trim.HeapTrimmer(), 640) == 0
    assert process["trims"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what this is about")
def test_the_c_librarys_own_function_is_found():
    if malloc_trim._trim() is None:
        pytest.skip("outside this repository: a C library without malloc_trim")
    assert malloc_trim._trim()(0) in (0, 1)
    assert malloc_trim._resident() > 10 * MIB
