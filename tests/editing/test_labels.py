"""Labels in datasets: written by the writer, kept through every change of a dataset, and named where they cannot be."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import PLAIN, TOP, clip, episode, write
from telecine.core.edit.model import make_edit
from telecine.core.errors import EditError
from telecine.core.label import EVENTS, PERSISTENT, Label
from telecine.core.labels.columns import labels_of
from telecine.dataset.assembly import row_batches
from telecine.dataset.reader import Dataset
from telecine.dataset.v2_writer import write_v2
from telecine.dataset.verify.verify import verify
from telecine.dataset.writer import DatasetWriter
from telecine.editing.diff import diff
from telecine.editing.edit import edit
from telecine.editing.merge import merge
from telecine.recovery.repair import repair

LABELS = (
    Label(0, 6, "subtask", "reach"),
    Label(6, 24, "subtask", "grasp"),
    Label(0, 24, "task_aug", "take the cube"),
    Label(9, 10, "interjection", "careful"),
    Label(9, 10, "speech", "I will"),
    Label(12, 18, "intervention", value=1.0),
)
LANGUAGE = tuple(label for label in LABELS if label.style != "intervention")


def labelled(count=24, index=0, labels=LABELS):
    return replace(episode(count, index), labels=labels)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Labels come with the second episode, so the rows of the first get their columns late."""
    root = tmp_path_factory.mktemp("labels") / "picks"
    return write(root, [episode(9, 0), labelled(24, 1), episode(5, 2)])


def found(root, number):
    dataset = Dataset(root)
    return set(labels_of(dataset.rows(number), dataset.fps))


def column(root, number, key):
    return Dataset(root).rows(number, [key]).column(key).to_pylist()


def test_labels_are_columns_of_lerobot_from_whatever_episode_on(source):
    assert verify(source) == []
    features = Dataset(source).info["features"]
    assert features[PERSISTENT] == features[EVENTS] == {"dtype": "language", "shape": [1], "names": None}
    assert [found(source, n) for n in range(3)] == [set(), set(LANGUAGE), set()]
    assert column(source, 1, "intervention") == [False] * 12 + [True] * 6 + [False] * 6
    lists = column(source, 1, PERSISTENT)
    assert all(entries == lists[0] for entries in lists)
    assert lists[0][1] == {
        "role": "user", "content": "take the cube", "style": "task_aug", "timestamp": 0.0, "camera": None,
        "tool_calls": None,
    }  # fmt: skip
    assert [len(entries) for entries in column(source, 1, EVENTS)] == [0] * 9 + [2] + [0] * 14
    stats = json.loads((source / "meta/stats.json").read_text())
    assert stats["intervention"]["mean"] == [pytest.approx(6 / 38)]
    assert PERSISTENT not in stats


def test_trims_splits_and_new_labels_go_together(source, tmp_path):
    new = {"labels": [
        {"episode": 1, "rows": [4, 8], "style": "subtask", "text": "lift"},
        {"episode": 0, "rows": [2, 4], "style": "intervention", "value": 1},
        {"episode": 2, "style": "reward", "value": 0.5},
        {"episode": 1, "rows": [0, 24], "style": "task_aug", "drop": True},
    ]}  # fmt: skip
    once = edit(source, tmp_path / "once", edits=[make_edit(new)], trim="1:2..20", split="0:3")
    assert (once.ok, once.encoded_frames) == (True, 0)
    assert verify(tmp_path / "once") == []
    assert found(tmp_path / "once", 2) == {
        Label(0, 2, "subtask", "reach"), Label(2, 6, "subtask", "lift"), Label(6, 18, "subtask", "grasp"),
        Label(7, 8, "interjection", "careful"), Label(7, 8, "speech", "I will"),
    }  # fmt: skip
    assert column(tmp_path / "once", 0, "intervention") == [False, False, True]
    assert column(tmp_path / "once", 1, "intervention") == [True] + [False] * 5
    assert column(tmp_path / "once", 2, "intervention") == [False] * 10 + [True] * 6 + [False] * 2
    assert column(tmp_path / "once", 3, "next.reward") == [0.5] * 5
    edit(source, tmp_path / "labels", edits=[make_edit(new)])
    edit(tmp_path / "labels", tmp_path / "then", trim="1:2..20", split="0:3")
    for number in range(4):
        rows = [Dataset(tmp_path / name).rows(number) for name in ("once", "then")]
        assert rows[0] == rows[1]
    (entry,) = [e for e in diff(source, tmp_path / "once").relabelled if e["a"] == 1]
    assert {"rows": [2, 6], "style": "subtask", "text": "lift"} in entry["what"]["labels"]["b"]


