"""A worker that is a copy of this process: what it must not inherit, and that it ends when its pool does."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from telecine.run import fork

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: only Linux is forked")
TESTS = Path(__file__).parents[1]
START = f"""
import contextlib, os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from support import jobs
from telecine.run.executor import Lost, silent
from telecine.run import fork
from telecine.run.pool import Pool
"""


def ran(script):
    """Standard output of a program that has no thread but its first, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", START + textwrap.dedent(script)]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command line sets it
    return subprocess.run(command, capture_output=True, text=True, check=True, env=one_thread).stdout


def test_a_copy_works_and_a_program_of_one_thread_can_be_copied():
    script = """
        assert fork.is_safe()
        with Pool(1, forked=True) as pool:
            (worker,) = pool(jobs.process_id, [0], silent)
            print(*pool(jobs.double, range(3), silent), os.waitpid(worker, os.WNOHANG), flush=True)
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            print("ended")
    """
    assert ran(script).splitlines() == ["0 2 4 (0, 0)", "ended"]


def test_what_was_imported_is_there_and_pyarrow_does_not_forbid_it():
    script = """
        import pyarrow.parquet
        print(fork.is_safe())
    """
    assert ran(script).split() == ["True"]


def test_a_program_with_threads_is_not_copied():
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        assert not fork.is_safe()
    finally:
        go.set()
        thread.join()
    native = """
        import ctypes
        libc = ctypes.CDLL(None)
        handle = ctypes.c_ulong()
        entry = ctypes.cast(libc.pause, ctypes.c_void_p)
        assert libc.pthread_create(ctypes.byref(handle), None, entry, None) == 0
        print(threading.active_count(), fork.is_safe(), flush=True)
        os._exit(0)
    """
    assert ran(native).split() == ["1", "False"]


def test_a_copy_that_dies_is_replaced_by_a_started_process(tmp_path):
    script = f"""
        with Pool(1, forked=True) as pool:
            answers = list(pool(jobs.die, [(i, Path({str(tmp_path)!r})) for i in range(4)], silent))
            print([a.item[0] if isinstance(a, Lost) else a for a in answers], sum(isinstance(a, Lost) for a in answers))
    """
    assert ran(script).strip() == "[0, 1, 2, 3] 1"
    assert (tmp_path / "1").read_text() == "xx"


def test_what_was_not_yet_written_is_written_once_and_prints_go_to_standard_error():
    script = """
        print("before", end="")
        with Pool(1, forked=True) as pool:
            list(pool(jobs.chatter, [1], silent))
        print(" after")
    """
    assert ran(script) == "before after\n"


def test_standard_streams_that_are_closed_do_no_harm():
    script = """
        for number in (0, 1, 2):
            os.close(number)
        with Pool(1, forked=True) as pool:
            answers = list(pool(jobs.double, range(3), silent))
        os._exit(0 if answers == [0, 2, 4] else 1)
    """
    ran(script)


def test_signals_mean_to_a_copy_what_they_mean_to_a_started_process():
    script = """
        def stop(number, frame):
            raise KeyboardInterrupt
        signal.signal(signal.SIGTERM, stop)
        with Pool(1, forked=True) as pool:
            (worker,) = pool(jobs.process_id, [0], silent)
            os.kill(worker, signal.SIGINT)  # what a terminal sends to all; the pool decides
            print(list(pool(jobs.process_id, [0], silent)) == [worker])
            os.kill(worker, signal.SIGTERM)
            while Path(f"/proc/{worker}/stat").exists():
                time.sleep(0.01)
            print(*pool(jobs.double, [4], silent))
    """
    assert ran(script).split() == ["True", "8"]


def test_a_copy_ends_with_a_pool_that_is_killed(tmp_path):
    mark = tmp_path / "mark"
    script = f"""
        pool = Pool(1, forked=True)
        print(*pool(jobs.process_id, [0], silent), flush=True)
        next(pool(jobs.forever, [{str(mark)!r}], silent))
    """
    command = [sys.executable, "-c", START + textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        while not mark.exists():
            time.sleep(0.01)
        process.kill()
    while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
        time.sleep(0.01)  # the test hangs when it lives on


@pytest.mark.parametrize("forked", [True, False])
def test_a_worker_in_a_library_that_never_returns_ends_with_a_pool_that_is_killed(tmp_path, forked):
    """It holds the interpreter, so that no thread of it can notice the end of its input."""
    mark = tmp_path / "mark"
    script = f"""
        pool = Pool(1, forked={forked})
        next(pool(jobs.stuck, [{str(mark)!r}], silent))
    """
    with subprocess.Popen([sys.executable, "-c", START + textwrap.dedent(script)]) as process:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.01)
        process.kill()
    stat = Path(f"/proc/{mark.read_text()}/stat")
    while stat.exists() and " Z " not in stat.read_text():
        time.sleep(0.01)  # the test hangs when it lives on


def test_a_program_that_waits_for_any_child_itself_does_no_harm():
    script = """
        with Pool(1, forked=True) as pool:
            (worker,) = pool(jobs.process_id, [0], silent)
            os.kill(worker, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # the pool was there first
                os.waitpid(worker, 0)
            print(*pool(jobs.double, [4], silent))
    """
    assert ran(script).split() == ["8"]
