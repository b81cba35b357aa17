"""Whatever a dataset looks like, verify ends with findings, never with an exception."""

import io
import json
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dataset import TOP, clip, episode, write
from support.replaced import places, replaced
from telecine import convert
from telecine.core.errors import TelecineError
from telecine.core.findings import has_errors
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_summary import summarize
from telecine.inspection.recordings import inspect_many
from telecine.recovery.repair import repair

values = st.sampled_from([None, True, -1, 0, 3, 1.5, "", "x", [], [1], [None], {}, {"a": 1}, [[0.5]], 10**30])
FILES = ("meta/info.json", "meta/stats.json")
TABLES = ("meta/tasks.parquet", "meta/episodes/chunk-000/file-000.parquet", "data/chunk-000/file-000.parquet")

VIDEO = f"videos/{TOP}/chunk-000/file-000.mp4"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return write(
        folder / "dataset", [episode(n, i, clips=[clip(folder, TOP, n, episode=i)]) for i, n in enumerate((6, 3))]
    )


@contextmanager
def spoilt(good, dataset, name, content):
    """The dataset with other bytes in one file."""
    (dataset / name).write_bytes(content)
    try:
        yield
    finally:
        shutil.copyfile(good / name, dataset / name)


@pytest.fixture(scope="module")
def dataset(good, tmp_path_factory):
    """A copy that each example spoils in one file, and mends again."""
    return Path(shutil.copytree(good, tmp_path_factory.mktemp("spoilt") / "dataset"))


@settings(max_examples=60)
@given(st.sampled_from(FILES), st.data())
def test_any_value_in_the_metadata_is_survived(good, dataset, name, data):
    content = json.loads((good / name).read_text())
    path = data.draw(st.sampled_from(list(places(content))))
    changed = json.dumps(replaced(content, path, data.draw(values)))
    with spoilt(good, dataset, name, changed.encode()):
        verify(dataset, decode="none")


COLUMNS = st.sampled_from([
    pa.array(["x", "y"]), pa.array([None, None], pa.int64()), pa.array([1.5, float("nan")]), pa.array([-1, 2**62]),
    pa.array([[1], []], pa.list_(pa.int64())), pa.array([True, False]), pa.array([b"x", b""], pa.binary()), None,
])  # fmt: skip


def every_command(dataset):
    """Each ends with findings or with an error that telecine raises on purpose."""
    verify(dataset, decode="none")
    for command in (summarize, repair, lambda root: inspect_many([str(root)])):
        with suppress(TelecineError):
            command(dataset)


def with_column(path, column, at):
    """The bytes of a table with another column at `at`, or without it."""
    table = pq.read_table(path)
    at %= table.num_columns
    spoilt_column = None if column is None else column.slice(0, table.num_rows)
    if column is None or len(spoilt_column) != table.num_rows:
        table = table.remove_column(at)
    else:
        table = table.set_column(at, table.column_names[at], spoilt_column)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def survived_by_convert(dataset, out):
    with suppress(TelecineError):
        report = convert(dataset, out, task="x", workers=0)
        assert report.ok or has_errors(report.all_findings)
        assert "convert-failed" not in {f.code for f in report.all_findings}


def test_a_camera_without_names_of_its_axes_is_survived(good, dataset):
    content = json.loads((good / "meta/info.json").read_bytes())
    changed = replaced(content, ("features", "observation.images.top", "names"), [])
    with spoilt(good, dataset, "meta/info.json", json.dumps(changed).encode()):
        every_command(dataset)


@settings(max_examples=40)
@given(st.sampled_from(TABLES[:2]), COLUMNS, st.integers(0, 999))
def test_columns_of_any_type_are_survived_by_every_command(good, dataset, name, column, at):
    with spoilt(good, dataset, name, with_column(good / name, column, at)):
        every_command(dataset)


@settings(max_examples=8)
@given(st.sampled_from(TABLES[:2]), COLUMNS, st.integers(0, 999))
def test_columns_of_any_type_are_survived_by_convert(good, dataset, tmp_path_factory, name, column, at):
    with spoilt(good, dataset, name, with_column(good / name, column, at)):
        survived_by_convert(dataset, tmp_path_factory.mktemp("converted") / "out")


@settings(max_examples=8)
@given(st.sampled_from(FILES), st.data())
def test_any_value_in_the_metadata_is_survived_by_convert(good, dataset, tmp_path_factory, name, data):
    content = json.loads((good / name).read_text())
    path = data.draw(st.sampled_from(list(places(content))))
    changed = json.dumps(replaced(content, path, data.draw(values)))
    out = tmp_path_factory.mktemp("converted") / "out"
    with spoilt(good, dataset, name, changed.encode()):
        survived_by_convert(dataset, out)


@settings(max_examples=40)
@given(st.sampled_from(FILES), st.data())
def test_any_value_in_the_metadata_is_survived_by_every_command(good, dataset, name, data):
    content = json.loads((good / name).read_text())
    path = data.draw(st.sampled_from(list(places(content))))
    changed = json.dumps(replaced(content, path, data.draw(values)))
    with spoilt(good, dataset, name, changed.encode()):
        every_command(dataset)


@settings(max_examples=40)
@given(st.sampled_from((*FILES, *TABLES, VIDEO)), st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_found(good, dataset, name, share):
    whole = (good / name).read_bytes()
    with spoilt(good, dataset, name, whole[: int(len(whole) * share)]):
        assert has_errors(verify(dataset, decode="none"))


@settings(max_examples=60)
@given(st.sampled_from((*TABLES, VIDEO)), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9))
def test_any_bytes_anywhere_are_survived(good, dataset, name, share, noise):
    whole = bytearray((good / name).read_bytes())
    at = int(len(whole) * share)
    whole[at : at + len(noise)] = noise
    with spoilt(good, dataset, name, bytes(whole)):
        verify(dataset)
