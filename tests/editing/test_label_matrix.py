"""Labels after every change of a dataset, in every layout: as far as it can hold them, else named."""

import json
import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import episode, write
from telecine.core.label import Label
from telecine.core.labels.columns import labels_of
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
    Label(9, 10, "interjection", "careful"),
    Label(12, 18, "intervention", value=1.0),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("matrix") / "picks"
    return write(root, [episode(9, 0), replace(episode(24, 1), labels=LABELS)])


def appended(source, out):
    shutil.copytree(source, out)
    with DatasetWriter.append(out, fps=30, robot_type="arm") as writer:
        writer.add(replace(episode(24, 8), labels=LABELS))
        writer.commit()


def resampled(source, out):
    assert telecine("convert", source, out, "--fps", "10", "--workers", "0")[0] == 0


WHOLE = ("r" * 6 + "g" * 18, range(12, 18), 9)
CHANGES = {
    "trim": (lambda s, out: edit(s, out, trim="1:2..20"), {1: ("r" * 4 + "g" * 14, range(10, 16), 7)}),
    "split": (
        lambda s, out: edit(s, out, split="1:10"),
        {1: ("r" * 6 + "g" * 4, range(0), 9), 2: ("g" * 14, range(2, 8), None)},
    ),
    "merge": (lambda s, out: merge([s, s], out), {1: WHOLE, 3: WHOLE}),
    "resample": (resampled, {1: ("rrgggggg", range(4, 6), 3)}),
    "append": (appended, {1: WHOLE, 2: WHOLE}),
    "repair": (lambda s, out: repair(s, out), {1: WHOLE}),
}
TEXTS = {"r": "reach", "g": "grasp"}


@pytest.fixture(scope="module", params=CHANGES)
def changed(request, source, tmp_path_factory):
    """(dataset, {episode: (subtask of each row, rows with an intervention, row of the interjection)})."""
    change, expected = CHANGES[request.param]
    out = tmp_path_factory.mktemp("changed") / request.param
    change(source, out)
    return out, expected


def test_labels_are_where_they_were(changed):
    out, expected = changed
    assert verify(out) == []
    dataset = Dataset(out)
    for number in range(len(dataset)):
        rows = dataset.rows(number)
        subtasks, human, said = expected.get(number, ("", range(0), None))
        labels = labels_of(rows, dataset.fps)
        shown = [next((one.text for one in labels if one.style == "subtask" and one.start <= row < one.stop), None)
                 for row in range(rows.num_rows)]  # fmt: skip
        assert shown == ([TEXTS[letter] for letter in subtasks] or [None] * rows.num_rows)
        assert [one.start for one in labels if one.style == "interjection"] == ([] if said is None else [said])
        assert rows.column("intervention").to_pylist() == [row in human for row in range(rows.num_rows)]


@pytest.mark.parametrize("layout", ["v2.1", "gr00t"])
def test_older_layouts_hold_what_they_can_and_name_the_rest(changed, tmp_path, layout):
    out, expected = changed
    (said,) = write_v2(out, tmp_path / "old", layout, scratch=tmp_path / "scratch")
    interjections = sum(row is not None for _, _, row in expected.values())
    assert f"{interjections} interjection" in said.message
    assert ("subtask" in said.message) == (layout == "v2.1")
    tasks = [json.loads(line)["task"] for line in (tmp_path / "old/meta/tasks.jsonl").read_text().splitlines()]
    for number, (subtasks, human, _) in expected.items():
        rows = pq.read_table(tmp_path / f"old/data/chunk-000/episode_{number:06d}.parquet")
        assert rows.column("intervention").to_pylist() == [row in human for row in range(rows.num_rows)]
        if layout == "gr00t":
            shown = [tasks[place] for place in rows.column("annotation.human.subtask").to_pylist()]
            assert shown == [TEXTS[letter] for letter in subtasks]


def test_diff_sees_a_label_that_was_changed_in_any_of_them(changed, tmp_path):
    out, expected = changed
    number = min(expected)
    (tmp_path / "a.csv").write_text(f"episode,start,stop,text\n{number},1,2,wait\n")
    edit(out, tmp_path / "new", labels=tmp_path / "a.csv")
    (entry,) = diff(out, tmp_path / "new").relabelled
    assert {"rows": [1, 2], "style": "subtask", "text": "wait"} in entry["what"]["labels"]["b"]
    assert diff(out, out).equal


@pytest.mark.parametrize("layout", ["v2.1", "gr00t"])
def test_edits_of_older_layouts_keep_the_columns_that_labels_made(source, tmp_path, layout):
    write_v2(source, tmp_path / "old", layout, scratch=tmp_path / "scratch")
    edit(tmp_path / "old", tmp_path / "new", trim="1:10..20")
    made = Dataset(tmp_path / "new").rows(1)
    assert made.column("intervention").to_pylist() == [False] * 2 + [True] * 6 + [False] * 2
