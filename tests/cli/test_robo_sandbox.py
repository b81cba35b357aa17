"""RoboSandbox's own command, in its words."""

import json

import pytest

from support.cli import telecine
from support.hdf5 import film, mp4
from support.robosandbox import write_run
from telecine.cli.robo_sandbox import main
from telecine.dataset.reader import Dataset


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "runs" / "one")
    return tmp_path / "runs" / "one"


def test_a_run_is_exported_in_robosandboxs_words(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["export-lerobot", str(run), str(out), "--task", "lift the cube", "--fps", "20"]) == 0
    dataset = Dataset(out)
    assert (dataset.fps, list(dataset.tasks)) == (20, ["lift the cube"])
    assert "1 episode " in capsys.readouterr().out
    assert main(["export-lerobot", str(run), str(out)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["export-lerobot", str(run), str(out), "--overwrite"]) == 0
    assert Dataset(out).fps == 30


def test_runs_are_taken_by_their_outcome(run, tmp_path, capsys):
    write_run(run.parent / "two", result={"success": False, "reason": "dropped"})
    write_run(run.parent / "three")
    (run.parent / "three" / "result.json").unlink()
    out = tmp_path / "out"
    assert main(["export-lerobot", str(run.parent), str(out), "--where", "success == true"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "two: success is false; three: success is unknown" in said or "three: success is unknown; two:" in said
    assert len(Dataset(out).episodes) == 1
    words = ["export-lerobot", str(run.parent), str(tmp_path / "stopped"), "--where", "outcome == 'interrupted'"]
    assert main(words) == 0
    assert [e["outcome"] for e in Dataset(tmp_path / "stopped").provenance] == ["interrupted"]


def test_a_folder_that_is_no_run_is_named_with_what_a_run_has(tmp_path, capsys):
    (tmp_path / "video.mp4").write_bytes(b"")
    assert main(["export-lerobot", str(tmp_path), str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "events.jsonl not found" in said
    assert "only video.mp4 is there" in said


def test_what_is_no_command_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["export"])
    assert "export-lerobot" in capsys.readouterr().err


def test_frames_that_are_too_small_are_said_when_they_are_converted_and_inspected(run, tmp_path):
    mp4(run / "video.mp4", film(30), 30)
    code, said, _ = telecine("convert", run, tmp_path / "out")
    assert (code, "64x48 is too small to see much: record again" in " ".join(said.split())) == (0, True)
    code, said, _ = telecine("inspect", tmp_path / "out", "--json")
    (small,) = [f for f in json.loads(said)["findings"] if f["code"] == "look-small"]
    assert (code, small["key"], small["severity"]) == (0, "observation.images.scene", "info")


def test_the_page_of_a_dataset_has_the_lines_of_robosandboxs(run, tmp_path):
    telecine("convert", run, tmp_path / "out")
    _, said, _ = telecine("inspect", tmp_path / "out", "--json")
    page = json.loads(said)
    (table,) = page["frame_tables"]
    assert table["path"] == str(tmp_path / "out/data/chunk-000/file-000.parquet")
    assert table["rows"] == page["frames"] == page["episodes"][0]["length"]
    assert {"observation.state", "action"} <= set(table["columns"])
    assert page["episodes"][0]["task_numbers"] == [0]
    _, said, _ = telecine("inspect", tmp_path / "out")
    assert "Frame table" in said
    assert f"0: {page['tasks'][0]}" in said