def test_texts_of_labels_get_one_spelling_and_variants_of_tasks_are_named(source, tmp_path):
    change = make_edit({"label_texts": {"reach": "reach for it"}, "labels": [
        {"episode": 0, "style": "plan", "text": "Reach, then grasp"},
        {"episode": 1, "style": "plan", "text": "reach then grasp"}]})  # fmt: skip
    done = edit(source, tmp_path / "out", edits=[change], task="2=Pick up the cube")
    assert Label(0, 6, "subtask", "reach for it") in found(tmp_path / "out", 1)
    said = [f.message for f in done.findings if f.code == "label-spelling"]
    assert said[0].startswith("task: 'pick up the cube', 'Pick up the cube' are likely one text")
    assert said[1].startswith("plan: 'Reach, then grasp', 'reach then grasp'")


def test_rows_behind_the_end_of_a_new_label_are_named_unless_an_old_one_holds_there(source, tmp_path):
    new = {"labels": [
        {"episode": 0, "rows": [2, 4], "style": "subtask", "text": "lift"},
        {"episode": 2, "rows": [0, 3], "style": "subtask", "text": "lift"},
        {"episode": 1, "rows": [8, 10], "style": "subtask", "text": "lift"},
        {"episode": 2, "rows": [0, 1], "style": "interjection", "text": "now"},
    ]}  # fmt: skip
    done = edit(source, tmp_path / "out", edits=[make_edit(new)], trim="0:..7")
    (said,) = [f.message for f in done.findings if f.code == "label-open"]
    assert said.startswith("5 rows behind the end of a subtask without one")
    assert said.endswith("in 2 episodes, the first is 0")


def test_merging_keeps_labels_and_appending_fills_or_names_them(source, tmp_path):
    write(tmp_path / "plain", [episode(7, 5)])
    done = merge([tmp_path / "plain", source], tmp_path / "both")
    assert "language" not in "".join(f.message for f in done.findings)
    assert [found(tmp_path / "both", n) for n in range(4)] == [set(), set(), set(LANGUAGE), set()]
    assert verify(tmp_path / "both") == []
    shutil.copytree(source, tmp_path / "grown")
    with DatasetWriter.append(tmp_path / "grown", fps=30, robot_type="arm") as writer:
        writer.add(replace(labelled(24, 8), label_styles=("reward",)))
        writer.commit()
    assert found(tmp_path / "grown", 3) == set(LANGUAGE)
    with DatasetWriter.append(tmp_path / "plain", fps=30, robot_type="arm") as writer:
        writer.add(labelled(24, 8))
        assert "no columns for 6 labels" in writer.findings[0].message
        writer.commit()
    assert [c.key for c in Dataset(tmp_path / "plain").features][:2] == [c.key for c in PLAIN]


def test_repair_and_another_rate_keep_labels(source, tmp_path):
    assert repair(source, tmp_path / "mended").ok
    assert found(tmp_path / "mended", 1) == set(LANGUAGE)
    assert telecine("convert", source, tmp_path / "slow", "--fps", "10", "--workers", "0")[0] == 0
    assert found(tmp_path / "slow", 1) == {
        Label(0, 2, "subtask", "reach"), Label(2, 8, "subtask", "grasp"), Label(0, 8, "task_aug", "take the cube"),
        Label(3, 4, "interjection", "careful"), Label(3, 4, "speech", "I will"),
    }  # fmt: skip


def test_columns_as_lerobot_writes_them_are_kept_by_edits_and_repair(source, tmp_path):
    """LeRobot's annotation pipeline lets Arrow infer the types, so that calls of tools are structs."""
    shutil.copytree(source, tmp_path / "theirs")
    path = tmp_path / "theirs/data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for key in (PERSISTENT, EVENTS):
        rows = table.column(key).to_pylist()
        for entries in rows:
            for entry in entries:
                entry["tool_calls"] = entry["tool_calls"] and [json.loads(call) for call in entry["tool_calls"]]
        table = table.set_column(table.column_names.index(key), key, pa.array(rows))
    pq.write_table(table, path)
    edit(tmp_path / "theirs", tmp_path / "out", delete="0")
    assert repair(tmp_path / "theirs", tmp_path / "mended").ok
    assert found(tmp_path / "out", 0) == found(tmp_path / "mended", 1) == set(LANGUAGE)


