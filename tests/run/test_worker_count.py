import threading

import pytest

from support import jobs
from telecine.run.executor import silent
from telecine.run.memory import available_bytes, resident_bytes
from telecine.run.worker_count import OWN_BYTES, SMALL_BYTES, WORKER_BYTES, Workers, decide

BIG = 10 * SMALL_BYTES


def decided(recordings=100, total_bytes=BIG, *, cores=8, max_bytes=None, safely=False):
    return decide(recordings, total_bytes, cores=cores, max_bytes=max_bytes, safely=safely)


def test_one_worker_per_core():
    assert decided() == 8


def test_no_more_workers_than_recordings():
    assert decided(recordings=3) == 3


def test_no_more_workers_than_memory_holds():
    assert decided(max_bytes=OWN_BYTES + 3 * WORKER_BYTES + 1) == 3
    assert decided(max_bytes=1) == 1


def test_for_small_work_and_single_recordings_no_process_is_started():
    assert decided(total_bytes=SMALL_BYTES) == 0
    assert decided(recordings=1) == 0


def test_after_a_crash_nothing_is_read_in_this_process():
    assert decided(recordings=1, safely=True) == 1
    assert decided(recordings=2, total_bytes=1, safely=True) == 2


@pytest.fixture
def threaded():
    """A thread, so that this process cannot be copied."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()


def grown(asked, recordings, total_bytes, *, safely=False):
    with Workers(asked) as workers:
        workers.grow(recordings, total_bytes, safely=safely)
        return workers.in_this_process


def test_what_is_asked_for_is_taken(threaded):
    assert grown(0, 100, BIG, safely=True)
    assert not grown(3, 1, 1)
    assert grown(None, 1, 1)


def test_the_process_that_reads_goes_on_with_the_work(threaded):
    with Workers(1) as workers:
        workers.grow(1, 1, safely=True)
        (reader,) = workers(jobs.process_id, [0], silent)
        workers.grow(3, BIG, safely=False)
        assert list(workers(jobs.process_id, range(2), silent)) == [reader, reader]


def test_a_pool_grows_with_the_work(threaded):
    with Workers(3) as workers:
        workers.grow(3, BIG, safely=False)
        assert list(workers(jobs.double, range(4), silent)) == [0, 2, 4, 6]


def test_asked_to_work_in_this_process_nothing_else_reads():
    with Workers(0) as workers:
        assert workers.in_this_process


def test_memory_is_known_or_said_to_be_unknown():
    import os

    free = available_bytes()
    assert free is None or free > 0
    assert resident_bytes(os.getpid()) >= 0
    assert resident_bytes(2**30) == 0
