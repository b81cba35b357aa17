"""The examples in `--help` do what they say, on recordings and datasets of the names that stand in them."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from telecine.cli.help.examples import EXAMPLES

pytestmark = pytest.mark.long
NOT_HERE = ("telecine push dataset/ you/picks --license", "telecine view ")
"""Needs an account; goes on until it is stopped."""
FIRST = {
    "telecine convert recordings/ dataset": "rm -r dataset",
    "telecine convert recordings/ dataset --plan": "telecine inspect recordings --plan plan.yaml",
    "telecine convert monday.rrd tuesday.rrd dataset": "rm -r dataset; telecine convert monday.rrd dataset",
    "telecine finalize": "rm -r dataset; telecine inspect recordings --plan plan.yaml; "
    "telecine convert recordings dataset --plan plan.yaml --shard 1/1",
    "telecine repair": "cp -r dataset broken; rm -r broken/meta/episodes",
    "telecine diff": "telecine edit dataset curated --delete 3",
    "telecine merge a/ b/": "rm -r b; telecine edit a b --rename observation.images.front=observation.images.cam",
    "telecine completion fish": "mkdir -p ~/.config/fish/completions",
}
"""How a command begins -> what was done before."""
FOUND = ("telecine diff dataset/ curated/", "telecine repair broken/")
"""Exit with 1, since there is something."""


def shell(line, folder):
    line = re.sub(r"\btelecine (?=[a-z])", f"{sys.executable} -m telecine ", line)
    home = {**os.environ, "HOME": str(folder)}
    return subprocess.run(["bash", "-ec", line], cwd=folder, env=home, capture_output=True, text=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory, rerun):
    pytest.importorskip("mujoco", reason="needs mujoco: pip install 'telecine[sim]'")
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'telecine[plot]'")
    folder = tmp_path_factory.mktemp("examples")
    sim, small = "telecine record sim", "--size 64x48 --seconds 7 -q"
    made = shell(
        f"{sim} recordings --as run --episodes 10 {small}; {sim} bags --as mcap --episodes 1 {small}; "
        f"{sim} rrd --as rrd --episodes 2 {small}; "
        "mv rrd/episode_000.rrd monday.rrd; mv rrd/episode_001.rrd tuesday.rrd; "
        "for name in dataset monday tuesday a b; do telecine convert recordings $name -q; done",
        folder,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(
    "line", [line for lines in EXAMPLES.values() for line in lines if not line.startswith(NOT_HERE)]
)
def test_an_example_runs(line, base, tmp_path):
    folder = tmp_path / "here"
    shutil.copytree(base, folder)
    (before,) = [FIRST[start] for start in sorted(FIRST, key=len) if line.startswith(start)][-1:] or [""]
    done = shell(before, folder)
    assert done.returncode == 0, done.stderr
    done = shell(line, folder)
    assert done.returncode == (1 if line in FOUND or line.startswith("telecine diff") else 0), done.stdout + done.stderr
