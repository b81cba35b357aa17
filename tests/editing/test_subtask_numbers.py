"""`subtask_index` with meta/subtasks.parquet, LeRobot's subtasks before it had columns of language."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import PLAIN, episode, with_column, write
from telecine.core.edit.model import make_edit
from telecine.core.episode import FeatureColumn
from telecine.core.errors import EditError
from telecine.core.label import Label
from telecine.core.labels.columns import labels_of
from telecine.core.labels.numbered import numbered_subtasks
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.editing.edit import edit
from telecine.editing.merge import merge
from telecine.inspection.dataset_summary import summarize
from telecine.recovery.repair import repair
from telecine.sources import registry
from telecine.viewer.dataset_view import DatasetView

NUMBERS = FeatureColumn("subtask_index", "int64", (1,))
ROWS = [0] * 5 + [-1] * 2 + [1] * 8
FOUND = [Label(0, 5, "subtask", "reach"), Label(7, 15, "subtask", "grasp it")]
TABLE = {"subtask_index": [0, 1], "__index_level_0__": ["reach", "grasp it"]}


def numbered(root, table=TABLE, rows=ROWS):
    """As LeRobot's guide to subtasks has it: the texts are the table's pandas index."""
    one = with_column(episode(15, 1, columns=(*PLAIN, NUMBERS)), "subtask_index", pa.array(rows))
    zero = with_column(episode(6, 0, columns=(*PLAIN, NUMBERS)), "subtask_index", pa.array([-1] * 6))
    write(root, [zero, one])
    if table is not None:
        pq.write_table(pa.table(table), root / "meta/subtasks.parquet")
    return root


def test_stretches_of_a_number_are_subtasks_and_numbers_without_text_are_none():
    assert list(numbered_subtasks(np.array(ROWS), ["reach", " grasp it "])) == FOUND
    assert numbered_subtasks(np.array([7, 1, -1]), ["reach", " "]) == ()
    assert numbered_subtasks(np.array([], np.int64), ["reach"]) == ()


def test_a_conversion_makes_labels_of_them_and_inspect_and_the_page_show_them(tmp_path):
    root = numbered(tmp_path / "old")
    shown = {(t.style, t.text): (t.count, t.rows) for t in summarize(root).texts}
    assert shown[("subtask", "reach")] == (1, 5)
    assert shown[("subtask", "grasp it")] == (1, 8)
    page = DatasetView(str(root), str(root))
    assert [(entry["text"], entry["rows"]) for entry in page._labels(1)] == [("reach", [0, 5]), ("grasp it", [7, 15])]
    page.close()
    with registry.open(registry.find([root]).refs[1]) as recording:
        (offered,) = [item for item in recording.left_out if item.stream == "/subtask_index"]
        assert (offered.what, "subtask_index" in recording.features) == ("offered", False)
    assert telecine("convert", root, tmp_path / "new", "--workers", "0")[0] == 0
    made = Dataset(tmp_path / "new")
    assert "subtask_index" not in {c.key for c in made.features}
    assert verify(made.root) == []
    # In LeRobot's columns a subtask lasts until the next one.
    assert list(labels_of(made.rows(1), made.fps)) == [Label(0, 7, "subtask", "reach"), FOUND[1]]
    assert labels_of(made.rows(0), made.fps) == ()


def test_edits_and_repair_keep_numbers_and_texts(tmp_path):
    root = numbered(tmp_path / "old")
    edit(root, tmp_path / "edited", trim="1:3..", delete="0")
    assert repair(root, tmp_path / "mended").ok
    for name, number, first in (("edited", 0, 2), ("mended", 1, 5)):
        made = Dataset(tmp_path / name)
        labels = labels_of(made.rows(number, made.label_keys), made.fps, subtasks=made.subtasks)
        assert [(label.text, label.stop - label.start) for label in labels] == [("reach", first), ("grasp it", 8)]


def test_repair_keeps_how_columns_were_computed_and_names_what_it_cannot_keep(tmp_path):
    root = numbered(tmp_path / "old", {"subtask_index": [3], "text": ["a"]})
    edit(root, tmp_path / "new", edits=[make_edit({"features": {"add": [{"key": "up", "value": "action + 1"}]}})])
    done = repair(tmp_path / "new", tmp_path / "mended")
    assert [(f.where, "does not count its rows" in f.message) for f in done.lost] == [("meta/subtasks.parquet", True)]
    ways = json.loads((tmp_path / "mended/meta/telecine/derived.json").read_text())
    assert ways == json.loads((tmp_path / "new/meta/telecine/derived.json").read_text())
    (tmp_path / "new/meta/telecine/derived.json").write_text("[]")
    done = repair(tmp_path / "new", tmp_path / "again")
    assert done.lost[-1].where == "meta/telecine/derived.json"


def test_labels_in_words_go_before_numbers(tmp_path):
    root = numbered(tmp_path / "old")
    (tmp_path / "a.csv").write_text("episode,start,text\n1,0,other words\n")
    edit(root, tmp_path / "new", labels=tmp_path / "a.csv")
    made = Dataset(tmp_path / "new")
    labels = labels_of(made.rows(1, made.label_keys), made.fps, subtasks=made.subtasks)
    assert list(labels) == [Label(0, 15, "subtask", "other words")]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"subtask_index": [1, 0], "text": ["a", "b"]}, "does not count its rows"),
        ({"subtask_index": [0], "text": ["a"], "more": ["b"]}, "2 columns"),
        ({"subtask_index": [0], "text": [[1]]}, "no table of subtasks"),
    ],
)
def test_a_table_that_readers_would_understand_differently_is_named(tmp_path, table, said):
    root = numbered(tmp_path / "old", table)
    with registry.open(registry.find([root]).refs[1]) as recording:
        assert [said in text for _, text in recording.notes] == [True]
        assert (recording.labels, "subtask_index" in recording.features) == ((), True)
    assert any(said in f.message for f in summarize(root).findings)


def test_numbers_without_a_table_stay_numbers(tmp_path):
    with registry.open(registry.find([numbered(tmp_path / "old", None)]).refs[1]) as recording:
        assert (recording.labels, recording.notes) == ((), ())
        assert "subtask_index" in recording.features


def test_numbers_with_other_texts_are_not_merged(tmp_path):
    numbered(tmp_path / "a")
    numbered(tmp_path / "b", {"subtask_index": [0], "text": ["other"]})
    with pytest.raises(EditError, match=r"subtask_index: meta/subtasks.parquet differs between them"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    shutil.copyfile(tmp_path / "a/meta/subtasks.parquet", tmp_path / "b/meta/subtasks.parquet")
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert Dataset(tmp_path / "both").subtasks == ("reach", "grasp it")
