"""One block for one cause: mistakes of a plan, guesses, damage and streams left out are told once."""

import json
import re

import numpy as np
import pytest

from support.cli import telecine
from support.mcap import some_messages, write_bag, write_mcap, write_rosbag2
from support.robosandbox import write_run
from telecine.cli.screen.layout import short_labels, show_facts
from telecine.cli.screen.tables import console, show_rejected
from telecine.conversion.report import Rejected, by_cause, fits_none
from telecine.core.findings import Finding
from telecine.sources.shared.truncation import End, LoggedTimes

RIGHT = ["--fps", "30", "--index", "sim", "--state", "/robot_joints", "--action", "/action", "--task-text", "pick"]
WRONG = [*RIGHT[:5], "/robot_joint", *RIGHT[6:]]


@pytest.fixture
def runs(tmp_path):
    for number in range(3):
        write_run(tmp_path / "runs" / f"run_{number}", 8, actions=True)
    return tmp_path / "runs"


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_mistake_of_the_plan_that_all_recordings_share_is_told_once_and_is_exit_2(runs, tmp_path, more):
    code, said, _ = telecine("convert", runs, tmp_path / "out", *WRONG, "--workers", "0", *more)
    assert code == 2
    assert said.count("did you mean '/robot_joints'?") == 1
    assert "run_0 and 2 more: the plan does not fit" in said
    assert "the plan fits none of" in said
    assert f"telecine inspect {runs}" in said
    assert not (tmp_path / "out").exists()


def test_a_mistake_that_holds_for_one_recording_of_several_is_exit_1(runs, tmp_path):
    write_run(runs / "run_3", 8, actions=False)
    code, said, _ = telecine("convert", runs, tmp_path / "out", *RIGHT, "--workers", "0")
    assert code == 1
    assert "rejected: 1 recording" in said
    assert "the plan fits none" not in said
    assert (tmp_path / "out").exists()


def test_causes_are_one_where_only_the_recording_differs():
    def rejected(name, text, code="plan-mismatch"):
        return Rejected(name, Finding(code, "error", name, text.format(name), recording=name))

    alike = [rejected(f"in/{k}.mcap#x", "the plan does not fit {}, no stream '/a'") for k in range(4)]
    other = rejected("in/9.mcap#x", "the plan does not fit {}, no stream '/b'")
    assert by_cause([*alike, other]) == [(alike[0], tuple(r.recording for r in alike[1:])), (other, ())]
    assert fits_none(alike, 0)
    assert not fits_none(alike, 1)
    assert not fits_none([*alike, other], 0)
    assert not fits_none([rejected("in/0.mcap", "{} is cut", "source-truncated")], 0)
    assert not fits_none([], 0)


def test_causes_that_differ_in_what_was_measured_are_one_block_unless_asked_for_more(capsys):
    def rejected(number, off):
        text = f"in/{number}.mcap: means are {off}, expected 0.5"
        return Rejected(f"in/{number}.mcap", Finding("source-metadata", "error", "x", text, "repair it"))

    alike = [rejected(0, 0.125), rejected(1, 7)]
    assert len(by_cause(alike)) == 2
    assert by_cause(alike, any_numbers=True) == [(alike[0], ("in/1.mcap",))]
    show_rejected(console(), alike)
    said = capsys.readouterr().out
    assert "in/0.mcap and 1 more: " in said
    assert "also in/1.mcap, with other numbers; -v tells them\n" in said
    show_rejected(console(), [rejected(0, 7), rejected(1, 7)])
    assert "also in/1.mcap\n" in capsys.readouterr().out
    assert "means are 7" not in said


def test_guesses_are_one_list_in_inspect_convert_and_dry_run(tmp_path):
    pytest.importorskip("mcap", reason="needs mcap: pip install 'telecine[mcap]'")
    path = write_mcap(tmp_path / "take.mcap", some_messages(300))
    asked = ["convert", path, tmp_path / "out", "--task-text", "pick"]
    for words in (["inspect", path], asked, [*asked, "--dry-run"]):
        _, said, _ = telecine(*words)
        assert said.count("guessed, please check") == 1, words
        (block,) = [part for part in said.split("\n\n") if part.startswith("guessed, please check")]
        assert "observation.state: /joints:position" in block
        assert "plan-proposed" not in said
    assert "plan.yaml)" in telecine(*asked[:2], tmp_path / "again", *asked[3:])[1]


