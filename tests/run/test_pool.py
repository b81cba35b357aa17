import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from support import jobs
from telecine.core.errors import TelecineError
from telecine.core.text.numbers import bytes_text
from telecine.run import pool
from telecine.run.executor import Lost, serial
from telecine.run.memory import resident_bytes
from telecine.run.pool import Pool, patience_s


def silent(done, label):
    pass


def gone(pid):
    """True when a process is no more, or a zombie that somebody else has to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


linux = pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: /proc is Linux's")


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_order_and_progress_is_heard(workers):
    heard = []
    with Pool(workers) as run:
        assert list(run(jobs.double, range(7), lambda done, label: heard.append(done))) == [0, 2, 4, 6, 8, 10, 12]
        assert list(run(jobs.double, range(2), silent)) == [0, 2]
    assert sorted(heard) == list(range(7))
    assert list(serial(jobs.double, range(3), silent)) == [0, 2, 4]


def test_the_first_answer_is_waited_for_while_others_are_done(tmp_path):
    with Pool(2) as run:
        assert list(run(jobs.slow_at_first, [(i, tmp_path, 3) for i in range(4)], silent)) == [0, 1, 2, 3]


def test_no_more_items_are_asked_for_than_the_look_ahead(tmp_path):
    asked = []

    def items():
        for i in range(20):
            asked.append(i)
            yield i

    with Pool(1) as run:
        answers = run(jobs.double, items(), silent)
        for taken in range(1, 21):
            next(answers)
            assert len(asked) <= taken + pool.AHEAD
        assert next(answers, None) is None


def test_a_process_that_dies_costs_its_item_after_a_second_try(tmp_path):
    with Pool(2) as run:
        answers = list(run(jobs.die, [(i, tmp_path) for i in range(6)], silent))
    assert [a for a in answers if not isinstance(a, Lost)] == [0, 2, 3, 5]
    lost = [a for a in answers if isinstance(a, Lost)]
    assert [answers.index(a) for a in lost] == [1, 4]
    assert "SIGABRT (a crash in a native library)" in lost[0].why
    assert (tmp_path / "1").read_text() == "xx"


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    with Pool(2) as run:
        assert list(run(jobs.die_once, [(i, tmp_path) for i in range(5)], silent)) == [0, 1, 2, 3, 4]
    assert (tmp_path / "2").exists()


@linux
def test_an_item_that_needs_more_memory_than_allowed_is_lost_and_says_so():
    allowed = resident_bytes(os.getpid()) + (400 << 20)  # other tests may have made this process large
    with Pool(1, max_bytes=allowed) as run:
        small, large, last = run(jobs.grow, [5, 600, 6], silent)
    assert (small, last) == (5, 6)
    assert f"{bytes_text(allowed)} are allowed (--max-memory)" in large.why


def test_an_exception_comes_out_on_this_side():
    with Pool(1) as run, pytest.raises(ValueError, match="no 5"):
        list(run(jobs.refuse, [5], silent))


def test_an_exception_that_cannot_travel_comes_out_in_words():
    with Pool(1) as run, pytest.raises(RuntimeError, match="Odd: 1"):
        list(run(jobs.refuse_oddly, [5], silent))


def test_what_a_library_prints_does_not_reach_the_answers():
    with Pool(1) as run:
        assert list(run(jobs.chatter, [1, 2], silent)) == [1, 2]


@linux
def test_leaving_early_ends_the_processes_at_work(tmp_path):
    with Pool(2) as run:
        (pid,) = run(jobs.process_id, [0], silent)
        answers = run(jobs.forever, [tmp_path / "a", tmp_path / "b"], silent)
        with pytest.raises(KeyboardInterrupt):
            interrupt_when(answers, tmp_path / "a")
    assert gone(pid)


def interrupt_when(answers, mark):
    """What Ctrl-C does while an answer is waited for."""
    import _thread
    import threading

    def watch():
        while not mark.exists():
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=watch, daemon=True).start()
    next(answers)


@linux
def test_workers_end_with_a_pool_that_is_killed(tmp_path):
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from support import jobs
        from telecine.run.pool import Pool, patience_s
        run = Pool(1)
        print(*run(jobs.process_id, [0], print), flush=True)
        next(run(jobs.forever, [{str(tmp_path / "mark")!r}], print))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        while not (tmp_path / "mark").exists():
            time.sleep(0.01)
        process.kill()
    while not gone(worker):  # the test hangs when it lives on
        time.sleep(0.01)


def test_a_worker_that_cannot_start_is_no_endless_loop(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Pool(1) as run, pytest.raises(TelecineError, match="could not be started"):
        list(run(jobs.double, [1], silent))


def test_a_pool_needs_a_worker():
    with pytest.raises(ValueError, match="got 0"):
        Pool(0)


def test_a_script_without_a_main_guard_can_use_a_pool(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from support import jobs\nfrom telecine.run.pool import Pool\n"
        "with Pool(1) as run:\n    print(*run(jobs.double, [21], print))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.split()[-1] == "42"
    assert [p.name for p in tmp_path.iterdir()] == ["script.py"]


def test_an_item_without_progress_is_given_up_and_the_others_are_answered():
    told = []
    with Pool(2, timeout_s=0.5) as pool:
        answers = list(pool(jobs.hang, ["slow", "hang", "a", "b"], lambda done, label: told.append(label)))
    assert answers[0] == "slow"  # longer than the limit, with progress
    assert answers[2:] == ["a", "b"]
    assert isinstance(answers[1], Lost)
    assert "no progress for" in answers[1].why
    assert "--timeout" in answers[1].why
    assert told == ["slow"] * 8


def test_the_patience_with_a_recording_grows_with_its_size():
    assert patience_s(0) == 600
    assert patience_s(100 << 30) > 100_000