def test_a_merge_says_how_to_keep_a_column_that_only_some_have(source, tmp_path):
    """Demonstrations without interventions, rollouts with them: nobody but the user knows the rows of the others."""
    write(tmp_path / "plain", [episode(7, 5), episode(3, 6)])
    done = merge([tmp_path / "plain", source], tmp_path / "both")
    assert "intervention" not in {c.key for c in Dataset(tmp_path / "both").features}
    (said,) = [f for f in done.findings if "intervention left out" in f.message]
    line = said.fix.partition(f"for {tmp_path / 'plain'} ")[2]
    assert json.loads(line) == [{"episode": "0-1", "start": 0, "style": "intervention", "value": 0}]
    (tmp_path / "a.json").write_text(line)
    edit(tmp_path / "plain", tmp_path / "known", labels=tmp_path / "a.json")
    merge([tmp_path / "known", source], tmp_path / "all", require_equal=False)
    assert [sum(column(tmp_path / "all", n, "intervention")) for n in range(5)] == [0, 0, 0, 6, 0]
    with pytest.raises(EditError, match="is not in all of them"):
        merge([tmp_path / "plain", source], tmp_path / "no", require_equal=True)


@pytest.mark.parametrize("kind", ["v2.1", "gr00t"])
def test_older_layouts_name_what_they_have_no_place_for(source, tmp_path, kind):
    (said,) = write_v2(source, tmp_path / "old", kind, scratch=tmp_path / "scratch")
    lost = (
        "1 interjection, 1 speech, 1 task_aug" if kind == "gr00t" else "1 interjection, 1 speech, 2 subtask, 1 task_aug"
    )
    assert said.message.endswith(f"labels are left out: {lost}")
    rows = pq.read_table(tmp_path / "old/data/chunk-000/episode_000001.parquet")
    info = json.loads((tmp_path / "old/meta/info.json").read_text())
    assert set(rows.column_names) == set(info["features"])
    assert rows.column("intervention").to_pylist()[12:18] == [True] * 6
    if kind == "gr00t":
        tasks = [json.loads(line)["task"] for line in (tmp_path / "old/meta/tasks.jsonl").read_text().splitlines()]
        shown = [tasks[number] for number in rows.column("annotation.human.subtask").to_pylist()]
        assert shown == ["reach"] * 6 + ["grasp"] * 18
        modality = json.loads((tmp_path / "old/meta/modality.json").read_text())
        assert modality["annotation"]["human.subtask"] == {"original_key": "annotation.human.subtask"}


def test_a_table_labels_a_dataset_from_the_command_line(source, tmp_path):
    (tmp_path / "a.csv").write_text(
        "episode,start,style,text\n0,0s,subtask,reach\n0,0.1s,subtask,grasp\n2,0,intervention,human\n"
    )
    assert telecine("edit", source, tmp_path / "out", "--labels", tmp_path / "a.csv")[0] == 0
    assert found(tmp_path / "out", 0) == {Label(0, 3, "subtask", "reach"), Label(3, 9, "subtask", "grasp")}
    assert column(tmp_path / "out", 2, "intervention") == [True] * 5
    (tmp_path / "b.csv").write_text("episode,start,stop,text\n0,0s,0.2s,reach\n0,0.1s,0.3s,grasp\n")
    with pytest.raises(
        EditError, match=r"labels: episode 0, rows 3 to 5: subtask: 'reach' \[0, 6\) and 'grasp' \[3, 9\)"
    ):
        edit(source, tmp_path / "no", labels=tmp_path / "b.csv")
    with pytest.raises(EditError, match=r"c.csv: the table of labels cannot be read"):
        edit(source, tmp_path / "no", labels=Path(tmp_path / "c.csv"))
    (tmp_path / "d.csv").write_text("episode,start\n" + "0,0s\n" * 5001)
    with pytest.raises(EditError, match="5001 labels in one edit"):
        edit(source, tmp_path / "no", labels=[tmp_path / "d.csv"])


@pytest.mark.parametrize("copied_rows", [1, 1 << 12])
def test_a_renamed_camera_is_renamed_in_labels(tmp_path, monkeypatch, copied_rows):
    monkeypatch.setattr(row_batches, "COPIED_ROWS", copied_rows)
    asked = Label(2, 3, "vqa", "what is it?", camera=TOP)
    one = replace(episode(9, 0, clips=[clip(tmp_path, TOP, 9)]), labels=(asked,))
    write(tmp_path / "in", [one])
    edit(tmp_path / "in", tmp_path / "out", rename=f"{TOP}=observation.images.front")
    assert found(tmp_path / "out", 0) == {replace(asked, camera="observation.images.front")}
    assert verify(tmp_path / "out") == []