def test_what_is_left_of_a_cut_file_is_told_in_seconds(tmp_path):
    pytest.importorskip("mcap", reason="needs mcap: pip install 'telecine[mcap]'")
    files = [
        write_mcap(tmp_path / "chunks.mcap", some_messages(6000), chunk_size=1 << 14),
        write_mcap(tmp_path / "plain.mcap", some_messages(6000), use_chunking=False),
        write_bag(tmp_path / "ros1.bag", some_messages(6000, ros1=True)),
    ]
    for path in files[:2]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
        finding = json.loads(telecine("inspect", path, "--json")[1])["findings"][0]
        assert finding["code"] == "source-truncated"
        whole_s = float(finding["message"].partition("; ")[2].split()[0])
        assert 30 < whole_s < 42, finding  # of 60 s; the summary behind the messages is small
        assert " bytes)" in finding["message"]
    files[2].write_bytes(files[2].read_bytes()[:-10])
    message = json.loads(telecine("inspect", files[2], "--json")[1])["findings"][0]["message"]
    assert "; 60.0 s are whole (" in message


def test_what_is_left_of_a_cut_rosbag2_file_is_told_in_seconds(tmp_path):
    pytest.importorskip("rosbags", reason="needs rosbags: pip install 'telecine[ros]'")
    (path,) = write_rosbag2(tmp_path / "bag", some_messages(6000)).glob("*.db3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    message = json.loads(telecine("inspect", path, "--json")[1])["findings"][0]["message"]
    whole_s, all_s, messages = re.search(
        r"; ([\d.]+) of about ([\d.]+) s are whole \((\d+) messages\)", message
    ).groups()
    assert 30 < float(whole_s) < 42  # of 60 s, in which are 110 messages each
    code, said, _ = telecine("convert", path, tmp_path / "out", "--recover", "--task-text", "pick")
    assert (code, "1 episode, " in said) == (0, True), said
    assert 50 < float(all_s) < 70
    assert float(whole_s) == pytest.approx(int(messages) / 110, rel=0.05)
    path.write_bytes(path.read_bytes()[:1000])
    assert telecine("inspect", path)[1].count("bytes ->") == 1


def test_seconds_are_of_all_that_is_known_or_about_to_be():
    def said(state, times, whole=(9, 600, 1000)):
        return End(state, "why", whole, True, times=times).damage.partition("; ")[2]

    assert (
        said("cut", LoggedTimes(0, 36 * 10**9, 60 * 10**9)) == "36.0 of 60.0 s are whole (9 records, 600 of 1000 bytes)"
    )
    assert said("garbage", LoggedTimes(0, 36 * 10**9, 36 * 10**9)).startswith("36.0 of about 60.0 s are whole")
    assert said("cut", LoggedTimes(0, 36 * 10**9, 36 * 10**9)).startswith("36.0 s are whole")
    assert said("cut", None).startswith("60 % of it is whole")


def test_streams_that_are_left_out_for_one_reason_stand_together(h5py, tmp_path):
    from support.hdf5 import isaaclab

    _, said, _ = telecine("inspect", isaaclab(h5py, tmp_path / "demos.hdf5"))
    reasons = [line for line in said.splitlines() if line.startswith("  ") and " streams: " in line]
    assert reasons
    assert len(reasons) == len(set(reasons))


def test_recordings_with_one_name_show_their_file():
    labels = ["in/a.hdf5#/data/demo_0", "in/b.hdf5#/data/demo_0"]
    assert short_labels(labels) == ["a.hdf5#/data/demo_0", "b.hdf5#/data/demo_0"]
    assert short_labels(["/x/take.bag"]) == ["take.bag"]
    assert short_labels(["rerun+http://host/dataset/d#1", "x/a.rrd"]) == ["rerun+http://host/dataset/d#1", "x/a.rrd"]
    assert short_labels(["a.rrd", "/tmp/a.rrd"]) == ["a.rrd", "/tmp/a.rrd"]
    assert short_labels([]) == []


def test_values_of_facts_go_on_below_themselves(capsys):
    out = console()
    out.width = 40
    show_facts(out, [("observation.state", ", ".join(f"joint_{k}" for k in range(8))), ("empty", "")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("observation.state  joint_0")
    assert {line[:19] for line in lines[1:-1]} == {" " * 19}
    assert max(map(len, lines)) <= 40
    assert np.count_nonzero([line == "empty" for line in lines]) == 1
