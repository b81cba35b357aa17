"""A library that ends the process while it reads one recording, as native readers do on some damaged files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.core.plan.model import make_plan

READER = """
import os
WHERE = {where!r}
from telecine.core.recording import Ref
from telecine.sources.format import Found

NAME = "crashing"
SUFFIXES = (".crash",)

def claims(path):
    return path.endswith(SUFFIXES)

def index(path, *, recover, token):
    if WHERE == "index":
        os.abort()
    return Found((Ref(NAME, path),))

def open(ref):
    os.abort()
"""


@pytest.fixture
def command(tmp_path, rerun):
    """`command(*flags)`: the result of converting two good recordings and, between them, one that crashes.

    where: "open" or "index", what the library does not survive.
    """
    plugin = tmp_path / "plugin"
    about = plugin / "crashing-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[telecine.sources]\ncrashing = crashing\n")
    for name in ("a", "c"):
        write_robot(tmp_path / "recordings" / f"{name}.rrd", {"front": Camera(jittered(20), "jpeg")}, recording_id=name)
    (tmp_path / "recordings" / "b.crash").touch()
    (tmp_path / "plan.yaml").write_text(make_plan(robot_plan("front")).to_yaml())

    def run(*flags, where="open", plan=("--plan", tmp_path / "plan.yaml")):
        (plugin / "crashing.py").write_text(READER.format(where=where))
        paths = [tmp_path / "recordings", tmp_path / "out", *plan]
        return subprocess.run(
            [sys.executable, "-m", "telecine", "convert", *paths, "--json", *flags],
            env={**os.environ, "PYTHONPATH": f"{plugin}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
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
    return told


@pytest.mark.parametrize("where", ["open", "index"])
@pytest.mark.parametrize("workers", [(), ("--workers", "1"), ("--workers", "2")], ids=["small", "1", "2"])
def test_it_costs_that_recording(command, workers, where, tmp_path):
    assert_only_the_crash_is_missing(command(*workers, where=where))
    assert not (tmp_path / ".out.telecine").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: elsewhere nothing is forked")
def test_without_a_plan_it_costs_that_recording_as_well(command):
    told = assert_only_the_crash_is_missing(command("--missing-action", "same_state", plan=()))
    assert told["episodes"][0]["rows"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="outside this repository: elsewhere nothing is forked")
@pytest.mark.parametrize("where", ["open", "index"])
def test_inspect_tells_the_others(command, tmp_path, where):
    command(where=where)
    ran = subprocess.run(
        [sys.executable, "-m", "telecine", "inspect", tmp_path / "recordings", "--json"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'plugin'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    told = json.loads(ran.stdout)
    assert len(told["recordings"]) == 2
    (finding,) = [f for f in told["findings"] if f["severity"] == "error"]
    assert "b.crash" in finding["where"]
    assert "SIGABRT" in finding["message"]


def test_in_the_main_process_it_costs_nothing_that_the_next_run_does_not_take_up(command, tmp_path):
    ran = command("--workers", "0")
    assert ran.returncode == -signal.SIGABRT
    assert not (tmp_path / "out").exists()
    again = command()
    assert_only_the_crash_is_missing(again)
    findings = {f["code"]: f for f in json.loads(again.stdout)["findings"]}
    assert findings["convert-crashed"]["where"].endswith("b.crash")
    assert "1 finished episode" in findings["convert-resumed"]["message"]
    assert not (tmp_path / ".out.telecine").exists()
