"""What docs/scale.md shows for Slurm and Kubernetes: run as it stands there, or checked as far as it can be."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import telecine as tc
from support.robosandbox import write_run
from support.shards import assert_equal

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
SLURM = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")


def blocks(heading, language):
    """The blocks of code in a section of the page."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder with what the page speaks of, and the dataset of one run: `whole`."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        write_run(tmp_path / "recordings" / f"run-{number}", 8 + number, pictures=0, actions=True)
    write_run(tmp_path / "recordings" / "run-4", 0, pictures=0)
    tc.inspect("recordings/run-0", plan="plan.yaml")
    tc.convert("recordings", "whole", "plan.yaml", workers=0)
    for name, text in zip(("part.sh", "finalize.sh"), blocks("Slurm", "bash"), strict=True):
        (tmp_path / name).write_text(text)
    command = tmp_path / "bin" / "telecine"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m telecine "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    return tmp_path


def test_the_scripts_one_after_the_other_make_the_dataset(folder):
    given = {**os.environ, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
    codes = [
        subprocess.run(["bash", name], env={**given, "SLURM_ARRAY_TASK_ID": number}, capture_output=True).returncode
        for name, number in (("part.sh", "2"), ("part.sh", "1"), ("finalize.sh", ""))
    ]
    assert codes == [0, 1, 0]  # a recording of the first part is rejected
    assert_equal(folder / "out", folder / "whole")


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """Slurm with one node, this machine, run by hand: munged, slurmctld and slurmd. A folder with their logs."""
    if os.geteuid() or any(shutil.which(name) is None for name in SLURM):
        pytest.skip("outside this repository: Slurm, and privileges to run it: apt-get install slurm-wlm")
    home = Path(tmp_path_factory.mktemp("slurm"))
    for name in ("state", "spool"):
        (home / name).mkdir()
    (home / "munge.key").write_bytes(os.urandom(1024))
    (home / "munge.key").chmod(0o400)
    (home / "slurm.conf").write_text(configuration(home))
    monkeypatch.setenv("SLURM_CONF", str(home / "slurm.conf"))
    monkeypatch.chdir(home)
    munge = [f"--{name}={home}/munge.{end}" for name, end in MUNGE_FILES.items()]
    commands = [
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-f", str(home / "slurm.conf")],
        ["slurmd", "-D", "-N", "node1", "-f", str(home / "slurm.conf")],
    ]
    started = []
    for command in commands:
        with (home / f"{command[0]}.out").open("wb") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        time.sleep(2)
    yield home
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        process.wait()


MUNGE_FILES = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def configuration(home):
    host = socket.gethostname().split(".")[0]
    return f"""
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=node1 Default=YES MaxTime=INFINITE State=UP
"""


@pytest.mark.long
def test_an_array_of_parts_and_its_finalize_run_on_slurm(slurm, folder):
    (lines,) = blocks("Slurm", "sh")
    submit = lines.replace("--array=1-200", "--array=1-3")
    assert submit != lines
    told = subprocess.run(["bash", "-ec", submit], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr + (slurm / "slurmctld.out").read_text()
    while subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout.strip():
        time.sleep(2)
    logs = "\n".join(path.read_text() for path in sorted(folder.glob("slurm-*.out")))
    assert (folder / "out" / "meta" / "info.json").is_file(), logs + (slurm / "slurmd.out").read_text()
    assert_equal(folder / "out", folder / "whole")


def test_the_job_of_kubernetes_is_one_by_its_schema():
    check = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate: extra `reference`")
    (text,) = blocks("Kubernetes", "yaml")
    job = yaml.safe_load(text)
    check.validate(job, "1.30", strict=True)
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 200)
    assert "$((JOB_COMPLETION_INDEX + 1))/200" in spec["template"]["spec"]["containers"][0]["args"][0]
