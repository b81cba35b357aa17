"""Datasets merged, compared and shared out, by content."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import COLUMNS, TOP, WRIST, clip, episode, everything, two_cameras, write
from support.pictures import read_frame_id
from telecine.commands import edit as commands
from telecine.core.errors import DatasetError, EditError
from telecine.core.findings import Finding, has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.editing.diff import diff
from telecine.editing.edit import edit
from telecine.editing.into import share_out
from telecine.editing.merge import merge
from telecine.video.mp4_reader import decode_at

LENGTHS = (20, 7, 33, 12)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    return write(folder / "picks", everything(folder, LENGTHS))


def test_a_dataset_equals_itself_and_an_edit_without_a_change(source, tmp_path):
    edit(source, tmp_path / "out")
    found = diff(source, tmp_path / "out")
    assert found.equal
    assert (found.frames[TOP].same_bits, found.frames[WRIST].different) == (sum(LENGTHS), 0)


def test_diff_says_exactly_the_edit(source, tmp_path):
    edit(
        source,
        tmp_path / "out",
        delete="1",
        trim="2:3..29",
        split="0:10",
        task="3=wipe",
        success="3=false",
        drop="wrench",
    )
    found = diff(source, tmp_path / "out")
    assert not found.equal
    assert (found.removed, found.added) == ((1,), ())
    assert found.trimmed == ({"a": 2, "b": 2, "rows": [3, 29]},)
    assert found.split == ({"a": 0, "b": [{"b": 0, "rows": [0, 10]}, {"b": 1, "rows": [10, 20]}]},)
    assert [(e["a"], sorted(e["what"])) for e in found.relabelled] == [(3, ["success", "tasks"])]
    assert (found.features["removed"], found.features["added"]) == (["wrench"], ["next.success"])
    assert (found.frames[TOP].same_bits, found.frames[TOP].different) == (56, 2)
    assert json.loads(json.dumps(found.to_dict()))["episodes"]["removed"] == [1]


def test_a_part_with_a_task_of_the_whole_is_not_relabelled_and_one_with_another_is(tmp_path):
    tasks = ["reach"] * 10 + ["lift"] * 10
    root = write(tmp_path / "picks", [episode(20, 0, tasks=tasks), episode(12, 1)])
    edit(root, tmp_path / "part", trim="0:0..10")
    assert diff(root, tmp_path / "part").relabelled == ()
    edit(root, tmp_path / "other", trim="0:0..10", task="0=wave")
    (said,) = diff(root, tmp_path / "other").relabelled
    assert said == {"a": 0, "b": 0, "what": {"tasks": {"a": ["reach", "lift"], "b": ["wave"]}}}


def test_what_is_deleted_and_merged_back_is_the_same_content(source, tmp_path):
    edit(source, tmp_path / "some", delete="2")
    edit(source, tmp_path / "other", keep="2")
    done = merge([tmp_path / "some", tmp_path / "other"], tmp_path / "whole")
    assert (done.linked_files, done.copied_frames, done.encoded_frames) == (4, 0, 0)
    assert 0 < done.seconds < 600
    found = diff(source, tmp_path / "whole")
    assert found.equal, found
    assert found.moved == ({"a": 2, "b": 3},)
    assert verify(tmp_path / "whole", decode="all") == []
    assert Dataset(tmp_path / "whole").tasks == ("pick up the cube", "put it down")


def test_features_that_not_all_have_are_left_out_with_a_word(source, tmp_path):
    edit(source, tmp_path / "b", drop=["wrench", WRIST], rename="contacts=touches")
    done = merge([source, tmp_path / "b"], tmp_path / "out", rename=["b:touches=contacts"])
    assert [(f.severity, f.where) for f in done.findings] == [("warning", str(source))]
    assert WRIST in done.findings[0].message
    assert "wrench" in done.findings[0].message
    assert Dataset(tmp_path / "out").cameras == (TOP,)
    assert len(Dataset(tmp_path / "out")) == 8
    assert verify(tmp_path / "out") == []
    with pytest.raises(EditError, match="is not in all of them"):
        merge([source, tmp_path / "b"], tmp_path / "no", require_equal=True)


def test_a_dataset_of_twice_the_rate_gives_every_second_row(source, tmp_path):
    clips = [clip(tmp_path, TOP, 9, fps=15), clip(tmp_path, WRIST, 9, fps=15, size=(96, 64))]
    made = episode(9, 0, columns=COLUMNS, clips=clips, fps=15)
    made = replace(made, grid=replace(made.grid, fps=Fraction(15)))
    write(tmp_path / "slow", [made], fps=15)
    done = merge([source, tmp_path / "slow"], tmp_path / "out")
    (said,) = (f for f in done.findings if f.code == "edit-converted")
    assert "has 30 fps; one row in 2 is taken, for 15 fps" in said.message
    dataset, before = Dataset(tmp_path / "out"), Dataset(source)
    assert (dataset.fps, [e.length for e in dataset.episodes]) == (15, [10, 4, 17, 6, 9])
    keys = [column.key for column in COLUMNS]
    for number in range(4):
        assert dataset.rows(number, keys).to_pylist() == before.rows(number, keys).to_pylist()[::2]
        path, first = dataset.frame(TOP, number, 0)
        frames = decode_at(str(path), range(first, first + dataset.episodes[number].length))
        assert [read_frame_id(rgb)[:2] for _, rgb in frames] == [(row, number) for row in range(0, LENGTHS[number], 2)]
    assert {c.key: c.dtype for c in dataset.features} == {c.key: c.dtype for c in before.features}
    assert verify(tmp_path / "out", decode="all") == []
    broken = Path(shutil.copytree(source, tmp_path / "broken"))
    next(broken.glob("videos/*wrist/*/*.mp4")).write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"broken: cannot be made v3.0 at 15 fps: .*mp4"):
        merge([broken, tmp_path / "slow"], tmp_path / "no")


def test_what_does_not_go_together_is_refused(source, tmp_path):
    made = episode(9, 0, columns=COLUMNS, fps=20)
    write(tmp_path / "slow", [replace(made, grid=replace(made.grid, fps=Fraction(20)))], fps=20)
    with pytest.raises(EditError, match="30 is no multiple of 20: .* first `telecine convert .*picks NEW --fps 20`"):
        merge([source, tmp_path / "slow"], tmp_path / "out")
    columns = tuple(replace(c, shape=(2,), names=None) if c.key == "action" else c for c in COLUMNS)
    write(tmp_path / "narrow", [episode(9, 0, columns=columns, clips=two_cameras(tmp_path, 9, 0))])
    with pytest.raises(EditError, match="action: .*float32 3, .*float32 2"):
        merge([source, tmp_path / "narrow"], tmp_path / "out")
    with pytest.raises(EditError, match="two datasets or more"):
        merge([source], tmp_path / "out")
    with pytest.raises(EditError, match="there is no input 'c'"):
        merge([source, source], tmp_path / "out", rename=["c:a=b"])
    for new in ("timestamp", "action"):
        with pytest.raises(EditError, match=rf"--rename: .*narrow would have .*{new}.* twice"):
            merge([source, tmp_path / "narrow"], tmp_path / "out", rename=[f"narrow:wrench={new}"])
    assert not (tmp_path / "out").exists()


def test_datasets_without_a_number_in_common_are_not_compared(source, tmp_path):
    edit(source, tmp_path / "b", drop=[c.key for c in COLUMNS if c.key not in ("note", "next.done")])
    edit(source, tmp_path / "a", drop="next.done")
    with pytest.raises(DatasetError, match="no column of numbers in common"):
        diff(tmp_path / "a", tmp_path / "b")


def test_a_dataset_is_shared_out_by_recording(source, tmp_path):
    made = share_out(source, tmp_path / "sets", "train=0.5,val=0.5", seed=3)
    assert sorted(p.name for p in (tmp_path / "sets").iterdir()) == ["train", "val"]
    assert sum(part.episodes for part in made.parts.values()) == len(LENGTHS)
    assert (made.ok, made.to_dict()["ok"]) == (True, True)
    lacking = replace(made.parts["val"], findings=(Finding("edit-converted", "error", "val", "not sound"),))
    assert replace(made, parts=made.parts | {"val": lacking}).ok is False
    for name in made.parts:
        assert verify(tmp_path / "sets" / name) == []
        assert sorted(Dataset(tmp_path / "sets" / name).tasks) == ["pick up the cube", "put it down"]
    seen = {n: diff(source, tmp_path / "sets" / n, frames=False).removed for n in made.parts}
    assert sorted(seen["train"] + seen["val"]) == [0, 1, 2, 3]


def test_no_input_is_replaced_by_what_is_made_of_it(source, tmp_path):
    edit(source, tmp_path / "set")
    edit(source, tmp_path / "other")
    with pytest.raises(DatasetError, match="exists and is not empty"):
        merge([tmp_path / "other", tmp_path / "set"], tmp_path / "set")
    for overwrite in (False, True):
        with pytest.raises(EditError, match="set would replace"):
            share_out(tmp_path / "set", tmp_path, "set=0.5,val=0.5", overwrite=overwrite)
    with pytest.raises(EditError, match="in_place does not go with it"):
        commands.edit(tmp_path / "set", tmp_path / "parts", into="a=0.5,b=0.5", in_place=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "set"]
    assert len(Dataset(tmp_path / "set").episodes) == 4


def exchanged_rows(source, folder):
    """The dataset with the rows of its first two episodes, which are of one length, in each other's place."""
    root = Path(shutil.copytree(source, folder / "exchanged"))
    path = Dataset(root).rows_path(0)
    table = pq.read_table(path)
    for key in ("action", "observation.state"):
        values = table.column(key).to_pylist()
        values = [*values[9:18], *values[:9], *values[18:]]
        table = table.set_column(table.column_names.index(key), key, pa.array(values, table.schema.field(key).type))
    pq.write_table(table, path)
    return root


