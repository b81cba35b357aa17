"""Folders of several layouts: the largest group converts, each other one has the command that converts it."""

import re
import shlex

from support import hdf5 as make
from support.cli import telecine
from telecine import convert
from telecine.dataset.reader import Dataset


def test_the_largest_group_converts_and_every_other_one_has_its_command(h5py, tmp_path):
    for number in range(4):
        make.isaaclab(h5py, tmp_path / f"lab_{number}.hdf5", demos=(0,), steps=5)
    for number in range(2):
        make.aloha(h5py, tmp_path / f"aloha_{number}.hdf5")
    with h5py.File(tmp_path / "lab_3.hdf5", "a") as file:
        del file["data/demo_0/obs/joint_pos"]
        file["data/demo_0/obs/joint_pos"] = make.ramp(5, 6)
    report = convert(tmp_path, tmp_path / "out", task="go")
    assert [e.recording.rpartition("/lab_")[2] for e in report.episodes] == [f"{n}.hdf5#/data/demo_0" for n in range(3)]
    assert len(report.rejected) == 3
    said = [f.message for f in report.findings if "not fit and will be rejected" in f.message]
    commands = [shlex.split(re.search(r"telecine convert .* OUT", text)[0])[2:-1] for text in said]
    assert commands == [
        [str(tmp_path / f"aloha_{number}.hdf5") for number in range(2)],
        [str(tmp_path / "lab_3.hdf5")],
    ]
    for number, paths in enumerate(commands):
        code, _, _ = telecine("convert", *paths, tmp_path / f"out_{number}", "--task-text", "go")
        assert code == 0
        assert len(Dataset(tmp_path / f"out_{number}").episodes) == len(paths)
