"""Parquet files without a footer: every whole row group comes back exactly, and nothing that is not whole."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.core.errors import DatasetError
from telecine.lerobot_format.thrift_compact import LIST, STRUCT, ThriftError, read_struct, write_struct
from telecine.recovery.parquet_pages import recover

SCHEMA = pa.schema(
    [
        ("action", pa.list_(pa.field("element", pa.float32()), 3)),
        ("done", pa.bool_()),
        ("note", pa.string()),
        ("frame", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("index.of.rows", pa.int64()),
    ]
)
PER_ROW = {"action": 3, "done": 1, "note": 1, "frame": 1, "index.of.rows": 1}


def rows(count, first=0):
    numbers = np.arange(first, first + count)
    return pa.table(
        {
            "action": pa.array([[float(n), n / 2, -n] for n in numbers], SCHEMA.field("action").type),
            "done": pa.array([bool(n % 7) for n in numbers]),
            "note": pa.array([f"row {n} é" for n in numbers]),
            "frame": pa.array([{"bytes": bytes([n % 256]) * 40, "path": f"{n}.png"} for n in numbers], SCHEMA[3].type),
            "index.of.rows": pa.array(numbers),
        },
        schema=SCHEMA,
    )


def unclosed(path, counts, **options):
    """A file of row groups whose writer never closed it; (its bytes, where each row group ends)."""
    sink = io.BytesIO()
    writer = pq.ParquetWriter(sink, SCHEMA, **options)
    ends, first = [], 0
    for count in counts:
        writer.write_table(rows(count, first), row_group_size=count)
        ends.append(sink.tell())
        first += count
    path.write_bytes(sink.getvalue())
    writer.close()
    return path.read_bytes(), ends


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "lz4", "none"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_what_was_written_comes_back(tmp_path: Path, compression, version) -> None:
    unclosed(tmp_path / "open.parquet", [5, 1, 300], compression=compression, data_page_version=version)
    found = recover(tmp_path / "open.parquet", SCHEMA, PER_ROW, tmp_path / "closed.parquet")
    assert (found.rows, found.groups, found.lost_bytes) == (306, 3, 0)
    assert pq.read_table(tmp_path / "closed.parquet").equals(rows(306))


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_columns_of_many_pages_are_told_apart(tmp_path: Path, use_dictionary) -> None:
    options = {"data_page_size": 500, "write_batch_size": 50, "use_dictionary": use_dictionary}
    unclosed(tmp_path / "open.parquet", [700, 900], **options)
    recover(tmp_path / "open.parquet", SCHEMA, PER_ROW, tmp_path / "closed.parquet")
    assert pq.read_table(tmp_path / "closed.parquet").equals(rows(1600))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4000))
def test_a_cut_file_gives_its_whole_row_groups_and_no_row_more(tmp_path_factory: pytest.TempPathFactory, cut) -> None:
    folder = tmp_path_factory.mktemp("cut")
    data, ends = unclosed(folder / "open.parquet", [5, 9, 20])
    (folder / "open.parquet").write_bytes(data[:cut])
    whole = sum(end <= cut for end in ends)
    if not whole:
        with pytest.raises(DatasetError, match="open.parquet"):
            recover(folder / "open.parquet", SCHEMA, PER_ROW, folder / "closed.parquet")
        return
    found = recover(folder / "open.parquet", SCHEMA, PER_ROW, folder / "closed.parquet")
    assert found.lost_bytes == min(cut, len(data)) - ends[whole - 1]
    assert pq.read_table(folder / "closed.parquet").equals(rows([5, 14, 34][whole - 1]))


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    unclosed(tmp_path / "open.parquet", [5])
    other = pa.schema([SCHEMA.field(1), SCHEMA.field(0)])
    with pytest.raises(DatasetError, match="no row group"):
        recover(tmp_path / "open.parquet", other, PER_ROW, tmp_path / "closed.parquet")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_an_error(data) -> None:
    try:
        struct, end = read_struct(memoryview(data), 0)
    except ThriftError:
        return
    assert end <= len(data)
    again, _ = read_struct(memoryview(write_struct(struct)), 0)
    assert again == struct


def test_a_count_in_the_file_makes_no_list(tmp_path: Path) -> None:
    with pytest.raises(ThriftError, match="a list of"):
        read_struct(memoryview(bytes([0x19, 0xF0 | STRUCT, 0xFF, 0xFF, 0xFF, 0x7F, 0])), 0)
    assert LIST == 9