@pytest.mark.parametrize("command", ["edit", "merge"])
def test_rows_that_are_not_those_of_their_statistics_are_refused_by_name(tmp_path, command):
    good = write(tmp_path / "good", [episode(9, 0), episode(9, 1), episode(9, 2)])
    wrong = exchanged_rows(good, tmp_path)
    assert has_errors(verify(wrong))
    given = {"edit": (wrong, tmp_path / "out", "--delete", "2"), "merge": (good, wrong, tmp_path / "out")}
    code, out, err = telecine(command, *given[command])
    assert (code, (tmp_path / "out").exists()) == (1, False)
    said = out + err
    assert f"{wrong} episode 0 " in said
    assert "verify-stats" in said
    assert f"telecine repair {wrong}" in said


def test_an_episode_whose_rows_are_its_own_is_taken_out_of_a_dataset_in_which_others_are_not(tmp_path):
    wrong = exchanged_rows(write(tmp_path / "good", [episode(9, 0), episode(9, 1), episode(9, 2)]), tmp_path)
    assert edit(wrong, tmp_path / "out", delete="0,1").ok
    assert verify(tmp_path / "out") == []


def test_edit_says_that_frames_were_not_compared(source, tmp_path):
    code, out, _ = telecine("edit", source, tmp_path / "out", "--delete", "0", "-q")
    assert code == 0
    assert f"verified; frames were not compared with their statistics, which `telecine verify {tmp_path}" in out


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_video_that_lacks_frames_is_not_merged(source, tmp_path, is_cut):
    cut = Path(shutil.copytree(source, tmp_path / "cut"))
    path, _ = Dataset(cut).frame(TOP, 0, 0)
    if is_cut:
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    else:
        path.unlink()
        shutil.copy(Dataset(write(tmp_path / "short", everything(tmp_path, (12,)))).frame(TOP, 0, 0)[0], path)
    assert has_errors(verify(cut))
    with pytest.raises(DatasetError, match="the result would not be sound") as said:
        merge([source, cut], tmp_path / "out")
    assert "/stage/" not in str(said.value)
    assert not (tmp_path / "out").exists()
