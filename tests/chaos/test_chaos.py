"""Conversions that are killed at random instants, taken up, and end in the bytes of an undisturbed run.

    pytest tests/chaos                              a short form (CI)
    pytest tests/chaos -m long -s                   200 kills; prints what was hit
    TELECINE_CHAOS_KILLS=1000 pytest tests/chaos -m long -s

At every kill the target must be exactly the old state or exactly the new one.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.conversion.pipeline import Options, convert
from telecine.core.plan.model import parse_plan

pytestmark = [
    pytest.mark.usefixtures("rerun"),
    pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: children are found in /proc"),
]
RECORDINGS = 6
STOPS = (signal.SIGTERM, signal.SIGINT)


def state(root):
    """Every file of a dataset with its content; None where there is no dataset."""
    if not root.exists():
        return None
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def spent(pid):
    """CPU seconds of a process and its children so far: instants that do not depend on what else the machine does."""
    total = 0
    for each in (pid, *children(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


class Bench:
    """Recordings, two plans, and the datasets that undisturbed runs make of them."""

    def __init__(self, folder):
        self.folder = folder
        for number in range(RECORDINGS):
            cameras = {
                "front": Camera(jittered(25 + number, seed=number)),
                "wrist": Camera(jittered(25 + number, seed=50 + number), "jpeg", ordinal=1),
            }
            write_robot(folder / "all" / f"r{number}.rrd", cameras, episode=number)
        (folder / "some").mkdir()
        for number in range(2):
            shutil.copy(folder / "all" / f"r{number}.rrd", folder / "some")
        for fps in (15, 30):
            (folder / f"{fps}.yaml").write_text(yaml.safe_dump(robot_plan("front", "wrist", fps=fps)))
        before = sum(os.times()[2:4])
        subprocess.run(self.command("all", "target"), check=True, capture_output=True)
        self.seconds = sum(os.times()[2:4]) - before
        new = self.made("all", 30, "new")
        self.olds = {"new": None, "overwrite": self.made("all", 15, "other"), "append": self.made("some", 30, "some")}
        shutil.copytree(folder / "some-out", folder / "more-out")
        self.news = {"new": new, "overwrite": new, "append": self.made("all", 30, "more", append=True)}

    def command(self, recordings, out):
        where = [str(self.folder / recordings), str(self.folder / out), "--plan", str(self.folder / "30.yaml")]
        return [sys.executable, "-m", "telecine", "convert", *where, "--json"]

    def made(self, recordings, fps, name, *, append=False):
        """What an undisturbed run makes, in this process."""
        plan = parse_plan((self.folder / f"{fps}.yaml").read_text())
        report = convert([self.folder / recordings], self.folder / f"{name}-out", plan, Options(append=append))
        assert report.ok
        return state(self.folder / f"{name}-out")

    def begin(self, kind):
        """The old state at the target, and the command that makes the new one of it."""
        root = self.folder / "target"
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(self.folder / ".target.telecine", ignore_errors=True)
        old = {"overwrite": "other-out", "append": "some-out"}.get(kind)
        if old:
            shutil.copytree(self.folder / old, root)
        flags = {"overwrite": ["--overwrite"], "append": ["--append"]}.get(kind, [])
        return root, [*self.command("all", "target"), *flags]


@pytest.fixture(scope="module")
def bench(tmp_path_factory, rerun):
    return Bench(tmp_path_factory.mktemp("chaos"))


def strike(command, rng, seconds, hits):
    """Run the command and do something to somebody at a random instant; its exit code."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        instant, victim = rng.uniform(0, seconds), rng.choice(["parent", "worker", "both", "stop"])
        while process.poll() is None and spent(process.pid) < instant:
            time.sleep(0.005)
        while process.poll() is None and victim in ("worker", "both") and not children(process.pid):
            time.sleep(0.005)
        workers = children(process.pid)
        if process.poll() is not None:
            hits["ended before"] += 1
        elif victim == "stop":
            hits["asked to stop"] += 1
            process.send_signal(rng.choice(STOPS))
        else:
            hits[f"killed {victim}"] += 1
            kill([*(workers[:1] if victim != "parent" else []), *([process.pid] if victim != "worker" else [])])
        errors = process.stderr.read().decode()
        code = process.wait()
    # While Python still starts, it answers Ctrl-C in its own way.
    assert "Traceback" not in errors or "KeyboardInterrupt" in errors, errors
    return code


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def torment(bench, wanted, seed, say=lambda hits: None):
    """At least so many kills and stops, over runs that make, replace and extend a dataset; what happened, how often."""
    rng, hits = random.Random(seed), Counter()
    kinds = ["new", "overwrite", "append"]
    while sum(n for what, n in hits.items() if what.startswith(("killed", "asked"))) < wanted:
        kind = kinds[hits["finished"] % 3]
        root, command = bench.begin(kind)
        old, new = bench.olds[kind], bench.news[kind]
        while True:
            workers = rng.choice([(), ("--workers", "2")])  # a copy of the command; that and a started process
            code = strike([*command, *workers], rng, bench.seconds, hits)
            now = state(root)
            assert now in (old, new), f"{kind}: neither the old nor the new state after exit {code}"
            if now == new:
                break
            assert code != 0, f"{kind}: success without the new state"
        if (root.parent / ".target.telecine").exists():
            hits["leftovers removed by the next run"] += 1
            subprocess.run(command, capture_output=True, check=False)
            assert not (root.parent / ".target.telecine").exists()
            assert state(root) == new
        hits["finished"] += 1
        say(hits)
    return hits


def test_killed_runs_end_in_the_same_bytes(bench):
    torment(bench, 6, seed=int(os.environ.get("TELECINE_CHAOS_SEED", "0")))


@pytest.mark.long
def test_two_hundred_kills(bench):
    wanted = int(os.environ.get("TELECINE_CHAOS_KILLS", "200"))
    torment(bench, wanted, seed=time.time_ns(), say=lambda hits: print(dict(hits), flush=True))
