"""Metadata with values of any type: every command says so with the file's path, none ends in a traceback, all agree.

`verify` is the judge. What it finds wrong in metadata, `inspect` and `repair` list as well, and `convert`, `edit` and
`merge` name it whether they can go on or not; what it finds sound, all of them take. So of rows and their statistics.
"""

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cli import telecine
from support.dataset import TOP, clip, episode, write
from support.replaced import GONE, places, replaced

INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
VALUES = st.sampled_from([
    None, True, -1, 0, 3, 1.5, 30.0, float("nan"), float("inf"), 10**30, "", "x", "30", [], [1], [None], [[0.5]], {},
    {"a": 1}, GONE,
])  # fmt: skip
COLUMNS = st.sampled_from([
    pa.array(["x", "7"]), pa.array([None, None], pa.int64()), pa.nulls(2), pa.array([1.5, float("nan")]),
    pa.array([float("inf")] * 2), pa.array([-1, 2**62]), pa.array([0, -5]), pa.array([2**63 - 1] * 2), pa.array([0, 0]),
    pa.array([[1], []], pa.list_(pa.int64())), pa.array([[None], ["x"]]), pa.array([True, False]),
    pa.array([b"x", b""], pa.binary()), pa.array([{"a": 1}] * 2), None,
])  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command said: its exit code, and the findings of its JSON object."""

    code: int
    findings: tuple[dict, ...]

    def errors(self):
        return [f for f in self.findings if f["severity"] == "error"]

    def names(self, where):
        return any(f["where"].endswith(where) for f in self.findings)


def findings_in(value):
    """Every finding, wherever it is in a JSON object."""
    if isinstance(value, dict) and {"code", "severity", "where"} <= set(value):
        yield value
    else:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for one in inner:
            yield from findings_in(one)


def ask(*arguments):
    code, out, _ = telecine(*arguments, "--json")
    return Answer(code, tuple(findings_in(json.loads(out))) if out.startswith("{") else ())


def json_mutant(draw, text):
    """A JSON text with another value somewhere, or without one."""
    content = json.loads(text)
    path = draw(st.sampled_from(list(places(content))))
    return json.dumps(replaced(content, path, draw(VALUES)))


def table_mutant(draw, path):
    """A Parquet file with other values in a column, or without it."""
    table = pq.read_table(path)
    names = [name for name in table.column_names if not name.startswith("stats/")]
    name, column = draw(st.sampled_from(names)), draw(COLUMNS)
    at, rows = table.column_names.index(name), table.num_rows
    table = table.remove_column(at) if column is None else table.set_column(at, name, column.slice(0, rows))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def lines_mutant(draw, text):
    """A JSON Lines text with another value in one line."""
    lines = text.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    return "\n".join([*lines[:at], json_mutant(draw, lines[at]), *lines[at + 1 :]])


def spoil(draw, root, name):
    path = root / name
    if path.suffix == ".parquet":
        path.write_bytes(table_mutant(draw, path))
    else:
        mutant = lines_mutant if path.suffix == ".jsonl" else json_mutant
        path.write_text(mutant(draw, path.read_text()))


def answers(root, other, out):
    """By command; what is written is removed again."""
    asked = {
        "verify": ("verify", root, "--decode", "none"),
        "inspect": ("inspect", root, "--checks", "rows"),
        "repair": ("repair", root),
        "convert": ("convert", root, out, "--task-text", "x", "--workers", "0", "--no-verify"),
        "edit": ("edit", root, out, "--delete", "1", "--dry-run"),
        "merge": ("merge", other, root, out, "--dry-run"),
    }
    found = {}
    for name, arguments in asked.items():
        found[name] = ask(*arguments)
        shutil.rmtree(out, ignore_errors=True)
    return found


def check_agreement(found):
    """One judgement; `merge` and `edit` may also say that an edit does not fit (2)."""
    assert {answer.code for answer in found.values()} <= {0, 1, 2}
    assert {found[name].code for name in ("verify", "inspect", "repair", "convert")} <= {0, 1}
    verify = found["verify"]
    assert (verify.code == 1) == bool(verify.errors())
    if not verify.errors():
        assert {name: a.code for name, a in found.items() if a.code == 1} == {}
        return
    wrong = [f["where"] for f in verify.errors() if f["where"].startswith("meta/") and f["code"] != "verify-stats"]
    assert found["repair"].code == 1
    for where in wrong:
        assert [name for name, answer in found.items() if not answer.names(where) and answer.code != 2] == []
    if wrong:
        assert found["inspect"].code == 1
    for name in ("convert", "edit", "merge"):
        assert found[name].code != 1 or any("meta/" in f["where"] or f["recording"] for f in found[name].findings), name


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return write(folder / "dataset", [episode(6, 0), episode(3, 1, task="put it down")])


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    return write(
        folder / "dataset", [episode(n, i, clips=[clip(folder, TOP, n, episode=i)]) for i, n in enumerate((6, 3))]
    )


def judge_mutant(data, source, other, folder, files):
    root = Path(shutil.copytree(source, folder / "dataset"))
    spoil(data.draw, root, data.draw(st.sampled_from(files)))
    check_agreement(answers(root, other, folder / "out"))


def test_all_commands_take_the_sound_dataset(filmed, tmp_path):
    found = answers(filmed, filmed, tmp_path / "out")
    assert {name: answer.code for name, answer in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.parametrize(
    "numbers", [pa.nulls(2), pa.array(["x", "7"]), pa.array([0.5, 1]), pa.array([[0], [1]]), None], ids=str
)
def test_numbers_of_episodes_that_are_none_are_a_finding_in_every_command(filmed, tmp_path, numbers):
    root = Path(shutil.copytree(filmed, tmp_path / "dataset"))
    table = pq.read_table(root / EPISODES)
    place = table.column_names.index("episode_index")
    pq.write_table(
        table.remove_column(place) if numbers is None else table.set_column(place, "episode_index", numbers),
        root / EPISODES,
    )
    found = answers(root, filmed, tmp_path / "out")
    check_agreement(found)
    assert found["verify"].errors()


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 0, 2]], ids=["rows exchanged", "rows of another"])
@pytest.mark.parametrize("count", [1, 20])
def test_all_commands_refuse_rows_that_are_not_those_of_their_statistics(tmp_path, order, count):
    good = write(tmp_path / "good", [episode(20, i) for i in range(3)])
    root = Path(shutil.copytree(good, tmp_path / "dataset"))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    rows = list(range(60))
    for place, own in enumerate(order):
        rows[place * 20 : place * 20 + count] = range(own * 20, own * 20 + count)
    for key in ("action", "observation.state"):
        table = table.set_column(table.column_names.index(key), table.schema.field(key), table.column(key).take(rows))
    pq.write_table(table, path)
    found = answers(root, good, tmp_path / "out")
    found |= {
        "edit": ask("edit", root, tmp_path / "o", "--delete", "2"),
        "merge": ask("merge", good, root, tmp_path / "p"),
    }
    assert {name: answer.code for name, answer in found.items()} == dict.fromkeys(found, 1)
    for name in ("verify", "inspect", "repair", "edit", "merge"):
        assert "verify-stats" in {f["code"] for f in found[name].errors()}, name
    refused = [f for f in found["convert"].errors() if "telecine repair" in f["message"]]
    assert len({f["recording"] for f in refused}) == sum(own != place for place, own in enumerate(order))
    assert not (tmp_path / "o").exists()
    assert not (tmp_path / "p").exists()


@settings(max_examples=15)
@given(st.data())
def test_all_commands_judge_metadata_of_any_kind_alike(good, tmp_path_factory, data):
    judge_mutant(data, good, good, tmp_path_factory.mktemp("spoilt"), (INFO, STATS, TASKS, EPISODES))


@pytest.mark.long
@settings(max_examples=400)
@given(st.data())
def test_all_commands_judge_metadata_of_filmed_datasets_alike(filmed, tmp_path_factory, data):
    judge_mutant(data, filmed, filmed, tmp_path_factory.mktemp("spoilt"), (INFO, STATS, TASKS, EPISODES))
