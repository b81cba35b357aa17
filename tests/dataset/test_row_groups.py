"""Row groups copied as they are encoded: the file reads as if it had been written anew, in any reader of Parquet."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.dataset.assembly.row_groups import CopiedGroup, ParquetFooter, RowGroupFile, footer_of

SCHEMA = pa.schema(
    [
        ("action", pa.list_(pa.field("element", pa.float32()), 3)),
        ("frame", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("pose", pa.list_(pa.field("element", pa.list_(pa.field("element", pa.float32()))))),
        ("note", pa.string()),
        ("done", pa.bool_()),
        ("index", pa.int64()),
    ],
    {b"huggingface": b"{}"},
)


def rows(numbers):
    return pa.table(
        {
            "action": pa.array([[n, n / 2, -n] for n in map(float, numbers)], SCHEMA.field("action").type),
            "frame": pa.array([{"bytes": bytes([n % 256]) * 40, "path": None} for n in numbers], SCHEMA[1].type),
            "pose": pa.array([[[n], [n, 0.5]][: n % 3] for n in map(int, numbers)], SCHEMA.field("pose").type),
            "note": pa.array([None if n % 5 == 0 else f"row {n} é" for n in numbers]),
            "done": pa.array([bool(n % 7) for n in numbers]),
            "index": pa.array(list(numbers), pa.int64()),
        },
        schema=SCHEMA,
    )


def written(path, groups, schema=SCHEMA):
    """A file whose row groups are these."""
    file = RowGroupFile(path, schema)
    for group in groups:
        file.write(group)
    size = file.size_bytes
    file.close()
    assert path.stat().st_size > size
    return path


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=5), st.sampled_from(["snappy", "zstd"])
)
def test_copied_and_new_row_groups_read_as_their_rows(tmp_path_factory, groups, codec):
    folder = tmp_path_factory.mktemp("groups")
    counts = [count for _, count in groups]
    tables = [rows(range(sum(counts[:n]), sum(counts[: n + 1]))) for n in range(len(counts))]
    with pq.ParquetWriter(folder / "source", SCHEMA, compression=codec) as sink:
        for table in tables:
            sink.write_table(table)
    with (folder / "source").open("rb") as opened:
        footer = ParquetFooter.read(opened)
        given_ = [
            CopiedGroup(footer, n, {name: name for name in SCHEMA.names}, tables[n].select(["index"]))
            if copied
            else tables[n]
            for n, (copied, _) in enumerate(groups)
        ]
        made = written(folder / "made", given_)
    with pq.ParquetFile(made) as file:
        assert file.schema_arrow.equals(SCHEMA, check_metadata=True)
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == counts
        assert file.read().equals(pa.concat_tables(tables))


def test_columns_get_other_names_and_values_and_keep_their_statistics(tmp_path):
    with pq.ParquetWriter(tmp_path / "source", SCHEMA) as sink:
        sink.write_table(rows(range(100)))
    renamed = pa.schema([SCHEMA.field("done").with_name("over"), SCHEMA.field("action"), SCHEMA.field("index")])
    new = pa.table({"index": pa.array(np.arange(7, 107))})
    with (tmp_path / "source").open("rb") as opened:
        footer = ParquetFooter.read(opened)
        made = written(tmp_path / "made", [CopiedGroup(footer, 0, {"over": "done", "action": "action"}, new)], renamed)
    with pq.ParquetFile(made) as file:
        table = file.read()
        assert table.column("over").to_pylist() == rows(range(100)).column("done").to_pylist()
        assert table.column("action").equals(rows(range(100)).column("action"))
        assert table.column("index").to_pylist() == list(range(7, 107))
        group = file.metadata.row_group(0)
        assert (group.column(2).statistics.min, group.column(2).statistics.max) == (7, 106)
        assert group.column(0).statistics.has_min_max
        assert group.total_byte_size == sum(group.column(n).total_uncompressed_size for n in range(3))


def test_files_of_other_writers_and_damaged_ones_are_not_copied(tmp_path):
    pq.write_table(rows(range(9)), tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    other = data.replace(b"parquet-cpp-arrow", b"parquet-mr versio")
    size = int.from_bytes(data[-8:-4], "little")
    for name, bad in {
        "other": other,
        "empty": b"",
        "short": data[:20],
        "footer": data[: -8 - size] + bytes([255]) * size + data[-8:],
    }.items():
        (tmp_path / name).write_bytes(bad)
        with (tmp_path / name).open("rb") as opened:
            assert ParquetFooter.read(opened) is None


def test_a_file_that_became_shorter_is_no_row_group(tmp_path):
    pq.write_table(rows(range(9)), tmp_path / "a", row_group_size=9)
    new = rows(range(9)).select(["index"])
    with (tmp_path / "a").open("rb") as opened:
        footer = ParquetFooter.read(opened)
        group = CopiedGroup(footer, 0, {name: name for name in SCHEMA.names}, new)
        (tmp_path / "a").write_bytes(b"PAR1")
        file = RowGroupFile(tmp_path / "made", SCHEMA)
        with pytest.raises(OSError, match="ends before what its footer says"):
            file.write(group)
        file.close()
    with pytest.raises(pa.ArrowInvalid):
        pq.ParquetFile(tmp_path / "made")


def test_layouts_say_how_columns_are_stored_whatever_their_names():
    layouts = footer_of(SCHEMA).columns
    assert list(layouts) == SCHEMA.names
    assert [layout.first for layout in layouts.values()] == [0, 1, 3, 4, 5, 6]
    others = footer_of(pa.schema([("x", SCHEMA.field("action").type), ("y", pa.list_(pa.float64()))])).columns
    assert others["x"].layout == layouts["action"].layout != others["y"].layout
