from support import jobs
from telecine.run.executor import serial, silent
from telecine.run.memory import available_bytes, resident_bytes
from telecine.run.pool import Pool
from telecine.run.worker_count import OWN_BYTES, SMALL_BYTES, WORKER_BYTES, decide, reader_pool, work_pool

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


def test_what_is_asked_for_is_taken():
    with work_pool(serial, 100, BIG, workers=0, max_bytes=None, safely=True) as run:
        assert run is serial
    with work_pool(serial, 1, 1, workers=3, max_bytes=None, safely=False) as run:
        assert isinstance(run, Pool)
    with work_pool(serial, 1, 1, workers=None, max_bytes=None, safely=False) as run:
        assert run is serial


def test_a_pool_that_reads_goes_on_with_the_work():
    with Pool(1) as reader:
        with work_pool(reader, 1, 1, workers=None, max_bytes=None, safely=False) as run:
            assert run is reader
        with work_pool(reader, 3, BIG, workers=3, max_bytes=None, safely=False) as run:
            assert run is reader
            assert list(run(jobs.double, range(4), silent)) == [0, 2, 4, 6]


def test_asked_to_work_in_this_process_nothing_else_reads():
    with reader_pool(0, None) as run:
        assert run is serial


def test_memory_is_known_or_said_to_be_unknown():
    import os

    free = available_bytes()
    assert free is None or free > 0
    assert resident_bytes(os.getpid()) >= 0
    assert resident_bytes(2**30) == 0
