"""`inspect DATASET` shows labels: per episode, as a table of texts with durations, as JSON, and as PNG."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.cli import telecine
from support.dataset import episode, write
from telecine.commands.inspect import inspect
from telecine.core.label import Label
from telecine.inspection.dataset_summary import summarize
from telecine.video.frames.png import read_png

LABELS = (
    Label(0, 30, "subtask", "reach for the cube"),
    Label(30, 60, "subtask", "Reach for the cube"),
    Label(12, 13, "interjection", "careful"),
    Label(20, 35, "intervention", value=1.0),
    Label(50, 60, "intervention", value=1.0),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    tasks = ["pick up the cube"] * 20 + ["put it down"] * 10
    rows = [episode(30, 0, tasks=tasks), replace(episode(60, 1), labels=LABELS)]
    return write(tmp_path_factory.mktemp("shown") / "set", rows)


def test_tasks_and_texts_have_counts_and_durations(dataset):
    page = summarize(dataset)
    assert [(e.episode, len(e.labels)) for e in page.labels] == [(1, 5)]
    table = {(t.style, t.text): (t.count, t.episodes, t.rows, t.seconds) for t in page.texts}
    assert table == {
        ("task", "pick up the cube"): (2, 2, 80, pytest.approx(80 / 30)),
        ("task", "put it down"): (1, 1, 10, pytest.approx(1 / 3)),
        ("subtask", "reach for the cube"): (1, 1, 30, 1.0),
        ("subtask", "Reach for the cube"): (1, 1, 30, 1.0),
        ("interjection", "careful"): (1, 1, 1, pytest.approx(1 / 30)),
        ("intervention", "human"): (2, 1, 25, pytest.approx(25 / 30)),
    }
    said = [f for f in page.findings if f.code == "label-spelling"]
    assert len(said) == 1
    assert said[0].message.startswith("subtask: 'reach for the cube', 'Reach for the cube'")


def test_the_page_and_json_show_the_labels_of_each_episode(dataset):
    code, out, _ = telecine("inspect", dataset)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "1 0.00 to 1.00 subtask reach for the cube" in lines
    assert "1 0.40 interjection careful" in lines
    assert "1 0.67 to 1.17 intervention human" in lines
    assert "put it down task 1 1 0.3" in lines
    body = json.loads(telecine("inspect", dataset, "--json")[1])
    assert body["labels"][0]["labels"][0]["text"] == "reach for the cube"
    assert body["texts"][0]["seconds"] == pytest.approx(80 / 30)


@pytest.mark.usefixtures("matplotlib")
def test_labels_are_drawn_as_bars_over_time(dataset, tmp_path):
    page = inspect(dataset, png=tmp_path / "png")
    (name,) = [path for path in page.drawn if path.endswith("_labels.png")]
    assert name.endswith("episode_000001_labels.png")
    pixels = read_png(Path(name).read_bytes())
    assert np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0).shape[0] > 20


def test_labels_that_cannot_be_read_are_a_finding_and_cost_nothing_else(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "broken")
    path = next((tmp_path / "broken/data").rglob("*.parquet"))
    table = pq.read_table(path)
    entries = [["text"]] * table.num_rows
    where = table.column_names.index("language_persistent")
    pq.write_table(table.set_column(where, "language_persistent", [entries]), path)
    page = summarize(tmp_path / "broken")
    said = [f.message for f in page.findings if "labels of episode" in f.message]
    assert len(said) == 2
    assert "holds list instead of a list of entries" in said[0]
    assert len(page.episodes) == 2
