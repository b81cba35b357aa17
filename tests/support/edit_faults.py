"""Edits of a dataset in its own place that are killed, or refused by the kernel, at many instants.

`python -m support.edit_faults FOLDER kill COUNT SEED` or `... FOLDER limit`: FOLDER/set is the dataset. A process of
its own, because each edit runs in a copy of it, which has none of the threads that tests started. Prints what happened.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from telecine.core.errors import DatasetError
from telecine.editing.edit import edit

EDIT = {"delete": "0", "trim": "2:3..29", "task": "1=wipe"}


def state(root):
    """Every file with its content."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def started(target, most=resource.RLIM_INFINITY):
    """The process id of a copy of this process that edits `target`; its exit code is 0, or 3 when it was refused."""
    if pid := os.fork():
        return pid
    code = 9
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        edit(target, in_place=True, **EDIT)
        code = 0
    except DatasetError as error:
        code = 3 if "File too large" in str(error) else 9
        if code == 9:
            print(error, file=sys.stderr)
    finally:
        os._exit(code)


def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def spent(pid):
    """CPU seconds of a process so far: instants that do not depend on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Target:
    """A dataset that can be made old again, and what an undisturbed edit makes of it."""

    def __init__(self, folder):
        self.source, self.root = folder / "set", folder / "target"
        self.old = state(self.source)
        self.renew()
        before = sum(os.times()[2:4])
        assert code_of(started(self.root)) == 0
        self.seconds = sum(os.times()[2:4]) - before
        self.new = state(self.root)
        assert self.new != self.old
        self.renew()

    def renew(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.source, self.root)

    def leftovers(self):
        return [p.name for p in self.root.parent.iterdir() if p.name.startswith(f".{self.root.name}")]


def kill(folder, wanted, seed):
    """So many kills at random instants; after each the dataset is the old or the new one, and readers keep theirs."""
    target, rng, hits = Target(folder), random.Random(seed), Counter()
    while hits["killed"] < wanted:
        with (target.root / "data/chunk-000/file-000.parquet").open("rb") as reader:
            pid = started(target.root)
            instant = rng.uniform(0, target.seconds * 1.1)
            while not ended(pid) and spent(pid) < instant:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.03))  # the last steps wait for the disk and take no time
            os.kill(pid, signal.SIGKILL)
            code = code_of(pid)
            assert reader.read() == target.old["data/chunk-000/file-000.parquet"]
        hits["killed" if code else "ended before"] += 1
        now = state(target.root)
        assert now in (target.old, target.new), f"neither the old nor the new state after exit {code}"
        assert code or now == target.new
        hits["new" if now == target.new else "old"] += 1
        if now == target.new:
            hits["new although killed"] += code != 0
            target.renew()
            if target.leftovers():  # of a process that died behind the exchange: the next one removes them
                hits["left something that the next run removed"] += 1
                assert code_of(started(target.root)) == 0
                assert target.leftovers() == []
                assert state(target.root) == target.new
                target.renew()
    return dict(hits)


def limit(folder):
    """Files may not grow beyond ever more bytes: the kernel refuses writes of Arrow, FFmpeg and Python."""
    target, hits, most = Target(folder), Counter(), 500
    while True:
        code = code_of(started(target.root, most))
        assert target.leftovers() == []
        if code == 0:
            assert state(target.root) == target.new
            return {**hits, "bytes": most}
        assert code == 3, f"exit {code} with files of at most {most} bytes"
        assert state(target.root) == target.old
        hits["refused"] += 1
        most *= 2


if __name__ == "__main__":
    where = Path(sys.argv[1])
    done = limit(where) if sys.argv[2] == "limit" else kill(where, int(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(done))
