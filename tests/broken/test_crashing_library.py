"""A library that ends the process while it reads one recording, as native readers do on some damaged files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.core.plan import make_plan

READER = """
import os
from telecine.core.recording import Ref
from telecine.sources.format import Found

NAME = "crashing"
SUFFIXES = (".crash",)

def claims(path):
    return path.endswith(SUFFIXES)

def index(path, *, recover, token):
    return Found((Ref(NAME, path),))

def open(ref):
    os.abort()
"""


@pytest.fixture
def command(tmp_path, rerun):
    """`command(*flags)`: the result of converting two good recordings and, between them, one that crashes."""
    plugin = tmp_path / "plugin"
    about = plugin / "crashing-1.0.dist-info"
    about.mkdir(parents=True)
    (plugin / "crashing.py").write_text(READER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[telecine.sources]\ncrashing = crashing\n")
    for name in ("a", "c"):
        write_robot(tmp_path / "recordings" / f"{name}.rrd", {"front": Camera(jittered(20), "jpeg")})
    (tmp_path / "recordings" / "b.crash").touch()
    (tmp_path / "plan.yaml").write_text(make_plan(robot_plan("front")).to_yaml())

    def run(*flags):
        paths = [tmp_path / "recordings", tmp_path / "out", "--plan", tmp_path / "plan.yaml"]
        return subprocess.run(
            [sys.executable, "-m", "telecine", "convert", *paths, "--json", *flags],
            env={**os.environ, "PYTHONPATH": str(plugin)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def assert_only_the_crash_is_missing(ran):
    assert ran.returncode == 1, ran.stderr
    told = json.loads(ran.stdout)
    assert [Path(e["recording"].partition("#")[0]).name for e in told["episodes"]] == ["a.rrd", "c.rrd"]
    (rejected,) = told["rejected"]
    assert rejected["recording"].endswith("b.crash")
    assert "SIGABRT (a crash in a native library)" in rejected["reason"]["message"]


def test_in_a_worker_it_costs_that_recording(command):
    assert_only_the_crash_is_missing(command("--workers", "1"))


def test_in_the_main_process_it_costs_nothing_that_the_next_run_does_not_take_up(command, tmp_path):
    ran = command()
    assert ran.returncode == -signal.SIGABRT
    assert not (tmp_path / "out").exists()
    again = command()
    assert_only_the_crash_is_missing(again)
    findings = {f["code"]: f for f in json.loads(again.stdout)["findings"]}
    assert findings["convert-crashed"]["where"].endswith("b.crash")
    assert "1 finished episodes" in findings["convert-resumed"]["message"]
    assert not (tmp_path / ".out.telecine").exists()
