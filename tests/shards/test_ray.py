"""Ray itself: a cluster of this machine, Ctrl-C, and two nodes in a network namespace of which one is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import needs
from support.shards import assert_equal, write_runs
from telecine.dataset.staging import workspace

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("ray")]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs") / "recordings", 12)


def command(recordings, out, plan_file, *more):
    words = ["convert", recordings, out, "--plan", plan_file, "--engine", "ray", "--shards", "4", *more]
    return [sys.executable, "-m", "telecine", *map(str, words)]


def test_a_machine_alone_is_a_cluster_and_ctrl_c_loses_nothing(recordings, plan_file, whole, tmp_path):
    out = tmp_path / "out"
    words = command(recordings, out, plan_file)
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as begun:
        assert begun.stderr is not None
        next(line for line in begun.stderr if b" is done on " in line)
        begun.send_signal(signal.SIGINT)
        rest = begun.stderr.read().decode()
    assert begun.returncode == 130, rest
    assert "parts are done; the same command makes the others" in rest
    assert not out.exists()
    assert str(out) not in _running(), "a part's process outlived the command"

    ended = subprocess.run(command(recordings, out, plan_file, "--json"), capture_output=True, text=True)
    made = json.loads(ended.stdout)
    assert (ended.returncode, made["published"], made["counts"]["done"]) == (1, True, 4), ended.stderr  # 3 are rejected
    assert_equal(out, whole)
    logs = sorted(path.name for path in (workspace(out) / "job-new" / "logs").iterdir())
    assert logs == [f"shard-00{number}.log" for number in range(1, 5)]


@pytest.mark.parametrize("where", ["folder", "store"])
def test_a_node_that_is_killed_costs_no_episode(recordings, plan_file, whole, tmp_path, where):
    if where == "store":
        for module, extra in (("obstore", "cloud"), ("moto", "reference"), ("boto3", "reference")):
            needs(module, extra)
    here = "unshare -n true && ip link show lo"
    if shutil.which("unshare") is None or subprocess.run(["sh", "-c", here], capture_output=True).returncode:
        pytest.skip("outside this repository: privileges for a network namespace (unshare -n)")
    program = Path(__file__).parents[1] / "support" / "cluster.py"
    given = f'"{recordings}" "{tmp_path}/out" "{plan_file}" {where}'
    words = f'ip link set lo up && exec "{sys.executable}" "{program}" {given}'
    environment = os.environ | {"RAY_raylet_start_wait_time_s": "200", "RAY_USAGE_STATS_ENABLED": "0"}
    ended = subprocess.run(["unshare", "-n", "sh", "-c", words], capture_output=True, text=True, env=environment)
    assert "killed" in ended.stdout, ended.stdout + ended.stderr
    assert "published 9" in ended.stdout, ended.stdout + ended.stderr
    assert_equal(tmp_path / "out", whole)


def _running():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue  # it has just ended
    return " ".join(found)
