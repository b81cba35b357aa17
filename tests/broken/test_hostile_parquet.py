"""Texts in Parquet that are stored once and read many times: a few kB that take gigabytes as texts."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cli import telecine
from support.dataset import everything, write
from support.minari import write as write_minari
from telecine.core.errors import DatasetError, SourceError
from telecine.core.text.numbers import counted
from telecine.lerobot_format import text_bounds
from telecine.lerobot_format.page_bounds import page_fault
from telecine.lerobot_format.parquet_footer import footer_chunks
from telecine.lerobot_format.text_bounds import text_fault
from telecine.lerobot_format.thrift_compact import ThriftError
from telecine.sources import registry
from telecine.sources.shared.confinement import text_problem
from telecine.viewer.entries import find_entries
from telecine.viewer.session import Session

ROWS = "data/chunk-000/file-000.parquet"
TEXT = "x" * (26 << 20)


def spoil(path, key, values):
    """A column of a file, other values in it."""
    table = pq.read_table(path)
    at = table.schema.get_field_index(key)
    pq.write_table(table.set_column(at, key, pa.array(values)), path, compression="zstd")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A dataset of 11 rows."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "clips").mkdir()
    write(folder / "a", everything(folder / "clips", (6, 1, 4)))
    return folder / "a"


@pytest.fixture
def bad(sound, tmp_path):
    """The same, whose note is 26 MB long in each row, in some kB."""
    shutil.copytree(sound, tmp_path / "bad")
    spoil(tmp_path / "bad" / ROWS, "note", [TEXT] * 11)
    assert (tmp_path / "bad" / ROWS).stat().st_size < 100_000
    return tmp_path / "bad"


def test_every_command_refuses_it_by_name(bad, tmp_path):
    said = f"{ROWS}: its texts (note) have "
    shutil.copytree(bad, tmp_path / "bad2")
    for words in (
        ("inspect", bad),
        ("verify", bad),
        ("repair", bad),
        ("edit", bad, tmp_path / "out", "--keep", "0"),
        ("merge", tmp_path / "out", bad, tmp_path / "bad2"),
        ("diff", bad, tmp_path / "bad2"),
        ("convert", bad, tmp_path / "out", "--task-text", "lift the cube", "--fps", "10"),
    ):
        code, out, err = telecine(*words)
        assert code == 1, (words, out, err)
        assert said in " ".join((out + err).split()), (words, out, err)
        assert not (tmp_path / "out").exists()
    (entry,) = find_entries(str(bad))
    with pytest.raises(DatasetError, match="its texts"):
        Session(str(bad), (entry,), read_only=True).dataset(0)


@pytest.mark.parametrize("name", ["meta/tasks.parquet", "meta/episodes/chunk-000/file-000.parquet"])
def test_metadata_is_counted_as_well(sound, tmp_path, name):
    shutil.copytree(sound, tmp_path / "a")
    assert text_problem(tmp_path / "a") == ""
    path = tmp_path / "a" / name
    table = pq.read_table(path)
    more = pa.array([["x" * (1 << 18)] * 1200] * len(table))
    pq.write_table(table.append_column("more", more), path, compression="zstd")
    assert text_problem(tmp_path / "a").startswith(f"{name}: its texts (more.list.element) have ")


def test_a_minari_episode_is_counted_as_well(tmp_path):
    folder = write_minari(tmp_path / "a", "parquet")
    rows = next(folder.glob("0/*.parquet"))
    table = pq.read_table(rows)
    pq.write_table(table.append_column("more", pa.array([2 * TEXT] * len(table))), rows, compression="zstd")
    first, second = registry.find([folder]).refs
    with pytest.raises(SourceError, match=r"its texts \(more\) have"):
        registry.open(first)
    with registry.open(second) as recording:
        assert recording.streams


def test_texts_that_are_packed_in_far_fewer_bytes_are_refused_unread(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["y" * (80 << 20)]}), path, compression="zstd", use_dictionary=False)
    assert "packed in far fewer" in text_fault(path)


def test_honest_texts_may_repeat(tmp_path):
    path = tmp_path / "a.parquet"
    texts = ["pick up the red cube and put it into the box"] * 400_000
    pq.write_table(pa.table({"a": texts, "b": range(400_000)}), path)
    assert text_fault(path) == ""
    assert text_fault(tmp_path / "none.parquet") == ""
    path.write_bytes(b"PAR1 damaged")
    assert text_fault(path) == ""


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.none() | st.text(max_size=30), max_size=4), min_size=1, max_size=30),
    st.sampled_from(["plain", "struct", "list", "map"]),
)
def test_what_is_counted_is_what_reading_gives(tmp_path_factory, rows, shape):
    """Exactly, for a file whose texts are all in dictionaries."""
    texts = [text for row in rows for text in row] or [None]
    columns = {
        "plain": pa.array(texts, pa.string()),
        "struct": pa.array([{"s": text} for text in texts], pa.struct([("s", pa.string())])),
        "list": pa.array(rows, pa.list_(pa.string())),
        "map": pa.array([[("k", text)] for text in texts], pa.map_(pa.string(), pa.string())),
    }
    path = tmp_path_factory.mktemp("t") / "a.parquet"
    pq.write_table(pa.table({"a": columns[shape]}), path)
    exact = sum(len((text or "").encode()) for text in texts) + (len(texts) if shape == "map" else 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_bounds, "_RATIO", 0)
        patched.setattr(text_bounds, "MOST_BYTES", exact)
        assert text_fault(path) == ""
        if exact:
            patched.setattr(text_bounds, "MOST_BYTES", exact - 1)
            assert f"have {counted(exact, 'byte')}" in text_fault(path)


def fault_of(path, most):
    with path.open("rb") as raw:
        return page_fault(raw, footer_chunks(raw), most)


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("codec", ["snappy", "zstd", "none"])
def test_a_footer_is_read_as_arrow_reads_it(tmp_path, codec, dictionary):
    path = tmp_path / "a.parquet"
    numbers = list(range(300))
    columns = {
        "n": pa.array(numbers, pa.int32()),
        "flag": pa.array([n % 2 == 0 for n in numbers]),
        "fixed": pa.array([[n, n] for n in numbers], pa.list_(pa.float32(), 2)),
        "text": pa.array([None if n % 7 == 0 else str(n % 3) for n in numbers]),
        "deep": pa.array([{"a": [str(n)]} for n in numbers]),
    }
    pq.write_table(pa.table(columns), path, compression=codec, use_dictionary=dictionary, row_group_size=120)
    metadata = pq.read_metadata(path)
    with path.open("rb") as raw:
        found = footer_chunks(raw)
    stated = [(group, metadata.row_group(group).column(n)) for group in range(3) for n in range(len(metadata.schema))]
    assert [(c.group, c.path, c.values, c.unpacked, c.packed) for c in found] == [
        (group, c.path_in_schema, c.num_values, c.total_uncompressed_size, c.total_compressed_size)
        for group, c in stated
    ]
    assert [c.is_text for c in found] == [c.physical_type == "BYTE_ARRAY" for _, c in stated]
    assert [c.has_dictionary for c in found] == [c.has_dictionary_page for _, c in stated]
    assert [c.start for c in found] == [c.dictionary_page_offset or c.data_page_offset for _, c in stated]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_footer_is_named_and_costs_no_more_than_its_bytes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), path)
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(1, length + 4))
        content[-4 - at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with path.open("rb") as raw:
            assert len(footer_chunks(raw)) <= length
    except ThriftError:
        pass


def test_a_footer_that_only_arrow_can_follow_is_refused(tmp_path):
    """A field that Parquet does not know, a map, before the end of the footer."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - length : -9] + b"\xfb\x00\x00"
    path.write_bytes(content[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert pq.read_metadata(path).num_rows == 2
    assert "its footer cannot be followed" in text_fault(path)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd"])
def test_a_page_of_numbers_is_measured_as_well(tmp_path, monkeypatch, codec):
    path = tmp_path / "a.parquet"
    zeros = pa.array([0] * 1_000_000, pa.int64())
    pq.write_table(pa.table({"t": ["x"] * len(zeros), "zeros": zeros}), path, compression=codec, use_dictionary=["t"])
    assert fault_of(path, 9_000_000) == text_fault(path) == ""
    assert fault_of(path, 100_000).startswith("a page of zeros unpacks to ")
    monkeypatch.setattr(text_bounds, "_MOST_PAGE", 100_000)
    monkeypatch.setattr(text_bounds, "_RATIO", 0)
    assert "a page of zeros unpacks to" in text_fault(path)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd"])
def test_a_page_is_measured_by_its_own_header_before_it_is_unpacked(tmp_path, monkeypatch, codec):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"zeros": [bytes(8_000_000)]}), path, compression=codec, use_dictionary=False)
    assert (fault_of(path, 16_000_000), text_fault(path)) == ("", "")
    said = fault_of(path, 5_000_000)
    assert said.startswith("a page of zeros unpacks to 80000")
    size = int(said.split()[6])
    there, lie = (bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21]) for n in (2 * size, 2**27))
    data = path.read_bytes()
    at = data.index(there)  # first in the page's header, as twice the number
    path.write_bytes(data[:at] + lie + data[at + 4 :])
    monkeypatch.setattr(text_bounds, "_MOST_PAGE", 1_000_000)
    monkeypatch.setattr(text_bounds, "_RATIO", 0)
    assert "a page of zeros unpacks to 67108864 bytes" in text_fault(path)
