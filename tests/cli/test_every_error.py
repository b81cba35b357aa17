"""Whatever goes wrong at the keyboard ends with what to do about it, in few lines and without a traceback."""

import re
import shlex
from pathlib import Path

import pytest

from support.cli import telecine
from support.dataset import episode, write
from support.robosandbox import write_run

WORDS = (
    "give|name|use|write|read|run|set|add|leave|remove|choose|record|convert|see|say|take|make|begin|install|compare"
)
STEP = re.compile(
    rf"(?:; |-> |, |: )(?:first |or |then )?(?:{WORDS})\b"
    r"|pip install '|`telecine [a-z]+|telecine [a-z]+ .*OUT|did you mean|, e\.g\. |such as |there (?:is|are) [^;]*$"
    r"|\bexpected \w+|is not one of|has \d+ to \d+$|the same command goes on",
    re.MULTILINE,
)
"""What tells somebody what to type next: an order behind the sentence, a command, an example, or what there is."""
MOST_LINES = 12

MISTAKES = {
    # what is typed: (exit code, what the text says)
    "convert nowhere out": (1, "nowhere: does not exist; give a file, a folder"),
    "convert nowhere": (2, "telecine convert nowhere OUT"),
    "convert recordings": (2, "telecine convert recordings OUT"),
    "convert recordings/run_0 recordings/run_1": (2, "telecine convert recordings/run_0 recordings/run_1 OUT"),
    "convert empty out": (1, "there is no file in it; expected files like"),
    "convert images out": (1, "2 of its 2 files look like single images"),
    "convert one_image out": (1, "its only file looks like single images"),
    "convert noise.rrd out": (1, "noise.rrd: not a Rerun recording"),
    "convert empty.mcap out": (1, "the file is empty (0 bytes) -> make it again, or leave it out"),
    "convert empty.hdf5 out": (1, "the file is empty (0 bytes) -> make it again, or leave it out"),
    "convert noise.hdf5 out": (1, "noise.hdf5: cannot be read as HDF5"),
    "convert recordings dataset": (1, "add to it with --append, or replace it with --overwrite"),
    "convert recordings images": (1, "holds no dataset (meta/info.json is missing); name another folder"),
    "convert recordings plan.yaml": (1, "name a folder that does not exist yet"),
    "convert recordings out --plan missing.yaml": (2, "telecine inspect RECORDINGS --plan missing.yaml"),
    "convert recordings out --plan plan.yaml": (2, "did you mean '/robot_joints'?"),
    "convert recordings out --fps 29.97": (2, "--fps 30, which takes such cameras"),
    "convert recordings out --fps much": (2, "give a whole number, such as 30"),
    "convert recordings out --size big": (2, "e.g. 320x240"),
    "convert recordings out --functions missing.py": (2, "there is no such file; name a Python file"),
    "convert recordings out --max-memory much": (2, "give one such as 8GB or 500MB"),
    "convert recordings out --engine slurm": (2, "is not one of"),
    "convert recordings out --task-text 'DESCRIBE THE TASK'": (2, "task"),
    "convert recordings out --shard 1/2": (2, "telecine inspect RECORDINGS --plan plan.yaml"),
    "inspect nowhere": (1, "give a file, a folder"),
    "inspect plan.yaml": (1, "not a recording that telecine reads; give one of .bag"),
    "inspect recordings --png out": (2, "of one finished dataset; give its folder"),
    "inspect dataset --recover": (2, "always read whole; leave it out"),
    "inspect recordings --plan plan.yaml": (2, "remove it or choose another name"),
    "verify nowhere": (1, "there is no such folder -> name the folder of a dataset"),
    "verify plan.yaml": (1, "this is a file -> name the folder of a dataset, which `telecine convert` makes"),
    "verify empty": (1, "name the folder of a dataset, which `telecine convert` makes"),
    "verify broken": (1, "telecine repair broken"),
    "verify dataset --against nowhere": (1, "give a file, a folder"),
    "verify dataset --against recordings": (1, "`telecine diff`"),
    "diff nowhere elsewhere": (1, "there is no such folder; name the folder of a dataset"),
    "edit nowhere out --delete 1": (1, "there is no such folder; name the folder of a dataset"),
    "edit empty out --delete 1": (1, "not a LeRobot dataset (meta/info.json is missing); name the folder of a dataset"),
    "edit dataset out --delete 99": (2, "dataset has 0 to 1"),
    "edit dataset out --delete that": (2, "name episodes by numbers, such as 3 or 5-9"),
    "edit dataset out --trim 0": (2, "e.g. 4:1.5s..6.2s"),
    "edit dataset dataset --delete 0": (1, "name another folder, or replace it with --overwrite"),
    "merge nowhere elsewhere out": (1, "there is no such folder; name the folder of a dataset"),
    "merge dataset out": (2, "name two datasets or more"),
    "repair nowhere": (1, "name the folder of a dataset"),
    "repair broken --apply dataset": (1, "exists and is not empty; name another folder"),
    "finalize nowhere": (1, "begin with telecine convert RECORDINGS nowhere --plan PLAN --shard 1/N"),
    "finalize dataset": (1, "begin with telecine convert RECORDINGS dataset --plan PLAN --append --shard 1/N"),
    "view nowhere": (1, "give a file, a folder"),
    "push nowhere me/mine --license mit": (1, "there is no such folder; name the folder of a dataset"),
    "push dataset mine --license mit": (2, "give USER/NAME, such as me/dataset"),
    "push dataset me/mine --license 'All rights reserved'": (2, "such as apache-2.0"),
    "record sim dataset": (1, "name another folder"),
    "demo images": (1, "name another folder: telecine demo FOLDER"),
    "help nonsense": (2, "there are "),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the mistakes name."""
    folder = tmp_path_factory.mktemp("place")
    for number in range(2):
        write_run(folder / "recordings" / f"run_{number}", 8, actions=True)
    write(folder / "dataset", [episode(20, 0), episode(20, 1)])
    write(folder / "broken", [episode(20, 0)])
    (folder / "broken" / "meta" / "stats.json").unlink()
    for name, count in (("empty", 0), ("images", 2), ("one_image", 1)):
        (folder / name).mkdir()
        for number in range(count):
            (folder / name / f"{number}.jpg").write_bytes(b"\xff\xd8")
    for name in ("noise.rrd", "noise.hdf5"):
        (folder / name).write_bytes(bytes(range(100)))
    for name in ("empty.mcap", "empty.hdf5"):
        (folder / name).touch()
    (folder / "plan.yaml").write_text(
        "{fps: 30, clock: {timeline: sim}, features: {observation.state: /robot_joint}, task: pick}"
    )
    return folder


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_ends_with_what_to_do(mistake, place, monkeypatch, request):
    if "view" in mistake or "record" in mistake:
        pytest.importorskip("uvicorn" if "view" in mistake else "mujoco")
    if "hdf5" in mistake or "rrd" in mistake:
        request.getfixturevalue("h5py" if "hdf5" in mistake else "rerun")
    if "mcap" in mistake:
        pytest.importorskip("rosbags")
    monkeypatch.chdir(place)
    expected_code, expected = MISTAKES[mistake]
    code, printed, errors = telecine(*shlex.split(mistake))
    text = f"{printed}{errors}"
    assert code == expected_code, text
    assert expected in " ".join(text.split()), text
    assert "Traceback" not in text
    assert STEP.search(text), text
    assert len(text.strip().splitlines()) <= MOST_LINES, text
    assert not (place / "out").exists()


def test_a_sentence_without_a_next_step_would_be_noticed():
    for bare in ("error: out: cannot be written", "error: no such stream /joints", "error: the plan is wrong"):
        assert not STEP.search(bare)
